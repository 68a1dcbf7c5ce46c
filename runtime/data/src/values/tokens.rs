//! Pure. The tokens of a header's text, cut as Connect's `Values.Parser` cuts them: `: , { } [ ] "` are tokens of their
//! own unless a backslash stands before them, and what stands between is one token, blanks and all.

/// A cursor over tokens.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The token that was looked at and not taken yet.
    next: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    /// A cursor at the beginning.
    pub(crate) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, at: 0, next: None }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The position to come back to with [`Tokens::rewind`].
    pub(crate) fn mark(&self) -> usize {
        self.at - self.next.map_or(0, str::len)
    }

    /// Goes back to a position.
    pub(crate) fn rewind(&mut self, to: usize) {
        self.at = to;
        self.next = None;
    }

    /// Whether a token is left.
    pub(crate) fn has_next(&self) -> bool {
        self.next.is_some() || self.at < self.text.len()
    }

    /// The next token; empty at the end.
    pub(crate) fn take(&mut self) -> &'a str {
        match self.next.take() {
            Some(token) => token,
            None => self.cut(),
        }
    }

    /// The text of the next `count` tokens; none, and nothing is taken, where there are fewer.
    pub(crate) fn take_many(&mut self, count: usize) -> Option<&'a str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.take();
        }
        Some(&self.text[start..self.at])
    }

    fn cut(&mut self) -> &'a str {
        let start = self.at;
        let mut escaped = false;
        for (offset, byte) in self.text.as_bytes()[start..].iter().enumerate() {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    self.at = start + offset.max(1);
                    return &self.text[start..self.at];
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        &self.text[start..]
    }

    /// Takes the next token that is not blank if it is this one. Blank tokens before it are lost either way, as in
    /// Connect.
    pub(crate) fn take_if(&mut self, expected: &str) -> bool {
        if self.next.is_none() {
            if !self.has_next() {
                return false;
            }
            self.next = Some(self.cut());
        }
        while self.next.is_some_and(|token| trim(token).is_empty()) && self.at < self.text.len() {
            self.next = Some(self.cut());
        }
        let found = self.next.is_some_and(|token| trim(token) == expected);
        if found {
            self.next = None;
        }
        found
    }
}

/// Java's `trim`: everything up to the blank goes, at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

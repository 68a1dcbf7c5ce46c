//! Pure. A cursor over JSON text that takes what Jackson takes: strings, numbers, literals and what stands between
//! them. Bounded in depth; never past the end.

use weir_data::{cbor, limits};

use super::flaw::{Outcome, syntax};
use super::number::Number;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Position of the first `"`, `\` or control character at or after `at`, or the length.
#[inline(always)]
pub(crate) fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        let hit = ((quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH;
        if hit != 0 {
            return at + (hit.trailing_zeros() >> 3) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// A cursor over JSON text.
pub(crate) struct Reader<'a> {
    /// The text.
    pub(crate) text: &'a [u8],
    /// Where the cursor stands.
    pub(crate) at: usize,
    /// Bytes of what is made of it from which on no null becomes a default any more.
    pub(crate) most: usize,
}

/// A string of the text.
pub(crate) enum Text<'a> {
    /// As it stands between its quotes.
    Plain(&'a [u8]),
    /// With escapes; the cursor still stands at the opening quote.
    Escaped,
}

impl<'a> Reader<'a> {
    /// A cursor at the beginning, behind a byte order mark.
    pub(crate) fn new(text: &'a [u8], most: usize) -> Reader<'a> {
        Reader { text, at: if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }, most }
    }

    /// A cursor of its own at another place of the text.
    pub(crate) fn moved_to(&self, at: usize) -> Reader<'a> {
        Reader { at, ..*self }
    }

    /// The next byte that is not blank, where the cursor then stands.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> Outcome<u8> {
        match self.text.get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.token_after_blanks(),
        }
    }

    fn token_after_blanks(&mut self) -> Outcome<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) if *byte < b' ' => {
                    return syntax(
                        format!(
                            "Illegal character ((CTRL-CHAR, code {byte})): only regular white space (\\r, \\n, \\t) is \
                             allowed between tokens"
                        ),
                        self.at,
                    );
                }
                Some(byte) => return Ok(*byte),
                None => return syntax("Unexpected end-of-input", self.at),
            }
        }
    }

    /// Whether nothing but blanks is left.
    pub(crate) fn is_blank(&self) -> bool {
        self.text[self.at.min(self.text.len())..].iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r'))
    }

    /// An unexpected character at the cursor.
    #[cold]
    pub(crate) fn unexpected<T>(&self, why: &str) -> Outcome<T> {
        let rest = &self.text[self.at.min(self.text.len())..];
        let shown = String::from_utf8_lossy(&rest[..rest.len().min(4)]);
        match shown.chars().next() {
            Some(c) if c >= ' ' => syntax(format!("Unexpected character ('{c}' (code {})): {why}", c as u32), self.at),
            Some(c) => syntax(format!("Unexpected character ((CTRL-CHAR, code {})): {why}", c as u32), self.at),
            None => syntax(format!("Unexpected end-of-input: {why}"), self.at),
        }
    }

    /// Moves past a colon.
    #[inline(always)]
    pub(crate) fn colon(&mut self) -> Outcome<()> {
        if self.token()? != b':' {
            return self.unexpected("was expecting a colon to separate field name and value");
        }
        self.at += 1;
        Ok(())
    }

    /// Moves past a comma (true) or the closing bracket (false).
    #[inline(always)]
    pub(crate) fn more(&mut self, close: u8) -> Outcome<bool> {
        let byte = self.token()?;
        self.at += 1;
        if byte == b',' {
            return Ok(true);
        }
        if byte == close {
            return Ok(false);
        }
        self.at -= 1;
        self.unexpected(if close == b'}' {
            "was expecting comma to separate Object entries"
        } else {
            "was expecting comma to separate Array entries"
        })
    }

    /// Whether the container at the cursor, whose bracket was passed, is empty; then the cursor is behind it.
    #[inline(always)]
    pub(crate) fn closes(&mut self, close: u8) -> Outcome<bool> {
        let closes = self.token()? == close;
        self.at += usize::from(closes);
        Ok(closes)
    }

    /// The string at the cursor. The cursor moves behind it unless it has escapes.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Outcome<Text<'a>> {
        let start = self.at + 1;
        let end = string_end(self.text, start);
        match self.text.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Text::Plain(&self.text[start..end]))
            }
            Some(b'\\') => Ok(Text::Escaped),
            _ => self.bad_string(end),
        }
    }

    #[cold]
    fn bad_string<T>(&self, at: usize) -> Outcome<T> {
        match self.text.get(at) {
            Some(byte) => syntax(
                format!(
                    "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using backslash to be \
                     included in string value"
                ),
                at,
            ),
            None => syntax("Unexpected end-of-input in VALUE_STRING", at),
        }
    }

    /// Appends the string at the cursor to `out` without its escapes, and moves behind it. A surrogate without its
    /// other half becomes `?`, which is what Java makes of it when it writes UTF-8.
    #[inline(never)]
    pub(crate) fn unescape(&mut self, out: &mut Vec<u8>) -> Outcome<()> {
        let mut at = self.at + 1;
        loop {
            let end = string_end(self.text, at);
            out.extend_from_slice(&self.text[at..end]);
            match self.text.get(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(());
                }
                Some(b'\\') => at = self.escape(end + 1, out)?,
                _ => return self.bad_string(end),
            }
        }
    }

    fn escape(&self, at: usize, out: &mut Vec<u8>) -> Outcome<usize> {
        let byte = match self.text.get(at) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'u') => return self.escaped_unit(at + 1, out),
            Some(byte) => {
                return syntax(
                    format!("Unrecognized character escape '{}' (code {byte})", byte.escape_ascii()),
                    at.saturating_sub(1),
                );
            }
            None => return syntax("Unexpected end-of-input in character escape sequence", at),
        };
        out.push(byte);
        Ok(at + 1)
    }

    fn escaped_unit(&self, at: usize, out: &mut Vec<u8>) -> Outcome<usize> {
        let mut unit = self.hex(at)?;
        let mut at = at + 4;
        if (0xd800..0xdc00).contains(&unit) && self.text.get(at..at + 2) == Some(b"\\u") {
            let low = self.hex(at + 2)?;
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
        }
        let c = char::from_u32(unit).unwrap_or('?');
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(at)
    }

    fn hex(&self, at: usize) -> Outcome<u32> {
        let mut unit = 0;
        for at in at..at + 4 {
            match self.text.get(at).and_then(|&byte| (byte as char).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return syntax("expected a hex-digit for character escape sequence", at),
            }
        }
        Ok(unit)
    }

    /// Appends the string at the cursor as CBOR text and moves behind it.
    #[inline(always)]
    pub(crate) fn string_to_cbor(&mut self, out: &mut Vec<u8>) -> Outcome<()> {
        match self.string()? {
            Text::Plain(text) => {
                cbor::text(out, text);
                Ok(())
            }
            Text::Escaped => {
                let start = out.len();
                out.push(0);
                self.unescape(out)?;
                let length = (out.len() - start - 1) as u64;
                cbor::patch_head(out, start, cbor::major::TEXT, length);
                Ok(())
            }
        }
    }

    /// The string at the cursor without escapes; `scratch` holds it where it had some.
    pub(crate) fn unescaped<'s>(&mut self, scratch: &'s mut Vec<u8>) -> Outcome<&'s [u8]>
    where
        'a: 's,
    {
        match self.string()? {
            Text::Plain(text) => Ok(text),
            Text::Escaped => {
                scratch.clear();
                self.unescape(scratch)?;
                Ok(scratch)
            }
        }
    }

    /// Moves past `literal`, of which the first byte stands at the cursor.
    #[inline(always)]
    pub(crate) fn literal(&mut self, literal: &'static [u8]) -> Outcome<()> {
        let end = self.at + literal.len();
        if self.text.get(self.at..end) != Some(literal) || self.text.get(end).is_some_and(|&next| continues_word(next))
        {
            return self.unrecognized();
        }
        self.at = end;
        Ok(())
    }

    /// A word that is no literal, or no value at all.
    #[cold]
    pub(crate) fn unrecognized<T>(&self) -> Outcome<T> {
        let rest = &self.text[self.at.min(self.text.len())..];
        let word = rest.iter().take_while(|&&byte| continues_word(byte)).count().min(256);
        if word == 0 || !rest[0].is_ascii_alphabetic() {
            return self.unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            );
        }
        let word = String::from_utf8_lossy(&rest[..word]);
        syntax(
            format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', \
                 'true' or 'false')"
            ),
            self.at,
        )
    }

    /// The number at the cursor, which moves behind it.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Outcome<Number<'a>> {
        Number::read(self)
    }

    /// What may stand behind a number or literal that is the whole text.
    pub(crate) fn root_ends(&self) -> Outcome<()> {
        match self.text.get(self.at) {
            None | Some(b' ' | b'\n' | b'\t' | b'\r') => Ok(()),
            Some(_) => self.unexpected("Expected space separating root-level values"),
        }
    }

    /// Moves past the value at the cursor, which is checked all the same.
    pub(crate) fn skip(&mut self) -> Outcome<()> {
        self.skip_within(limits::DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Outcome<()> {
        match self.token()? {
            b'"' => self.skip_string(),
            b'{' => {
                let depth = self.deeper(depth)?;
                self.at += 1;
                if self.closes(b'}')? {
                    return Ok(());
                }
                loop {
                    self.key()?;
                    self.skip_string()?;
                    self.colon()?;
                    self.skip_within(depth)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                let depth = self.deeper(depth)?;
                self.at += 1;
                if self.closes(b']')? {
                    return Ok(());
                }
                loop {
                    self.skip_within(depth)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ => self.unrecognized(),
        }
    }

    fn skip_string(&mut self) -> Outcome<()> {
        match self.string()? {
            Text::Plain(_) => Ok(()),
            Text::Escaped => self.unescape(&mut Vec::new()),
        }
    }

    /// Moves to the opening quote of a member's name.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Outcome<()> {
        if self.token()? == b'"' {
            return Ok(());
        }
        self.unexpected("was expecting double-quote to start field name")
    }

    /// One level less, or the flaw of a text that is nested too deeply.
    #[inline(always)]
    pub(crate) fn deeper(&self, depth: usize) -> Outcome<usize> {
        if depth == 0 {
            return syntax(format!("Document nesting depth exceeds the maximum allowed ({})", limits::DEPTH), self.at);
        }
        Ok(depth - 1)
    }
}

fn continues_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

//! Pure. Just enough Rust to tell code from comments, strings and tests, and to see its paths. Not a parser.

/// The code with comments and the insides of strings blanked out; every line keeps its number.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => until(&chars, at, |i| chars[i] == '\n'),
            '/' if chars.get(at + 1) == Some(&'*') => block_comment(&chars, at),
            '"' => string(&chars, at),
            '\'' => char_literal(&chars, at),
            c if is_word(c) => {
                let end = until(&chars, at, |i| !is_word(chars[i]));
                let word: String = chars[at..end].iter().collect();
                out.push_str(&word);
                at = end;
                if !matches!(word.as_str(), "r" | "br" | "cr") {
                    continue;
                }
                raw_string(&chars, at)
            }
            _ => at,
        };
        if end == at {
            if let Some(c) = chars.get(at) {
                out.push(*c);
            }
            at += 1;
        }
        for c in &chars[at.min(end)..end] {
            out.push(if *c == '\n' { '\n' } else { ' ' });
        }
        at = at.max(end);
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn until(chars: &[char], from: usize, stop: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|i| stop(*i)).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(chars.len())
}

fn string(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// From behind the `r`; the same place when what follows is a raw identifier.
fn raw_string(chars: &[char], from: usize) -> usize {
    let quote = until(chars, from, |i| chars[i] != '#');
    if chars.get(quote) != Some(&'"') {
        return from;
    }
    let hashes = quote - from;
    let closes =
        |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (until(chars, quote + 1, closes) + 1 + hashes).min(chars.len())
}

/// The same place when the quote opens a lifetime.
fn char_literal(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => (until(chars, from + 3, |i| chars[i] == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => from + 3,
        _ => from,
    }
}

/// `code` with every item under `#[cfg(test)]` blanked out.
pub fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(start) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| out[from..].find(mark)).min() {
        let start = from + start;
        let end = item_end(&out, start);
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        from = start + blank.len();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Where the item ends whose attributes start at `from`: behind its block, or behind its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let (mut round, mut curly) = (0, 0);
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly <= 0 && round == 0 {
                    return from + at + 1;
                }
            }
            ';' if curly == 0 && round == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// A path such as `crate::model::Id`, with the groups of a `use` spread out.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    /// How many inline modules it stands in.
    pub depth: usize,
    pub parts: Vec<String>,
}

impl Path {
    pub fn has(&self, parts: &[&str]) -> bool {
        self.parts.windows(parts.len()).any(|window| window == parts)
    }

    pub fn starts(&self, parts: &[&str]) -> bool {
        self.parts.len() >= parts.len() && self.parts[..parts.len()] == *parts
    }
}

enum Token {
    Word(String),
    Colons,
    Other(char),
}

pub fn paths(code: &str) -> Vec<Path> {
    let mut tokens = Vec::new();
    let mut rest = code;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        let length = if is_word(c) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push((line, Token::Word(rest[..end].to_owned())));
            end
        } else if rest.starts_with("::") {
            tokens.push((line, Token::Colons));
            2
        } else {
            line += usize::from(c == '\n');
            if !c.is_whitespace() {
                tokens.push((line, Token::Other(c)));
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }

    let mut paths = Vec::new();
    let mut blocks = Vec::new(); // true for the block of a module
    let mut at = 0;
    while at < tokens.len() {
        let depth = blocks.iter().filter(|module| **module).count();
        match &tokens[at].1 {
            Token::Other('{') => {
                let named = at >= 2 && matches!(&tokens[at - 2].1, Token::Word(word) if word == "mod");
                blocks.push(named);
                at += 1;
            }
            Token::Other('}') => {
                blocks.pop();
                at += 1;
            }
            Token::Word(_) => at = path(&tokens, at, depth, &[], &mut paths),
            Token::Colons | Token::Other(_) => at += 1,
        }
    }
    paths
}

/// Reads one path, and the paths of its group; answers where it ends.
fn path(tokens: &[(usize, Token)], from: usize, depth: usize, before: &[String], paths: &mut Vec<Path>) -> usize {
    let mut parts = before.to_vec();
    let line = tokens[from].0;
    let mut at = from;
    while let Some((_, Token::Word(word))) = tokens.get(at) {
        parts.push(word.clone());
        at += 1;
        match (tokens.get(at).map(|token| &token.1), tokens.get(at + 1).map(|token| &token.1)) {
            (Some(Token::Colons), Some(Token::Other('{'))) => {
                at += 2;
                while let Some((_, token)) = tokens.get(at) {
                    match token {
                        Token::Word(word) if word == "as" => at += 2,
                        Token::Word(_) => at = path(tokens, at, depth, &parts, paths),
                        Token::Other('}') => return at + 1,
                        Token::Colons | Token::Other(_) => at += 1,
                    }
                }
                return at;
            }
            (Some(Token::Colons), Some(Token::Word(_))) => at += 1,
            _ => break,
        }
    }
    paths.push(Path { line, depth, parts });
    at
}

#[cfg(test)]
mod tests {
    use super::{code, paths, without_tests};

    fn seen(text: &str) -> Vec<String> {
        paths(&code(text))
            .iter()
            .map(|path| format!("{}:{}:{}", path.line, path.depth, path.parts.join("::")))
            .collect()
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "a // b\n/* c /* d */ e\n*/ f \"g\\\" h\" r#\"i \" j\"# k br\"l\" '\"' m 'n' '\\'' &'o p";
        let words: Vec<String> = code(text).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["a", "f", "r", "k", "br", "m", "&'o", "p"]);
        assert_eq!(code(text).lines().count(), text.lines().count());
    }

    #[test]
    fn a_raw_identifier_and_an_unclosed_string_do_not_derail_it() {
        assert_eq!(code("r#type b"), "r#type b");
        assert_eq!(code("a \"b").trim_end(), "a");
        assert_eq!(code("a /* b").trim_end(), "a");
    }

    #[test]
    fn test_items_end_with_their_block_or_semicolon() {
        let text = "a\n#[cfg(test)]\nmod tests { fn f() { } }\nb\n#[cfg(test)]\nuse x::{y, z};\nc\n#[cfg(all(test, unix))]\nfn g(_: [u8; 2]) { }\nd";
        let left = without_tests(text);
        assert_eq!(left.split_whitespace().filter(|word| *word != ";").collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(left.lines().count(), text.lines().count());
    }

    #[test]
    fn paths_are_spread_out_with_their_lines() {
        let grouped = ["1:0:use", "1:0:a::b", "1:0:a::c::d", "2:0:a::c::self", "2:0:a::f"];
        assert_eq!(seen("use a::{b, c::{d,\n self as e}, f::*};"), grouped);
        assert_eq!(seen("mod m { super::x() } y"), ["1:0:mod", "1:0:m", "1:1:super::x", "1:0:y"]);
    }
}

//! Pure. Regular expressions in Java's syntax, and Java's replacement texts. Matching takes linear time; look-around,
//! back references and possessive quantifiers are refused.

use regex::{Captures, Regex, RegexBuilder};

const SIZE_MAX: usize = 1 << 20;

/// A regular expression.
#[derive(Debug)]
pub struct Pattern {
    whole: Regex,
    anywhere: Regex,
}

impl Pattern {
    /// Reads an expression; an error says what is wrong with it.
    pub fn new(java: &str) -> Result<Pattern, String> {
        let plain = translated(java)?;
        let compile = |pattern: &str| {
            RegexBuilder::new(pattern).size_limit(SIZE_MAX).build().map_err(|error| {
                format!("{error} (look-around, back references and possessive quantifiers are not supported)")
            })
        };
        // By itself first, so that an expression cannot close the group around it.
        let anywhere = compile(&plain)?;
        Ok(Pattern { whole: compile(&format!("\\A(?:{plain})\\z"))?, anywhere })
    }

    /// Whether it matches all of a text.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

/// What stands for a class of characters in Java, with ASCII alone; in brackets these may stand inside others.
fn class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[ \\t\\n\\x0B\\x0C\\r]",
        'S' => "[^ \\t\\n\\x0B\\x0C\\r]",
        'h' => "[ \\t\\xA0\\u{1680}\\u{180e}\\u{2000}-\\u{200a}\\u{202f}\\u{205f}\\u{3000}]",
        'v' => "[\\n\\x0B\\x0C\\r\\x85\\u{2028}\\u{2029}]",
        _ => return None,
    })
}

fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => "\\x00-\\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => "!-/:-@\\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => " \\t",
        "Cntrl" => "\\x00-\\x1F\\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => " \\t\\n\\x0B\\x0C\\r",
        _ => return None,
    })
}

/// The same expression in the syntax of the crate that matches it.
fn translated(java: &str) -> Result<String, String> {
    let chars: Vec<char> = java.chars().collect();
    let mut out = String::with_capacity(java.len());
    let mut at = 0;
    let mut brackets = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\\' => at = escape(&chars, at, &mut out)?,
            '[' => {
                brackets += 1;
                out.push('[');
                if chars.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
            }
            ']' if brackets > 0 => {
                brackets -= 1;
                out.push(']');
            }
            // Doubled, these mean something else inside brackets here.
            '-' | '~' if brackets > 0 && chars.get(at) == Some(&c) => {
                out.push(c);
                out.push('\\');
                out.push(c);
                at += 1;
            }
            '*' | '+' | '?' | '}' if brackets == 0 => {
                out.push(c);
                if chars.get(at) == Some(&'+') {
                    return Err(format!("Possessive quantifiers are not supported near index {at}"));
                }
                if chars.get(at) == Some(&'?') {
                    out.push('?');
                    at += 1;
                }
                if let Some(c @ ('*' | '+' | '?')) = chars.get(at) {
                    return Err(format!("Dangling meta character '{c}' near index {at}"));
                }
            }
            '(' if brackets == 0 && chars.get(at) == Some(&'?') => {
                out.push('(');
                at = group(&chars, at, &mut out)?;
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// What follows `(` and begins with `?`: flags lose those that have no meaning here.
fn group(chars: &[char], from: usize, out: &mut String) -> Result<usize, String> {
    let mut at = from + 1;
    let mut flags = String::from("?");
    while let Some(&c) = chars.get(at) {
        match c {
            'i' | 'm' | 's' | 'x' | '-' => flags.push(c),
            'd' | 'u' | 'U' => {}
            ')' | ':' if at > from + 1 => {
                let flags = flags.trim_end_matches('-');
                let nothing = flags == "?" && c == ')';
                out.push_str(if nothing { "?:" } else { flags });
                return Ok(at);
            }
            _ => break,
        }
        at += 1;
    }
    out.push('?');
    Ok(from + 1)
}

/// An escape, from behind its backslash; answers where it ends.
fn escape(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let Some(&c) = chars.get(at) else { return Err(format!("Unexpected internal error near index {at}")) };
    let next = at + 1;
    if let Some(class) = class(c) {
        out.push_str(class);
        return Ok(next);
    }
    match c {
        'Q' => {
            let rest: String = chars[next..].iter().collect();
            let (quoted, after) =
                rest.split_once("\\E").map_or((&rest[..], None), |(quoted, rest)| (quoted, Some(rest)));
            out.push_str(&regex::escape(quoted));
            return Ok(after.map_or(chars.len(), |after| chars.len() - after.chars().count()));
        }
        'E' => {}
        'b' | 'B' => out.push_str(&format!("(?-u:\\{c})")),
        'A' | 'z' | 't' | 'n' | 'r' | 'f' | 'a' => out.extend(['\\', c]),
        'Z' => out.push_str("(?:\\n?\\z)"),
        'R' => out.push_str("(?:\\r\\n|[\\n\\x0B\\x0C\\r\\x85\\u{2028}\\u{2029}])"),
        'e' => out.push_str("\\x1B"),
        'x' | 'u' if chars.get(next) == Some(&'{') => out.extend(['\\', 'x']),
        'x' | 'u' => {
            let digits = if c == 'x' { 2 } else { 4 };
            let hex: String = chars[next..].iter().take(digits).collect();
            if hex.len() != digits || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("Illegal hexadecimal escape sequence near index {at}"));
            }
            out.push_str(&format!("\\x{{{hex}}}"));
            return Ok(next + digits);
        }
        'p' | 'P' => return property(chars, at, out),
        _ if c.is_ascii_digit() => return Err(format!("Back references are not supported near index {at}")),
        _ if c.is_ascii_alphabetic() => return Err(format!("Illegal/unsupported escape sequence near index {at}")),
        _ => out.push_str(&regex::escape(&c.to_string())),
    }
    Ok(next)
}

fn property(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let rest: String = chars[at + 1..].iter().collect();
    let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
    match name.and_then(|name| posix(name).map(|set| (name, set))) {
        Some((name, set)) => {
            let not = if chars[at] == 'P' { "^" } else { "" };
            out.push_str(&format!("[{not}{set}]"));
            Ok(at + 3 + name.chars().count())
        }
        None => {
            out.extend(['\\', chars[at]]);
            Ok(at + 1)
        }
    }
}

/// A replacement text in Java's syntax: `$1`, `${name}`, `\$`.
#[derive(Debug)]
pub struct Replacement(Vec<char>);

impl Replacement {
    /// Takes in a text. Like Java it is read only when something matches, so that is when it can be found wrong.
    pub fn new(text: &str) -> Replacement {
        Replacement(text.chars().collect())
    }

    /// The text with the first match of a pattern replaced.
    pub fn first(&self, pattern: &Pattern, text: &str) -> Result<String, String> {
        let Some(found) = pattern.anywhere.captures(text) else { return Ok(text.to_owned()) };
        let whole = found.get(0).ok_or("no match")?;
        let mut out = text[..whole.start()].to_owned();
        self.expand(&found, &pattern.anywhere, &mut out)?;
        out.push_str(&text[whole.end()..]);
        Ok(out)
    }

    fn expand(&self, found: &Captures<'_>, regex: &Regex, out: &mut String) -> Result<(), String> {
        let mut at = 0;
        while let Some(&c) = self.0.get(at) {
            at += 1;
            match c {
                '\\' => {
                    out.push(*self.0.get(at).ok_or("character to be escaped is missing")?);
                    at += 1;
                }
                '$' => {
                    let (group, end) = self.group(at, found.len() - 1, regex)?;
                    at = end;
                    out.push_str(found.get(group).map_or("", |group| group.as_str()));
                }
                _ => out.push(c),
            }
        }
        Ok(())
    }

    /// The group that is named behind a `$`, and where its name ends.
    fn group(&self, at: usize, groups: usize, regex: &Regex) -> Result<(usize, usize), String> {
        let digit = |at: usize| self.0.get(at).and_then(|c| c.to_digit(10)).map(|digit| digit as usize);
        match self.0.get(at) {
            None => Err("Illegal group reference: group index is missing".into()),
            Some('{') => {
                let name: String = self.0[at + 1..].iter().take_while(|c| c.is_ascii_alphanumeric()).collect();
                let end = at + 1 + name.len();
                if name.is_empty() || self.0.get(end) != Some(&'}') {
                    return Err("named capturing group is missing trailing '}'".into());
                }
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(format!("capturing group name {{{name}}} starts with digit character"));
                }
                let group = regex.capture_names().position(|known| known == Some(&name));
                Ok((group.ok_or_else(|| format!("No group with name {{{name}}}"))?, end + 1))
            }
            Some(_) => {
                let mut group = digit(at).ok_or("Illegal group reference")?;
                let mut end = at + 1;
                while let Some(more) = digit(end).map(|digit| group * 10 + digit).filter(|more| *more <= groups) {
                    (group, end) = (more, end + 1);
                }
                if group > groups { Err(format!("No group {group}")) } else { Ok((group, end)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_syntax_means_what_it_means_in_java() {
        for (pattern, text, matches) in [
            ("a|b", "ab", false),
            ("\\Qa.b\\E\\d+", "a.b12", true),
            ("\\Qa.b\\E", "axb", false),
            ("\\Qa", "a", true),
            ("[\\w.-]+", "a_b.c-d", true),
            ("[\\W&&[^.]]", "-", true),
            ("\\p{Lower}+\\p{Digit}", "ab1", true),
            ("\\P{Upper}", "A", false),
            ("(?i)T", "t", true),
            ("(?u)t", "t", true),
            ("(?<name>a)b", "ab", true),
            ("\\u0061\\x62\\_\\-\\<", "ab_-<", true),
            ("[+--]", ",", true),
            ("\\bab\\b", "ab", true),
            ("a\\.b", "a.b", true),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_takes_more_than_linear_time_is_refused() {
        for pattern in ["(", "(?!a)b", "(?<=a)b", "(a)\\1", "a*+", "a**", "a)|(b", "\\y", "\\u12"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn replacements_are_read_as_in_java() {
        let replace = |pattern: &str, replacement: &str, text: &str| {
            Replacement::new(replacement).first(&Pattern::new(pattern).unwrap(), text)
        };
        assert_eq!(replace("(a)(b)", "$2$1\\$\\1$11", "abc").as_deref(), Ok("ba$1a1c"));
        assert_eq!(replace("(?<x>a)(c)?", "${x}[$2]", "ab").as_deref(), Ok("a[]b"));
        // As in Java, what is replaced is the first match, though it was all of the topic that had to match.
        assert_eq!(replace("a|ab", "X", "ab").as_deref(), Ok("Xb"));
        for (replacement, why) in [
            ("$", "Illegal group reference: group index is missing"),
            ("$a", "Illegal group reference"),
            ("$3", "No group 3"),
            ("${1}", "capturing group name {1} starts with digit character"),
            ("${x", "named capturing group is missing trailing '}'"),
            ("${x}", "No group with name {x}"),
            ("\\", "character to be escaped is missing"),
        ] {
            assert_eq!(replace("(a)", replacement, "a").unwrap_err(), why);
        }
    }
}

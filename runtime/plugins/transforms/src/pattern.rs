//! Pure. Regular expressions in Java's syntax, and Java's replacement texts. Matching takes linear time; look-around,
//! back references and possessive quantifiers are refused.

use regex::{Captures, Regex, RegexBuilder};
use weir_data::to_regex;

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
        let plain = to_regex(java)?;
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

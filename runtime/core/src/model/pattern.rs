//! Pure. Patterns in Java's syntax, matched against whole names.

use regex::{Regex, RegexBuilder};

/// A pattern that takes linear time.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a pattern; an error says what it cannot do.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        // Java ends a quotation at \E; the rest of what such patterns use means the same in both.
        let mut plain = String::new();
        let mut rest = pattern;
        while let Some((before, quoted)) = rest.split_once("\\Q") {
            let (quoted, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            plain.push_str(before);
            plain.push_str(&regex::escape(quoted));
            rest = after;
        }
        plain.push_str(rest);
        let whole = RegexBuilder::new(&format!("\\A(?:{plain})\\z")).size_limit(1 << 20).build();
        whole.map(Pattern).map_err(|e| {
            format!("pattern {pattern:?} is not understood (look-around, back references and possessive quantifiers are not supported here): {e}")
        })
    }

    /// Whether a whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_must_match() {
        for (pattern, name, matches) in [
            ("a|b", "a", true),
            ("a|b", "ab", false),
            ("orders-.*", "orders-eu", true),
            ("orders-.*", "my-orders-eu", false),
            ("\\Qa.b\\E\\d+", "a.b12", true),
            ("\\Qa.b\\E", "axb", false),
            ("(?i)T", "t", true),
            ("", "t", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_name() {
        for pattern in ["(", "(?!a)b", "(a)\\1"] {
            assert!(Pattern::new(pattern).unwrap_err().contains("pattern"), "{pattern}");
        }
    }
}

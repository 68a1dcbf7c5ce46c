//! Pure. Patterns in Java's syntax, matched against whole names.

use regex::{Regex, RegexBuilder};
use weir_data::to_regex;

/// Bytes that a compiled pattern may have.
const SIZE_MAX: usize = 1 << 20;

/// A pattern that takes linear time.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a pattern; an error says what it cannot do.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let compile = |pattern: &str| {
            let compiled = RegexBuilder::new(pattern).size_limit(SIZE_MAX).build();
            compiled.map_err(|error| error.to_string())
        };
        // By itself first, so that a pattern cannot close the group around it.
        let read = to_regex(pattern)
            .and_then(|plain| compile(&plain).map(|_| plain))
            .and_then(|plain| compile(&format!("\\A(?:{plain})\\z")));
        read.map(Pattern).map_err(|error| {
            format!(
                "pattern {pattern:?} is not understood (look-around, back references and possessive quantifiers are not \
                 supported here): {error}"
            )
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
            ("orders-\\p{Alnum}+", "orders-eu1", true),
            ("a\\h*b", "a \tb", true),
            ("", "t", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_name() {
        for pattern in ["(", "(?!a)b", "(a)\\1", "a)|(?:b", "x*+"] {
            assert!(Pattern::new(pattern).unwrap_err().contains("pattern"), "{pattern}");
        }
    }
}

//! Pure. Query parameters, as JAX-RS takes them.

/// Parameters in their order, with their values.
pub type Parameters = Vec<(String, String)>;

/// A parameter that is true or not: the first of its name counts, and one without a value is as good as none.
pub fn flag(parameters: &Parameters, name: &str, default: bool) -> bool {
    match parameters.iter().find(|(key, _)| key == name) {
        Some((_, value)) if !value.is_empty() => value.eq_ignore_ascii_case("true"),
        _ => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_everything_but_true_is_false() {
        for (values, expected) in [
            (&[][..], true),
            (&["true"], true),
            (&["TRUE"], true),
            (&["false"], false),
            (&["maybe"], false),
            (&[" true"], false),
            (&["false", "true"], false),
            (&["true", "false"], true),
            (&["", "false"], true),
        ] {
            let parameters = values.iter().map(|value| ("x".to_owned(), (*value).to_owned())).collect();
            assert_eq!(flag(&parameters, "x", true), expected, "{values:?}");
        }
        assert!(!flag(&vec![("y".into(), "true".into())], "x", false));
    }
}

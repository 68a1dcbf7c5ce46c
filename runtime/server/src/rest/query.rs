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

/// The first value of a parameter.
pub fn first<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A query without the parameter `forward`, ready for more to be added, and that parameter's value.
pub fn without_forward(query: &str) -> (String, Option<&str>) {
    let (mut kept, mut forward) = (String::new(), None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.strip_prefix("forward").filter(|rest| rest.is_empty() || rest.starts_with('=')) {
            Some(rest) => forward = forward.or(Some(rest.trim_start_matches('='))),
            None => kept = kept + parameter + "&",
        }
    }
    (kept, forward)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_is_taken_out_of_a_query() {
        let text = |kept: &str| kept.to_owned();
        assert_eq!(without_forward(""), (text(""), None));
        assert_eq!(without_forward("a=1&forward=true&b"), (text("a=1&b&"), Some("true")));
        assert_eq!(without_forward("forwards=1&forward"), (text("forwards=1&"), Some("")));
    }

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

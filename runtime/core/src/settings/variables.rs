//! Pure. Variables of configurations, `${provider:path:key}`: found, replaced, put back, and their values hidden (KIP-297,
//! ConfigTransformer and ConfigReverseTransformer).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::model::Config;

/// A variable of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The provider's name, as the worker's file calls it.
    pub provider: String,
    /// Where the provider looks; empty where the variable says none.
    pub path: String,
    /// What it looks for there.
    pub key: String,
}

/// What variables stand for.
pub type Values = BTreeMap<Variable, String>;

/// Shorter values than this are not hidden: they stand in too many words.
const HIDDEN_LEAST: usize = 4;
/// Nor is what is longer, as one piece.
const HIDDEN_MOST: usize = 64 << 10;

impl Variable {
    fn text(&self) -> String {
        let Variable { provider, path, key } = self;
        if path.is_empty() { format!("${{{provider}:{key}}}") } else { format!("${{{provider}:{path}:{key}}}") }
    }
}

/// The variables in a text and where they stand, in order.
fn variables(text: &str) -> Vec<(Range<usize>, Variable)> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(begin) = text[from..].find("${").map(|at| from + at) {
        let Some(end) = text[begin..].find('}').map(|at| begin + at) else { break };
        let mut parts = text[begin + 2..end].splitn(3, ':');
        let variable = match (parts.next(), parts.next(), parts.next()) {
            (Some(provider), Some(path), Some(key)) => Some((provider, path, key)),
            (Some(provider), Some(key), None) => Some((provider, "", key)),
            _ => None, // no variable without a provider
        };
        if let Some((provider, path, key)) = variable {
            let [provider, path, key] = [provider, path, key].map(str::to_owned);
            found.push((begin..end + 1, Variable { provider, path, key }));
        }
        from = end + 1;
    }
    found
}

/// The variables of a configuration whose providers are known.
pub fn variables_of(config: &Config, is_known: impl Fn(&str) -> bool) -> BTreeSet<Variable> {
    let all = config.values().flat_map(|value| variables(value)).map(|(_, variable)| variable);
    all.filter(|variable| is_known(&variable.provider)).collect()
}

fn replaced(text: &str, values: &Values) -> String {
    let (mut whole, mut from) = (String::new(), 0);
    for (range, variable) in variables(text) {
        if let Some(value) = values.get(&variable) {
            whole.push_str(&text[from..range.start]);
            whole.push_str(value);
            from = range.end;
        }
    }
    whole + &text[from..]
}

/// A configuration with its variables replaced by what they stand for. What nothing is known of stays as it is.
pub fn resolved(config: &Config, values: &Values) -> Config {
    config.iter().map(|(key, value)| (key.clone(), replaced(value, values))).collect()
}

/// A task's configuration with a connector's variables put back for what they stand for, before it is stored.
pub fn put_back(mut task: Config, raw: &Config, values: &Values) -> Config {
    let held: BTreeMap<&String, String> = raw
        .iter()
        .map(|(key, text)| (key, replaced(text, values)))
        .filter(|(key, value)| raw[*key] != *value)
        .collect();
    for (key, value) in &mut task {
        let same_key = held.get_key_value(key).filter(|(_, held)| *held == value);
        // A connector may hand a secret on under another name; a short value may be there for other reasons.
        let elsewhere = || held.iter().find(|(_, held)| *held == value && value.len() > 2 * HIDDEN_LEAST);
        if let Some((from, _)) = same_key.or_else(elsewhere) {
            *value = raw[*from].clone();
        }
    }
    task
}

/// Hides what variables stand for.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    finder: Option<AhoCorasick>,
    variables: Vec<String>,
}

/// What a value may look like in a text: whole, without blanks around it, line by line, and as JSON and Rust's way of
/// showing text write it.
fn forms(value: &str) -> BTreeSet<String> {
    let parts = std::iter::once(value).chain(value.lines()).flat_map(|part| [part, part.trim()]);
    let forms = parts.flat_map(|part| {
        let quoted = serde_json::Value::from(part).to_string();
        [part.to_owned(), quoted[1..quoted.len() - 1].to_owned()]
    });
    forms.filter(|form| (HIDDEN_LEAST..=HIDDEN_MOST).contains(&form.len())).collect()
}

impl Hidden {
    /// Hides these values. Where one is part of another, the longer one is meant.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a Variable, &'a String)>) -> Hidden {
        let mut patterns = BTreeMap::new();
        for (variable, value) in values {
            patterns.extend(forms(value).into_iter().map(|form| (form, variable.text())));
        }
        let (forms, variables): (Vec<String>, Vec<String>) = patterns.into_iter().unzip();
        let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms);
        // It fails on more patterns than memory holds.
        Hidden { finder: builder.ok().filter(|_| !variables.is_empty()), variables }
    }

    /// Whether a text holds one of the values.
    pub fn is_in(&self, text: &str) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.is_match(text))
    }

    /// A text with the variables in place of their values.
    pub fn hide(&self, text: String) -> String {
        match &self.finder {
            Some(finder) if finder.is_match(&text) => finder.replace_all(&text, &self.variables),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn values(entries: &[(&str, &str)]) -> Values {
        let one = |(text, value): &(&str, &str)| (variables(text).remove(0).1, value.to_string());
        entries.iter().map(one).collect()
    }

    #[test]
    fn variables_are_found_as_connects_pattern_finds_them() {
        for (text, expected) in [
            ("${env:HOME}", vec![("env", "", "HOME")]),
            ("a${file:/x/y.properties:k}b${env:E}", vec![("file", "/x/y.properties", "k"), ("env", "", "E")]),
            ("${file:/a:b:c}", vec![("file", "/a", "b:c")]),
            ("${:k}", vec![("", "", "k")]),
            ("${file:${env:A}}", vec![("file", "${env", "A")]),
            ("${a} ${a:b", vec![]),
            ("${a} ${a:b}", vec![("a", "", "b")]),
            ("$a:b}", vec![]),
        ] {
            let found = variables(text);
            let found: Vec<_> =
                found.iter().map(|(_, v)| (v.provider.as_str(), v.path.as_str(), v.key.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_nothing_is_known_of_stays_and_values_are_not_looked_through_again() {
        let values = values(&[("${f:p:a}", "${f:p:b}"), ("${f:p:b}", "x")]);
        let raw = config(&[("1", "-${f:p:a}-${f:p:c}-"), ("2", "${f:p:b}${f:p:b}"), ("3", "${other:b}")]);
        let expected = config(&[("1", "-${f:p:b}-${f:p:c}-"), ("2", "xx"), ("3", "${other:b}")]);
        assert_eq!(resolved(&raw, &values), expected);
        assert_eq!(variables_of(&raw, |provider| provider == "f").len(), 3);
    }

    #[test]
    fn tasks_are_stored_with_the_variables_that_their_values_came_from() {
        let values = values(&[("${f:p:word}", "open sesame"), ("${f:p:n}", "1")]);
        let raw = config(&[("password", "${f:p:word}"), ("count", "${f:p:n}"), ("plain", "1")]);
        let task = config(&[
            ("password", "open sesame"),
            ("secret", "open sesame"),
            ("count", "1"),
            ("index", "1"),
            ("plain", "1"),
        ]);
        let expected = config(&[
            ("password", "${f:p:word}"),
            ("secret", "${f:p:word}"),
            ("count", "${f:p:n}"),
            ("index", "1"),
            ("plain", "1"),
        ]);
        assert_eq!(put_back(task, &raw, &values), expected);
    }

    #[test]
    fn values_are_hidden_the_longest_first_and_short_ones_not() {
        let hidden = Hidden::new(&values(&[("${f:p:a}", "secret"), ("${f:p:b}", "secrets"), ("${e:c}", "abc")]));
        assert_eq!(hidden.hide("secrets, secret, abc".to_owned()), "${f:p:b}, ${f:p:a}, abc");
        let lines = Hidden::new(&values(&[("${f:p:a}", "first line\nsecond line\n")]));
        assert_eq!(lines.hide("it is first line, or second line".to_owned()), "it is ${f:p:a}, or ${f:p:a}");
        let quoted = Hidden::new(&values(&[("${f:p:a}", "se\"cret")]));
        assert_eq!(quoted.hide(r#"{"message":"se\"cret"}"#.to_owned()), r#"{"message":"${f:p:a}"}"#);
    }
}

//! Pure. User and password out of a JAAS configuration, which is where Java's clients take them from.

use std::collections::BTreeMap;

use weir_core::model::Problem;
use weir_core::port::ClientSettings;

use super::problem;

const KEY: &str = "sasl.jaas.config";
const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// The login module of a mechanism.
pub(super) fn module(mechanism: &str) -> &'static str {
    if mechanism == "PLAIN" { PLAIN } else { SCRAM }
}

pub(super) fn map(settings: &ClientSettings, properties: &mut BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    let Some(text) = settings.get(KEY).map(|text| text.trim()).filter(|text| !text.is_empty()) else { return };
    let mechanism = settings.get("sasl.mechanism").map_or("GSSAPI", |mechanism| mechanism.trim());
    match read(text, mechanism) {
        Ok((user, password)) => {
            properties.insert("sasl.username".into(), user);
            properties.insert("sasl.password".into(), password);
        }
        Err(remedy) => problems.push(problem(KEY, "", &remedy)),
    }
}

fn read(text: &str, mechanism: &str) -> Result<(String, String), String> {
    let tokens = tokens(text)?;
    let module = tokens.first().map(String::as_str).unwrap_or_default();
    let fits = match module {
        PLAIN => mechanism == "PLAIN",
        SCRAM => mechanism.starts_with("SCRAM-SHA-"),
        _ => return Err(format!("login module {module} cannot run here; use {PLAIN} or {SCRAM}")),
    };
    if !fits {
        return Err(format!("{module} does not fit sasl.mechanism={mechanism}; change one of the two"));
    }
    let options: BTreeMap<&str, &str> = tokens.iter().filter_map(|token| token.split_once('=')).collect();
    let option = |name: &str| {
        let found = options.get(name).map(|value| value.to_string());
        found
            .ok_or_else(|| format!("{name} is missing; expected: {module} required username=\"...\" password=\"...\";"))
    };
    Ok((option("username")?, option("password")?))
}

/// Words up to the semicolon; quotes hold words together and a backslash takes what follows as it is.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = vec![String::new()];
    let mut quoted = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = tokens.len() - 1;
        match (c, quoted) {
            ('\\', Some(_)) => tokens[last].extend(chars.next()),
            (c, Some(quote)) if c == quote => quoted = None,
            (c, Some(_)) => tokens[last].push(c),
            ('"' | '\'', None) => quoted = Some(c),
            (';', None) => return Ok(tokens),
            (c, None) if c.is_whitespace() => {
                if !tokens[last].is_empty() {
                    tokens.push(String::new());
                }
            }
            (c, None) => tokens[last].push(c),
        }
    }
    Err("it does not end with a semicolon; expected: module required username=\"...\" password=\"...\";".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_found_however_they_are_quoted() {
        for (mechanism, text) in [
            ("PLAIN", format!("{PLAIN} required username=\"alice\" password=\"a b\\\"c;=\";")),
            ("SCRAM-SHA-512", format!("{SCRAM}  required\n  password='a b\"c;='\n username=alice ;")),
        ] {
            assert_eq!(read(&text, mechanism), Ok(("alice".into(), "a b\"c;=".into())), "{text}");
        }
    }

    #[test]
    fn what_cannot_log_in_is_refused_with_a_remedy() {
        for (mechanism, text, said) in [
            ("PLAIN", "com.sun.security.auth.module.Krb5LoginModule required;".to_string(), "cannot run here"),
            ("GSSAPI", format!("{PLAIN} required username=\"a\" password=\"b\";"), "sasl.mechanism=GSSAPI"),
            ("PLAIN", format!("{PLAIN} required username=\"a\";"), "password is missing"),
            ("PLAIN", format!("{PLAIN} required username=\"a\" password=\"b\""), "semicolon"),
        ] {
            let refused = read(&text, mechanism).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}

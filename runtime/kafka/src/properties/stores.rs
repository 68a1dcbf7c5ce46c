//! Pure. Key stores and trust stores: PEM as file or text, or PKCS12. librdkafka reads all of them but trust stores of
//! PKCS12, which keep Java's names: they are read for it where a client is made.

use std::collections::BTreeMap;

use weir_core::model::Problem;
use weir_core::port::ClientSettings;

use super::problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Pem,
    Pkcs12,
    Jks,
}

/// The type as it is said, else as the file's name says it: Java's default reads PKCS12 files too.
fn store_type(said: Option<&str>, location: &str) -> Result<Type, String> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| location.to_ascii_lowercase().ends_with(ending));
    match said.map(str::to_ascii_uppercase).as_deref() {
        Some("PEM") => Ok(Type::Pem),
        Some("PKCS12") => Ok(Type::Pkcs12),
        None | Some("JKS") if ends(&[".p12", ".pfx"]) => Ok(Type::Pkcs12),
        None if ends(&[".pem", ".crt"]) => Ok(Type::Pem),
        None | Some("JKS") => Ok(Type::Jks),
        Some(_) => Err("expected PEM or PKCS12".into()),
    }
}

pub(super) fn map(settings: &ClientSettings, properties: &mut BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    let get = |key: &str| settings.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut set = |key: &str, value: &str| _ = properties.insert(key.into(), value.into());
    if let Some(location) = get("ssl.keystore.location") {
        match store_type(get("ssl.keystore.type"), location) {
            Ok(Type::Pem) => {
                set("ssl.key.location", location);
                set("ssl.certificate.location", location);
            }
            Ok(Type::Pkcs12) => {
                set("ssl.keystore.location", location);
                if let Some(password) = get("ssl.keystore.password") {
                    set("ssl.keystore.password", password);
                }
            }
            Ok(Type::Jks) => {
                let remedy = format!(
                    "JKS stores cannot be read; convert it with keytool -importkeystore -srckeystore {location} -destkeystore keys.p12 -deststoretype PKCS12, and set ssl.keystore.type=PKCS12"
                );
                problems.push(problem("ssl.keystore.location", location, &remedy));
            }
            Err(remedy) => problems.push(problem("ssl.keystore.type", get("ssl.keystore.type").unwrap_or(""), &remedy)),
        }
    }
    for (java, native) in [
        ("ssl.keystore.key", "ssl.key.pem"),
        ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
        ("ssl.key.password", "ssl.key.password"),
        ("ssl.truststore.certificates", "ssl.ca.pem"),
    ] {
        if let Some(value) = get(java) {
            set(native, value);
        }
    }
    if let Some(location) = get("ssl.truststore.location") {
        let remedy = match store_type(get("ssl.truststore.type"), location) {
            Ok(Type::Pem) => return set("ssl.ca.location", location),
            Ok(Type::Pkcs12) => {
                set("ssl.truststore.location", location);
                return set("ssl.truststore.password", get("ssl.truststore.password").unwrap_or_default());
            }
            Ok(Type::Jks) => format!(
                "JKS stores cannot be read; convert it with keytool -exportcert -rfc -keystore {location} -alias ALIAS -file trust.pem, and set ssl.truststore.type=PEM and ssl.truststore.location=trust.pem"
            ),
            Err(remedy) => remedy,
        };
        problems.push(problem("ssl.truststore.location", location, &remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(entries: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<Problem>) {
        let settings = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let (mut properties, mut problems) = (BTreeMap::new(), Vec::new());
        map(&settings, &mut properties, &mut problems);
        (properties.into_iter().collect(), problems)
    }

    #[test]
    fn stores_become_what_openssl_reads() {
        let (properties, problems) = mapped(&[
            ("ssl.keystore.location", "keys.p12"),
            ("ssl.keystore.password", "secret"),
            ("ssl.truststore.location", "ca.pem"),
            ("ssl.truststore.password", "of no use for PEM"),
            ("ssl.truststore.type", "PEM"),
        ]);
        let expected =
            [("ssl.ca.location", "ca.pem"), ("ssl.keystore.location", "keys.p12"), ("ssl.keystore.password", "secret")];
        assert_eq!(properties, expected.map(|(key, value)| (key.to_string(), value.to_string())));
        assert_eq!(problems, []);
    }

    #[test]
    fn a_trust_store_of_pkcs12_keeps_its_names() {
        let by_type = [("ssl.truststore.location", "trust"), ("ssl.truststore.type", "PKCS12")];
        let by_name = [("ssl.truststore.location", "trust.p12"), ("ssl.truststore.password", "secret")];
        for (entries, location, password) in [(by_type, "trust", ""), (by_name, "trust.p12", "secret")] {
            let expected = [("ssl.truststore.location", location), ("ssl.truststore.password", password)];
            let expected = expected.map(|(key, value)| (key.to_string(), value.to_string()));
            assert_eq!(mapped(&entries), (expected.into(), vec![]));
        }
    }

    #[test]
    fn stores_of_java_alone_are_refused_with_the_command_that_converts_them() {
        let (properties, problems) = mapped(&[
            ("ssl.keystore.location", "keys.jks"),
            ("ssl.truststore.location", "trust.jks"),
            ("ssl.truststore.type", "JKS"),
        ]);
        assert_eq!(properties, []);
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().all(|problem| problem.message.contains("keytool")), "{problems:?}");
    }
}

//! Pure. Which settings of their clients connectors may have their own of (`connector.client.config.override.policy`).

use std::collections::BTreeSet;

use super::reader::Reader;

const POLICY: &str = "connector.client.config.override.policy";
const ALLOWLIST: &str = "connector.client.config.override.allowlist";

/// Apache's policies are called so, each with its short name in between.
const LONG: (&str, &str) = ("org.apache.kafka.connect.connector.policy.", "ConnectorClientConfigOverridePolicy");

/// What PrincipalConnectorClientConfigOverridePolicy allows.
const OF_PRINCIPALS: [&str; 3] = ["sasl.jaas.config", "sasl.mechanism", "security.protocol"];

/// Which settings of their clients connectors may have their own of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Every one.
    #[default]
    All,
    /// None.
    None,
    /// Who they are to the brokers.
    Principal,
    /// These.
    Allowlist(BTreeSet<String>),
}

impl OverridePolicy {
    /// Reads what a worker's file says.
    pub(super) fn read(reader: &mut Reader) -> OverridePolicy {
        let given = reader.get(POLICY).unwrap_or("All");
        let name = given.strip_prefix(LONG.0).unwrap_or(given);
        match name.strip_suffix(LONG.1).unwrap_or(name) {
            "All" => OverridePolicy::All,
            "None" => OverridePolicy::None,
            "Principal" => OverridePolicy::Principal,
            "Allowlist" => OverridePolicy::Allowlist(reader.list(ALLOWLIST).into_iter().collect()),
            _ => {
                let message = format!(
                    "Invalid value {given} for configuration {POLICY}: there is no such policy. Say All, None, Principal, \
                     or Allowlist with the keys that connectors may override in {ALLOWLIST}."
                );
                reader.problem(POLICY, message);
                OverridePolicy::None
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            OverridePolicy::All => "All",
            OverridePolicy::None => "None",
            OverridePolicy::Principal => "Principal",
            OverridePolicy::Allowlist(_) => "Allowlist",
        }
    }

    /// What is said to whoever overrides a key that may not be.
    pub fn refusal(&self, key: &str) -> Option<String> {
        let allowed = match self {
            OverridePolicy::All => true,
            OverridePolicy::None => false,
            OverridePolicy::Principal => OF_PRINCIPALS.contains(&key),
            OverridePolicy::Allowlist(keys) => keys.contains(key),
        };
        let policy = self.name();
        (!allowed).then(|| {
            format!("The '{policy}' policy does not allow '{key}' to be overridden in the connector configuration.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;

    fn read(entries: &[(&str, &str)]) -> Result<OverridePolicy, String> {
        let config: Config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut reader = Reader::new(&config);
        let policy = OverridePolicy::read(&mut reader);
        reader.finish().map(|()| policy).map_err(|problems| problems[0].message.clone())
    }

    #[test]
    fn a_policy_has_a_short_name_a_simple_one_and_a_long_one() {
        assert_eq!(read(&[]), Ok(OverridePolicy::All));
        for (name, policy) in [
            ("All", OverridePolicy::All),
            ("None", OverridePolicy::None),
            ("Principal", OverridePolicy::Principal),
            ("Allowlist", OverridePolicy::Allowlist(BTreeSet::new())),
        ] {
            let simple = format!("{name}ConnectorClientConfigOverridePolicy");
            let long = format!("org.apache.kafka.connect.connector.policy.{simple}");
            for text in [name.to_owned(), simple, long] {
                assert_eq!(read(&[(POLICY, &text)]), Ok(policy.clone()), "{text}");
            }
        }
    }

    #[test]
    fn another_policy_is_refused_with_what_there_is() {
        for text in ["Some", "", "all", "com.example.Mine"] {
            let said = read(&[(POLICY, text)]).unwrap_err();
            assert!(said.starts_with(&format!("Invalid value {text} for configuration {POLICY}: ")), "{said}");
            assert!(said.contains("All, None, Principal, or Allowlist"), "{said}");
        }
    }

    #[test]
    fn what_may_be_overridden_is_up_to_the_policy() {
        let listed = read(&[(POLICY, "Allowlist"), (ALLOWLIST, "acks, linger.ms")]).unwrap();
        for (policy, allowed, refused) in [
            (OverridePolicy::All, &["acks", "bogus"][..], &[][..]),
            (OverridePolicy::None, &[], &["acks", "sasl.mechanism"]),
            (OverridePolicy::Principal, &["sasl.jaas.config", "security.protocol"], &["acks", "sasl.login.class"]),
            (listed, &["acks", "linger.ms"], &["retries", "acks.x"]),
        ] {
            assert_eq!(allowed.iter().find_map(|key| policy.refusal(key)), None, "{policy:?}");
            for key in refused {
                let said = format!(
                    "The '{}' policy does not allow '{key}' to be overridden in the connector configuration.",
                    policy.name()
                );
                assert_eq!(policy.refusal(key), Some(said));
            }
        }
    }
}

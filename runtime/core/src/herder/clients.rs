//! The settings of the clients that a connector's tasks have: the framework's own, over them the worker's, over them
//! those that the connector overrides as far as the worker lets it.

use std::sync::Arc;

use crate::model::{ClassKind, ClientKind, Config, ConfigKey, Problem, TaskId};
use crate::port::{Broker, ClientSettings};
use crate::settings::{Checked, ConnectorSettings, DEAD_LETTER_TOPIC, OverridePolicy, below, check, client_key};

use super::builder::{Builder, Failure};

/// What a configuration overrides of a client, and what is wrong with it.
pub(super) struct Override {
    /// The key, with its prefix.
    pub name: String,
    /// Its definition; none for a key that Java does not know.
    pub key: Option<ConfigKey>,
    pub checked: Checked,
}

/// The clients that a connector uses, and whose settings it may therefore override
/// (AbstractHerder.connectorUsesProducer and its like).
fn used(kind: ClassKind, config: &Config, distributed: bool) -> Vec<ClientKind> {
    let given = |key: &str| config.get(key).is_some_and(|text| !text.trim().is_empty());
    let uses = |client: &ClientKind| match (kind, client) {
        (ClassKind::Sink, ClientKind::Consumer) => true,
        (ClassKind::Sink, ClientKind::Producer | ClientKind::Admin) => given(DEAD_LETTER_TOPIC),
        // What is no sink is a source: steps have no clients.
        (_, ClientKind::Producer) => true,
        // Its dead letters are read when they go back.
        (_, ClientKind::Consumer) => given(DEAD_LETTER_TOPIC) || (distributed && given("offsets.storage.topic")),
        (_, ClientKind::Admin) => {
            let makes_topics = below(config, "topic.creation.").next().is_some();
            makes_topics || given(DEAD_LETTER_TOPIC) || (distributed && given("offsets.storage.topic"))
        }
    };
    ClientKind::ALL.into_iter().filter(uses).collect()
}

/// What a configuration overrides of a client.
fn overrides(client: ClientKind, policy: &OverridePolicy, config: &Config) -> Vec<Override> {
    let of = |(rest, name, value): (&str, &String, &String)| {
        let key = client_key(client, rest).map(|key| ConfigKey { name: name.clone(), ..key.clone() });
        let mut checked = match &key {
            Some(key) => check(key, config),
            None => Checked { value: Some(value.clone()), errors: Vec::new() },
        };
        if let Some(refusal) = policy.refusal(rest) {
            checked.errors = vec![refusal];
        }
        Override { name: name.clone(), key, checked }
    };
    below(config, client.override_prefix()).map(of).collect()
}

/// The framework's own settings, over them the worker's, over them the connector's.
fn merged<const N: usize>(framework: [(&str, String); N], worker: &Config, connector: &Config) -> ClientSettings {
    let mut merged: ClientSettings = framework.map(|(key, value)| (key.to_owned(), value)).into();
    merged.extend(worker.clone());
    merged.extend(connector.clone());
    merged
}

impl Builder {
    fn used(&self, kind: ClassKind, config: &Config) -> Vec<ClientKind> {
        used(kind, config, self.settings.distributed.is_some())
    }

    /// What a configuration overrides of the clients that its connector uses.
    pub(super) fn overrides(&self, kind: ClassKind, config: &Config) -> Vec<Override> {
        let of = |client| overrides(client, &self.settings.override_policy, config);
        self.used(kind, config).into_iter().flat_map(of).collect()
    }

    /// Says what is wrong with the settings of the clients that a connector's tasks would have, as the connector names
    /// them, as far as their broker finds it.
    pub fn check_clients(&self, kind: ClassKind, settings: &ConnectorSettings) -> Result<(), Vec<Problem>> {
        let first = TaskId { connector: settings.name.clone(), index: 0 };
        let mut problems = Vec::new();
        for client in self.used(kind, &settings.config) {
            let prefix = client.override_prefix();
            let named = |Problem { key, message }| {
                let key = format!("{prefix}{key}");
                let message = format!("Invalid value for configuration {key}: {message}");
                Problem { key, message }
            };
            let wrong = self.broker.check_client(client, &self.client_settings(client, settings, &first)).err();
            problems.extend(wrong.into_iter().flatten().map(named));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What a configuration overrides of a client that the worker does not let it.
    fn refused(&self, client: ClientKind, config: &Config) -> Vec<Problem> {
        let refusal = |(rest, name, _): (&str, &String, &String)| {
            let refusal = self.settings.override_policy.refusal(rest)?;
            let message = format!("Client Config Overrides not allowed: {name}: {refusal}");
            Some(Problem { key: name.clone(), message })
        };
        below(config, client.override_prefix()).filter_map(refusal).collect()
    }

    /// Says what a configuration overrides that the worker does not let it, which whoever wrote it down may have been
    /// allowed to (Worker.connectorClientConfigOverrides).
    pub(super) fn check_overrides(&self, kind: ClassKind, config: &Config) -> Result<(), Failure> {
        let refused = |client| self.refused(client, config);
        let problems: Vec<Problem> = self.used(kind, config).into_iter().flat_map(refused).collect();
        if problems.is_empty() { Ok(()) } else { Err(Failure::Config(problems)) }
    }

    /// The brokers, asked about topics and groups with a connector's own settings.
    pub(super) fn admin(&self, settings: &ConnectorSettings, id: &str) -> Result<Arc<dyn Broker>, Failure> {
        let refused = self.refused(ClientKind::Admin, &settings.config);
        if !refused.is_empty() {
            return Err(Failure::Config(refused));
        }
        let own = self.broker.with_admin(id, &settings.admin);
        let own = own.map_err(|error| Failure::Broker(format!("The connector has no admin client: {error}")))?;
        Ok(own.unwrap_or_else(|| self.broker.clone()))
    }

    fn client_settings(&self, client: ClientKind, settings: &ConnectorSettings, id: &TaskId) -> ClientSettings {
        match client {
            ClientKind::Producer => self.producer_settings(settings, id),
            ClientKind::Consumer => self.consumer_settings(settings, id),
            ClientKind::Admin => settings.admin.clone(),
        }
    }

    pub(super) fn producer_settings(&self, settings: &ConnectorSettings, id: &TaskId) -> ClientSettings {
        let framework = [("client.id", format!("connector-producer-{id}"))];
        merged(framework, &self.settings.producer, &settings.producer)
    }

    /// The settings of the clients with which a source's own offsets are written and read.
    pub(super) fn log_clients(&self, settings: &ConnectorSettings) -> (ClientSettings, ClientSettings) {
        let name = &settings.name;
        let consumer = [("client.id", format!("connector-consumer-{name}"))];
        let mut consumer = merged(consumer, &self.settings.consumer, &settings.consumer);
        // It reads on its own.
        consumer.remove("group.id");
        let producer = [("client.id", format!("connector-producer-{name}"))];
        let mut producer = merged(producer, &self.settings.producer, &settings.producer);
        for client in [&mut producer, &mut consumer] {
            client.entry("bootstrap.servers".into()).or_insert_with(|| self.servers().to_owned());
        }
        (producer, consumer)
    }

    /// The worker's `bootstrap.servers`.
    fn servers(&self) -> &str {
        self.settings.config.get("bootstrap.servers").map_or("", |servers| servers.trim())
    }

    /// Whether a connector's records go to the worker's own cluster.
    pub(super) fn writes_here(&self, settings: &ConnectorSettings) -> bool {
        let own =
            settings.producer.get("bootstrap.servers").or_else(|| self.settings.producer.get("bootstrap.servers"));
        own.is_none_or(|servers| servers.trim() == self.servers())
    }

    pub(super) fn consumer_settings(&self, settings: &ConnectorSettings, id: &TaskId) -> ClientSettings {
        let framework = [
            ("client.id", format!("connector-consumer-{id}")),
            ("group.id", format!("connect-{}", id.connector)),
            ("auto.offset.reset", "earliest".to_owned()),
        ];
        merged(framework, &self.settings.consumer, &settings.consumer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn only_the_clients_that_a_connector_uses_are_looked_at() {
        use ClassKind::{Sink, Source};
        use ClientKind::{Admin, Consumer, Producer};
        let (makes, dlq) = (("topic.creation.groups", ""), ("errors.deadletterqueue.topic.name", " d "));
        let offsets = ("offsets.storage.topic", "o");
        for (kind, entries, distributed, clients) in [
            (Source, &[][..], false, &[Producer][..]),
            (Source, &[makes], false, &[Producer, Admin]),
            (Source, &[offsets], false, &[Producer]),
            (Source, &[offsets], true, &[Producer, Consumer, Admin]),
            (Source, &[dlq], false, &[Producer, Consumer, Admin]),
            (Sink, &[makes, offsets], true, &[Consumer]),
            (Sink, &[dlq], false, &[Producer, Consumer, Admin]),
            (Sink, &[("errors.deadletterqueue.topic.name", " ")], false, &[Consumer]),
        ] {
            assert_eq!(used(kind, &config(entries), distributed), clients, "{kind:?} {entries:?} {distributed}");
        }
    }

    #[test]
    fn an_override_has_its_definition_its_value_and_one_error() {
        let none = "The 'None' policy does not allow 'linger.ms' to be overridden in the connector configuration.";
        let number = "Invalid value x for configuration producer.override.linger.ms: Not a number of type LONG";
        for (policy, key, value, defined, shown, errors) in [
            (OverridePolicy::All, "linger.ms", " 7 ", true, Some("7"), &[][..]),
            (OverridePolicy::All, "linger.ms", "x", true, None, &[number]),
            (OverridePolicy::None, "linger.ms", "x", true, None, &[none]),
            (OverridePolicy::All, "sasl.jaas.config", "secret", true, Some("[hidden]"), &[]),
            (OverridePolicy::All, "bogus", " b ", false, Some(" b "), &[]),
        ] {
            let name = format!("producer.override.{key}");
            let given = config(&[(&name, value), ("consumer.override.bogus", "1"), ("producer.overrides", "2")]);
            let found = overrides(ClientKind::Producer, &policy, &given);
            let [Override { name: named, key, checked }] = &found[..] else { panic!("{} of one", found.len()) };
            assert_eq!((named, key.as_ref().map(|key| key.name == name)), (&name, defined.then_some(true)));
            assert_eq!((checked.value.as_deref(), checked.errors.iter().eq(errors)), (shown, true), "{checked:?}");
        }
    }
}

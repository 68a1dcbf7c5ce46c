//! What a worker's file says about its place in the group, parsed once.

use std::sync::Arc;
use std::time::Duration;

use openssl::hash::MessageDigest;
use weir_core::model::Problem;
use weir_core::observe::ClientStats;
use weir_core::port::ClientSettings;
use weir_core::settings::MetricsSettings;

use super::tls::Tls;
use crate::defaults::Properties;
use crate::properties::{self, ClientKind, Origin, problem};

/// Kafka's protocol says the lengths of names in sixteen bits.
const NAME_MAX: usize = i16::MAX as usize;

/// A member's settings.
pub(super) struct Settings {
    /// `bootstrap.servers`
    pub(super) servers: Vec<(String, u16)>,
    /// `group.id`
    pub(super) group: String,
    /// `client.id`
    pub(super) client: String,
    /// `session.timeout.ms`
    pub(super) session: Duration,
    /// `rebalance.timeout.ms`
    pub(super) rebalance: Duration,
    /// `request.timeout.ms`
    pub(super) request: Duration,
    /// `socket.connection.setup.timeout.ms`, here for all that comes before the first request of a member.
    pub(super) setup: Duration,
    /// `connections.max.idle.ms`; none for ever.
    pub(super) idle: Option<Duration>,
    pub(super) tls: Option<Tls>,
    pub(super) login: Option<Login>,
    /// What is counted.
    pub(super) stats: Arc<ClientStats>,
}

/// How a user shows who he is.
#[derive(Clone, Copy)]
pub(super) enum Mechanism {
    Plain,
    Scram(&'static str, fn() -> MessageDigest),
}

impl Mechanism {
    fn named(name: &str) -> Option<Mechanism> {
        match name {
            "PLAIN" => Some(Mechanism::Plain),
            "SCRAM-SHA-256" => Some(Mechanism::Scram("SCRAM-SHA-256", MessageDigest::sha256)),
            "SCRAM-SHA-512" => Some(Mechanism::Scram("SCRAM-SHA-512", MessageDigest::sha512)),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram(name, _) => name,
        }
    }
}

/// A user and what he shows.
pub(super) struct Login {
    pub(super) mechanism: Mechanism,
    pub(super) user: String,
    pub(super) password: String,
}

impl Settings {
    /// Reads a worker's settings and the stores that they name, or says everything that is wrong with them.
    pub(super) fn parse(worker: &ClientSettings) -> Result<Settings, Vec<Problem>> {
        let mut found = Found { worker, problems: Vec::new() };
        let mapped = found.mapped();
        let servers = found.servers();
        let group = found.name("group.id");
        if group.is_empty() {
            found.missing("group.id", "workers with the same group.id share the work");
        }
        let client = match found.name("client.id") {
            client if client.is_empty() => "connect".to_string(),
            client => client,
        };
        let protocol = mapped.get("security.protocol").map_or("plaintext", String::as_str);
        let login = protocol.starts_with("sasl").then(|| found.login(&mapped)).flatten();
        let tls = protocol.ends_with("ssl").then(|| Tls::new(&mapped).map_err(|wrong| found.problems.extend(wrong)));
        let stats = Arc::new(ClientStats::new(client.clone(), MetricsSettings::default().sample));
        let settings = Settings {
            servers,
            group,
            client,
            session: found.millis("session.timeout.ms", 10_000),
            rebalance: found.millis("rebalance.timeout.ms", 60_000),
            request: found.millis("request.timeout.ms", 40_000),
            setup: found.millis("socket.connection.setup.timeout.ms", 10_000),
            idle: match found.get("connections.max.idle.ms") {
                "-1" => None,
                _ => Some(found.millis("connections.max.idle.ms", 540_000)),
            },
            tls: tls.and_then(Result::ok),
            login,
            stats,
        };
        if found.problems.is_empty() { Ok(settings) } else { Err(found.problems) }
    }
}

struct Found<'a> {
    worker: &'a ClientSettings,
    problems: Vec<Problem>,
}

impl<'a> Found<'a> {
    /// What of it librdkafka would be told.
    fn mapped(&mut self) -> Properties {
        let mut known = properties::known(ClientKind::Admin, self.worker);
        match properties::map(ClientKind::Admin, Origin::Worker, &known) {
            Ok(mapped) => mapped.properties,
            Err(problems) => {
                // The rest is read all the same, for what is wrong there.
                known.retain(|key, _| !problems.iter().any(|problem| problem.key == *key));
                self.problems = problems;
                let rest = properties::map(ClientKind::Admin, Origin::Worker, &known);
                rest.map(|mapped| mapped.properties).unwrap_or_default()
            }
        }
    }

    fn get(&self, key: &str) -> &'a str {
        self.worker.get(key).map(|value| value.trim()).unwrap_or_default()
    }

    /// One problem for a key is enough.
    fn wrong(&mut self, key: &str, value: &str, remedy: &str) {
        if !self.problems.iter().any(|problem| problem.key == key) {
            self.problems.push(problem(key, value, remedy));
        }
    }

    fn missing(&mut self, key: &str, remedy: &str) {
        self.problems.push(Problem { key: key.into(), message: format!("is missing; {remedy}") });
    }

    fn name(&mut self, key: &str) -> String {
        let name = self.get(key);
        if name.len() > NAME_MAX {
            self.wrong(key, "...", "it is longer than Kafka's protocol can say");
        }
        name.to_string()
    }

    fn millis(&mut self, key: &str, default: i32) -> Duration {
        let value = self.get(key);
        let millis = match value {
            "" => Some(default),
            _ => value.parse().ok().filter(|millis| *millis > 0),
        };
        if millis.is_none() {
            self.wrong(key, value, &format!("expected milliseconds, from 1 to {}", i32::MAX));
        }
        Duration::from_millis(millis.unwrap_or(default).unsigned_abs().into())
    }

    fn servers(&mut self) -> Vec<(String, u16)> {
        let key = "bootstrap.servers";
        let said = self.get(key);
        let mut servers = Vec::new();
        for server in said.split(',').map(str::trim).filter(|server| !server.is_empty()) {
            match host_and_port(server) {
                Some(server) => servers.push(server),
                None => self.wrong(key, server, "expected host:port"),
            }
        }
        if servers.is_empty() && !self.problems.iter().any(|problem| problem.key == key) {
            self.missing(key, "name brokers as host:port, separated by commas");
        }
        servers
    }

    fn login(&mut self, mapped: &Properties) -> Option<Login> {
        let get = |key: &str| mapped.get(key).filter(|value| !value.is_empty()).cloned();
        // Whatever is wrong with what was said was found before.
        let mechanism = get("sasl.mechanism").as_deref().and_then(Mechanism::named);
        if self.get("sasl.mechanism").is_empty() && mechanism.is_none() {
            self.missing("sasl.mechanism", "it is then GSSAPI, which is not supported yet; use PLAIN or SCRAM-SHA-512");
        }
        if self.get("sasl.jaas.config").is_empty() && get("sasl.username").is_none() {
            self.missing("sasl.jaas.config", "user and password of the worker are read from it");
        }
        Some(Login { mechanism: mechanism?, user: get("sasl.username")?, password: get("sasl.password")? })
    }
}

/// `host:port` as Java takes it: also with a protocol before it, and a numeric IPv6 address in brackets.
fn host_and_port(server: &str) -> Option<(String, u16)> {
    let server = server.split_once("://").map_or(server, |(_, server)| server);
    let (host, port) = server.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host.to_string(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entries: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
        Settings::parse(&entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
    }

    #[test]
    fn a_workers_file_with_what_must_be_said_has_connects_defaults() {
        let settings = parse(&[
            ("bootstrap.servers", "a:1, [::1]:2 ,PLAINTEXT://c.example:3"),
            ("group.id", " workers "),
            ("key.converter", "of no interest here"),
        ]);
        let settings = settings.map_err(|problems| Problem::lines(&problems)).unwrap_or_else(|wrong| panic!("{wrong}"));
        let servers = [("a", 1), ("::1", 2), ("c.example", 3)].map(|(host, port)| (host.to_string(), port));
        assert_eq!(settings.servers, servers);
        assert_eq!((settings.group.as_str(), settings.client.as_str()), ("workers", "connect"));
        let seconds = [settings.session, settings.rebalance, settings.request, settings.setup].map(|d| d.as_secs());
        assert_eq!(seconds, [10, 60, 40, 10]);
        assert!(settings.tls.is_none() && settings.login.is_none());
    }

    #[test]
    fn every_problem_is_said_at_once_and_once() {
        let Err(problems) = parse(&[
            ("bootstrap.servers", "a"),
            ("security.protocol", "SASL_SSL"),
            ("request.timeout.ms", "soon"),
            ("session.timeout.ms", "0"),
            ("ssl.truststore.location", "/nowhere/trust.pem"),
            ("ssl.truststore.type", "PEM"),
        ]) else {
            panic!("it is wrong")
        };
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = [
            "request.timeout.ms",
            "bootstrap.servers",
            "group.id",
            "sasl.mechanism",
            "sasl.jaas.config",
            "ssl.truststore.location",
            "session.timeout.ms",
        ];
        assert_eq!(keys, expected, "{problems:?}");
    }
}

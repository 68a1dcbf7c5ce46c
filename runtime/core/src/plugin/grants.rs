//! Pure. What a configuration opens to the instances that get it: the values of keys that are declared as paths or
//! endpoints, below the worker's ceilings.

use std::path::{Component, Path};

use crate::model::{
    Ceilings, Class, Config, ConfigKey, DefaultValue, Endpoint, EndpointKind, GrantKind, Grants, PathAccess, PathGrant,
    Problem,
};

/// The grants of a configuration, or every value that passes a ceiling or cannot be read.
pub fn grants(class: &Class, config: &Config, ceilings: &Ceilings) -> Result<Grants, Vec<Problem>> {
    let mut grants = Grants::default();
    let mut problems = Vec::new();
    for key in &class.config {
        let Some(kind) = &key.grant else { continue };
        let value = value_of(key, config);
        let outcome = match kind {
            GrantKind::Path { access, stdio_when_unset } => match value {
                Some(path) => grant_path(path, *access, ceilings, &mut grants),
                None if *stdio_when_unset => grant_stdio(*access, ceilings, &mut grants),
                None => Ok(()),
            },
            GrantKind::Endpoint(kind) => {
                let text = match kind {
                    EndpointKind::Template(template) => fill(template, class, config),
                    _ => Ok(value.map(str::to_owned)),
                };
                text.and_then(|text| match text {
                    Some(text) => grant_endpoints(&text, kind, ceilings, &mut grants),
                    None => Ok(()),
                })
            }
        };
        if let Err(message) = outcome {
            problems.push(refused(&key.name, &message));
        }
    }
    problems.extend(opened_by_the_host(config, ceilings));
    if problems.is_empty() { Ok(grants) } else { Err(problems) }
}

/// Whether a problem is that a converter's configuration passes a ceiling.
pub fn is_of_converter(problem: &Problem) -> bool {
    CONVERTERS.iter().any(|prefix| problem.key.starts_with(prefix))
}

const CONVERTERS: [&str; 3] = ["key.converter.", "value.converter.", "header.converter."];
const CLIENTS: [&str; 3] = ["producer.override.", "consumer.override.", "admin.override."];

/// What a connector's configuration makes the host itself open for its clients and converters passes the same ceilings.
fn opened_by_the_host(config: &Config, ceilings: &Ceilings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in config {
        let prefixes = CLIENTS.iter().chain(&CONVERTERS);
        let Some(own) = prefixes.into_iter().find_map(|prefix| key.strip_prefix(prefix)) else { continue };
        // Opened to nobody but the host, which asks by itself.
        let mut unused = Grants::default();
        let outcome = if own == "bootstrap.servers" {
            grant_endpoints(value, &EndpointKind::HostPorts, ceilings, &mut unused)
        } else if own == "schema.registry.url" {
            grant_endpoints(value, &EndpointKind::Urls, ceilings, &mut unused)
        } else if own.ends_with(".url") {
            grant_endpoints(value, &EndpointKind::Url, ceilings, &mut unused)
        } else if own.ends_with(".location") {
            grant_path(value, PathAccess::Read, ceilings, &mut unused)
        } else {
            Ok(())
        };
        if let Err(message) = outcome {
            problems.push(refused(key, &message));
        }
    }
    problems
}

/// Whoever makes a connector is told the message alone, so it says the key.
fn refused(key: &str, reason: &str) -> Problem {
    Problem { key: key.to_owned(), message: format!("Invalid value for configuration {key}: {reason}") }
}

fn value_of<'a>(key: &'a ConfigKey, config: &'a Config) -> Option<&'a str> {
    let default = match &key.default {
        DefaultValue::Value(value) => Some(value.as_str()),
        DefaultValue::Required | DefaultValue::Null => None,
    };
    config.get(&key.name).map(|value| value.trim()).or(default).filter(|value| !value.is_empty())
}

fn grant_path(path: &str, access: PathAccess, ceilings: &Ceilings, grants: &mut Grants) -> Result<(), String> {
    let path = Path::new(path);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("path {} has a part ..: name the file without it", path.display()));
    }
    let ceiling = ceilings.paths.iter().find(|ceiling| path.starts_with(ceiling));
    if ceiling.is_none() && !ceilings.any_path {
        let ceiling: Vec<String> = ceilings.paths.iter().map(|ceiling| ceiling.display().to_string()).collect();
        let ceiling = if ceiling.is_empty() { "none".to_owned() } else { ceiling.join(", ") };
        return Err(format!(
            "path {} is not below sandbox.path.ceiling ({ceiling}), which the worker's operator sets",
            path.display()
        ));
    }
    let ceiling = if ceilings.any_path { None } else { ceiling.cloned() };
    grants.paths.push(PathGrant { path: path.to_owned(), access, ceiling });
    Ok(())
}

fn grant_stdio(access: PathAccess, ceilings: &Ceilings, grants: &mut Grants) -> Result<(), String> {
    if !ceilings.stdio {
        return Err(
            "without a value it asks for standard input or output, which only the first task of a connector given on \
             the command line of a standalone worker gets: name a file"
                .into(),
        );
    }
    match access {
        PathAccess::Read => grants.stdin = true,
        PathAccess::Write => grants.stdout = true,
    }
    Ok(())
}

/// A template with the values of its keys; none when one of them has none.
fn fill(template: &str, class: &Class, config: &Config) -> Result<Option<String>, String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("template {template} has no }} after its {{"))?;
        let key = class.config.iter().find(|key| key.name == name);
        let value = key.and_then(|key| value_of(key, config)).or_else(|| config.get(name).map(String::as_str));
        let Some(value) = value else { return Ok(None) };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(Some(filled))
}

fn grant_endpoints(text: &str, kind: &EndpointKind, ceilings: &Ceilings, grants: &mut Grants) -> Result<(), String> {
    let found: Vec<Endpoint> = match kind {
        EndpointKind::HostPort | EndpointKind::Template(_) => vec![host_port(text, None)?],
        EndpointKind::HostPorts => text.split(',').map(|one| host_port(one, None)).collect::<Result<_, _>>()?,
        EndpointKind::Url => vec![url(text)?],
        EndpointKind::Urls => text.split(',').map(url).collect::<Result<_, _>>()?,
        EndpointKind::JdbcUrl => vec![jdbc(text)?],
    };
    for endpoint in found {
        if !ceilings.endpoints.iter().any(|ceiling| under(&endpoint, ceiling)) {
            let ceiling = if ceilings.endpoints.is_empty() { "none".into() } else { ceilings.endpoints.join(", ") };
            return Err(format!(
                "endpoint {endpoint} is not under sandbox.endpoint.ceiling ({ceiling}), which the worker's operator sets"
            ));
        }
        grants.endpoints.push(endpoint);
    }
    Ok(())
}

fn host_port(text: &str, default_port: Option<u16>) -> Result<Endpoint, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is not host:port");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| wrong())?,
        None => default_port.ok_or_else(wrong)?,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || port == 0 || !host.chars().all(fits) {
        return Err(wrong());
    }
    Ok(Endpoint { host: host.to_ascii_lowercase(), port })
}

fn authority(text: &str) -> &str {
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let authority = &text[..end];
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn url(text: &str) -> Result<Endpoint, String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("{text:?} is not a URL"))?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    host_port(authority(rest), port).map_err(|_| format!("{text:?} is not a URL with a host and a port"))
}

fn jdbc(text: &str) -> Result<Endpoint, String> {
    let rest = text.trim().strip_prefix("jdbc:").ok_or_else(|| format!("{text:?} is not a JDBC URL"))?;
    let (scheme, rest) = rest.split_once("://").ok_or_else(|| format!("{text:?} names no host"))?;
    let port = match scheme {
        "postgresql" => Some(5432),
        "mysql" | "mariadb" => Some(3306),
        "sqlserver" => Some(1433),
        "clickhouse" => Some(8123),
        _ => None,
    };
    let end = rest.find(';').unwrap_or(rest.len());
    host_port(authority(&rest[..end]), port).map_err(|_| format!("{text:?} names no host and port"))
}

fn under(endpoint: &Endpoint, ceiling: &str) -> bool {
    let Some((host, port)) = ceiling.rsplit_once(':') else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let host_fits = match host.strip_prefix("*.") {
        Some(domain) => endpoint.host.ends_with(&format!(".{domain}")),
        None => (host == "*" && !endpoint.only_by_address()) || host == endpoint.host,
    };
    host_fits && (port == "*" || port.parse() == Ok(endpoint.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClassKind, ConfigType, Importance, OptionalCalls, Width};

    fn class(kind: GrantKind) -> Class {
        let key = ConfigKey {
            name: "key".into(),
            kind: ConfigType::String,
            default: DefaultValue::Null,
            importance: Importance::High,
            documentation: String::new(),
            validators: vec![],
            group: None,
            order: -1,
            width: Width::None,
            display_name: "key".into(),
            dependents: vec![],
            recommended: false,
            grant: Some(kind),
        };
        Class {
            name: "x".into(),
            aliases: vec![],
            kind: ClassKind::Source,
            version: "1".into(),
            documentation: String::new(),
            config: vec![key],
            wants: OptionalCalls::default(),
        }
    }

    fn endpoints(kind: EndpointKind, value: &str, ceilings: &[&str]) -> Result<Vec<String>, String> {
        let ceilings = Ceilings { endpoints: ceilings.iter().map(|c| c.to_string()).collect(), ..Ceilings::default() };
        let config = Config::from([("key".to_owned(), value.to_owned())]);
        grants(&class(GrantKind::Endpoint(kind)), &config, &ceilings)
            .map(|grants| grants.endpoints.iter().map(Endpoint::to_string).collect())
            .map_err(|problems| problems[0].message.clone())
    }

    #[test]
    fn endpoints_are_read_from_every_kind_of_value() {
        let all = &["*:*"];
        let read = |kind, value| endpoints(kind, value, all).unwrap();
        assert_eq!(read(EndpointKind::HostPort, "Db.example:5432"), ["db.example:5432"]);
        assert_eq!(read(EndpointKind::HostPorts, "a:1, [::1]:2"), ["a:1", "[::1]:2"]);
        assert_eq!(read(EndpointKind::Url, "https://u:p@h.example/x?y#z"), ["h.example:443"]);
        assert_eq!(read(EndpointKind::Urls, "http://a,http://b:8080"), ["a:80", "b:8080"]);
        assert_eq!(read(EndpointKind::JdbcUrl, "jdbc:postgresql://db/x"), ["db:5432"]);
        assert_eq!(read(EndpointKind::JdbcUrl, "jdbc:sqlserver://db:1;database=x"), ["db:1"]);
        assert_eq!(read(EndpointKind::Template("{key}.s3.example:443".into()), "bucket"), ["bucket.s3.example:443"]);
        for (kind, bad) in [
            (EndpointKind::HostPort, "nothing"),
            (EndpointKind::HostPort, "h:0"),
            (EndpointKind::HostPort, "h:99999"),
            (EndpointKind::HostPort, "h/x:1"),
            (EndpointKind::Url, "h:1"),
            (EndpointKind::Url, "ftp://h"),
            (EndpointKind::JdbcUrl, "postgresql://db/x"),
        ] {
            assert!(endpoints(kind.clone(), bad, all).is_err(), "{kind:?} {bad}");
        }
    }

    #[test]
    fn a_ceiling_is_named_with_the_value_that_passes_it() {
        let error = endpoints(EndpointKind::HostPort, "db:1", &["*.example:443", "db:2"]).unwrap_err();
        assert!(error.contains("db:1") && error.contains("sandbox.endpoint.ceiling (*.example:443, db:2)"), "{error}");
        assert!(endpoints(EndpointKind::HostPort, "a.example:443", &["*.example:443"]).is_ok());
        assert!(endpoints(EndpointKind::HostPort, "example:443", &["*.example:443"]).is_err());
        assert!(endpoints(EndpointKind::Url, "http://169.254.169.254/", &["*:*"]).is_err(), "only when named");
        assert!(endpoints(EndpointKind::Url, "http://169.254.169.254/", &["*:*", "169.254.169.254:80"]).is_ok());
    }

    #[test]
    fn what_a_connector_makes_its_clients_and_converters_open_passes_the_ceilings_too() {
        let ceilings =
            Ceilings { paths: vec!["/keys".into()], endpoints: vec!["*.example:9092".into()], ..Ceilings::default() };
        let refused = |key: &str, value: &str| {
            let config = Config::from([(key.to_owned(), value.to_owned())]);
            grants(&class(GrantKind::Endpoint(EndpointKind::HostPort)), &config, &ceilings).map(drop).map_err(
                |problems| {
                    assert_eq!(problems[0].key, key);
                    problems[0].message.clone()
                },
            )
        };
        for (key, good, bad) in [
            ("producer.override.bootstrap.servers", "a.example:9092,b.example:9092", "a.example:9092,localhost:9092"),
            ("consumer.override.ssl.truststore.location", "/keys/trust.pem", "/etc/shadow"),
            ("admin.override.ssl.keystore.location", "/keys/own.pem", "/keys/../etc/shadow"),
            (
                "value.converter.schema.registry.url",
                "http://a.example:9092/apis, http://b.example:9092",
                "http://a.example:9092,http://localhost:9092",
            ),
            ("key.converter.schema.registry.ssl.truststore.location", "/keys/trust.pem", "/etc/shadow"),
            (
                "producer.override.sasl.oauthbearer.token.endpoint.url",
                "http://a.example:9092/t",
                "http://169.254.169.254/",
            ),
        ] {
            assert_eq!(refused(key, good), Ok(()), "{key}");
            assert!(refused(key, bad).is_err(), "{key}");
        }
        assert_eq!(refused("producer.override.linger.ms", "/etc/shadow"), Ok(()));
    }

    #[test]
    fn paths_stay_below_their_ceiling() {
        let path = |value: &str, ceilings: &Ceilings| {
            let config = Config::from([("key".to_owned(), value.to_owned())]);
            grants(&class(GrantKind::Path { access: PathAccess::Read, stdio_when_unset: true }), &config, ceilings)
        };
        let below = Ceilings { paths: vec!["/data".into()], ..Ceilings::default() };
        assert!(path("/data/x", &below).is_ok());
        assert!(path(" /data/x ", &below).is_ok(), "as it is read by whoever it is granted to");
        for bad in ["/database/x", "/etc/passwd", "/data/../etc/passwd", "data/x"] {
            assert!(path(bad, &below).is_err(), "{bad}");
        }
        assert!(path("/etc/x", &Ceilings { any_path: true, ..Ceilings::default() }).is_ok());
        assert!(path("", &below).is_err(), "no standard input without its grant");
        assert!(path("", &Ceilings { stdio: true, ..Ceilings::default() }).unwrap().stdin);
    }
}

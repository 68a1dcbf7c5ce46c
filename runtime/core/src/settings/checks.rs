//! Pure. What is said of a worker's settings before anything is done with them.

use std::path::PathBuf;

use super::reader::Reader;

/// Why servers cannot be asked by these names (ClientUtils.parseAndValidateAddresses).
fn unusable_servers(servers: &str) -> Option<String> {
    let mut any = false;
    for server in servers.split(',').map(str::trim).filter(|server| !server.is_empty()) {
        any = true;
        let address = server.split_once("://").map_or(server, |(_, address)| address);
        let Some((host, port)) = address.rsplit_once(':') else {
            return Some(format!("Invalid url in bootstrap.servers: {server}. Name servers as host:port"));
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':');
        if bare.is_empty() || !bare.chars().all(allowed) || bare.matches(':').count() == 1 {
            return Some(format!("Invalid url in bootstrap.servers: {server}. Name servers as host:port"));
        }
        if port.is_empty() || !port.bytes().all(|c| c.is_ascii_digit()) || !matches!(port.parse::<u16>(), Ok(1..)) {
            let hint = if port.contains('/') { "; an embedded store is local:DIR" } else { "" };
            return Some(format!(
                "Invalid port in bootstrap.servers: {server}. A port is a number from 1 to 65535{hint}"
            ));
        }
    }
    (!any).then(|| "No url given in bootstrap.servers. Name servers as host:port, separated by commas".to_owned())
}

/// Notes what is wrong with the names of servers.
pub(super) fn servers(reader: &mut Reader<'_>, servers: &str) {
    if let Some(why) = unusable_servers(servers) {
        reader.problem("bootstrap.servers", why);
    }
}

/// Why nothing could ever be under a ceiling of endpoints.
fn unusable_endpoint(ceiling: &str) -> bool {
    let Some((host, port)) = ceiling.rsplit_once(':') else { return true };
    let port = port == "*" || matches!(port.parse::<u16>(), Ok(1..));
    host.is_empty() || host.contains('/') || !port
}

/// Notes which of the ceilings have nothing below them.
pub(super) fn ceilings(reader: &mut Reader<'_>, paths: &[PathBuf], endpoints: &[String]) {
    for path in paths.iter().filter(|path| !path.is_absolute()) {
        let message = format!(
            "Invalid value {} for configuration sandbox.path.ceiling: it has to be an absolute path, as /var/lib/data",
            path.display()
        );
        reader.problem("sandbox.path.ceiling", message);
    }
    for endpoint in endpoints.iter().filter(|endpoint| unusable_endpoint(endpoint)) {
        let message = format!(
            "Invalid value {endpoint} for configuration sandbox.endpoint.ceiling: write host:port, where the host may be * or \
             *.domain and the port *"
        );
        reader.problem("sandbox.endpoint.ceiling", message);
    }
}

/// Notes when two of a worker's own topics have one name: none would be understood.
pub(super) fn own_topics(reader: &mut Reader<'_>, topics: [(&str, &str); 3]) {
    for (at, (key, topic)) in topics.iter().enumerate() {
        if let Some((other, _)) = topics[..at].iter().find(|(_, other)| other == topic) {
            let message =
                format!("Invalid value {topic} for configuration {key}: it is the {other}. Name another topic");
            reader.problem(key, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;

    #[test]
    fn servers_are_hosts_with_ports() {
        for good in [
            "localhost:9092",
            "a.example:1, b_1.example:65535,",
            "SASL_SSL://broker-1:9093",
            "[::1]:9092",
            "::1:9092",
            "[fe80::1%eth0]:9092",
            "127.0.0.1:9092",
        ] {
            assert_eq!(unusable_servers(good), None, "{good}");
        }
        for (bad, says) in [
            ("localhost", "Invalid url"),
            ("localhost:", "Invalid port"),
            ("localhost:abc", "Invalid port"),
            ("localhost:99999", "Invalid port"),
            ("localhost:0", "Invalid port"),
            ("localhost:+9", "Invalid port"),
            ("good:1,bad", "bootstrap.servers: bad"),
            ("locl:/tmp/x", "Invalid port"),
            ("a b:1", "Invalid url"),
            (":9092", "Invalid url"),
            ("a:b:9092", "Invalid url"),
            ("locl:/tmp/x", "an embedded store is local:DIR"),
            ("", "No url given"),
            (" , ", "No url given"),
        ] {
            let why = unusable_servers(bad).unwrap_or_default();
            assert!(why.contains(says), "{bad}: {why}");
        }
    }

    fn said(note: impl FnOnce(&mut Reader<'_>)) -> Vec<String> {
        let config = Config::new();
        let mut reader = Reader::new(&config);
        note(&mut reader);
        reader.finish().err().unwrap_or_default().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn ceilings_that_nothing_is_below_are_refused() {
        let (paths, endpoints) = (["/data", "/"], ["*:*", "*.example:443", "db:*", "[::1]:80"]);
        let owned = |endpoints: &[&str]| endpoints.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        assert!(said(|reader| ceilings(reader, &paths.map(PathBuf::from), &owned(&endpoints))).is_empty());
        let (paths, endpoints) = (["data", ""], ["http://foo", "db", "db:", "db:http", "http://foo:80", ":80"]);
        let said = said(|reader| ceilings(reader, &paths.map(PathBuf::from), &owned(&endpoints)));
        assert_eq!(said.len(), 8, "{said:#?}");
    }

    #[test]
    fn each_of_a_workers_topics_has_a_name_of_its_own() {
        let topics = |names: [&'static str; 3]| {
            said(|reader| own_topics(reader, [("c", names[0]), ("o", names[1]), ("s", names[2])]))
        };
        assert!(topics(["a", "b", "c"]).is_empty());
        assert_eq!(topics(["a", "a", "c"]), ["Invalid value a for configuration o: it is the c. Name another topic"]);
        assert_eq!(topics(["a", "a", "a"]).len(), 2);
    }
}

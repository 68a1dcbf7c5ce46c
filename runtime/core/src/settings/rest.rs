//! Pure. Where REST is served, over what, and what its answers say beside their bodies (Connect's RestServerConfig).

use std::fmt;
use std::path::PathBuf;

use crate::model::Config;

use super::reader::Reader;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// As addresses begin.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn named(name: &str) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
    }
}

/// A place where REST is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub scheme: Scheme,
    /// Host; an empty one is every address of the machine.
    pub host: String,
    /// Port; 0 is one that is free.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

/// `admin.listeners`: where the endpoints below `/admin` are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListeners {
    /// Where everything else is.
    AsTheRest,
    /// Nowhere.
    Off,
    /// On listeners of their own.
    Own(Vec<Listener>),
}

/// `response.http.headers.config`: a header that answers get (Jetty's HeaderFilter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// Whether it stands beside a header of that name, or instead of it.
    pub add: bool,
    /// The header's name.
    pub name: String,
    /// What it says.
    pub value: HeaderValueRule,
}

/// What a header of every answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValueRule {
    /// This text.
    Text(String),
    /// The date that many milliseconds from the answer on.
    DateIn(i64),
}

/// `access.control.allow.origin` and `access.control.allow.methods`: who else's pages may ask (Jetty's CrossOriginHandler).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossOrigin {
    /// Patterns of origins, in Java's syntax; `*` is every origin.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
}

/// How REST is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestSettings {
    /// `listeners`
    pub listeners: Vec<Listener>,
    /// `admin.listeners`
    pub admin: AdminListeners,
    /// `rest.advertised.host.name`
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`
    pub advertised_port: Option<u16>,
    /// `rest.advertised.listener`, else what the listeners speak.
    pub advertised_scheme: Scheme,
    /// The settings `ssl.*` of the listeners, and of what this worker asks of others.
    pub tls: Config,
    /// The settings `ssl.*` of the listeners for `/admin`.
    pub admin_tls: Config,
    /// Whose pages may ask beside the worker's own.
    pub cross_origin: Option<CrossOrigin>,
    /// Headers that answers get.
    pub headers: Vec<HeaderRule>,
    /// `rest.basic.auth.file`: users and their passwords, where only they may ask.
    pub users: Option<PathBuf>,
    /// Classes of `rest.extension.classes` that are none here.
    pub not_loaded: Vec<String>,
}

/// The class with which Connect asks for names and passwords.
pub const BASIC_AUTH: &str = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
/// How far from now a date of an answer may be, about 30 years: HTTP knows of none before 1970 and none after 9999.
const DATE_MILLIS_MAX: u64 = 1_000_000_000_000;
/// Headers that say where a message ends and what becomes of its connection, or belong to requests.
const FRAMING: [&str; 8] =
    ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
/// The methods of other pages where nothing else is said.
const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];

/// `listeners` or `admin.listeners`: a list of `http://host:port`.
fn listeners(reader: &mut Reader, key: &str) -> Vec<Listener> {
    let mut found = Vec::new();
    for given in reader.list(key) {
        match listener(&given) {
            Ok(listener) => found.push(listener),
            Err(remedy) => reader.problem(key, format!("Invalid value {given} for configuration {key}: {remedy}")),
        }
    }
    found
}

fn listener(given: &str) -> Result<Listener, &'static str> {
    const FORM: &str = "say http://host:port or https://host:port; without a host it is every address";
    let (scheme, address) = given.split_once("://").ok_or(FORM)?;
    let scheme = Scheme::named(scheme).ok_or("its protocol is neither http nor https")?;
    let (host, port) = address.trim_end_matches('/').rsplit_once(':').ok_or(FORM)?;
    let port = port.parse().map_err(|_| "its port is not a number from 0 to 65535")?;
    Ok(Listener { scheme, host: host.trim_matches(['[', ']']).to_owned(), port })
}

/// What is below a prefix, or else what stands without one (AbstractConfig.valuesWithPrefixAllOrNothing).
fn all_or_nothing(reader: &Reader, prefix: &str) -> Config {
    let own = reader.below(prefix);
    let plain = || reader.below("ssl.").into_iter().map(|(key, value)| (format!("ssl.{key}"), value)).collect();
    if own.is_empty() { plain() } else { own }
}

/// Entries between commas; what stands between double quotes is one (Jetty's StringUtil.csvSplit).
fn csv(text: &str) -> Vec<String> {
    let (mut entries, mut entry, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for sign in text.chars() {
        match sign {
            _ if escaped => {
                entry.push(sign);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => entries.push(std::mem::take(&mut entry)),
            _ => entry.push(sign),
        }
    }
    entries.push(entry);
    entries.into_iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// A rule of `response.http.headers.config`, or Connect's words on what is wrong with it.
fn header_rule(rule: &str) -> Result<HeaderRule, String> {
    let form =
        || format!("Invalid format of header config '{rule}'. Expected: '[action] [header name]:[header value]'");
    let (action, header) = rule.split_once(char::is_whitespace).ok_or_else(form)?;
    let lower = action.to_ascii_lowercase();
    let (add, dated) = match lower.as_str() {
        "set" => (false, false),
        "add" => (true, false),
        "setdate" => (false, true),
        "adddate" => (true, true),
        _ => {
            let known = "[set, add, setDate, addDate]";
            return Err(format!("Invalid header config action: '{action}'. Expected one of {known}"));
        }
    };
    let header = header.trim();
    let pair = || {
        format!(
            "Invalid format of header name and header value pair '{header}'. Expected: '[header name]:[header value]'"
        )
    };
    let (name, value) = header.split_once(':').filter(|(_, value)| !value.is_empty()).ok_or_else(pair)?;
    if value.contains(':') {
        return Err(pair());
    }
    let (name, value) = (name.trim(), value.trim());
    let is_token = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(sign);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(format!("Invalid header name '{name}'. The '[header name]' cannot contain whitespace"));
    }
    if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        return Err(format!(
            "Invalid header name '{name}': it says how a message or its connection is read, so only the server itself \
             can set it; take the rule out"
        ));
    }
    let value = match dated {
        false if value.chars().all(|sign| sign == '\t' || !sign.is_control()) => {
            HeaderValueRule::Text(value.to_owned())
        }
        false => return Err(format!("Invalid header value '{value}': it contains control characters")),
        true => {
            let millis = value.parse::<i64>().ok().filter(|millis| millis.unsigned_abs() <= DATE_MILLIS_MAX);
            HeaderValueRule::DateIn(millis.ok_or_else(|| {
                format!(
                    "Invalid header value '{value}': with {action} it is a number of milliseconds from now, at most \
                     {DATE_MILLIS_MAX} before or after"
                )
            })?)
        }
    };
    Ok(HeaderRule { add, name: name.to_owned(), value })
}

impl RestSettings {
    /// Reads what a worker's file says of REST.
    pub(super) fn read(reader: &mut Reader) -> RestSettings {
        if reader.get("listeners").is_some_and(str::is_empty) {
            reader.problem(
                "listeners",
                "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443.",
            );
        }
        let mut public = listeners(reader, "listeners");
        if public.is_empty() {
            public.push(Listener { scheme: Scheme::Http, host: String::new(), port: 8083 });
        }
        let admin = match reader.get("admin.listeners") {
            None => AdminListeners::AsTheRest,
            Some("") => AdminListeners::Off,
            Some(_) => AdminListeners::Own(listeners(reader, "admin.listeners")),
        };
        let speaks_http = public.iter().any(|listener| listener.scheme == Scheme::Http);
        let advertised_scheme = match reader.get("rest.advertised.listener") {
            None | Some("") if speaks_http => Scheme::Http,
            None | Some("") => Scheme::Https,
            Some(named) => Scheme::named(named).unwrap_or_else(|| {
                let key = "rest.advertised.listener";
                reader.problem(key, format!("Invalid value {named} for configuration {key}: say http or https"));
                Scheme::Http
            }),
        };
        let cross_origin = reader.get("access.control.allow.origin").filter(|origins| !origins.is_empty()).map(|_| {
            let methods = reader.list("access.control.allow.methods");
            let methods = if methods.is_empty() { METHODS.map(str::to_owned).into() } else { methods };
            CrossOrigin { origins: reader.list("access.control.allow.origin"), methods }
        });
        reader.get("access.control.allow.methods");
        let mut headers = Vec::new();
        for rule in csv(reader.get("response.http.headers.config").unwrap_or_default()) {
            match header_rule(&rule) {
                Ok(rule) => headers.push(rule),
                Err(wrong) => reader.problem("response.http.headers.config", wrong),
            }
        }
        let uses_https = |listeners: &[Listener]| listeners.iter().any(|listener| listener.scheme == Scheme::Https);
        // Others of the group may be reached over https where this worker is not yet.
        let tls = all_or_nothing(reader, "listeners.https.");
        let admin_tls = match &admin {
            AdminListeners::Own(own) if uses_https(own) => all_or_nothing(reader, "admin.listeners.https."),
            _ => Config::new(),
        };
        let mut extensions = reader.list("rest.extension.classes");
        let users = users(reader, &extensions);
        extensions.retain(|extension| extension != BASIC_AUTH);
        RestSettings {
            listeners: public,
            admin,
            advertised_host: reader.get("rest.advertised.host.name").filter(|host| !host.is_empty()).map(str::to_owned),
            advertised_port: match reader.get("rest.advertised.port") {
                None | Some("") => None,
                Some(_) => Some(reader.number("rest.advertised.port", 0)),
            },
            advertised_scheme,
            tls,
            admin_tls,
            cross_origin,
            headers,
            users,
            not_loaded: extensions,
        }
    }
}

/// Where users are written down, where a name and a password are asked for.
fn users(reader: &mut Reader, extensions: &[String]) -> Option<PathBuf> {
    const KEY: &str = "rest.basic.auth.file";
    let file = reader.get(KEY).filter(|file| !file.is_empty()).map(PathBuf::from);
    if file.is_none() && extensions.iter().any(|extension| extension == BASIC_AUTH) {
        let message = format!(
            "Missing configuration \"{KEY}\", which rest.extension.classes={BASIC_AUTH} asks for: name a properties \
             file of user=password lines, the file= of PropertyFileLoginModule"
        );
        reader.problem(KEY, message);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<RestSettings, Vec<(String, String)>> {
        let config = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut reader = Reader::new(&config);
        let settings = RestSettings::read(&mut reader);
        let problems = |problems: Vec<crate::model::Problem>| {
            problems.into_iter().map(|problem| (problem.key, problem.message)).collect()
        };
        reader.finish().map(|()| settings).map_err(problems)
    }

    fn at(scheme: Scheme, host: &str, port: u16) -> Listener {
        Listener { scheme, host: host.to_owned(), port }
    }

    #[test]
    fn connects_defaults_hold() {
        let settings = read(&[("ssl.keystore.location", "k")]).unwrap();
        assert_eq!(settings.listeners, [at(Scheme::Http, "", 8083)]);
        assert_eq!((settings.admin, settings.advertised_scheme), (AdminListeners::AsTheRest, Scheme::Http));
        // Other workers may be asked over https.
        assert_eq!(settings.tls, Config::from([("ssl.keystore.location".into(), "k".into())]));
        assert_eq!((settings.cross_origin, settings.headers), (None, vec![]));
    }

    #[test]
    fn listeners_are_read_and_what_is_no_listener_is_named() {
        let listeners = |text: &str| read(&[("listeners", text)]).map(|settings| settings.listeners);
        let two = [at(Scheme::Http, "127.0.0.1", 0), at(Scheme::Https, "::1", 2)];
        assert_eq!(listeners("HTTP://127.0.0.1:0/, https://[::1]:2").unwrap(), two);
        assert_eq!(two.map(|listener| listener.to_string()), ["http://127.0.0.1:0", "https://::1:2"]);
        for (bad, part) in
            [("", "at least one"), ("ftp://:1", "neither"), ("http://x", "host:port"), ("http://:x", "port")]
        {
            let problems = listeners(bad).unwrap_err();
            assert!(problems[0].1.contains(part), "{bad}: {problems:?}");
        }
    }

    #[test]
    fn the_admin_endpoints_are_with_the_rest_nowhere_or_on_listeners_of_their_own() {
        let admin = |text: &str| read(&[("admin.listeners", text)]).unwrap().admin;
        assert_eq!(admin(" "), AdminListeners::Off);
        assert_eq!(admin("http://a:1"), AdminListeners::Own(vec![at(Scheme::Http, "a", 1)]));
    }

    #[test]
    fn settings_of_https_stand_below_their_prefix_or_without_one() {
        let entries = [("listeners", "https://:1"), ("admin.listeners", "https://:2"), ("ssl.keystore.type", "PEM")];
        let keys = |config: &Config| config.keys().cloned().collect::<Vec<_>>();
        let plain = read(&entries).unwrap();
        assert_eq!((keys(&plain.tls), keys(&plain.admin_tls)), (vec!["ssl.keystore.type".into()], keys(&plain.tls)));
        assert_eq!(plain.advertised_scheme, Scheme::Https);
        let own = [&entries[..], &[("listeners.https.ssl.client.auth", "required")]].concat();
        assert_eq!(keys(&read(&own).unwrap().tls), ["ssl.client.auth"]);
    }

    #[test]
    fn header_rules_are_read_and_what_is_no_rule_is_said_in_connects_words() {
        let rules = |text: &str| read(&[("response.http.headers.config", text)]).map(|settings| settings.headers);
        let rule = |add, name: &str, value| HeaderRule { add, name: name.to_owned(), value };
        let text = |text: &str| HeaderValueRule::Text(text.to_owned());
        let expected = [
            rule(true, "Cache-Control", text("no-cache, no-store")),
            rule(false, "X-XSS-Protection", text("1; mode=block")),
            rule(false, "Expires", HeaderValueRule::DateIn(-5)),
        ];
        let given =
            "\"add Cache-Control: no-cache, no-store\", set X-XSS-Protection: 1; mode=block,setDate Expires: -5";
        assert_eq!(rules(given).unwrap(), expected);
        for (bad, part) in [
            ("set", "Invalid format of header config 'set'"),
            ("put A: b", "Invalid header config action: 'put'"),
            ("set A", "header name and header value pair 'A'"),
            ("set A: b:c", "pair 'A: b:c'"),
            ("set A B: c", "Invalid header name 'A B'"),
            ("set Content-Length: 3", "Invalid header name 'Content-Length': it says how a message"),
            ("addDate transfer-encoding: 1", "'transfer-encoding': it says how a message"),
            ("add Host: x", "'Host': it says how a message"),
            ("set A: b\nX: c", "pair"),
            ("addDate A: soon", "milliseconds"),
            ("setDate A: -9223372036854775808", "milliseconds"),
        ] {
            let problems = rules(bad).unwrap_err();
            assert!(problems[0].1.contains(part), "{bad}: {problems:?}");
        }
    }

    #[test]
    fn names_and_passwords_are_asked_for_where_connects_class_is_named() {
        assert_eq!(read(&[("rest.extension.classes", BASIC_AUTH)]).unwrap_err()[0].0, "rest.basic.auth.file");
        let extensions = format!("{BASIC_AUTH}, com.example.Guard");
        let both = read(&[("rest.extension.classes", &extensions), ("rest.basic.auth.file", "/users")]).unwrap();
        assert_eq!((both.users, both.not_loaded), (Some("/users".into()), vec!["com.example.Guard".to_owned()]));
    }
}

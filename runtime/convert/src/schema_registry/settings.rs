//! How converters reach a schema registry, parsed once with every problem at once.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use weir_core::model::{Config, Problem};

/// What the host needs to know to make an HTTP client for a converter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// `ssl.*` settings, without the prefix that converters have before them.
    pub tls: Config,
    /// How long a connection may take to be there.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub read_timeout: Duration,
}

/// Makes the HTTP clients with which converters ask registries: keys and certificates are the host's to read. Problems
/// have the keys of [`HttpSettings::tls`].
pub type Http = Arc<dyn Fn(&HttpSettings) -> Result<reqwest::Client, Vec<Problem>> + Send + Sync>;

/// What a registry is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    Basic(String, String),
    Bearer(String),
}

/// How a registry is reached. Holds secrets, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RegistrySettings {
    pub(crate) urls: Vec<Url>,
    pub(crate) credentials: Credentials,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) http: HttpSettings,
    pub(crate) retries: i32,
    pub(crate) retry_wait: Duration,
    pub(crate) retry_wait_max: Duration,
}

const URLS: &str = "schema.registry.url";
const SSL: &str = "schema.registry.ssl.";
const HEADER: &str = "request.header.";

fn problem(key: &str, value: &str, why: &str) -> Problem {
    Problem { key: key.into(), message: format!("Invalid value {value} for configuration {key}: {why}") }
}

fn get<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// A switch.
pub(crate) fn boolean(config: &Config, key: &str, default: bool, problems: &mut Vec<Problem>) -> bool {
    match get(config, key) {
        None => default,
        Some(value) if value.eq_ignore_ascii_case("true") => true,
        Some(value) if value.eq_ignore_ascii_case("false") => false,
        Some(value) => {
            problems.push(problem(key, value, "Expected value to be either true or false"));
            default
        }
    }
}

fn number(config: &Config, key: &str, default: i32, problems: &mut Vec<Problem>) -> i32 {
    let Some(value) = get(config, key) else { return default };
    match value.parse::<i32>() {
        Ok(number) if number >= 0 => number,
        Ok(_) => {
            problems.push(problem(key, value, "Value must be at least 0"));
            default
        }
        Err(_) => {
            problems.push(problem(key, value, "Not a number of type INT"));
            default
        }
    }
}

impl RegistrySettings {
    /// Parses a converter's configuration, or says everything that is wrong with it, after what is known to be wrong.
    pub(crate) fn parse(config: &Config, mut problems: Vec<Problem>) -> Result<RegistrySettings, Vec<Problem>> {
        let mut urls = Vec::new();
        let mut in_url = None;
        let given = get(config, URLS).unwrap_or_default();
        if given.is_empty() {
            let message = format!("Missing required configuration \"{URLS}\" which has no default value.");
            problems.push(Problem { key: URLS.into(), message });
        }
        for text in given.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match Url::parse(text) {
                Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                    if !url.username().is_empty() {
                        let decoded = |text: &str| percent_decoded(text);
                        let password = url.password().map(decoded).unwrap_or_default();
                        in_url = in_url.or(Some((decoded(url.username()), password)));
                        // These cannot fail: the address has a host.
                        let _ = url.set_username("");
                        let _ = url.set_password(None);
                    }
                    url.set_query(None);
                    urls.push(url);
                }
                // An address may hold a password, so it is not said again.
                _ => problems.push(Problem {
                    key: URLS.into(),
                    message: format!("Invalid value for configuration {URLS}: name registries as http://host:port"),
                }),
            }
        }
        let credentials = credentials(config, in_url, &mut problems);
        let of = |prefix: &str| -> Vec<(String, String)> {
            let own = |(key, value): (&String, &String)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()));
            config.iter().filter_map(own).collect()
        };
        let milliseconds = |key, default, problems: &mut Vec<Problem>| {
            Duration::from_millis(number(config, key, default, problems).unsigned_abs().into())
        };
        let http = HttpSettings {
            tls: of(SSL).into_iter().map(|(key, value)| (format!("ssl.{key}"), value)).collect(),
            connect_timeout: milliseconds("http.connect.timeout.ms", 60_000, &mut problems),
            read_timeout: milliseconds("http.read.timeout.ms", 60_000, &mut problems),
        };
        let settings = RegistrySettings {
            urls,
            credentials,
            headers: of(HEADER),
            http,
            retries: number(config, "max.retries", 3, &mut problems),
            retry_wait: milliseconds("retries.wait.ms", 1_000, &mut problems),
            retry_wait_max: milliseconds("retries.max.wait.ms", 20_000, &mut problems),
        };
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// The HTTP client that these settings ask for.
    pub(crate) fn client(&self, http: &Http) -> Result<reqwest::Client, Vec<Problem>> {
        http(&self.http).map_err(|problems| {
            let prefixed = |problem: Problem| Problem { key: format!("schema.registry.{}", problem.key), ..problem };
            problems.into_iter().map(prefixed).collect()
        })
    }
}

fn credentials(config: &Config, in_url: Option<(String, String)>, problems: &mut Vec<Problem>) -> Credentials {
    const BASIC: &str = "basic.auth.credentials.source";
    const BEARER: &str = "bearer.auth.credentials.source";
    let bearer = match get(config, BEARER) {
        None => None,
        Some("STATIC_TOKEN") => match get(config, "bearer.auth.token") {
            Some(token) => Some(Credentials::Bearer(token.to_owned())),
            None => {
                let message = format!("{BEARER}=STATIC_TOKEN needs the token: set bearer.auth.token");
                problems.push(Problem { key: "bearer.auth.token".into(), message });
                None
            }
        },
        Some(other) => {
            problems.push(problem(BEARER, other, "Only STATIC_TOKEN is supported; set bearer.auth.token"));
            None
        }
    };
    let basic = match get(config, BASIC) {
        None | Some("URL") => in_url,
        Some("USER_INFO") => {
            let keys = ["basic.auth.user.info", "schema.registry.basic.auth.user.info"];
            let given = keys.iter().find_map(|key| get(config, key));
            match given.and_then(|given| given.split_once(':')) {
                Some((user, password)) => Some((user.to_owned(), password.to_owned())),
                None => {
                    let message = format!("{BASIC}=USER_INFO needs user:password: set {}", keys[0]);
                    problems.push(Problem { key: keys[0].into(), message });
                    None
                }
            }
        }
        Some(other) => {
            let why = "Only URL and USER_INFO are supported; give the user with USER_INFO in basic.auth.user.info";
            problems.push(problem(BASIC, other, why));
            None
        }
    };
    match (bearer, basic) {
        (Some(_), Some(_)) => {
            let message = "Only one of basic and bearer authentication can be used: leave one of them out".into();
            problems.push(Problem { key: BEARER.into(), message });
            Credentials::None
        }
        (Some(bearer), None) => bearer,
        (None, Some((user, password))) => Credentials::Basic(user, password),
        (None, None) => Credentials::None,
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = text_of(behind.get(..2)).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

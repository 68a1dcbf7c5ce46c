//! Requests between the workers of a group, signed with the key that their leader hands out (KIP-507).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use weir_core::model::Config;
use weir_core::port::{Peers, SessionKey};
use weir_core::settings::{DistributedSettings, MAC_ALGORITHMS, RestSettings, Scheme};

use crate::tls;
use crate::worker::lines;

/// The header with the signature, in base64.
pub const SIGNATURE: &str = "X-Connect-Authorization";
/// The header with the algorithm of the signature.
pub const ALGORITHM: &str = "X-Connect-Request-Signature-Algorithm";
/// How long another worker may take to answer (Connect's RestClient waits as long as its HTTP client does).
const TIMEOUT: Duration = Duration::from_secs(60);

fn mac_of<M: KeyInit + Mac>(key: &[u8], body: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(body);
    Some(mac)
}

/// The signature of a body; none for an algorithm that is not known.
fn sign(key: &SessionKey, body: &[u8]) -> Option<Vec<u8>> {
    let key_bytes = key.key.as_slice();
    Some(match key.algorithm.as_str() {
        "HmacSHA256" => mac_of::<Hmac<Sha256>>(key_bytes, body)?.finalize().into_bytes().to_vec(),
        "HmacSHA384" => mac_of::<Hmac<Sha384>>(key_bytes, body)?.finalize().into_bytes().to_vec(),
        "HmacSHA512" => mac_of::<Hmac<Sha512>>(key_bytes, body)?.finalize().into_bytes().to_vec(),
        _ => return None,
    })
}

/// Whether a signature is that of a body; compared in the same time whatever differs.
pub fn is_signed(key: &SessionKey, body: &[u8], signature: &[u8]) -> bool {
    let key_bytes = key.key.as_slice();
    let verified = match key.algorithm.as_str() {
        "HmacSHA256" => mac_of::<Hmac<Sha256>>(key_bytes, body).map(|mac| mac.verify_slice(signature)),
        "HmacSHA384" => mac_of::<Hmac<Sha384>>(key_bytes, body).map(|mac| mac.verify_slice(signature)),
        "HmacSHA512" => mac_of::<Hmac<Sha512>>(key_bytes, body).map(|mac| mac.verify_slice(signature)),
        _ => None,
    };
    matches!(verified, Some(Ok(())))
}

/// A client for requests to other workers.
pub fn client(settings: &RestSettings) -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
    // Over http, too: others of the group may be reached over https already.
    let tls = match tls::client(&settings.tls) {
        Err(problems) if settings.advertised_scheme == Scheme::Https => {
            let problems = lines(&problems);
            return Err(format!(
                "other workers cannot be asked over https, as rest.advertised.listener says:\n{problems}"
            ));
        }
        Err(problems) => {
            tracing::warn!("other workers are not asked over https with these settings:\n{}", lines(&problems));
            // Without TLS of ours the client would look for cryptography that nobody has chosen for it, and panic.
            tls::client(&Config::new()).map_err(|problems| lines(&problems))?
        }
        Ok(tls) => tls,
    };
    let client = client.use_preconfigured_tls(tls);
    client.build().map_err(|error| format!("no client for requests to other workers: {error}"))
}

/// An error with what caused it; that of a client alone says little more than that there was one.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}

/// The other workers, over HTTP.
pub struct HttpPeers {
    client: reqwest::Client,
    settings: DistributedSettings,
}

impl HttpPeers {
    /// The other workers of a group with these settings.
    pub fn new(client: reqwest::Client, settings: DistributedSettings) -> HttpPeers {
        HttpPeers { client, settings }
    }
}

impl HttpPeers {
    /// Asks the leader for what only workers may ask, about one connector.
    async fn ask_leader(
        &self,
        method: reqwest::Method,
        (leader, connector, what): (&str, &str, &str),
        body: Vec<u8>,
        key: Option<&SessionKey>,
    ) -> Result<(), String> {
        let connector = crate::rest::path_segment(connector);
        let url = format!("{}/connectors/{connector}/{what}?forward=false", leader.trim_end_matches('/'));
        let mut request = self.client.request(method, &url).header("Content-Type", "application/json");
        if let Some(key) = key {
            let signature = sign(key, &body).ok_or_else(|| {
                format!("this worker cannot sign with {}: it was handed out by another version", key.algorithm)
            })?;
            request = request.header(SIGNATURE, STANDARD.encode(signature)).header(ALGORITHM, key.algorithm.as_str());
        }
        let answer = request.body(body).send().await.map_err(|error| format!("{url}: {}", whole(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        Err(format!("{url} answered {status}: {text}"))
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[async_trait]
impl Peers for HttpPeers {
    async fn submit_tasks(
        &self,
        leader: &str,
        connector: &str,
        configs: &[Config],
        key: Option<&SessionKey>,
    ) -> Result<(), String> {
        let body = serde_json::to_vec(configs).map_err(|error| error.to_string())?;
        self.ask_leader(reqwest::Method::POST, (leader, connector, "tasks"), body, key).await
    }

    async fn fence(&self, leader: &str, connector: &str, key: Option<&SessionKey>) -> Result<(), String> {
        self.ask_leader(reqwest::Method::PUT, (leader, connector, "fence"), Vec::new(), key).await
    }

    fn new_key(&self) -> Result<SessionKey, String> {
        let own_bits = MAC_ALGORITHMS.iter().find(|(name, _)| *name == self.settings.key_algorithm);
        let bits = self.settings.key_bits.or(own_bits.map(|(_, bits)| *bits)).unwrap_or(256);
        let mut key = vec![0; bits.div_ceil(8)];
        getrandom::fill(&mut key).map_err(|error| format!("no random bytes for a session key: {error}"))?;
        Ok(SessionKey { key, algorithm: self.settings.key_algorithm.clone(), created: now() })
    }

    fn is_current(&self, key: &SessionKey) -> bool {
        let ttl = self.settings.key_ttl.as_millis() as i64;
        let bits = self.settings.key_bits;
        key.algorithm == self.settings.key_algorithm
            && bits.is_none_or(|bits| key.key.len() == bits.div_ceil(8))
            && (ttl == 0 || now() < key.created.saturating_add(ttl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::settings::WorkerSettings;

    #[test]
    fn a_worker_that_speaks_http_has_a_client_whatever_its_stores_are() {
        let config = [
            ("bootstrap.servers", "local:memory"),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("listeners", "http://:8083"),
            ("ssl.truststore.location", "/of/the/kafka/clients.jks"),
        ];
        let config = config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let settings = WorkerSettings::parse(&config).expect("they can be used");
        client(&settings.rest).expect("a client");
    }

    /// RFC 4231, test case 2, and what Java's Mac makes of it.
    #[test]
    fn bodies_are_signed_as_java_does() {
        let key = |algorithm: &str| SessionKey { key: b"Jefe".to_vec(), algorithm: algorithm.into(), created: 0 };
        let body = b"what do ya want for nothing?";
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let signed = sign(&key("HmacSHA256"), body).unwrap();
        assert_eq!(hex(signed.clone()), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(is_signed(&key("HmacSHA256"), body, &signed));
        assert!(!is_signed(&key("HmacSHA256"), b"something else", &signed));
        assert!(!is_signed(&key("HmacSHA512"), body, &signed));
        assert!(!is_signed(&key("HmacMD5"), body, &signed), "an algorithm that is not known signs nothing");
    }
    #[tokio::test]
    async fn what_another_worker_could_not_be_asked_for_is_told_with_its_cause() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = weir_core::settings::WorkerSettings::parse(&Config::from(
            ["key.converter", "value.converter", "offset.storage.file.filename"].map(|key| (key.into(), "x".into())),
        ));
        let error = client(&settings.unwrap().rest).unwrap().get(format!("http://{free}/")).send().await.unwrap_err();
        assert!(!error.to_string().contains("refused") && whole(&error).contains("refused"), "{}", whole(&error));
    }
}

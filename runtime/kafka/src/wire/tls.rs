//! TLS by OpenSSL, as librdkafka has it: what one of the two trusts, and what it shows, the other does, too.

use std::pin::Pin;

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{self, SslConnector, SslConnectorBuilder, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use openssl::stack::Stack;
use openssl::x509::store::{X509StoreBuilder, X509StoreBuilderRef};
use openssl::x509::{X509, X509VerifyResult};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use weir_core::model::Problem;

use super::errors::Trouble;
use crate::defaults::Properties;
use crate::properties::problem;

/// What a client trusts and shows.
pub(super) struct Tls {
    connector: SslConnector,
    checks_names: bool,
}

type Wrong = (&'static str, String);

/// A certificate, its key and those between it and what brokers trust.
type Shown = (PKey<Private>, X509, Vec<X509>);

impl Tls {
    /// Reads the stores that librdkafka's properties name.
    pub(super) fn new(properties: &Properties) -> Result<Tls, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut connector =
            connector().map_err(|e| vec![problem("security.protocol", "", &format!("OpenSSL: {e}"))])?;
        for configure in [trust, show] {
            if let Err((key, remedy)) = configure(&mut connector, properties) {
                let value = if key.ends_with("location") { java_value(properties, key) } else { "" };
                problems.push(if value.is_empty() {
                    Problem { key: key.into(), message: remedy }
                } else {
                    problem(key, value, &remedy)
                });
            }
        }
        let says = |key: &str, value: &str| properties.get(key).is_some_and(|said| said == value);
        if says("enable.ssl.certificate.verification", "false") {
            connector.set_verify(SslVerifyMode::NONE);
        }
        let checks_names = !says("ssl.endpoint.identification.algorithm", "none");
        if problems.is_empty() { Ok(Tls { connector: connector.build(), checks_names }) } else { Err(problems) }
    }

    /// Greets whoever listens there and sees that it is who it should be.
    pub(super) async fn greet(
        &self,
        socket: TcpStream,
        host: &str,
        peer: &str,
    ) -> Result<SslStream<TcpStream>, Trouble> {
        let ssl = self.connector.configure().and_then(|c| c.verify_hostname(self.checks_names).into_ssl(host));
        let stream = ssl.and_then(|ssl| SslStream::new(ssl, socket));
        let mut stream = stream.map_err(|e| Trouble::Denied(format!("{peer}: OpenSSL: {e}")))?;
        let Err(e) = Pin::new(&mut stream).connect().await else { return Ok(stream) };
        let verified = stream.ssl().verify_result();
        if verified != X509VerifyResult::OK {
            let certificate = "check ssl.truststore.* of this worker and the certificate of the broker (its names count unless ssl.endpoint.identification.algorithm is empty)";
            let why = verified.error_string();
            return Err(Trouble::Denied(format!(
                "{peer} shows a certificate that is not trusted: {why}; {certificate}"
            )));
        }
        Err(match refusal(&e) {
            Some(alert) => Trouble::Denied(alert_text(peer, &alert)),
            None if e.ssl_error().is_some() => Trouble::NotKafka(format!(
                "{peer} does not speak TLS ({e}); name a listener of TLS in bootstrap.servers, or change security.protocol"
            )),
            None => Trouble::Unreachable(format!(
                "{peer} closed the connection before TLS began; it does so, too, when its listener is without TLS ({e})"
            )),
        })
    }
}

/// What the other side says that refuses us, if that is what went wrong.
fn refusal(e: &ssl::Error) -> Option<String> {
    let reasons = e.ssl_error()?.errors().iter().filter_map(|e| e.reason());
    reasons.into_iter().find(|reason| reason.contains("alert")).map(str::to_string)
}

fn alert_text(peer: &str, alert: &str) -> String {
    format!("{peer} refuses this worker's TLS ({alert}); check that ssl.keystore.* holds a certificate it trusts")
}

/// What a broken read or write means, if TLS is why: with TLS 1.3 a broker looks at our certificate after its greeting.
pub(super) fn refused_later(peer: &str, e: &std::io::Error) -> Option<Trouble> {
    let alert = refusal(e.get_ref()?.downcast_ref::<ssl::Error>()?)?;
    Some(Trouble::Denied(alert_text(peer, &alert)))
}

fn connector() -> Result<SslConnectorBuilder, openssl::error::ErrorStack> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    // A broker that was killed says no farewell; frames say themselves whether they are whole.
    connector.set_options(SslOptions::IGNORE_UNEXPECTED_EOF);
    Ok(connector)
}

fn java_value<'a>(properties: &'a Properties, key: &str) -> &'a str {
    let natives: &[&str] = match key {
        "ssl.truststore.location" => &["ssl.ca.location"],
        _ => &["ssl.keystore.location", "ssl.certificate.location", "ssl.key.location"],
    };
    natives.iter().find_map(|native| properties.get(*native)).map(String::as_str).unwrap_or_default()
}

fn file(key: &'static str, path: &str) -> Result<Vec<u8>, Wrong> {
    std::fs::read(path).map_err(|e| (key, format!("it cannot be read: {e}")))
}

/// What the worker trusts: what it names, else what the system does.
fn trust(connector: &mut SslConnectorBuilder, properties: &Properties) -> Result<(), Wrong> {
    let (key, text) = match (properties.get("ssl.ca.location"), properties.get("ssl.ca.pem")) {
        (Some(path), _) => ("ssl.truststore.location", file("ssl.truststore.location", path)?),
        (None, Some(text)) => ("ssl.truststore.certificates", text.clone().into_bytes()),
        (None, None) => return Ok(()),
    };
    let certificates = X509::stack_from_pem(&text).map_err(|e| (key, format!("it is no PEM: {e}")))?;
    if certificates.is_empty() {
        return Err((key, "it holds no certificate; expected -----BEGIN CERTIFICATE-----".into()));
    }
    let add = |store: &mut X509StoreBuilderRef| certificates.into_iter().try_for_each(|c| store.add_cert(c));
    let store = X509StoreBuilder::new().and_then(|mut store| add(&mut store).map(|()| store.build()));
    connector.set_cert_store(store.map_err(|e| (key, format!("OpenSSL: {e}")))?);
    Ok(())
}

/// What the worker shows, if anything.
fn show(connector: &mut SslConnectorBuilder, properties: &Properties) -> Result<(), Wrong> {
    let Some((key, certificate, chain)) = shown(properties)? else { return Ok(()) };
    let done = connector
        .set_private_key(&key)
        .and_then(|()| connector.set_certificate(&certificate))
        .and_then(|()| connector.check_private_key())
        .and_then(|()| chain.into_iter().try_for_each(|certificate| connector.add_extra_chain_cert(certificate)));
    done.map_err(|e| ("ssl.keystore.location", format!("its key and certificate do not fit: {e}")))
}

fn shown(properties: &Properties) -> Result<Option<Shown>, Wrong> {
    const STORE: &str = "ssl.keystore.location";
    let get = |key: &str| properties.get(key).map(String::as_str);
    if let Some(path) = get("ssl.keystore.location") {
        let store = Pkcs12::from_der(&file(STORE, path)?).map_err(|_| (STORE, "it is no PKCS12 store".to_string()))?;
        let store = store.parse2(get("ssl.keystore.password").unwrap_or_default()).map_err(|e| {
            (
                STORE,
                format!("it cannot be opened with ssl.keystore.password, or is of a kind that OpenSSL gave up: {e}"),
            )
        })?;
        let chain = store.ca.map(|chain: Stack<X509>| chain.into_iter().collect()).unwrap_or_default();
        return match (store.pkey, store.cert) {
            (Some(key), Some(certificate)) => Ok(Some((key, certificate, chain))),
            _ => Err((STORE, "it holds no key with a certificate".into())),
        };
    }
    let (key_from, key) = match (get("ssl.key.location"), get("ssl.key.pem")) {
        (Some(path), _) => (STORE, file(STORE, path)?),
        (None, Some(text)) => ("ssl.keystore.key", text.as_bytes().to_vec()),
        (None, None) => return Ok(None),
    };
    let (chain_from, chain) = match (get("ssl.certificate.location"), get("ssl.certificate.pem")) {
        (Some(path), _) => (STORE, file(STORE, path)?),
        (None, Some(text)) => ("ssl.keystore.certificate.chain", text.as_bytes().to_vec()),
        (None, None) => return Err(("ssl.keystore.certificate.chain", "is missing beside ssl.keystore.key".into())),
    };
    let password = get("ssl.key.password").unwrap_or_default();
    let key = PKey::private_key_from_pem_passphrase(&key, password.as_bytes())
        .map_err(|e| (key_from, format!("its key is no PEM, or ssl.key.password does not open it: {e}")))?;
    let mut chain = X509::stack_from_pem(&chain).map_err(|e| (chain_from, format!("it is no PEM: {e}")))?;
    if chain.is_empty() {
        return Err((chain_from, "it holds no certificate; expected -----BEGIN CERTIFICATE-----".into()));
    }
    let certificate = chain.remove(0);
    Ok(Some((key, certificate, chain)))
}

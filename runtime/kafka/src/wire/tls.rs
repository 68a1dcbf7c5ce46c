//! TLS by OpenSSL, as librdkafka has it: what one of the two trusts, and what it shows, the other does, too.

use std::pin::Pin;

use openssl::ssl::{self, SslConnector, SslConnectorBuilder, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use openssl::x509::X509VerifyResult;
use openssl::x509::store::{X509StoreBuilder, X509StoreBuilderRef};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use weir_core::model::Problem;

use super::errors::Trouble;
use crate::defaults::Properties;
use crate::properties::problem;
use crate::stores::{self, Wrong};

/// What a client trusts and shows.
pub(super) struct Tls {
    connector: SslConnector,
    checks_names: bool,
}

impl Tls {
    /// Reads the stores that librdkafka's properties name.
    pub(super) fn new(properties: &Properties) -> Result<Tls, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut connector =
            connector().map_err(|e| vec![problem("security.protocol", "", &format!("OpenSSL: {e}"))])?;
        for configure in [trust, show] {
            if let Err(wrong) = configure(&mut connector, properties) {
                problems.push(stores::said(properties, wrong));
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

/// What the worker trusts: what it names, else what the system does.
fn trust(connector: &mut SslConnectorBuilder, properties: &Properties) -> Result<(), Wrong> {
    let Some((key, certificates)) = stores::trusted(properties)? else { return Ok(()) };
    let add = |store: &mut X509StoreBuilderRef| certificates.into_iter().try_for_each(|c| store.add_cert(c));
    let store = X509StoreBuilder::new().and_then(|mut store| add(&mut store).map(|()| store.build()));
    connector.set_cert_store(store.map_err(|e| (key, format!("OpenSSL: {e}")))?);
    Ok(())
}

/// What the worker shows, if anything.
fn show(connector: &mut SslConnectorBuilder, properties: &Properties) -> Result<(), Wrong> {
    let Some((key, certificate, chain)) = stores::shown(properties)? else { return Ok(()) };
    let done = connector
        .set_private_key(&key)
        .and_then(|()| connector.set_certificate(&certificate))
        .and_then(|()| connector.check_private_key())
        .and_then(|()| chain.into_iter().try_for_each(|certificate| connector.add_extra_chain_cert(certificate)));
    done.map_err(|e| ("ssl.keystore.location", format!("its key and certificate do not fit: {e}")))
}

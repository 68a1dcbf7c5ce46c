//! TLS of REST: what listeners show and whom they ask for a certificate, and what this worker shows and trusts when it
//! asks others (Connect's SSLUtils).

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use weir_core::model::{Config, Problem};
use weir_kafka::Stores;

type Versions = Vec<&'static SupportedProtocolVersion>;

fn problem(key: &str, message: impl Into<String>) -> Vec<Problem> {
    vec![Problem { key: key.to_owned(), message: message.into() }]
}

fn get<'a>(settings: &'a Config, key: &str) -> Option<&'a str> {
    settings.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// What greets those who come over a listener of https.
pub fn acceptor(settings: &Config) -> Result<TlsAcceptor, Vec<Problem>> {
    let stores = Stores::read(settings)?;
    let (provider, versions) = spoken(settings)?;
    let Some((key, chain)) = stores.shown else {
        let message = "Missing configuration \"ssl.keystore.location\": https needs a key and its certificate, so name \
                       a PKCS12 store, or a PEM file with ssl.keystore.type=PEM";
        return Err(problem("ssl.keystore.location", message));
    };
    let unusable = |error: Error| problem("ssl.keystore.location", format!("its key and certificate: {error}"));
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions).map_err(unusable)?;
    let asked = get(settings, "ssl.client.auth").unwrap_or("none").to_ascii_lowercase();
    let builder = match asked.as_str() {
        "none" => builder.with_no_client_auth(),
        "required" | "requested" => {
            let Some(trusted) = stores.trusted else {
                let message = format!(
                    "Missing configuration \"ssl.truststore.location\", which ssl.client.auth={asked} asks for: name a \
                     PEM file with the certificates of those who vouch for clients, and ssl.truststore.type=PEM"
                );
                return Err(problem("ssl.truststore.location", message));
            };
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(trusted)?), provider);
            let verifier = if asked == "requested" { verifier.allow_unauthenticated() } else { verifier };
            let built = verifier.build().map_err(|error| problem("ssl.truststore.location", error.to_string()))?;
            builder.with_client_cert_verifier(built)
        }
        other => {
            let message = format!(
                "Invalid value {other} for configuration ssl.client.auth: String must be one of: required, requested, none"
            );
            return Err(problem("ssl.client.auth", message));
        }
    };
    let mut config = builder.with_single_cert(certificates(chain), key_of(key)).map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// How this worker asks others over https.
pub fn client(settings: &Config) -> Result<ClientConfig, Vec<Problem>> {
    let stores = Stores::read(settings)?;
    let (provider, versions) = spoken(settings)?;
    let unusable = |error: Error| problem("ssl.keystore.location", format!("its key and certificate: {error}"));
    let trusted = match stores.trusted {
        Some(trusted) => roots(trusted)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() },
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider.clone())
        .build()
        .map_err(|error| problem("ssl.truststore.location", error.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match settings.get("ssl.endpoint.identification.algorithm") {
        Some(algorithm) if algorithm.trim().is_empty() => Arc::new(WhateverName(verifier)),
        _ => verifier,
    };
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).map_err(unusable)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match stores.shown {
        Some((key, chain)) => builder.with_client_auth_cert(certificates(chain), key_of(key)).map_err(unusable),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(chain: Vec<Vec<u8>>) -> Vec<CertificateDer<'static>> {
    chain.into_iter().map(CertificateDer::from).collect()
}

fn key_of(pkcs8: Vec<u8>) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(pkcs8).into()
}

fn roots(trusted: Vec<Vec<u8>>) -> Result<RootCertStore, Vec<Problem>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(trusted) {
        let unusable = |error: Error| problem("ssl.truststore.location", format!("one of its certificates: {error}"));
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

/// The cipher suites and versions of `ssl.cipher.suites` and `ssl.enabled.protocols`.
fn spoken(settings: &Config) -> Result<(Arc<CryptoProvider>, Versions), Vec<Problem>> {
    let list = |key| get(settings, key).map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
    let mut provider = default_provider();
    if let Some(wanted) = list("ssl.cipher.suites") {
        // They are called as Java calls them, but for the version in front.
        let java = |suite: String| suite.replacen("TLS13_", "TLS_", 1);
        let known: Vec<String> =
            provider.cipher_suites.iter().map(|suite| java(format!("{:?}", suite.suite()))).collect();
        provider.cipher_suites.retain(|suite| wanted.contains(&java(format!("{:?}", suite.suite())).as_str()));
        if provider.cipher_suites.is_empty() {
            let (wanted, known) = (wanted.join(","), known.join(", "));
            let message =
                format!("Invalid value {wanted} for configuration ssl.cipher.suites: none of them is one of {known}");
            return Err(problem("ssl.cipher.suites", message));
        }
    }
    let wanted = list("ssl.enabled.protocols").unwrap_or_else(|| vec!["TLSv1.2", "TLSv1.3"]);
    let suites = |version: &SupportedProtocolVersion| provider.cipher_suites.iter().any(|s| s.version() == version);
    let versions: Versions = [("TLSv1.2", &TLS12), ("TLSv1.3", &TLS13)]
        .into_iter()
        .filter(|(name, version)| wanted.contains(name) && suites(version))
        .map(|(_, version)| version)
        .collect();
    if versions.is_empty() {
        let message = format!(
            "Invalid value {} for configuration ssl.enabled.protocols: say TLSv1.2, TLSv1.3 or both, for which \
             ssl.cipher.suites names suites",
            wanted.join(",")
        );
        return Err(problem("ssl.enabled.protocols", message));
    }
    Ok((Arc::new(provider), versions))
}

/// Takes a certificate that is vouched for, whatever name stands in it: an empty `ssl.endpoint.identification.algorithm`.
#[derive(Debug)]
struct WhateverName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for WhateverName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(entries: &[(&str, &str)]) -> Problem {
        let settings = entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        acceptor(&settings).err().expect("it is refused").remove(0)
    }

    #[test]
    fn what_is_wrong_with_https_is_said_with_its_key() {
        assert_eq!(wrong(&[]).key, "ssl.keystore.location");
        assert_eq!(wrong(&[("ssl.keystore.location", "/nowhere.p12")]).key, "ssl.keystore.location");
        assert_eq!(wrong(&[("ssl.cipher.suites", "TLS_RSA_WITH_RC4_128_MD5")]).key, "ssl.cipher.suites");
        assert_eq!(wrong(&[("ssl.enabled.protocols", "TLSv1.1")]).key, "ssl.enabled.protocols");
        let only_new = [("ssl.cipher.suites", "TLS_AES_128_GCM_SHA256"), ("ssl.enabled.protocols", "TLSv1.2")];
        assert_eq!(wrong(&only_new).key, "ssl.enabled.protocols");
    }
}

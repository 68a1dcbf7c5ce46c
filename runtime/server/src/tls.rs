//! TLS of REST: what listeners show and whom they ask for a certificate, and what this worker shows and trusts when it
//! asks others (Connect's SSLUtils).

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
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
            let trusted = certificates(trusted);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&trusted)?), provider);
            let verifier = if asked == "requested" { verifier.allow_unauthenticated() } else { verifier };
            let web = verifier.build().map_err(|error| problem("ssl.truststore.location", error.to_string()))?;
            builder.with_client_cert_verifier(Arc::new(Trusting { web, trusted, names_count: false }))
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
    let (roots, trusted) = match stores.trusted.map(certificates) {
        Some(trusted) => (roots(&trusted)?, trusted),
        None => (RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }, Vec::new()),
    };
    let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| problem("ssl.truststore.location", error.to_string()))?;
    let algorithm = settings.get("ssl.endpoint.identification.algorithm");
    let names_count = algorithm.is_none_or(|algorithm| !algorithm.trim().is_empty());
    let verifier = Arc::new(Trusting { web, trusted, names_count });
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

fn roots(trusted: &[CertificateDer<'static>]) -> Result<RootCertStore, Vec<Problem>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        let unusable = |error: Error| problem("ssl.truststore.location", format!("one of its certificates: {error}"));
        roots.add(certificate.clone()).map_err(unusable)?;
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

/// What webpki verifies, and as in Java also a certificate that itself stands in the trust store: one that may vouch for
/// others, as `openssl req -x509` makes them, webpki never takes as that of whoever shows it. It looks at the dates first,
/// which therefore count as ever.
#[derive(Debug)]
struct Trusting<V: ?Sized> {
    web: Arc<V>,
    trusted: Vec<CertificateDer<'static>>,
    /// Whether the name in a certificate has to be that of the server: `ssl.endpoint.identification.algorithm` is not
    /// empty.
    names_count: bool,
}

impl<V: ?Sized> Trusting<V> {
    /// Whether webpki refused a certificate for want of somebody who vouches for it, and it needs nobody.
    fn is_trusted_itself(&self, certificate: &CertificateDer<'_>, refusal: &Error) -> bool {
        // For a certificate of an authority rustls has no error of its own.
        use CertificateError::{Other, UnknownIssuer};
        matches!(refusal, Error::InvalidCertificate(UnknownIssuer | Other(_))) && self.trusted.contains(certificate)
    }
}

impl ServerCertVerifier for Trusting<WebPkiServerVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.web.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(refusal) if self.is_trusted_itself(end_entity, &refusal) => {
                if self.names_count {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names_count => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Trusting<dyn ClientCertVerifier> {
    fn offer_client_auth(&self) -> bool {
        self.web.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.web.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.web.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.web.verify_client_cert(end_entity, intermediates, now) {
            Err(refusal) if self.is_trusted_itself(end_entity, &refusal) => Ok(ClientCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
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
    /// Somebody who vouches for itself as `openssl req -x509` has it, for so many days from 2020 on.
    fn own(days: u64) -> (String, String) {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
        let (mut params, key) =
            (CertificateParams::new(["localhost".to_owned()]).unwrap(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = params.not_before + std::time::Duration::from_secs(86_400 * days);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn settings(shown: &(String, String), trusted: &str, more: &[(&str, &str)]) -> Config {
        let entries = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.certificate.chain", &shown.0),
            ("ssl.keystore.key", &shown.1),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", trusted),
            ("ssl.client.auth", "required"),
        ];
        entries.iter().chain(more).map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    /// What the server and the client say of each other.
    async fn greet(server: &Config, client: &Config, name: &'static str) -> [Result<(), String>; 2] {
        let acceptor = acceptor(server).unwrap_or_else(|problems| panic!("{problems:?}"));
        let client = super::client(client).unwrap_or_else(|problems| panic!("{problems:?}"));
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let (here, there) = tokio::io::duplex(1 << 16);
        let accepted = async { acceptor.accept(here).await.map(drop).map_err(|error| error.to_string()) };
        let connected = async {
            let stream = connector.connect(ServerName::try_from(name).unwrap(), there).await;
            stream.map_err(|error| error.to_string())
        };
        // The client's end stays open until the server has looked at its certificate.
        let (accepted, connected) = tokio::join!(accepted, connected);
        [accepted, connected.map(drop)]
    }

    #[tokio::test]
    async fn a_certificate_of_an_authority_that_is_trusted_itself_is_taken_on_both_sides() {
        let (one, two, other, old) = (own(36_500), own(36_500), own(36_500), own(30));
        let whatever_name = [("ssl.endpoint.identification.algorithm", "")];
        let server = settings(&one, &two.0, &[]);
        let ok = [Ok(()), Ok(())];
        assert_eq!(greet(&server, &settings(&two, &one.0, &[]), "localhost").await, ok);
        assert_eq!(greet(&server, &settings(&two, &one.0, &whatever_name), "elsewhere").await, ok);
        let refused = |said: &Result<(), String>, why: &str| {
            let said = said.as_ref().expect_err(why);
            assert!(said.contains(why), "{said}");
        };
        refused(&greet(&server, &settings(&two, &one.0, &[]), "elsewhere").await[1], "not valid for name");
        for more in [&[][..], &whatever_name] {
            refused(&greet(&server, &settings(&two, &other.0, more), "localhost").await[1], "invalid peer certificate");
            let expired = settings(&old, &two.0, &[]);
            refused(&greet(&expired, &settings(&two, &old.0, more), "localhost").await[1], "expired");
        }
        refused(&greet(&server, &settings(&other, &one.0, &[]), "localhost").await[0], "invalid peer certificate");
        let to_old = settings(&one, &old.0, &[]);
        refused(&greet(&to_old, &settings(&old, &one.0, &[]), "localhost").await[0], "expired");
    }
}

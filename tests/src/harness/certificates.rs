//! Certificates of a test's own: an authority, those whom it vouches for, how they greet clients, and requests over TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::http::Answer;

/// Somebody who vouches for others.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A key and the certificate of whoever has it, in PEM.
pub struct Certified {
    /// The key.
    pub key: String,
    /// The certificate.
    pub certificate: String,
}

fn params(names: &[&str]) -> CertificateParams {
    let all: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let mut params = CertificateParams::new(all).expect("names");
    // OpenSSL takes whoever bears the name of his authority for one who vouches for himself.
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
    params
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::named("weir's tests")
    }
}

impl Authority {
    /// Somebody of this name. All who have one name look alike, but for their keys.
    pub fn named(name: &str) -> Authority {
        let (mut own, key) = (params(&[]), KeyPair::generate().expect("a key"));
        own.distinguished_name.push(DnType::CommonName, name);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = own.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(own, key), pem }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(der(&self.pem)).expect("an authority");
        roots
    }

    /// Vouches for whoever answers to these names.
    pub fn certify(&self, names: &[&str]) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names).signed_by(&key, &self.issuer).expect("a certificate").pem();
        Certified { key: key.serialize_pem(), certificate }
    }

    /// Writes its certificate to a file.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("authority.pem");
        std::fs::write(&file, &self.pem).expect("the folder is writable");
        file
    }
}

impl Certified {
    /// Writes key and certificate to one file.
    pub fn write(&self, file: PathBuf) -> PathBuf {
        std::fs::write(&file, format!("{}{}", self.key, self.certificate)).expect("the folder is writable");
        file
    }

    /// The certificate in DER.
    pub fn der(&self) -> Vec<u8> {
        der(&self.certificate).to_vec()
    }

    /// The certificate and the key.
    fn shown(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![der(&self.certificate)], PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM"))
    }

    /// What greets clients, and lets in only those whom somebody vouches for where there is somebody to.
    pub fn acceptor(&self, clients: Option<&Authority>) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone());
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = match clients {
            Some(clients) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider);
                config.with_client_cert_verifier(verifier.build().expect("an authority"))
            }
            None => config.with_no_client_auth(),
        };
        let (chain, key) = self.shown();
        Arc::new(config.with_single_cert(chain, key).expect("its own key")).into()
    }
}

/// Sends a request over TLS, as somebody or as nobody; an error says why there was no answer.
pub fn request_over_tls(
    authority: &Authority,
    as_whom: Option<&Certified>,
    address: &str,
    request: &str,
) -> Result<Answer, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    let config = config.with_root_certificates(authority.roots());
    let config = match as_whom {
        Some(certified) => {
            let (chain, key) = certified.shown();
            config.with_client_auth_cert(chain, key).expect("a key and its certificate")
        }
        None => config.with_no_client_auth(),
    };
    let (host, _) = address.rsplit_once(':').expect("a port");
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a bound on reading");
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(Answer::parse(&text))
}

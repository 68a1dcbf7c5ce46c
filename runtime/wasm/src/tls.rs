//! Whom the TLS of guests trusts: the web's authorities, and those in a file of the operator's.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;

/// The authorities by whose certificates servers are known.
#[derive(Clone)]
pub struct Authorities(Arc<rustls::ClientConfig>);

impl Authorities {
    /// The web's authorities.
    pub fn of_the_web() -> Authorities {
        Authorities::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() })
    }

    /// The web's authorities and those whose certificates stand in a PEM file.
    pub fn and_those_in(file: &Path) -> Result<Authorities, String> {
        let said = |reason: String| format!("{reason}. Name a PEM file with the certificates of your authorities");
        let pem = std::fs::read(file).map_err(|error| said(format!("it cannot be read: {error}")))?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            count += 1;
            certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()))
                .map_err(|error| said(format!("its certificate number {count} cannot be used: {error}")))?;
        }
        match count {
            0 if pem.is_empty() => Err(said("it is empty".into())),
            0 => Err(said("it holds no certificate (-----BEGIN CERTIFICATE-----)".into())),
            _ => Ok(Authorities::new(roots)),
        }
    }

    fn new(roots: RootCertStore) -> Authorities {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("ring has the default versions of TLS");
        Authorities(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.0.clone())
    }
}

/// Why there is no TLS with a server, when it is the server's certificate.
pub(crate) fn about_the_certificate(error: &std::io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(reason) = error else { return None };
    let remedy = match reason {
        rustls::CertificateError::UnknownIssuer => {
            ": nobody vouches for it whom this worker trusts. Its operator can name a file with the certificate of the \
             server's authority in sandbox.tls.ca.location"
        }
        _ => "",
    };
    Some(format!("{error}{remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_authorities_is_refused_with_a_reason_and_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let refused = || Authorities::and_those_in(&file).err().expect("it is refused");
        let mut told = vec![("cannot be read", refused())];
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        for (text, reason) in [
            (String::new(), "it is empty"),
            ("not PEM\n".into(), "holds no certificate (-----BEGIN CERTIFICATE-----)"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into(), "holds no certificate"),
            (format!("{begin}AAAA\n{end}"), "certificate number 1 cannot be used"),
            (format!("{begin}!\n{end}"), "certificate number 1 cannot be used"),
            (format!("{begin}AAAA\n"), "certificate number 1 cannot be used"),
        ] {
            std::fs::write(&file, text).unwrap();
            told.push((reason, refused()));
        }
        for (reason, told) in told {
            assert!(told.contains(reason) && told.contains("Name a PEM file"), "{reason}: {told}");
        }
    }
}

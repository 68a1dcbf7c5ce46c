//! Key stores and trust stores: what one side of a TLS connection shows and trusts, read from the files and texts that
//! Java's `ssl.*` settings name.

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;
use weir_core::model::Problem;
use weir_core::port::ClientSettings;

use crate::defaults::Properties;
use crate::properties::{self, ClientKind, Origin, problem};
use crate::rounds::rounds;

/// Rounds of hashing that a store may ask for, some seconds' worth. keytool asks for 10,000.
const ROUNDS_MAX: u64 = 10_000_000;

/// Properties that librdkafka does not know: a trust store of PKCS12, and what opens it.
pub(crate) const OURS: [&str; 2] = ["ssl.truststore.location", "ssl.truststore.password"];

/// A setting and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

/// A key, its certificate, and those between it and what the other side trusts.
pub(crate) type Shown = (PKey<Private>, X509, Vec<X509>);

/// What one side of a TLS connection shows and trusts, in DER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// Its key, as PKCS #8, and its certificate with those between it and what the other side trusts.
    pub shown: Option<(Vec<u8>, Vec<Vec<u8>>)>,
    /// The certificates of those it trusts; none where the settings name none.
    pub trusted: Option<Vec<Vec<u8>>>,
}

impl Stores {
    /// Reads the stores that `ssl.*` settings name, or says everything that is wrong with them.
    pub fn read(settings: &ClientSettings) -> Result<Stores, Vec<Problem>> {
        let ssl = |(key, value): (&String, &String)| key.starts_with("ssl.").then(|| (key.clone(), value.clone()));
        let known = properties::known(ClientKind::Admin, &settings.iter().filter_map(ssl).collect());
        let properties = properties::map(ClientKind::Admin, Origin::Worker, &known)?.properties;
        let mut problems = Vec::new();
        let mut stores = Stores::default();
        match trusted(&properties).and_then(|found| found.map(|(key, found)| der(key, &found)).transpose()) {
            Ok(found) => stores.trusted = found,
            Err(wrong) => problems.push(said(&properties, wrong)),
        }
        let in_der = |(key, certificate, chain): Shown| {
            let chain: Vec<X509> = std::iter::once(certificate).chain(chain).collect();
            let key = key.private_key_to_pkcs8().map_err(|e| unusable("ssl.keystore.location", &e))?;
            Ok((key, der("ssl.keystore.location", &chain)?))
        };
        match shown(&properties).and_then(|found| found.map(in_der).transpose()) {
            Ok(found) => stores.shown = found,
            Err(wrong) => problems.push(said(&properties, wrong)),
        }
        if problems.is_empty() { Ok(stores) } else { Err(problems) }
    }
}

fn unusable(key: &'static str, e: &ErrorStack) -> Wrong {
    (key, format!("OpenSSL: {e}"))
}

fn der(key: &'static str, certificates: &[X509]) -> Result<Vec<Vec<u8>>, Wrong> {
    certificates.iter().map(|certificate| certificate.to_der().map_err(|e| unusable(key, &e))).collect()
}

/// A problem, with the value that a store was named by.
pub(crate) fn said(properties: &Properties, (key, remedy): Wrong) -> Problem {
    let value = if key.ends_with("location") { java_value(properties, key) } else { "" };
    if value.is_empty() { Problem { key: key.into(), message: remedy } } else { problem(key, value, &remedy) }
}

fn java_value<'a>(properties: &'a Properties, key: &str) -> &'a str {
    let natives: &[&str] = match key {
        "ssl.truststore.location" => &["ssl.ca.location", OURS[0]],
        _ => &["ssl.keystore.location", "ssl.certificate.location", "ssl.key.location"],
    };
    natives.iter().find_map(|native| properties.get(*native)).map(String::as_str).unwrap_or_default()
}

fn file(key: &'static str, path: &str) -> Result<Vec<u8>, Wrong> {
    std::fs::read(path).map_err(|e| (key, format!("it cannot be read: {e}")))
}

/// A store of PKCS12 that does not take long to open.
fn pkcs12(key: &'static str, path: &str) -> Result<Pkcs12, Wrong> {
    let der = file(key, path)?;
    let asked = rounds(&der);
    if asked > ROUNDS_MAX {
        let why = format!("it asks for {asked} rounds of hashing; make it anew with at most {ROUNDS_MAX}");
        return Err((key, why));
    }
    Pkcs12::from_der(&der).map_err(|_| (key, "it is no PKCS12 store".into()))
}

/// The certificates of those who are trusted, and the setting that names them.
pub(crate) fn trusted(properties: &Properties) -> Result<Option<(&'static str, Vec<X509>)>, Wrong> {
    if let Some(path) = properties.get(OURS[0]) {
        let password = properties.get(OURS[1]).map(String::as_str).unwrap_or_default();
        return trusted_of(path, password).map(|found| Some((OURS[0], found)));
    }
    let (key, text) = match (properties.get("ssl.ca.location"), properties.get("ssl.ca.pem")) {
        (Some(path), _) => ("ssl.truststore.location", file("ssl.truststore.location", path)?),
        (None, Some(text)) => ("ssl.truststore.certificates", text.clone().into_bytes()),
        (None, None) => return Ok(None),
    };
    let certificates = X509::stack_from_pem(&text).map_err(|e| (key, format!("it is no PEM: {e}")))?;
    if certificates.is_empty() {
        return Err((key, "it holds no certificate; expected -----BEGIN CERTIFICATE-----".into()));
    }
    Ok(Some((key, certificates)))
}

/// What is trusted out of a store of PKCS12.
fn trusted_of(path: &str, password: &str) -> Result<Vec<X509>, Wrong> {
    let wrong = |remedy: String| (OURS[0], remedy);
    let store = pkcs12(OURS[0], path)?;
    let store = store.parse2(password).map_err(|e| {
        wrong(format!("it cannot be opened with ssl.truststore.password, or is of a kind that OpenSSL gave up: {e}"))
    })?;
    // Java trusts of an entry with a key only the certificate itself, and here nothing says which others belong to it.
    if store.pkey.is_some() {
        return Err(wrong(
            "it holds a key; a trust store holds certificates alone, as keytool -importcert makes one".into(),
        ));
    }
    let found: Vec<X509> = store.cert.into_iter().chain(store.ca.into_iter().flatten()).collect();
    if found.is_empty() {
        return Err(wrong("it holds no certificate; keytool -importcert puts one in".into()));
    }
    Ok(found)
}

/// Properties as librdkafka takes them: a trust store of PKCS12 is read, and handed over as PEM.
pub(crate) fn for_librdkafka(properties: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
    let get = |key: &str| properties.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let mut taken = properties.to_vec();
    if let Some(path) = get(OURS[0]) {
        let found = trusted_of(path, get(OURS[1]).unwrap_or_default());
        let found = found.map_err(|(key, remedy)| problem(key, path, &remedy).message)?;
        let pem = found.iter().map(|certificate| certificate.to_pem()).collect::<Result<Vec<_>, _>>();
        let pem = pem.map_err(|e| format!("{}={path}: OpenSSL: {e}", OURS[0]))?.concat();
        taken.retain(|(key, _)| !OURS.contains(&key.as_str()));
        taken.push(("ssl.ca.pem".into(), String::from_utf8_lossy(&pem).into_owned()));
    }
    Ok(taken)
}

/// What is shown, if anything.
pub(crate) fn shown(properties: &Properties) -> Result<Option<Shown>, Wrong> {
    const STORE: &str = "ssl.keystore.location";
    let get = |key: &str| properties.get(key).map(String::as_str);
    if let Some(path) = get("ssl.keystore.location") {
        let store = pkcs12(STORE, path)?;
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

#[cfg(test)]
pub(crate) mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::x509::X509Name;

    use super::*;

    fn identity() -> (PKey<Private>, X509) {
        let key = EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap();
        let key = PKey::from_ec_key(key).unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, "x").unwrap();
        let name = name.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        (key, certificate.build())
    }

    /// A number of 0 to 2 and a store of that kind: a certificate, a key with its certificate, a trust store of PKCS12.
    pub(crate) fn samples() -> Vec<Vec<u8>> {
        let (key, certificate) = identity();
        let (pem, held) = (certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
        let mut trusted = Stack::new().unwrap();
        trusted.push(certificate).unwrap();
        let mut store = Pkcs12::builder();
        store.ca(trusted).key_iter(1).mac_iter(1);
        let store = store.build2("").unwrap().to_der().unwrap();
        let numbered = |(kind, store): (u8, Vec<u8>)| [vec![kind], store].concat();
        [(0, pem.clone()), (1, [held, pem].concat()), (2, store)].map(numbered).into()
    }

    #[test]
    fn a_trust_store_of_pkcs12_holds_certificates_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ((key, one), (_, other)) = (identity(), identity());
        let read = |store: Pkcs12| {
            let file = folder.path().join("trust.pfx");
            std::fs::write(&file, store.to_der().unwrap()).unwrap();
            let entries =
                [("ssl.truststore.location", file.to_str().unwrap()), ("ssl.truststore.password", "opens it")];
            Stores::read(&entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
        };
        let of = |certificates: &[&X509]| {
            let mut all = Stack::new().unwrap();
            certificates.iter().for_each(|certificate| all.push((*certificate).clone()).unwrap());
            let mut store = Pkcs12::builder();
            store.ca(all);
            store
        };
        let mut found = read(of(&[&one, &other]).build2("opens it").unwrap()).unwrap().trusted.unwrap();
        let mut expected = [one.to_der().unwrap(), other.to_der().unwrap()];
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let wrong = |store| read(store).unwrap_err().remove(0).message;
        let said = wrong(of(&[&other]).pkey(&key).cert(&one).build2("opens it").unwrap());
        assert!(said.contains("trust.pfx") && said.contains("it holds a key"), "{said}");
        let said = wrong(of(&[&one]).build2("something else").unwrap());
        assert!(said.contains("ssl.truststore.password"), "{said}");
    }
}

//! Fuzz targets of what brokers and their logins say, and of what stores and settings of clients hold.

#[path = "../../../tests/fuzz/mod.rs"]
mod fuzzing;

use openssl::hash::MessageDigest;
use weir_core::model::ClientKind;

use crate::properties::{Origin, map};
use crate::rounds::rounds;
use crate::stores;
use crate::wire::fuzz as wire;
use fuzzing::fuzz;

/// The first byte chooses what was asked, and in which version.
#[test]
fn answers_of_brokers() {
    let joined =
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, b'p', 0, 1, b'l', 0, 1, b'm', 0, 0, 0, 1, 0, 1, b'x', 0, 0, 0, 1, 5];
    let seeds = (0..16).map(|asked| [&[asked][..], &joined].concat());
    fuzz("wire", seeds, &[], |bytes| {
        let Some((asked, answer)) = bytes.split_first() else { return String::new() };
        wire::read(*asked, answer)
    });
}

#[test]
fn logins_of_scram() {
    let seed = "r=nonce%hvYDpWUa2RaTCAfuxFIlj,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\n\
                v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let words = ["r=nonce", ",", "s=", "i=4096", "v=", "=", "e=other-error"];
    fuzz("scram", [seed.as_bytes().to_vec()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (first, last) = text.split_once('\n').unwrap_or((&text, ""));
        // As many rounds as a broker may ask for take half a second each; how they are counted is not what is looked
        // for.
        let first = if first.contains("i=4096") { first.to_owned() } else { first.replace("i=", "i=x") };
        wire::log_in(MessageDigest::sha256(), &first, last)
    });
}

/// Settings of Java's clients, one a line; those of logins and stores are texts of their own.
#[test]
fn settings_of_clients() {
    let seeds = [
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
         required username=\"u\" password='p';\nsasl.mechanism=PLAIN",
        "ssl.truststore.certificates=-----BEGIN CERTIFICATE-----\nssl.truststore.type=PEM\nbootstrap.servers=a:1,b:2",
        "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor\nfetch.min.bytes=1\nacks=all",
    ];
    let words = ["\"", "'", "\\", ";", "=", "\n", "sasl.jaas.config=", "required", "username=", "true", ",", ":"];
    fuzz("client_settings", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let settings = text.lines().filter_map(|line| line.split_once('='));
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        match map(ClientKind::Consumer, Origin::Connector, &settings) {
            Ok(mapped) => format!("{}", mapped.properties.len().min(4)),
            Err(problems) => problems.first().map(|problem| problem.message.clone()).unwrap_or_default(),
        }
    });
}

/// Keys and certificates in PEM and PKCS12: the first byte chooses which.
#[test]
fn stores_of_keys_and_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let path = file.to_str().unwrap().to_owned();
    let words = ["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n", "\n"];
    fuzz("stores", stores::tests::samples(), &words, |bytes| {
        let Some((kind, store)) = bytes.split_first() else { return String::new() };
        let keys: &[&str] = match kind % 3 {
            0 => &["ssl.ca.location"],
            1 => &["ssl.key.location", "ssl.certificate.location"],
            _ => &[stores::OURS[0]],
        };
        // As many rounds as a store may ask for take seconds; how they are counted is not what is looked for.
        if rounds(store) > 10_000 {
            return "many rounds".into();
        }
        std::fs::write(&file, store).unwrap();
        let properties = keys.iter().map(|key| (key.to_string(), path.clone())).collect();
        let trusted = stores::trusted(&properties).map(|found| found.is_some());
        let shown = stores::shown(&properties).map(|found| found.is_some());
        format!("{trusted:?} {shown:?}")
    });
}

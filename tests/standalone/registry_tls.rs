//! Converters that ask a schema registry over TLS, which is a real one behind a front that speaks it: whom they trust, whom
//! they say to be, and what is said where one side does not believe the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::harness::apicurio;
use weir_tests::harness::certificates::{Authority, Certified};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::tls_front::{Met, TlsFront};
use weir_tests::harness::worker::Worker;

use super::{append, lines, on};

const LINES: usize = 10;
/// What is to be looked at by who does not trust, and by who is not trusted.
const TRUSTED: &str = "schema.registry.ssl.truststore.location";
const SHOWN: &str = "schema.registry.ssl.keystore.location";

/// Settings below `schema.registry.ssl.`.
type Ssl = Vec<(String, String)>;

/// A worker with lines to be read, whose connectors may name files of the folder and servers of this machine.
fn worker(folder: &Path) -> (Worker, String) {
    append(folder, 0..LINES);
    let ceilings = format!("sandbox.path.ceiling={}\nsandbox.endpoint.ceiling=127.0.0.1:*\n", folder.display());
    let mut worker = Worker::standalone(folder, &(on("local:memory") + &ceilings), &[]);
    let url = worker.url();
    (worker, url)
}

/// A front before the registry, and the registry's address behind it.
fn front(own: &Certified, clients: Option<&Authority>) -> (TlsFront, String) {
    let plain = apicurio::shared().url();
    let (server, path) = plain.trim_start_matches("http://").split_once('/').expect("an address with a path");
    let front = TlsFront::before(server, own, clients);
    let url = format!("https://{}/{path}", front.address);
    (front, url)
}

/// A store in PEM: `truststore` or `keystore`.
fn in_pem(store: &str, file: &Path) -> Ssl {
    vec![(format!("{store}.type"), "PEM".into()), (format!("{store}.location"), file.display().to_string())]
}

fn trusting(authority: &Authority, file: PathBuf) -> Ssl {
    std::fs::write(&file, &authority.pem).unwrap();
    in_pem("truststore", &file)
}

/// The same as Java's own tool makes a store.
fn trusting_in_pkcs12(authority: &Authority, folder: &Path) -> Ssl {
    let (pem, store) = (authority.write(folder), folder.join("trust.p12"));
    let mut keytool = Command::new("keytool");
    keytool.args(["-importcert", "-noprompt", "-alias", "authority", "-storetype", "PKCS12"]);
    keytool.args(["-storepass", "changeit", "-keystore"]).arg(&store).arg("-file").arg(pem);
    let made = keytool.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let location = store.display().to_string();
    [("type", "PKCS12"), ("location", &location), ("password", "changeit")]
        .map(|(key, value)| (format!("truststore.{key}"), value.to_owned()))
        .into()
}

/// A connector with the converter of a registry.
fn put(url: &str, name: &str, mut config: Value, registry: &str, ssl: &[(String, String)]) {
    config["value.converter"] = json!("io.confluent.connect.avro.AvroConverter");
    config["value.converter.schema.registry.url"] = json!(registry);
    config["value.converter.max.retries"] = json!("0");
    for (key, value) in ssl {
        config[format!("value.converter.schema.registry.ssl.{key}")] = json!(value);
    }
    let answer = send("PUT", &format!("{url}/connectors/{name}/config"), &config);
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn source(folder: &Path, topic: &str) -> Value {
    json!({
        "connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": topic, "transforms": "hoist",
        "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.hoist.field": "line",
    })
}

fn sink(folder: &Path, topic: &str) -> Value {
    json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": topic})
}

/// The versions of a topic's schema, as the registry itself tells them.
fn versions(topic: &str) -> Value {
    let answer = apicurio::shared().ask("GET", &format!("/subjects/{topic}-value/versions"), "").unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// Has lines go through a topic, written by a converter with the first settings and read by one with the others.
fn carry(folder: &Path, topic: &str, registry: &str, [written, read]: [&Ssl; 2]) {
    let (mut worker, url) = worker(folder);
    put(&url, "source", source(folder, topic), registry, written);
    put(&url, "sink", sink(folder, topic), registry, read);
    worker.until("all lines", || lines(folder).len() >= LINES);
    let expected: Vec<String> = (0..LINES).map(|number| format!("Struct{{line=line {number}}}")).collect();
    assert_eq!(lines(folder), expected);
    assert_eq!(versions(topic), json!([1]));
    assert!(worker.stop());
}

/// Why a connector's task failed.
fn failure(worker: &mut Worker, url: &str, name: &str) -> String {
    let mut status = Value::Null;
    worker.until("the failure", || {
        status = request("GET", &format!("{url}/connectors/{name}/status"), None).json();
        status["tasks"][0]["state"] == "FAILED"
    });
    status["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned()
}

/// Both connectors came, each as this one.
fn assert_met(front: &TlsFront, expected: &Met) {
    let met = front.met();
    assert!(met.len() >= 2 && met.iter().all(|who| who == expected), "{met:?}");
}

#[test]
fn a_registry_is_asked_over_tls_by_converters_that_trust_its_authority_in_pem_or_in_pkcs12() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::default();
    let (front, registry) = front(&authority.certify(&["127.0.0.1"]), None);
    let in_pem = trusting(&authority, folder.join("trust.pem"));
    let in_pkcs12 = trusting_in_pkcs12(&authority, folder);
    carry(folder, "over-tls", &registry, [&in_pem, &in_pkcs12]);
    assert_met(&front, &Ok(None));
}

#[test]
fn a_registry_that_is_not_trusted_hears_nothing_and_the_trace_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::default();
    let (here, registry) = front(&authority.certify(&["127.0.0.1"]), None);
    let (elsewhere, of_another_name) = front(&authority.certify(&["localhost"]), None);
    let strangers = trusting(&Authority::named("strangers"), folder.join("strangers.pem"));
    let made_anew = trusting(&Authority::default(), folder.join("anew.pem"));
    let trusted = trusting(&authority, folder.join("trust.pem"));
    let (mut worker, url) = worker(folder);
    for (name, registry, ssl, says) in [
        ("the-web", &registry, Ssl::new(), ["invalid peer certificate: UnknownIssuer", TRUSTED]),
        ("strangers", &registry, strangers, ["invalid peer certificate: UnknownIssuer", TRUSTED]),
        ("made-anew", &registry, made_anew, ["invalid peer certificate: BadSignature", TRUSTED]),
        ("elsewhere", &of_another_name, trusted, ["certificate not valid for name \"127.0.0.1\"", "localhost"]),
    ] {
        put(&url, name, source(folder, "untrusted"), registry, &ssl);
        let trace = failure(&mut worker, &url, name);
        let whole = trace.contains("VALUE_CONVERTER") && says.iter().all(|part| trace.contains(part));
        assert!(whole, "{name}: {trace}");
    }
    for front in [here, elsewhere] {
        assert!(front.met().iter().all(Result::is_err), "{:?}", front.met());
    }
    assert_eq!(versions("untrusted")[0], Value::Null, "nothing was registered");
    assert!(worker.stop());
}

#[test]
fn a_registry_that_asks_for_certificates_is_shown_the_one_in_the_key_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (authority, of_clients) = (Authority::default(), Authority::named("clients"));
    let (front, registry) = front(&authority.certify(&["127.0.0.1"]), Some(&of_clients));
    let client = of_clients.certify(&["weir"]);
    let mut both = trusting(&authority, folder.join("trust.pem"));
    both.extend(in_pem("keystore", &client.write(folder.join("keys.pem"))));
    carry(folder, "over-mutual-tls", &registry, [&both, &both]);
    assert_met(&front, &Ok(Some(client.der())));
}

#[test]
fn a_registry_that_asks_for_certificates_lets_in_neither_nobody_nor_a_stranger_and_the_trace_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (authority, of_clients) = (Authority::default(), Authority::named("clients"));
    let own = authority.certify(&["127.0.0.1"]);
    let trusted = trusting(&authority, folder.join("trust.pem"));
    let stranger = Authority::named("strangers").certify(&["eve"]);
    let stranger = in_pem("keystore", &stranger.write(folder.join("eve.pem")));
    let (mut worker, url) = worker(folder);
    // In TLS 1.3 a client is through before the server has looked at its certificate: then it may hear no more than that
    // the connection is gone.
    for (name, protocol, shown, refused, says) in [
        ("nobody", "TLSv1.2", Ssl::new(), "peer sent no certificates", ["alert: CertificateRequired", SHOWN]),
        ("stranger", "TLSv1.2", stranger.clone(), "UnknownIssuer", ["alert: UnknownCA", SHOWN]),
        ("nobody-anew", "TLSv1.3", Ssl::new(), "peer sent no certificates", ["cannot be asked", "https://127.0.0.1:"]),
        ("stranger-anew", "TLSv1.3", stranger, "UnknownIssuer", ["cannot be asked", "https://127.0.0.1:"]),
    ] {
        let (front, registry) = front(&own, Some(&of_clients));
        let protocol = [("enabled.protocols".to_owned(), protocol.to_owned())];
        let ssl: Ssl = trusted.iter().chain(&shown).chain(&protocol).cloned().collect();
        put(&url, name, source(folder, "not-let-in"), &registry, &ssl);
        let trace = failure(&mut worker, &url, name);
        assert!(says.iter().all(|part| trace.contains(part)), "{name}: {trace}");
        worker.until("the refusal", || !front.met().is_empty());
        let met = front.met();
        assert!(met.iter().all(|who| who.as_ref().is_err_and(|why| why.contains(refused))), "{name}: {met:?}");
    }
    assert_eq!(versions("not-let-in")[0], Value::Null, "nothing was registered");
    assert!(worker.stop());
}

//! Members of worker groups on a real Kafka that wants to know who they are.

#[path = "secured/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "every test binary uses its own part")]
#[path = "../../../tests/src/harness/kafka.rs"]
mod kafka;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use certificates::Identity;
use kafka::Kafka;
use weir_core::contract::values;
use weir_core::model::Subscription;
use weir_core::port::{Broker as _, BrokerError, ClientSettings, Coordinator, MemberId, Refused};
use weir_kafka::{KafkaBroker, KafkaCoordinator};

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
/// How long a login on the listener without TLS is good.
const LOGIN: Duration = Duration::from_millis(1500);
/// Well below what librdkafka would try for.
const SOON: Duration = Duration::from_secs(30);

/// A broker with every kind of listener, and what a worker needs to speak to it.
struct Secured {
    kafka: Kafka,
    authority: Identity,
    worker: Identity,
}

fn secured() -> &'static Secured {
    static SECURED: OnceLock<Secured> = OnceLock::new();
    SECURED.get_or_init(|| {
        let authority = certificates::authority("weir's tests");
        let broker = certificates::signed_by(&authority, "broker", "127.0.0.1");
        let worker = certificates::signed_by(&authority, "worker", "127.0.0.1");
        // Properties files take a whole PEM on one line.
        let line = |pem: String| pem.replace('\n', "\\n");
        let mut lines = vec![
            "ssl.keystore.type=PEM".to_string(),
            format!("ssl.keystore.key={}", line(broker.key())),
            format!("ssl.keystore.certificate.chain={}", line(broker.certificate())),
            "ssl.truststore.type=PEM".to_string(),
            format!("ssl.truststore.certificates={}", line(authority.certificate())),
            "listener.name.ssl.ssl.client.auth=required".to_string(),
            "listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_string(),
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512".to_string(),
            format!("listener.name.sasl_plaintext.connections.max.reauth.ms={}", LOGIN.as_millis()),
        ];
        for listener in ["sasl_ssl", "sasl_plaintext"] {
            lines.push(format!(
                "listener.name.{listener}.plain.sasl.jaas.config={PLAIN} required user_alice=\"alice-secret\";"
            ));
            for mechanism in ["scram-sha-256", "scram-sha-512"] {
                lines.push(format!("listener.name.{listener}.{mechanism}.sasl.jaas.config={SCRAM} required;"));
            }
        }
        let users = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .map(|mechanism| format!("{mechanism}=[name=alice,password=alice-{mechanism}]"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let kafka =
            Kafka::start_secured(&["SSL", "SASL_SSL", "SASL_PLAINTEXT"], &users.each_ref().map(String::as_str), &lines);
        Secured { kafka, authority, worker }
    })
}

impl Secured {
    fn member(&self, host: &str, protocol: &str, more: &[(&str, &str)]) -> KafkaCoordinator {
        let port = match protocol {
            "PLAINTEXT" => self.kafka.bootstrap().rsplit(':').next().unwrap().parse().unwrap(),
            other => self.kafka.port_for(other),
        };
        self.member_at(&format!("{host}:{port}"), protocol, more)
    }

    fn member_at(&self, server: &str, protocol: &str, more: &[(&str, &str)]) -> KafkaCoordinator {
        let trust = self.authority.certificate();
        let mut settings = ClientSettings::new();
        for (key, value) in [
            ("bootstrap.servers", server),
            ("group.id", "workers"),
            ("security.protocol", protocol),
            ("ssl.truststore.certificates", &trust),
        ] {
            settings.insert(key.into(), value.into());
        }
        settings.extend(more.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        KafkaCoordinator::new(&settings).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.kafka.dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn login(mechanism: &'static str, password: &str) -> [(&'static str, String); 2] {
    let module = if mechanism == "PLAIN" { PLAIN } else { SCRAM };
    let jaas = format!("{module} required username=\"alice\" password=\"{password}\";");
    [("sasl.mechanism", mechanism.to_string()), ("sasl.jaas.config", jaas)]
}

fn texts<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

fn nobody() -> MemberId {
    MemberId { member: "nobody".into(), generation: 1 }
}

/// Finds the coordinator and asks it something; it may take a moment when nobody looked for it before.
async fn speaks(member: &KafkaCoordinator) {
    let since = Instant::now();
    loop {
        let answer = match member.find().await {
            Ok(()) => member.heartbeat(&nobody()).await,
            refused => refused,
        };
        match answer {
            Err(Refused::Expelled) => break,
            // A coordinator that still reads its groups is content with every heartbeat.
            Ok(()) | Err(Refused::Loading | Refused::NoCoordinator) => {}
            other => panic!("a stranger is told so, not {other:?}"),
        }
        assert!(since.elapsed() < Duration::from_secs(30), "no coordinator in time: {answer:?}");
    }
}

/// Logins that the member's connections counted: those that succeeded, those that failed, and the same of those that took
/// the place of one that was over.
fn logins(member: &KafkaCoordinator) -> [u64; 4] {
    let stats = member.client();
    [&stats.logins, &stats.failed_logins, &stats.relogins, &stats.failed_relogins].map(|meter| meter.get())
}

async fn refusal(member: &KafkaCoordinator) -> String {
    match member.find().await {
        Err(Refused::Fatal(why)) => why,
        other => panic!("it is refused for good, not {other:?}"),
    }
}

#[tokio::test]
async fn a_member_logs_in_by_every_mechanism_with_and_without_tls() {
    for (protocol, mechanism, password) in [
        ("SASL_SSL", "PLAIN", "alice-secret"),
        ("SASL_SSL", "SCRAM-SHA-256", "alice-SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512", "alice-SCRAM-SHA-512"),
        ("SASL_PLAINTEXT", "PLAIN", "alice-secret"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512", "alice-SCRAM-SHA-512"),
    ] {
        let login = login(mechanism, password);
        let member = secured().member("127.0.0.1", protocol, &texts(&login));
        speaks(&member).await;
        let join = member.join("", &[("compatible".into(), vec![1])]).await;
        assert!(matches!(&join, Err(Refused::IdRequired(id)) if id.starts_with("connect-")), "{join:?}");
        let [succeeded, failed, _, failed_again] = logins(&member);
        assert!(succeeded >= 1 && failed + failed_again == 0, "{protocol} {mechanism}: {:?}", logins(&member));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_what_to_check() {
    for (protocol, mechanism) in
        [("SASL_SSL", "PLAIN"), ("SASL_SSL", "SCRAM-SHA-256"), ("SASL_PLAINTEXT", "SCRAM-SHA-512")]
    {
        let login = login(mechanism, "not-it");
        let member = secured().member("127.0.0.1", protocol, &texts(&login));
        let said = refusal(&member).await;
        assert_eq!(logins(&member), [0, 1, 0, 0], "{protocol} {mechanism}");
        let names = ["sasl.jaas.config", "alice", mechanism, "SASL_AUTHENTICATION_FAILED", "127.0.0.1"];
        assert!(names.iter().all(|name| said.contains(name)) && !said.contains("not-it"), "{said}");
    }
}

#[tokio::test]
async fn a_mechanism_that_brokers_do_not_know_is_refused_with_those_that_they_do() {
    let login = login("SCRAM-SHA-256", "alice-SCRAM-SHA-256");
    let said = refusal(&secured().member("127.0.0.1", "SASL_PLAINTEXT", &texts(&login))).await;
    assert!(said.contains("sasl.mechanism") && said.contains("PLAIN") && said.contains("SCRAM-SHA-512"), "{said}");
}

#[tokio::test]
async fn a_login_that_runs_out_is_renewed_before_it_does() {
    let login = login("PLAIN", "alice-secret");
    let member = secured().member("127.0.0.1", "SASL_PLAINTEXT", &texts(&login));
    speaks(&member).await;
    let since = Instant::now();
    while since.elapsed() < 3 * LOGIN {
        assert_eq!(member.heartbeat(&nobody()).await, Err(Refused::Expelled));
    }
    let [succeeded, failed, again, failed_again] = logins(&member);
    assert!(succeeded >= 1 && again >= 1 && failed + failed_again == 0, "{:?}", logins(&member));
    assert!(member.client().relogin_latency.max() > 0.0);
}

#[tokio::test]
async fn a_certificate_counts_by_who_vouches_for_it_and_by_its_names() {
    let login = login("PLAIN", "alice-secret");
    let login = texts(&login);
    let stranger = certificates::authority("nobody we know").certificate();
    let with = |more: &[(&'static str, &str)]| {
        [&login[..], more].concat().iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vec<_>>()
    };
    let member = |host: &str, more: Vec<(String, String)>| {
        let more: Vec<(&str, &str)> = more.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        secured().member(host, "SASL_SSL", &more)
    };
    let said = refusal(&member("127.0.0.1", with(&[("ssl.truststore.certificates", &stranger)]))).await;
    assert!(said.contains("not trusted") && said.contains("ssl.truststore"), "{said}");
    // It is the certificate of 127.0.0.1, and not of the name that leads there.
    let said = refusal(&member("localhost", with(&[]))).await;
    assert!(said.contains("mismatch") && said.contains("ssl.endpoint.identification.algorithm"), "{said}");
    speaks(&member("localhost", with(&[("ssl.endpoint.identification.algorithm", "")]))).await;
}

#[tokio::test]
async fn a_worker_shows_its_own_certificate_from_every_kind_of_store() {
    let secured = secured();
    let (key, chain) = (secured.worker.key(), secured.worker.certificate());
    let locked = secured.worker.locked_key("opens it");
    let pem = secured.file("worker.pem", format!("{locked}{chain}").as_bytes());
    let pkcs12 = secured.file("worker.p12", &secured.worker.pkcs12(&secured.authority, "opens it"));
    let (pem, pkcs12) = (pem.to_str().unwrap(), pkcs12.to_str().unwrap());
    for store in [
        &[("ssl.keystore.key", key.as_str()), ("ssl.keystore.certificate.chain", chain.as_str())][..],
        &[("ssl.keystore.type", "PEM"), ("ssl.keystore.location", pem), ("ssl.key.password", "opens it")],
        &[("ssl.keystore.location", pkcs12), ("ssl.keystore.password", "opens it")],
    ] {
        let member = secured.member("127.0.0.1", "SSL", store);
        speaks(&member).await;
        let [succeeded, failed, ..] = logins(&member);
        assert!(succeeded >= 1 && failed == 0, "{:?}", logins(&member));
    }
    let member = secured.member("127.0.0.1", "SSL", &[]);
    let said = refusal(&member).await;
    assert_eq!(logins(&member), [0, 1, 0, 0], "a certificate is a login, too");
    assert!(said.contains("ssl.keystore"), "{said}");
}

/// A trust store as Java's own tool makes one.
fn trust_store(secured: &Secured, name: &str, identity: &Identity) -> PathBuf {
    let pem = secured.file(&format!("{name}.pem"), identity.certificate().as_bytes());
    let store = secured.kafka.dir().join(name);
    let made = std::process::Command::new("keytool")
        .args(["-importcert", "-noprompt", "-alias", "authority", "-storetype", "PKCS12", "-storepass", "changeit"])
        .arg("-keystore")
        .arg(&store)
        .arg("-file")
        .arg(&pem)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    store
}

#[tokio::test]
async fn members_and_clients_trust_whom_a_store_of_pkcs12_names() {
    let secured = secured();
    let trust = trust_store(secured, "trust.p12", &secured.authority);
    let strangers = trust_store(secured, "strangers", &certificates::authority("nobody we know"));
    let login = login("PLAIN", "alice-secret");
    let settings = |store: &PathBuf, kind: Option<&str>, password: &str| {
        let mut settings: ClientSettings = texts(&login).iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let server = format!("127.0.0.1:{}", secured.kafka.port_for("SASL_SSL"));
        for (key, value) in [
            ("bootstrap.servers", server.as_str()),
            ("group.id", "workers"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.truststore.location", store.to_str().unwrap()),
            ("ssl.truststore.password", password),
        ] {
            settings.insert(key.into(), value.into());
        }
        settings.extend(kind.map(|kind| ("ssl.truststore.type".to_owned(), kind.to_owned())));
        settings
    };
    let trusting = settings(&trust, None, "changeit");
    let member = KafkaCoordinator::new(&trusting).unwrap_or_else(|problems| panic!("{problems:?}"));
    speaks(&member).await;
    let broker = KafkaBroker::new(&trusting).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(!broker.cluster_id().await.unwrap().is_empty());
    let member = KafkaCoordinator::new(&settings(&strangers, Some("PKCS12"), "changeit")).ok().unwrap();
    let said = refusal(&member).await;
    assert!(said.contains("not trusted"), "{said}");
    let closed = settings(&trust, None, "not it");
    let Err(problems) = KafkaCoordinator::new(&closed) else { panic!("nobody opens it") };
    let client = KafkaBroker::new(&closed).ok().unwrap().cluster_id().await.unwrap_err().to_string();
    for said in [&problems[0].message, &client] {
        let names = ["ssl.truststore.location=", "trust.p12", "ssl.truststore.password"];
        assert!(names.iter().all(|name| said.contains(name)) && !said.contains("not it"), "{said}");
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_said_before_anything_connects() {
    let secured = secured();
    let pkcs12 = secured.file("closed.p12", &secured.worker.pkcs12(&secured.authority, "opens it"));
    let pem = secured.file("closed.pem", secured.worker.locked_key("opens it").as_bytes());
    for (store, path) in [("PKCS12", &pkcs12), ("PEM", &pem)] {
        let settings = [
            ("bootstrap.servers", "127.0.0.1:1"),
            ("group.id", "workers"),
            ("security.protocol", "SSL"),
            ("ssl.keystore.type", store),
            ("ssl.keystore.location", path.to_str().unwrap()),
        ];
        let settings: ClientSettings = settings.map(|(key, value)| (key.into(), value.into())).into();
        let Err(problems) = KafkaCoordinator::new(&settings) else { panic!("nobody opens {store}") };
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].key, "ssl.keystore.location");
        assert!(problems[0].message.contains("password"), "{problems:?}");
    }
}

#[tokio::test]
async fn a_listener_of_another_protocol_is_named_if_it_says_anything() {
    let secured = secured();
    let login = login("PLAIN", "alice-secret");
    let (plain, port) = (secured.kafka.bootstrap(), |protocol| secured.kafka.port_for(protocol));
    let tls = format!("127.0.0.1:{}", port("SASL_SSL"));
    let said = refusal(&secured.member_at(&tls, "PLAINTEXT", &[])).await;
    assert!(said.contains("speaks TLS") && said.contains("security.protocol"), "{said}");
    let said = refusal(&secured.member_at(&plain, "SASL_PLAINTEXT", &texts(&login))).await;
    assert!(said.contains("asks nobody to log in") && said.contains("security.protocol"), "{said}");
    // These hang up without a word; the log says what that may mean.
    let refused = secured.member_at(&plain, "SASL_SSL", &texts(&login)).find().await;
    assert_eq!(refused, Err(Refused::NoCoordinator));
    let sasl = format!("127.0.0.1:{}", port("SASL_PLAINTEXT"));
    assert_eq!(secured.member_at(&sasl, "PLAINTEXT", &[]).find().await, Err(Refused::NoCoordinator));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_reads_or_sends_fails_where_a_broker_does_not_let_its_client_log_in() {
    let secured = secured();
    let mut settings = ClientSettings::new();
    let trust = secured.authority.certificate();
    for (key, value) in texts(&login("SCRAM-SHA-512", "not-it")).into_iter().chain([
        ("bootstrap.servers", &*format!("127.0.0.1:{}", secured.kafka.port_for("SASL_SSL"))),
        ("group.id", "tasks"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.truststore.certificates", &trust),
    ]) {
        settings.insert(key.into(), value.into());
    }
    let broker = KafkaBroker::new(&settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    let denied = |error: BrokerError| {
        let BrokerError::Denied(said) = error else { panic!("nothing else helps: {error:?}") };
        assert!(said.contains("invalid credentials") && said.contains("sasl.jaas.config"), "{said}");
    };
    let topics = Subscription::Topics(vec!["lines".into()]);
    let mut consumer = broker.consumer(&topics, &settings).await.unwrap();
    denied(consumer.poll(SOON, 1 << 20).await.unwrap_err());
    settings.remove("group.id");
    let mut producer = broker.producer(&settings).await.unwrap();
    // Those that come later are no more sent than those that were there.
    for ticket in 0..2 {
        producer.send(values("lines", None, &["a"]), &[ticket]).unwrap();
        let mut sent = tokio::time::timeout(SOON, producer.answers()).await.expect("an answer in time");
        assert_eq!((sent.len(), sent[0].ticket), (1, ticket));
        denied(sent.remove(0).outcome.unwrap_err());
    }
    assert_eq!(producer.unanswered_bytes(), 0);
    let taking = tokio::time::timeout(SOON, broker.transactional_producer("tasks-0", &settings));
    denied(taking.await.expect("an answer in time").err().unwrap());
}

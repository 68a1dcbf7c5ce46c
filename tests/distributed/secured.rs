//! A group on a Kafka that wants everybody to log in over TLS: membership, internal topics, and the clients of tasks.

use std::process::Command;
use std::sync::OnceLock;

use weir_tests::harness::certificates::Authority;
use weir_tests::harness::kafka::Kafka;

use super::*;

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
/// The worker itself, and the clients of which Connect has settings of their own.
const CLIENTS: [&str; 4] = ["", "producer.", "consumer.", "admin."];

/// A broker that speaks to users over TLS, and whom its certificate is vouched for by.
struct Secured {
    kafka: Kafka,
    authority: Authority,
}

fn secured() -> &'static Secured {
    static SECURED: OnceLock<Secured> = OnceLock::new();
    SECURED.get_or_init(|| {
        let authority = Authority::default();
        let broker = authority.certify(&["127.0.0.1"]);
        // Properties files take a whole PEM on one line.
        let line = |pem: &str| pem.replace('\n', "\\n");
        let listener = "listener.name.sasl_ssl";
        let lines = [
            "ssl.keystore.type=PEM".to_owned(),
            format!("ssl.keystore.key={}", line(&broker.key)),
            format!("ssl.keystore.certificate.chain={}", line(&broker.certificate)),
            format!("{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512"),
            format!("{listener}.plain.sasl.jaas.config={PLAIN} required user_alice=\"alice-secret\";"),
            format!("{listener}.scram-sha-512.sasl.jaas.config={SCRAM} required;"),
        ];
        let user = "SCRAM-SHA-512=[name=alice,password=alice-secret]";
        let kafka = Kafka::start_secured(&["SASL_SSL"], &[user], &lines.each_ref().map(String::as_str));
        Secured { kafka, authority }
    })
}

impl Secured {
    fn group(&self, name: &str) -> Group {
        Group::on(&format!("127.0.0.1:{}", self.kafka.port_for("SASL_SSL")), name, "")
    }

    fn trust_in_pem(&self, group: &Group) -> String {
        trust_in_pem(&self.authority, group.dir.path())
    }

    /// As Java's own tool makes a store.
    fn trust_in_pkcs12(&self, group: &Group) -> String {
        let (pem, store) = (self.authority.write(group.dir.path()), group.file("trust.p12"));
        let mut keytool = Command::new("keytool");
        keytool.args(["-importcert", "-noprompt", "-alias", "authority", "-storetype", "PKCS12"]);
        keytool.args(["-storepass", "changeit", "-keystore"]).arg(&store).arg("-file").arg(pem);
        let made = keytool.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        format!(
            "ssl.truststore.type=PKCS12\nssl.truststore.location={}\nssl.truststore.password=changeit\n",
            store.display()
        )
    }
}

fn trust_in_pem(authority: &Authority, folder: &Path) -> String {
    let file = authority.write(folder);
    format!("ssl.truststore.type=PEM\nssl.truststore.location={}\n", file.display())
}

fn login(mechanism: &str, password: &str) -> String {
    let module = if mechanism == "PLAIN" { PLAIN } else { SCRAM };
    format!(
        "security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\n\
         sasl.jaas.config={module} required username=\"alice\" password=\"{password}\";\n"
    )
}

/// Settings, as each of these clients is to have them.
fn for_clients(clients: &[&str], settings: &str) -> String {
    let of = |client: &&str| settings.lines().map(|line| format!("{client}{line}\n")).collect::<String>();
    clients.iter().map(of).collect()
}

#[test]
fn workers_over_sasl_ssl_share_connectors_send_requests_on_and_carry_every_line_once() {
    let secured = secured();
    let mut group = secured.group("secured");
    let settings = [
        login("SCRAM-SHA-512", "alice-secret") + &secured.trust_in_pem(&group),
        login("PLAIN", "alice-secret") + &secured.trust_in_pkcs12(&group),
    ];
    for (at, settings) in settings.iter().enumerate() {
        group.more = for_clients(&CLIENTS, settings);
        group.workers.push(None);
        group.launch(at);
    }
    (0..2).for_each(|at| group.up(at));
    let source = group.source(0);
    let mut said = [0; 2];
    group.until("one who leads and one who follows", |urls| {
        let put = |at: usize| {
            let url = format!("{}/connectors/source/config?forward=false", urls[at]);
            answered("PUT", &url, Some(&source)).status
        };
        said = [put(0), put(1)];
        matches!(said, [200 | 201, 409] | [409, 200 | 201])
    });
    let follower = usize::from(said[1] == 409);
    let out = group.file("out.txt");
    let topic = source["topic"].clone();
    let sink = json!({"connector.class": "FileStreamSink", "file": out, "topics": topic});
    let both = ["source".to_owned(), "sink".to_owned()];
    assert_eq!(group.put(follower, "sink", &sink).status, 201, "sent on to the leader");
    group.until_running(&both, 1);
    let mut expected: Vec<String> = Vec::new();
    for round in 0..2 {
        let lines: Vec<String> = (0..20).map(|line| format!("{round} {line}")).collect();
        append(&group.file("in-0.txt"), &lines);
        expected.extend(lines);
        group.until("every line", |_| {
            std::fs::read_to_string(&out).unwrap_or_default().lines().count() >= expected.len()
        });
        // Whoever has the connector, it is another one for one of the two.
        for name in &both {
            let restart = |url: &String| answered("POST", &format!("{url}/connectors/{name}/restart"), None).status;
            assert_eq!(group.urls().iter().map(restart).collect::<Vec<_>>(), [204, 204], "{name}");
        }
        group.until_running(&both, 1);
    }
    group.until("the sink's offsets, which an admin client asks for", |urls| {
        let told = answered("GET", &format!("{}/connectors/sink/offsets", urls[follower]), None).json();
        told["offsets"][0]["offset"]["kafka_offset"] == expected.len()
    });
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    for Member { worker, .. } in group.workers.into_iter().flatten() {
        let log = worker.log();
        assert!(!log.contains("are not used") && !log.contains("has no effect"), "{log}");
        assert!(worker.stop());
    }
}

#[test]
fn a_worker_that_is_not_let_in_or_does_not_trust_the_brokers_ends_and_says_what_to_check() {
    let secured = secured();
    let group = secured.group("refused");
    let trusting = secured.trust_in_pem(&group);
    let strangers = group.file("strangers");
    std::fs::create_dir(&strangers).unwrap();
    let trusting_a_stranger = trust_in_pem(&Authority::default(), &strangers);
    for (number, settings, says) in [
        (0, login("SCRAM-SHA-512", "not-it") + &trusting, ["user alice by SCRAM-SHA-512", "sasl.jaas.config"]),
        (1, login("PLAIN", "not-it") + &trusting, ["user alice by PLAIN", "sasl.jaas.config"]),
        (2, login("PLAIN", "alice-secret") + &trusting_a_stranger, ["not trusted", "ssl.truststore"]),
    ] {
        let folder = group.file(&format!("worker-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let properties = group.properties() + &for_clients(&CLIENTS, &settings);
        let (well, log) = Worker::distributed(&folder, &properties).ended();
        let last = log.lines().last().unwrap_or_default();
        assert!(!well && says.iter().all(|word| last.contains(word)) && !log.contains("not-it"), "{log}");
    }
}

#[test]
fn a_task_whose_client_is_not_let_in_fails_and_says_what_to_check() {
    let secured = secured();
    let mut group = secured.group("overridden");
    group.more = for_clients(&CLIENTS, &(login("PLAIN", "alice-secret") + &secured.trust_in_pem(&group)));
    group.begin(1);
    let wrong = format!("{PLAIN} required username=\"alice\" password=\"not-it\";");
    let mut source = group.source(0);
    source["producer.override.sasl.jaas.config"] = json!(wrong);
    let sink = json!({
        "connector.class": "FileStreamSink", "file": group.file("out.txt"), "topics": source["topic"],
        "consumer.override.sasl.jaas.config": wrong,
    });
    append(&group.file("in-0.txt"), &["a line".to_owned()]);
    for (name, config) in [("source", source), ("sink", sink)] {
        assert_eq!(group.put(0, name, &config).status, 201);
        let mut said = Value::Null;
        group.until(&format!("the task of {name} to fail"), |urls| {
            said = status(&urls[0], name);
            said["tasks"][0]["state"] == "FAILED"
        });
        let trace = said["tasks"][0]["trace"].as_str().unwrap_or_default();
        assert!(trace.contains("sasl.jaas.config") && !trace.contains("not-it"), "{said}");
    }
    let Member { worker, .. } = group.workers[0].take().unwrap();
    assert!(worker.stop());
}

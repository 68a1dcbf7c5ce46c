//! acls.sh on a Kafka that allows nothing by itself: with what it allows a group of workers runs, and where one of it is
//! denied, the worker, its answer or its task says what is lacking.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::harness::http::{Answer, request};
use weir_tests::harness::kafka::{self, Kafka};
use weir_tests::harness::worker::Worker;

use super::{file, properties, said, text};

const MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

/// Where it shows what somebody lacks.
enum Shows {
    /// The worker ends, and says this.
    Ends(&'static str),
    /// The worker runs on, and logs this.
    Logs(&'static str),
    /// A connector is not made, and the answer says this.
    Refuses(&'static str),
    /// The task of this connector fails, and its trace says this.
    Fails(&'static str, &'static str),
    /// Offsets are not reset, and the answer says this.
    Keeps(&'static str),
}
use Shows::{Ends, Fails, Keeps, Logs, Refuses};

/// Users who lack something: what is denied them, and where it shows. The first while there are no topics yet; the last ones
/// are killed, since they cannot write what they have to.
const LACKING: [(&str, &[&str], Shows); 11] = [
    (
        "create",
        &["Create", "--topic", "weir-configs"],
        Ends("--operation Create --operation Read --operation Write --topic weir-configs"),
    ),
    ("group", &["Read", "--group", "weir"], Ends("--operation Read --group GROUP")),
    ("configs-write", &["Write", "--topic", "weir-configs"], Refuses("--operation Write --topic weir-configs")),
    ("source-write", &["Write", "--topic", "lines"], Fails("in", "Topic authorization failed")),
    (
        "once-write",
        &["Write", "--transactional-id", "weir-in-0"],
        Fails("in", "--operation Write --operation Describe --transactional-id weir-in-0"),
    ),
    ("sink-read", &["Read", "--topic", "lines"], Fails("copy", "lines-0: Fetch from broker 1 failed")),
    ("sink-group", &["Read", "--group", "connect-copy"], Fails("copy", "Group authorization failed")),
    ("sink-delete", &["Delete", "--group", "connect-copy"], Keeps("Group authorization failed")),
    ("configs-read", &["Read", "--topic", "weir-configs"], Logs("--operation Write --topic weir-configs")),
    ("offsets-write", &["Write", "--topic", "weir-offsets"], Logs("--operation Write --topic weir-offsets")),
    ("status-write", &["Write", "--topic", "weir-status"], Logs("--operation Write --topic weir-status")),
];

fn users() -> impl Iterator<Item = &'static str> {
    LACKING.iter().map(|(user, ..)| *user).chain(["weir"])
}

struct Guarded(Kafka);

impl Guarded {
    fn start() -> Guarded {
        let users: String = users().map(|user| format!(" user_{user}=\"secret\"")).collect();
        let jaas = format!("listener.name.sasl_plaintext.plain.sasl.jaas.config={MODULE} required{users};");
        let lines = [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            // The broker itself and this test, on the listener without a login.
            "super.users=User:ANONYMOUS",
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN",
            &jaas,
        ];
        Guarded(Kafka::start_secured(&["SASL_PLAINTEXT"], &[], &lines))
    }

    /// Allows every user what acls.sh allows, and denies each what it has to lack.
    fn allow(&self) {
        let libraries = kafka::home().join("libs").join("*");
        let acls = "java -XX:TieredStopAtLevel=1 org.apache.kafka.tools.AclCommand";
        let mut allow = Command::new(file("acls.sh"));
        allow.env("BOOTSTRAP", self.0.bootstrap()).env("KAFKA_ACLS", acls).env("CLASSPATH", &libraries);
        allow.env("SOURCE_TOPICS", "lines").env("SINK_TOPICS", "lines").env("SINKS", "copy").env("ONCE", "in");
        let allowed = allow.args(users().map(|user| format!("User:{user}"))).output().expect("acls.sh runs");
        assert!(allowed.status.success(), "{}", said(&allowed));
        let deny = |(user, what, _): &(&str, &[&str], Shows)| {
            let (server, what) = (self.0.bootstrap(), what.join(" "));
            format!("--bootstrap-server {server} --add --deny-principal User:{user} --operation {what}")
        };
        let mut all = Command::new("java");
        all.env("CLASSPATH", &libraries).arg("-XX:TieredStopAtLevel=1").arg(file("../../tests/deploy/Acls.java"));
        let denied = all.args(LACKING.iter().map(deny)).output().expect("java starts");
        assert!(denied.status.success(), "{}", said(&denied));
    }

    /// The worker's file of examples/deploy, at home in a folder, for a user.
    fn worker(&self, folder: &Path, user: &str) -> Worker {
        let mut settings = properties(&text("worker.properties"));
        let mut set = |key: &str, value: &str| drop(settings.insert(key.to_owned(), value.to_owned()));
        set("bootstrap.servers", &format!("127.0.0.1:{}", self.0.port_for("SASL_PLAINTEXT")));
        set("listeners", "http://127.0.0.1:0");
        set("plugin.upload.dir", &folder.join("plugins").display().to_string());
        set("sandbox.path.ceiling", &folder.display().to_string());
        set("offset.flush.interval.ms", "200");
        if ["weir", "once-write"].contains(&user) {
            set("exactly.once.source.support", "enabled");
        }
        // The next worker waits for those that were killed.
        set("session.timeout.ms", "6000");
        set("heartbeat.interval.ms", "500");
        for topic in ["config", "offset", "status"] {
            set(&format!("{topic}.storage.replication.factor"), "1");
        }
        for converter in ["key.converter", "value.converter"] {
            set(converter, "org.apache.kafka.connect.storage.StringConverter");
        }
        for client in ["", "producer.", "consumer.", "admin."] {
            set(&format!("{client}security.protocol"), "SASL_PLAINTEXT");
            set(&format!("{client}sasl.mechanism"), "PLAIN");
            let login = format!("{MODULE} required username=\"{user}\" password=\"secret\";");
            set(&format!("{client}sasl.jaas.config"), &login);
        }
        let lines: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        Worker::distributed(folder, &lines)
    }

    /// Has a user who lacks something run a worker, and looks where it shows.
    fn lacks(&self, user: &str, shows: &Shows) {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path();
        let mut worker = self.worker(folder, user);
        let log = || std::fs::read_to_string(folder.join("weir.log")).unwrap_or_default();
        match *shows {
            Ends(text) => {
                let (well, log) = worker.ended();
                assert!(!well && log.contains(text), "{user}: {log}");
            }
            Logs(text) => {
                worker.until("the address of REST", || log().contains("address="));
                if user == "offsets-write" {
                    put_all(&worker.url(), folder);
                }
                worker.until(text, || log().contains(text));
                // What it may not write it cannot flush either.
                worker.kill();
            }
            Refuses(text) => {
                let answer = put(&worker.url(), "in", &source(folder));
                assert!(answer.status == 500 && answer.text.contains(text), "{user}: {answer:?}");
                assert!(worker.stop());
            }
            Fails(connector, text) => {
                let url = worker.url();
                put_all(&url, folder);
                let status = format!("{url}/connectors/{connector}/tasks/0/status");
                let trace = || request("GET", &status, None).json()["trace"].as_str().unwrap_or_default().to_owned();
                worker.until(text, || trace().contains(text));
                assert!(worker.stop());
            }
            Keeps(text) => {
                let url = worker.url();
                put_all(&url, folder);
                assert_eq!(request("PUT", &format!("{url}/connectors/copy/stop"), None).status, 204);
                // 400 until it has stopped.
                let reset = || request("DELETE", &format!("{url}/connectors/copy/offsets"), None);
                worker.until(text, || matches!(reset(), Answer { status: 500, text: said, .. } if said.contains(text)));
                assert!(worker.stop());
            }
        }
    }
}

fn put(url: &str, name: &str, config: &Value) -> Answer {
    let body = config.to_string();
    request("PUT", &format!("{url}/connectors/{name}/config"), Some(("application/json", body.as_bytes())))
}

fn source(folder: &Path) -> Value {
    std::fs::write(folder.join("in.txt"), "a\nb\n").unwrap();
    json!({
        "connector.class": "FileStreamSource", "file": folder.join("in.txt"), "topic": "lines",
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
    })
}

/// A source into `lines` and a sink out of it, in a folder.
fn put_all(url: &str, folder: &Path) {
    let sink = json!({"connector.class": "FileStreamSink", "file": folder.join("out.txt"), "topics": "lines"});
    for (name, config) in [("in", source(folder)), ("copy", sink)] {
        let answer = put(url, name, &config);
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
    }
    // One that an earlier worker has stopped stays so.
    assert_eq!(request("PUT", &format!("{url}/connectors/copy/resume"), None).status, 202);
}

#[test]
fn a_group_runs_on_what_acls_sh_allows_and_says_what_it_lacks_without_it() {
    let guarded = Guarded::start();
    guarded.allow();
    let (first, _, shows) = &LACKING[0];
    guarded.lacks(first, shows);
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    let mut worker = guarded.worker(folder, "weir");
    let url = worker.url();
    put_all(&url, folder);
    worker.until("the lines", || std::fs::read_to_string(folder.join("out.txt")).is_ok_and(|text| text == "a\nb\n"));
    let ask = |method: &str, path: &str| request(method, &format!("{url}{path}"), None).status;
    assert_eq!(ask("PUT", "/connectors/copy/stop"), 204);
    worker.until("the sink's offsets are reset", || ask("DELETE", "/connectors/copy/offsets") == 200);
    assert!(worker.stop());
    let log = std::fs::read_to_string(folder.join("weir.log")).unwrap();
    assert!(!log.contains("authorization failed"), "{log}");
    for (user, _, shows) in &LACKING[1..] {
        guarded.lacks(user, shows);
    }
}

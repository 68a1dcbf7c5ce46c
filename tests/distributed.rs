//! Workers of a group on a real Kafka: who comes, goes, is killed or frozen, and what becomes of connectors and records.

#[path = "distributed/exactly_once.rs"]
mod exactly_once;
#[path = "distributed/faults/mod.rs"]
mod faults;
#[path = "distributed/internal_topics.rs"]
mod internal_topics;
#[path = "distributed/recorded.rs"]
mod recorded;
#[path = "distributed/requests.rs"]
mod requests;
#[path = "distributed/rolling.rs"]
mod rolling;
#[path = "distributed/secured.rs"]
mod secured;
#[path = "distributed/takeover.rs"]
mod takeover;
#[path = "distributed/to_https.rs"]
mod to_https;
#[path = "distributed/unhealthy.rs"]
mod unhealthy;
#[path = "distributed/unsigned.rs"]
mod unsigned;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_tests::harness::http::{Answer, request};
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

/// A group of workers with topics of its own.
struct Group {
    name: String,
    dir: tempfile::TempDir,
    workers: Vec<Option<Member>>,
    bootstrap: String,
    /// Where the workers of these numbers find the broker instead.
    other_ways: BTreeMap<usize, String>,
    /// More properties of all workers, which count.
    more: String,
}

struct Member {
    worker: Worker,
    url: String,
}

fn answered(method: &str, url: &str, body: Option<&Value>) -> Answer {
    let text = body.map(Value::to_string);
    request(method, url, text.as_ref().map(|text| ("application/json", text.as_bytes())))
}

impl Group {
    fn of(workers: usize, name: &str) -> Group {
        let mut group = Group::on(&kafka::shared().bootstrap(), name, "");
        group.begin(workers);
        group
    }

    /// A group on a broker, with more properties and without workers.
    fn on(bootstrap: &str, name: &str, more: &str) -> Group {
        Group {
            name: format!("{name}-{}", std::process::id()),
            dir: tempfile::tempdir().unwrap(),
            workers: Vec::new(),
            bootstrap: bootstrap.to_owned(),
            other_ways: BTreeMap::new(),
            more: more.to_owned(),
        }
    }

    /// Its first workers, all at once, as after a deployment.
    fn begin(&mut self, workers: usize) {
        for at in 0..workers {
            self.workers.push(None);
            self.launch(at);
        }
        (0..workers).for_each(|at| self.up(at));
    }

    fn properties(&self) -> String {
        self.properties_by(&self.bootstrap)
    }

    fn properties_by(&self, bootstrap: &str) -> String {
        let (name, dir) = (&self.name, self.dir.path().display());
        let mut properties = format!("bootstrap.servers={bootstrap}\ngroup.id={name}\nsandbox.path.ceiling={dir}\n");
        for topic in ["config", "offset", "status"] {
            // A string takes everything.
            let _ = writeln!(properties, "{topic}.storage.topic={name}-{topic}\n{topic}.storage.replication.factor=1");
        }
        properties
            + "key.converter=org.apache.kafka.connect.storage.StringConverter\n\
               value.converter=org.apache.kafka.connect.storage.StringConverter\n\
               session.timeout.ms=6000\n\
               heartbeat.interval.ms=500\n\
               scheduled.rebalance.max.delay.ms=1000\n\
               offset.flush.interval.ms=500\n"
            + &self.more
    }

    fn launch(&mut self, at: usize) {
        let folder = self.dir.path().join(format!("worker-{at}"));
        std::fs::create_dir_all(&folder).unwrap();
        // An old life's address must not be taken for this one's.
        let _ = std::fs::remove_file(folder.join("weir.log"));
        let way = self.other_ways.get(&at).unwrap_or(&self.bootstrap);
        let worker = Worker::distributed(&folder, &self.properties_by(way));
        self.workers[at] = Some(Member { worker, url: String::new() });
    }

    fn up(&mut self, at: usize) {
        let member = self.workers[at].as_mut().unwrap();
        member.url = member.worker.url();
    }

    fn start(&mut self, at: usize) {
        self.launch(at);
        self.up(at);
    }

    fn kill(&mut self, at: usize) -> String {
        let Member { worker, url } = self.workers[at].take().unwrap();
        worker.kill();
        url
    }

    fn urls(&self) -> Vec<String> {
        self.workers.iter().flatten().map(|member| member.url.clone()).collect()
    }

    fn ids(&self) -> BTreeSet<String> {
        self.urls().iter().map(|url| url.trim_start_matches("http://").to_owned()).collect()
    }

    fn until(&mut self, what: &str, mut holds: impl FnMut(&[String]) -> bool) {
        let urls = self.urls();
        let first = self.workers.iter_mut().flatten().next().unwrap();
        first.worker.until(what, || holds(&urls));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, by: usize, name: &str, config: &Value) -> Answer {
        let url = &self.workers[by].as_ref().unwrap().url;
        answered("PUT", &format!("{url}/connectors/{name}/config"), Some(config))
    }

    fn source(&self, number: usize) -> Value {
        let file = self.file(&format!("in-{number}.txt"));
        std::fs::write(&file, "").unwrap();
        json!({
            "connector.class": "FileStreamSource",
            "file": file.display().to_string(),
            "topic": format!("{}-lines", self.name),
            "topic.creation.default.partitions": "1",
            "topic.creation.default.replication.factor": "1",
        })
    }

    /// Waits until all workers say that all of these connectors run, each with its tasks, on workers that are there.
    fn until_running(&mut self, names: &[String], tasks: usize) {
        let ids = self.ids();
        self.until("everything to run", |urls| {
            urls.iter().all(|url| names.iter().all(|name| runs(url, name, tasks, &ids).is_ok()))
        });
    }
}

fn status(url: &str, name: &str) -> Value {
    answered("GET", &format!("{url}/connectors/{name}/status"), None).json()
}

/// The workers that run a connector and its tasks, or what is amiss.
fn runs(url: &str, name: &str, tasks: usize, ids: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let status = status(url, name);
    let mut parts = vec![status["connector"].clone()];
    parts.extend(status["tasks"].as_array().cloned().unwrap_or_default());
    let owners: Vec<String> = parts.iter().filter_map(|part| Some(part["worker_id"].as_str()?.to_owned())).collect();
    let running = parts.iter().all(|part| part["state"] == "RUNNING");
    if running && parts.len() == tasks + 1 && owners.iter().all(|owner| ids.contains(owner)) {
        Ok(owners)
    } else {
        Err(status.to_string())
    }
}

fn append(file: &Path, lines: &[String]) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
}

#[test]
fn three_workers_share_connectors_through_kills_of_each_and_lose_nothing() {
    let mut group = Group::of(3, "shared");
    let names: Vec<String> = (0..6).map(|number| format!("source-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let answer = group.put(number % 3, name, &group.source(number));
        assert_eq!(answer.status, 201, "{}", answer.json());
    }
    group.until_running(&names, 1);
    let ids = group.ids();
    let owners: BTreeSet<String> =
        names.iter().flat_map(|name| runs(&group.urls()[0], name, 1, &ids).unwrap()).collect();
    assert_eq!(owners, ids, "every worker has its share");
    let counted = |what: &str| -> f64 {
        let name = format!("kafka_connect_connect_worker_metrics_{what}_count ");
        let of = |url: &String| {
            let metrics = request("GET", &format!("{url}/metrics"), None).text;
            metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok()).expect("a count")
        };
        group.urls().iter().map(of).sum()
    };
    assert_eq!((counted("connector"), counted("task")), (6.0, 6.0), "each counts what it runs");
    let out = group.file("out.txt");
    let sink = json!({
        "connector.class": "FileStreamSink",
        "file": out.display().to_string(),
        "topics": format!("{}-lines", group.name),
    });
    assert_eq!(group.put(1, "sink", &sink).status, 201);
    let mut expected = BTreeSet::new();
    let mut round = 0;
    let mut lines = |group: &mut Group| {
        round += 1;
        for number in 0..names.len() {
            let lines: Vec<String> = (0..20).map(|line| format!("{round} {number} {line}")).collect();
            append(&group.file(&format!("in-{number}.txt")), &lines);
            expected.extend(lines);
        }
        group.until("every line", |_| {
            let text = std::fs::read_to_string(&out).unwrap_or_default();
            let arrived: BTreeSet<String> = text.lines().map(str::to_owned).collect();
            arrived.is_superset(&expected)
        });
    };
    lines(&mut group);
    for at in 0..3 {
        group.kill(at);
        // The others answer all the while.
        assert!(group.urls().iter().all(|url| request("GET", &format!("{url}/connectors"), None).status == 200));
        group.until_running(&names, 1);
        lines(&mut group);
        group.start(at);
        group.until_running(&names, 1);
        lines(&mut group);
    }
    let ids = group.ids();
    group.until("everybody has a share again", |urls| {
        let all = names.iter().map(|name| runs(&urls[0], name, 1, &ids));
        all.collect::<Result<Vec<_>, _>>()
            .is_ok_and(|owners| owners.concat().into_iter().collect::<BTreeSet<_>>() == ids)
    });
}

#[test]
fn any_worker_answers_any_request_and_a_stopped_one_hands_over() {
    let mut group = Group::of(2, "requests");
    let names = ["one".to_owned(), "two".to_owned()];
    for (number, name) in names.iter().enumerate() {
        assert_eq!(group.put(number, name, &group.source(number)).status, 201);
    }
    group.until_running(&names, 1);
    for by in 0..2 {
        let url = group.urls()[by].clone();
        let ask = |method: &str, path: &str| answered(method, &format!("{url}{path}"), None).status;
        for name in &names {
            assert_eq!(ask("POST", &format!("/connectors/{name}/restart")), 204, "{name} by {by}");
            assert_eq!(ask("POST", &format!("/connectors/{name}/tasks/0/restart")), 204, "{name} by {by}");
            assert_eq!(ask("POST", &format!("/connectors/{name}/restart?includeTasks=true")), 202, "{name} by {by}");
        }
        group.until_running(&names, 1);
        assert_eq!(ask("PUT", "/connectors/one/pause"), 202);
        group.until("paused", |urls| urls.iter().all(|url| status(url, "one")["tasks"][0]["state"] == "PAUSED"));
        assert_eq!(ask("PUT", "/connectors/one/resume"), 202);
        group.until_running(&names, 1);
        assert_eq!(ask("PUT", "/connectors/two/stop"), 204);
        group.until("stopped", |urls| {
            urls.iter().all(|url| {
                let two = status(url, "two");
                two["connector"]["state"] == "STOPPED" && two["tasks"] == json!([])
            })
        });
        assert_eq!(ask("PUT", "/connectors/two/resume"), 202);
        group.until_running(&names, 1);
        let logger = format!("/admin/loggers/com.example.by-{by}");
        let set = answered("PUT", &format!("{url}{logger}?scope=cluster"), Some(&json!({"level": "DEBUG"})));
        assert_eq!(set.status, 204, "{set:?}");
        group.until("the level on every worker", |urls| {
            urls.iter().all(|url| answered("GET", &format!("{url}{logger}"), None).json()["level"] == "DEBUG")
        });
        assert_eq!(ask("POST", "/connectors/none/restart"), 404);
        assert_eq!(ask("DELETE", "/connectors/none"), 404);
        let unsigned = answered("POST", &format!("{url}/connectors/one/tasks"), Some(&json!([])));
        assert_eq!(unsigned.status, 400, "{}", unsigned.json());
    }
    // Sent on no further than it may be: one of the two does not lead.
    let put = |url: &String| {
        let config = group.source(2);
        answered("PUT", &format!("{url}/connectors/three/config?forward=false"), Some(&config)).status
    };
    let mut said: Vec<u16> = group.urls().iter().map(put).collect();
    said.sort_unstable();
    assert!(matches!(said[..], [200 | 201, 409]), "{said:?}");
    let Member { worker, .. } = group.workers[0].take().unwrap();
    assert!(worker.stop(), "it ends well");
    group.until_running(&names, 1);
    let url = group.urls()[0].clone();
    assert_eq!(answered("DELETE", &format!("{url}/connectors/one"), None).status, 204);
    group.until("its status is gone", |_| answered("GET", &format!("{url}/connectors/one/status"), None).status == 404);
}

//! Two workers of a group on a real Kafka, with connectors of every kind and in every state: what is scraped.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{guest, kafka, make_topic, polling, weir};

/// The connectors, and how many tasks each has in the end.
pub const CONNECTORS: [(&str, usize); 7] =
    [("days", 1), ("once", 1), ("resting", 1), ("stopped", 0), ("copy", 1), ("letters", 1), ("failing", 1)];

const DAYS: &str = "date,precipitation,temp_max,temp_min,wind,weather\n2012-01-01,0.0,12.8,5.0,4.7,drizzle\n\
                    2012-01-02,10.9,10.6,2.8,4.5,rain\n2012-01-03,0.8,11.7,7.2,2.3,rain\n";
const ORDERS: &str = "{\"n\":\"1\"}\nno JSON\n{\"n\":\"2\"}\n{\"n\":\"many\"}\n{\"n\":\"3\"}\n";

/// The group. Its workers end with its value.
pub struct Workers {
    name: String,
    dir: tempfile::TempDir,
    workers: Vec<Worker>,
}

impl Workers {
    /// Starts the workers, with more properties, and all connectors; returns when each is in its state.
    pub fn start(more: &str) -> Workers {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("plugins")).unwrap();
        std::fs::write(dir.path().join("plugins/weather.wasm"), guest("weather")).unwrap();
        std::fs::write(dir.path().join("days.csv"), DAYS).unwrap();
        std::fs::write(dir.path().join("orders.txt"), ORDERS).unwrap();
        // A folder stands where the file of the failing sink is to be.
        std::fs::create_dir(dir.path().join("taken")).unwrap();
        let mut group = Workers { name: format!("monitored-{}", std::process::id()), dir, workers: Vec::new() };
        ["days", "orders", "rest"].iter().for_each(|of| make_topic(&group.topic(of), 1));
        group.launch(more);
        group.make_connectors();
        group
    }

    fn topic(&self, of: &str) -> String {
        format!("{}-{of}", self.name)
    }

    fn properties(&self, more: &str) -> String {
        let (name, dir) = (&self.name, self.dir.path().display());
        let topics = ["config", "offset", "status"]
            .map(|of| format!("{of}.storage.topic={name}-{of}\n{of}.storage.replication.factor=1\n"));
        format!(
            "bootstrap.servers={}\n\
             group.id={name}\n\
             {}\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n\
             exactly.once.source.support=enabled\n\
             plugin.path={dir}/plugins\n\
             sandbox.path.ceiling={dir}\n\
             session.timeout.ms=6000\n\
             heartbeat.interval.ms=500\n\
             scheduled.rebalance.max.delay.ms=500\n\
             offset.flush.interval.ms=500\n\
             {more}",
            kafka::shared().bootstrap(),
            topics.concat(),
        )
    }

    fn launch(&mut self, more: &str) {
        for at in 0..2 {
            let folder = self.dir.path().join(format!("worker-{at}"));
            std::fs::create_dir_all(&folder).unwrap();
            // An old life's address must not be taken for this one's.
            let _ = std::fs::remove_file(folder.join("weir.log"));
            let mut command = Command::new(weir());
            // Compiled code of their own, so that it is compiled.
            command.arg("distributed").env("XDG_CACHE_HOME", self.dir.path().join("cache"));
            let mut worker = Worker::started_by(command, &folder, &self.properties(more));
            worker.url();
            self.workers.push(worker);
        }
    }

    /// Stops the workers and starts them with other properties.
    pub fn restart(&mut self, more: &str) {
        for worker in self.workers.drain(..) {
            assert!(worker.stop());
        }
        self.launch(more);
    }

    /// Where they answer.
    pub fn urls(&mut self) -> Vec<String> {
        self.workers.iter_mut().map(Worker::url).collect()
    }

    /// What each of them is asked for by Prometheus, all together.
    pub fn metrics(&mut self) -> String {
        let one = |url: String| request("GET", &format!("{url}/metrics"), None).text;
        self.urls().into_iter().map(one).collect()
    }

    fn make_connectors(&mut self) {
        let url = self.urls().remove(0);
        for (name, tasks) in CONNECTORS {
            let config = self.config(name);
            let path = format!("{url}/connectors/{name}");
            polling::wait("the connector is taken", || {
                matches!(send("PUT", &format!("{path}/config"), &config).status, 200 | 201)
            });
            let status = || request("GET", &format!("{path}/status"), None).json();
            let is = |connector: &str, task: &str| {
                let status = status();
                status["connector"]["state"] == connector && status["tasks"][0]["state"] == task
            };
            self.workers[0].until(name, || is("RUNNING", if name == "failing" { "FAILED" } else { "RUNNING" }));
            if let Some(change) = [("resting", "pause"), ("stopped", "stop")].iter().find(|(of, _)| *of == name) {
                polling::wait("the change is taken", || {
                    matches!(request("PUT", &format!("{path}/{}", change.1), None).status, 202 | 204)
                });
                let state = if tasks == 0 { "STOPPED" } else { "PAUSED" };
                self.workers[0].until(state, || {
                    let now = status();
                    let count = now["tasks"].as_array().map_or(0, Vec::len);
                    now["connector"]["state"] == state && count == tasks && (tasks == 0 || is(state, state))
                });
            }
        }
    }

    fn config(&self, name: &str) -> Value {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let source = |from: &str, topic: &str| json!({"connector.class": "FileStreamSource", "file": file(from), "topic": self.topic(topic)});
        let sink = |into: &str, topic: &str| json!({"connector.class": "FileStreamSink", "file": file(into), "topics": self.topic(topic)});
        let with = |mut config: Value, more: Value| {
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config
        };
        match name {
            // A transformation with counters and gauges of its own.
            "days" => {
                with(source("days.csv", "days"), json!({"transforms": "w", "transforms.w.type": "example.Weather"}))
            }
            "once" => with(source("orders.txt", "orders"), json!({"exactly.once.support": "required"})),
            "resting" | "stopped" => source("days.csv", "rest"),
            "copy" => sink("copy.txt", "days"),
            "letters" => with(sink("letters.txt", "orders"), self.orders()),
            "failing" => with(sink("taken", "days"), json!({"auto.restart": "true", "auto.restart.max.attempts": "2"})),
            other => panic!("{other} is no connector of these"),
        }
    }

    /// Orders whose number is cast, and dead letters of those that have none.
    fn orders(&self) -> Value {
        json!({
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "transforms": "number",
            "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value",
            "transforms.number.spec": "n:int32",
            "transforms.number.predicate": "orders",
            "predicates": "orders",
            "predicates.orders.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            "predicates.orders.pattern": ".*-orders",
            "errors.tolerance": "all",
            "errors.log.enable": "true",
            "errors.deadletterqueue.topic.name": self.topic("dead"),
            "errors.deadletterqueue.topic.replication.factor": "1",
        })
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }
}

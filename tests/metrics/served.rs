//! A distributed worker on a real Kafka whose metrics are read, and how what is read is held against what is expected.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{guest, kafka};

/// A worker in a group of its own, with windows that are over soon.
pub struct Served {
    pub worker: Worker,
    pub url: String,
    pub name: String,
    pub dir: tempfile::TempDir,
}

/// The properties of a worker of a group with short windows.
pub fn properties(name: &str, more: &str) -> String {
    let mut text = format!(
        "bootstrap.servers={}\ngroup.id={name}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\nsandbox.path.ceiling=/\nmetrics.sample.window.ms=2000\n\
         session.timeout.ms=6000\nheartbeat.interval.ms=500\nscheduled.rebalance.max.delay.ms=500\n{more}",
        kafka::shared().bootstrap()
    );
    for of in ["config", "offset", "status"] {
        // A string takes everything.
        let _ = write!(text, "{of}.storage.topic={name}-{of}\n{of}.storage.replication.factor=1\n");
    }
    text
}

impl Served {
    pub fn start(name: &str, more: &str) -> Served {
        Served::join(&format!("{name}-{}", std::process::id()), more)
    }

    /// One more worker of a group.
    pub fn join(name: &str, more: &str) -> Served {
        Served::with(name, &[], more)
    }

    /// A worker of a group that has these guests as plugins.
    pub fn with(name: &str, guests: &[&str], more: &str) -> Served {
        let dir = tempfile::tempdir().unwrap();
        let plugins = dir.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        for name in guests {
            std::fs::write(plugins.join(format!("{name}.wasm")), guest(name)).unwrap();
        }
        let more = format!("plugin.path={}\n{more}", plugins.display());
        let mut worker = Worker::distributed(dir.path(), &properties(name, &more));
        let url = worker.url();
        worker.until("ready", || request("GET", &format!("{url}/health"), None).status == 200);
        Served { worker, url, name: name.to_owned(), dir }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn topic(&self, of: &str) -> String {
        format!("{}-{of}", self.name)
    }

    /// Asks for something that is not there yet, or not decided yet, until it is.
    pub fn ask(&mut self, method: &str, path: &str) {
        let url = format!("{}{path}", self.url);
        self.worker.until(path, || matches!(request(method, &url, None).status, 200..=299));
    }

    pub fn make(&mut self, name: &str, config: &Value) {
        let url = format!("{}/connectors/{name}/config", self.url);
        self.worker.until(name, || matches!(send("PUT", &url, config).status, 200 | 201));
    }

    /// Waits for something of a connector's metrics.
    pub fn until(&mut self, what: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let url = self.url.clone();
        self.worker.until(&format!("{name}: {what}"), || holds(&of(&url, name)));
        of(&url, name)
    }

    /// The text format 0.0.4.
    pub fn text(&self) -> String {
        request("GET", &format!("{}/metrics", self.url), None).text
    }
}

/// A connector's metrics as JSON.
pub fn of(url: &str, name: &str) -> Value {
    let answer = request("GET", &format!("{url}/connectors/{name}/metrics"), None);
    if answer.status == 200 { answer.json() } else { json!({}) }
}

/// A metric of a connector's first task.
pub fn task<'a>(metrics: &'a Value, group: &str, attribute: &str) -> &'a Value {
    &metrics["tasks"][0]["metrics"][group][attribute]
}

/// Whether a value is what is expected, in the words of walk.txt.
pub fn is(value: &Value, expected: &str) -> bool {
    let number = value.as_f64();
    let than = |bound: &str| bound.parse::<f64>().unwrap_or_else(|_| panic!("{expected} is no number"));
    match expected {
        // A number, or none: but it is there.
        "any" => !value.is_null(),
        "null" | "NaN" => value.is_null() || value == "NaN",
        "text" => value.as_str().is_some_and(|text| !text.is_empty()),
        "ratio" => number.is_some_and(|number| number > 0.0 && number <= 1.0),
        "0..1" => number.is_some_and(|number| number > 0.0 && number < 1.0),
        _ if expected.starts_with(">=") => number.is_some_and(|number| number >= than(&expected[2..])),
        _ if expected.starts_with('>') => number.is_some_and(|number| number > than(&expected[1..])),
        _ if expected.starts_with('=') => number == Some(than(&expected[1..])),
        word => value == word,
    }
}

/// The samples of a name in the text format: labels as they are written, and values.
pub fn samples<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let of_name = |line: &'a str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit_once(' '))?
    };
    text.lines().filter_map(of_name).collect()
}

/// A sample's value as JSON would have it.
pub fn value(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => json!(number),
        _ => json!(text),
    }
}

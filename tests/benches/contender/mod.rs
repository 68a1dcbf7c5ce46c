//! The two workers that are compared: weir, and Apache Kafka Connect. Both are started as their users start them and
//! driven over the same REST.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::harness::http::request;
use weir_tests::harness::{built, kafka, weir};

/// What the scripts of Apache's own archive give the JVM (kafka-run-class.sh, connect-standalone.sh).
const JVM: &[&str] = &[
    "-Xms256M",
    "-Xmx2G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Apache,
    Weir,
    /// weir, built to count nothing: the difference is what metrics cost.
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    Uncounted,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Apache => "Connect",
            Kind::Weir => "weir",
            Kind::Uncounted => "uncounted",
        }
    }
}

/// How a worker is started.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// Alone.
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    Standalone,
    /// As one of a group of its kind; the number tells it from its fellows.
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    Distributed(&'static str, usize),
}

/// A worker that runs.
pub struct Contender {
    pub kind: Kind,
    /// Where it answers REST.
    pub url: String,
    child: Child,
    log: PathBuf,
}

/// What a process has used so far, and holds.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub cpu: Duration,
    pub resident_bytes: u64,
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    pub threads: u64,
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    pub mappings: usize,
}

/// What the workers of a group have in common: an idle group ends soon, and what a lost worker ran is moved soon.
fn grouped(kind: Kind, group: &str) -> String {
    let name = format!("{}-{group}", kind.name());
    let topic = |topic| format!("{topic}.storage.topic={name}-{topic}\n{topic}.storage.replication.factor=1\n");
    let topics: String = ["config", "offset", "status"].map(topic).concat();
    format!(
        "group.id={name}\n{topics}session.timeout.ms=6000\nheartbeat.interval.ms=500\n\
         scheduled.rebalance.max.delay.ms=1000\n"
    )
}

impl Contender {
    /// Starts a worker in a folder of its own; answers it and how long it took until REST answered.
    pub fn start(kind: Kind, mode: Mode, folder: &Path, bootstrap: &str) -> (Contender, Duration) {
        let (here, command) = match mode {
            Mode::Standalone => (folder.join(kind.name()), "Standalone"),
            Mode::Distributed(group, number) => {
                (folder.join(format!("{}-{group}-{number}", kind.name())), "Distributed")
            }
        };
        std::fs::create_dir_all(&here).expect("a folder");
        let (port, _) = kafka::free_ports();
        let mut properties = format!(
            "bootstrap.servers={bootstrap}\n\
             listeners=http://127.0.0.1:{port}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n"
        );
        properties += &match mode {
            Mode::Standalone => format!("offset.storage.file.filename={}\n", here.join("offsets").display()),
            Mode::Distributed(group, _) => grouped(kind, group),
        };
        let file = here.join("worker.properties");
        let mut command = match kind {
            Kind::Apache => kafka::connect(command, JVM),
            Kind::Weir | Kind::Uncounted => {
                // Beside what is measured against Connect's file connectors, what does next to nothing.
                let echo = built("guests/guest_echo.wasm");
                properties += &format!("sandbox.path.ceiling={}\nplugin.path={}\n", folder.display(), echo.display());
                let mut weir = Command::new(if kind == Kind::Weir { weir() } else { built("release/weir-uncounted") });
                weir.arg(command.to_lowercase());
                weir
            }
        };
        std::fs::write(&file, properties).expect("its properties can be written");
        let log = here.join("log");
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let began = Instant::now();
        let child = command.arg(&file).stdin(Stdio::null()).stdout(out.try_clone().expect("a log")).stderr(out).spawn();
        let url = format!("http://127.0.0.1:{port}");
        let mut contender = Contender { kind, url, child: child.expect("it starts"), log };
        contender
            .until("REST", Duration::from_millis(2), |contender| request("GET", &contender.url, None).status == 200);
        (contender, began.elapsed())
    }

    /// Waits until something holds; a worker that ended, or takes two minutes, ends the benchmark.
    pub fn until(&mut self, what: &str, pace: Duration, mut holds: impl FnMut(&Contender) -> bool) {
        let limit = Instant::now() + Duration::from_secs(120);
        while !holds(self) {
            let ended = self.child.try_wait().expect("it can be waited for");
            if ended.is_some() || Instant::now() > limit {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("{} did not reach {what}:\n{log}", self.kind.name());
            }
            std::thread::sleep(pace);
        }
    }

    /// Creates a connector.
    pub fn create(&self, name: &str, config: &Value) {
        let body = json!({"name": name, "config": config}).to_string();
        let answer = request("POST", &format!("{}/connectors", self.url), Some(("application/json", body.as_bytes())));
        assert_eq!(answer.status, 201, "{}: {}", self.kind.name(), answer.text);
    }

    /// Deletes a connector.
    pub fn delete(&mut self, name: &str) {
        let url = format!("{}/connectors/{name}", self.url);
        let answer = request("DELETE", &url, None);
        assert_eq!(answer.status, 204, "{}: {}", self.kind.name(), answer.text);
        self.until("a deleted connector", Duration::from_millis(10), |_| request("GET", &url, None).status == 404);
    }

    /// Waits until it is in its group.
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    pub fn joined(&mut self) {
        let healthy = |worker: &Contender| request("GET", &format!("{}/health", worker.url), None).status == 200;
        self.until("its group", Duration::from_millis(10), healthy);
    }

    /// Asks it to stop, as service managers do, and waits until it has left its group and ended.
    #[allow(dead_code, reason = "each benchmark uses what it needs")]
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be signalled");
        let limit = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait().expect("it can be waited for").is_none() {
            assert!(Instant::now() < limit, "{} does not end", self.kind.name());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has used so far.
    pub fn used(&self) -> Used {
        let read =
            |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks: u64 = [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum();
        let pages: u64 = read("statm").split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let threads = read("status").lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok());
        Used {
            cpu: Duration::from_millis(ticks * 10),
            resident_bytes: pages * 4096,
            threads: threads.unwrap_or(0),
            mappings: read("maps").lines().count(),
        }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

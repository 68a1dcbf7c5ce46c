//! A real Prometheus of a test's own, asked over its HTTP API, and promtool.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use weir_tests::harness::http::request;
use weir_tests::harness::polling::holds_within;

/// A Prometheus with its data in a folder of the test's. It dies with its value.
pub struct Prometheus {
    child: Child,
    log: PathBuf,
    url: String,
}

impl Prometheus {
    /// Starts one with a configuration, on a port that the system chooses; returns when it answers.
    pub fn start(folder: &Path, configuration: &Path) -> Prometheus {
        let log = folder.join("prometheus.log");
        let out = File::create(&log).expect("the test's folder can be written to");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .expect("prometheus starts; where it is missing, make test installs it or says how to");
        let mut prometheus = Prometheus { child, log, url: String::new() };
        let ready = holds_within(Duration::from_secs(60), || {
            let ended = prometheus.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "Prometheus ended:\n{}", prometheus.log());
            prometheus.url = address(&prometheus.log()).map(|it| format!("http://{it}")).unwrap_or_default();
            !prometheus.url.is_empty() && request("GET", &format!("{}/-/ready", prometheus.url), None).status == 200
        });
        assert!(ready, "Prometheus is not ready:\n{}", prometheus.log());
        prometheus
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it answers to a path of its API, or its words of why it does not.
    pub fn ask(&self, path: &str) -> Result<Value, String> {
        let answer = request("GET", &format!("{}/api/v1/{path}", self.url), None);
        let mut said = answer.json();
        if said["status"] == "success" { Ok(said["data"].take()) } else { Err(answer.text) }
    }

    /// What an expression finds now.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let found = self.ask(&format!("query?query={}", encoded(expression)))?;
        Ok(found["result"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until an expression finds so many series, and answers them.
    pub fn until(&self, expression: &str, series: usize) -> Vec<Value> {
        let mut found = Ok(Vec::new());
        let there = holds_within(Duration::from_secs(60), || {
            found = self.query(expression);
            found.as_ref().is_ok_and(|found| found.len() == series)
        });
        assert!(there, "{expression} finds not {series} but {found:?}; {:?}", self.ask("targets?state=active"));
        found.expect("it was found")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where Prometheus listens, by its log.
fn address(log: &str) -> Option<&str> {
    let line = log.lines().find(|line| line.contains("msg=\"Listening on\""))?;
    line.split("address=").nth(1)?.split_whitespace().next()
}

/// A text as a part of a query string.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Runs promtool to its end over an input; answers its exit code and what it wrote.
pub fn promtool(arguments: &[&str], input: Stdio) -> (Option<i32>, String) {
    let output = Command::new("promtool").args(arguments).current_dir(super::folder()).stdin(input).output();
    let output = output.expect("promtool starts; where it is missing, make test installs it or says how to");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

//! A real schema registry for tests, Apicurio, which speaks Confluent's API: in memory, on a free port. Leans on nothing
//! but std and tempfile, so that tests of other crates can include it by its path.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longer than it takes to start on a busy machine.
const UP_WITHIN: Duration = Duration::from_secs(120);

/// A registry. It dies with whoever holds it, however that ends: the shell around it waits for the end of its input.
pub struct Apicurio {
    dir: tempfile::TempDir,
    port: u16,
    _shell: Child,
}

/// The registry that all tests of a process share.
pub fn shared() -> &'static Apicurio {
    static SHARED: OnceLock<Apicurio> = OnceLock::new();
    SHARED.get_or_init(Apicurio::start)
}

/// Where Apicurio lies.
fn home() -> PathBuf {
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"))
    };
    let given = std::env::var_os("WEIR_APICURIO_HOME").map(PathBuf::from);
    let home = given.unwrap_or_else(|| cache().join("weir/apicurio-3.0.9"));
    assert!(
        home.join("lib").is_dir(),
        "{} holds no Apicurio: run make test, or set WEIR_APICURIO_HOME",
        home.display()
    );
    home
}

impl Apicurio {
    /// Starts a registry; returns when it answers.
    pub fn start() -> Apicurio {
        let dir = tempfile::tempdir().expect("a directory for Apicurio");
        let port = TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("a bound port").port();
        let log = File::create(dir.path().join("log")).expect("a log");
        let options = "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 \
                       -Dquarkus.http.access-log.enabled=false";
        let script = format!(
            "java {options} -Dquarkus.http.port={port} -jar \"$WEIR_APICURIO\"/*-runner.jar & \
             pid=$!; cat >/dev/null; kill -9 $pid; wait $pid; rm -rf \"$PWD\""
        );
        let shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .env("WEIR_APICURIO", home())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let registry = Apicurio { dir, port, _shell: shell };
        let until = Instant::now() + UP_WITHIN;
        while !registry.answers() {
            assert!(Instant::now() < until, "Apicurio did not start in time:\n{}", registry.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }

    /// `schema.registry.url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// One request to Confluent's API, and the body of its answer.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(UP_WITHIN))?;
        write!(
            stream,
            "{method} /apis/ccompat/v7{path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        Ok(body.to_owned())
    }

    fn answers(&self) -> bool {
        self.ask("GET", "/subjects", "").is_ok_and(|answer| answer.starts_with('['))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

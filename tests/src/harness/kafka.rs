//! A real Kafka broker for tests, on free ports in a directory of its own. Leans on nothing but std and tempfile, so
//! that tests of other crates can include it by its path.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longer than a broker takes to start on a busy machine.
const UP_WITHIN: Duration = Duration::from_secs(90);

/// A file that says to the shell that somebody is left to clear up.
const KEEP: &str = "keep";

/// A broker, KRaft, one node. It dies with whoever holds it, however that ends: the shell around it waits for the end
/// of its input.
pub struct Kafka {
    dir: tempfile::TempDir,
    port: u16,
    more: Vec<Listener>,
    jvm: &'static str,
    shell: Option<Child>,
}

/// A listener beside the plain one.
struct Listener {
    /// What it is called.
    name: &'static str,
    /// Its security protocol.
    protocol: &'static str,
    /// Zero until the broker is set up.
    port: u16,
    /// The port at which clients are told to find it, if that is another one.
    advertised: Option<u16>,
}

/// What clients call the listener that stands behind something.
const BEHIND: &str = "BEHIND";

/// Up soon and small.
const JVM_FOR_TESTS: &str = "-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1";
/// Fast once it is warm.
const JVM_FOR_BENCHMARKS: &str = "-Xms1g -Xmx1g -XX:+UseG1GC";

/// The broker that all tests of a process share.
pub fn shared() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| Kafka::start(&[]))
}

/// Where Kafka lies.
pub fn home() -> PathBuf {
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"))
    };
    let given = std::env::var_os("WEIR_KAFKA_HOME").map(PathBuf::from);
    let home = given.unwrap_or_else(|| cache().join("weir/kafka-4.3.1"));
    assert!(home.join("libs").is_dir(), "{} holds no Kafka: run make test, or set WEIR_KAFKA_HOME", home.display());
    home
}

/// Apache's ConnectStandalone or ConnectDistributed in a JVM with these options; its worker file comes as the next
/// argument.
pub fn connect(kind: &str, jvm: &[&str]) -> Command {
    let home = home();
    let mut command = Command::new("java");
    command.env("CLASSPATH", home.join("libs").join("*")).args(jvm);
    command.arg(format!("-Dlog4j2.configurationFile={}", home.join("log4j2.properties").display()));
    command.arg(format!("org.apache.kafka.connect.cli.Connect{kind}"));
    command
}

/// Two ports that nobody listened on.
pub fn free_ports() -> (u16, u16) {
    let ports = ports(2);
    (ports[0], ports[1])
}

fn ports(count: usize) -> Vec<u16> {
    // All are held until all are known.
    let listener = |_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let held: Vec<TcpListener> = (0..count).map(listener).collect();
    held.iter().map(|listener| listener.local_addr().expect("a bound port").port()).collect()
}

impl Kafka {
    /// Formats and starts a broker, with more lines for its server.properties; returns when it serves.
    pub fn start(more: &[&str]) -> Kafka {
        Kafka::start_in(JVM_FOR_TESTS, vec![], &[], more)
    }

    /// The same with one more plain listener, whose clients are told to come to another port: there stands what the test
    /// has put before it. That one finds the broker at [`Kafka::behind`].
    pub fn start_behind(advertised: u16, more: &[&str]) -> Kafka {
        let listener = Listener { name: BEHIND, protocol: "PLAINTEXT", port: 0, advertised: Some(advertised) };
        Kafka::start_in(JVM_FOR_TESTS, vec![listener], &[], more)
    }

    /// The same with a listener for each of these security protocols beside the plain one, and with users for SCRAM as
    /// StorageTool takes them.
    pub fn start_secured(protocols: &[&'static str], scram_users: &[&str], more: &[&str]) -> Kafka {
        let listener = |name: &&'static str| Listener { name, protocol: name, port: 0, advertised: None };
        Kafka::start_in(JVM_FOR_TESTS, protocols.iter().map(listener).collect(), scram_users, more)
    }

    /// The same for benchmarks: slower to start, faster when it is warm.
    pub fn start_for_benchmarks() -> Kafka {
        Kafka::start_in(JVM_FOR_BENCHMARKS, vec![], &[], &[])
    }

    fn start_in(jvm: &'static str, mut listeners: Vec<Listener>, scram_users: &[&str], more: &[&str]) -> Kafka {
        let dir = tempfile::tempdir().expect("a directory for Kafka");
        let ports = ports(2 + listeners.len());
        let (port, controller) = (ports[0], ports[1]);
        listeners.iter_mut().zip(&ports[2..]).for_each(|(listener, port)| listener.port = *port);
        let each = |say: fn(&Listener) -> String| listeners.iter().map(say).collect::<String>();
        let bound = each(|listener| format!(",{}://127.0.0.1:{}", listener.name, listener.port));
        let advertised =
            each(|listener| format!(",{}://127.0.0.1:{}", listener.name, listener.advertised.unwrap_or(listener.port)));
        let protocol_map = each(|listener| format!(",{}:{}", listener.name, listener.protocol));
        let properties = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{bound}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocol_map}\n\
             inter.broker.listener.name=PLAINTEXT\n\
             log.dirs={}\n\
             num.partitions=1\n\
             offsets.topic.num.partitions=1\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n\
             auto.create.topics.enable=false\n\
             log.cleaner.dedupe.buffer.size=16777216\n\
             {}\n",
            dir.path().join("data").display(),
            more.join("\n"),
        );
        std::fs::write(dir.path().join("server.properties"), properties).expect("server.properties can be written");
        let mut kafka = Kafka { dir, port, more: listeners, jvm, shell: None };
        let format =
            "kafka.tools.StorageTool format --standalone --cluster-id weirTestCluster0000000 -c server.properties";
        let users: String = scram_users.iter().map(|user| format!(" --add-scram '{user}'")).collect();
        let format = format!("exec {}{users}", java(JVM_FOR_TESTS, format));
        let formatted = kafka.java(&format, Stdio::null()).wait().expect("java ran");
        assert!(formatted.success(), "Kafka's storage was not formatted:\n{}", kafka.log());
        kafka.restart();
        kafka
    }

    fn java(&self, script: &str, input: Stdio) -> Child {
        let home = home();
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let spawned = Command::new("sh")
            .args(["-c", script])
            .current_dir(self.dir.path())
            .env("CLASSPATH", home.join("libs").join("*"))
            .env("WEIR_LOG4J", home.join("log4j2.properties"))
            .stdin(input)
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        spawned.expect("sh starts")
    }

    /// Starts it again on the same data and port; returns when it serves.
    pub fn restart(&mut self) {
        self.stop();
        let _ = std::fs::remove_file(self.dir.path().join(KEEP));
        let end = format!("cat >/dev/null; kill -9 $pid; wait $pid; [ -e {KEEP} ] || rm -rf \"$PWD\"");
        let script = format!("{} & pid=$!; {end}", java(self.jvm, "kafka.Kafka server.properties"));
        self.shell = Some(self.java(&script, Stdio::piped()));
        let until = Instant::now() + UP_WITHIN;
        while !self.serves() {
            assert!(Instant::now() < until, "Kafka did not start in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it, as kill -9 does. What it had acknowledged is on disk.
    pub fn stop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            std::fs::write(self.dir.path().join(KEEP), "").expect("the directory of Kafka is there");
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }

    /// `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of the listener for one of the security protocols that it was started with.
    pub fn port_for(&self, protocol: &str) -> u16 {
        let found = self.more.iter().find(|listener| listener.name == protocol);
        found.expect("a protocol that it was started with").port
    }

    /// Where the listener is that stands behind something.
    pub fn behind(&self) -> u16 {
        self.port_for(BEHIND)
    }

    /// A directory that goes with the broker.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn serves(&self) -> bool {
        // A port opens when requests are answered, and each listener has its own moment.
        let mut ports = self.more.iter().map(|listener| listener.port).chain([self.port]);
        ports.all(|port| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    fn log(&self) -> String {
        let Ok(log) = File::open(self.dir.path().join("log")) else { return String::new() };
        BufReader::new(log).lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.stop();
    }
}

fn java(jvm: &str, arguments: &str) -> String {
    format!("java {jvm} \"-Dlog4j2.configurationFile=$WEIR_LOG4J\" {arguments}")
}

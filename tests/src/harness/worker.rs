//! A worker process of a test's own, weir or the one it is measured by: started, asked, killed, never left behind.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::weir;

/// A running `weir standalone`, or Apache's own standalone worker.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts a worker with these properties and connector files (name and text) in a folder.
    pub fn standalone(folder: &Path, properties: &str, connectors: &[(&str, &str)]) -> Worker {
        Worker::with_stdio(folder, properties, connectors, Stdio::null(), Stdio::null())
    }

    /// Starts such a worker with standard input and output of its own.
    pub fn with_stdio(
        folder: &Path,
        properties: &str,
        connectors: &[(&str, &str)],
        stdin: Stdio,
        stdout: Stdio,
    ) -> Worker {
        let mut command = Command::new(weir());
        command.stdin(stdin).stdout(stdout);
        Worker::run(command, folder, properties, connectors)
    }

    /// A worker with compiled code of its own in the folder, and bounds on the size of its files that can be set.
    pub fn confined(folder: &Path, properties: &str) -> Worker {
        let mut command = Command::new("sh");
        // A file that may not grow is an error to the worker, as a full disk is, and not its end.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(weir());
        command.env("XDG_CACHE_HOME", folder.join("cache")).stdin(Stdio::null()).stdout(Stdio::null());
        Worker::run(command, folder, properties, &[])
    }

    /// A worker that a command of the test's own starts, to which the worker's file is added.
    pub fn started_by(mut command: Command, folder: &Path, properties: &str) -> Worker {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Worker::spawn(command, folder, properties, &[])
    }

    /// The worker's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has files of the worker grow to so many bytes and no further; none takes the bound away.
    pub fn bound_files(&self, bytes: Option<u64>) {
        let pid = Some(rustix::process::Pid::from_child(&self.child));
        let size = rustix::process::Resource::Fsize;
        let bounds = rustix::process::Rlimit { current: bytes, ..rustix::process::getrlimit(size) };
        rustix::process::prlimit(pid, size, bounds).expect("the worker's bounds can be set");
    }

    /// Starts a worker of a group with these properties in a folder.
    pub fn distributed(folder: &Path, properties: &str) -> Worker {
        let mut command = Command::new(weir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).arg("distributed");
        Worker::spawn(command, folder, properties, &[])
    }

    fn run(mut command: Command, folder: &Path, properties: &str, connectors: &[(&str, &str)]) -> Worker {
        command.arg("standalone");
        Worker::spawn(command, folder, properties, connectors)
    }

    fn spawn(mut command: Command, folder: &Path, properties: &str, connectors: &[(&str, &str)]) -> Worker {
        let listeners = if properties.contains("listeners=") { "" } else { "listeners=http://127.0.0.1:0\n" };
        let properties = format!("{listeners}{properties}");
        std::fs::write(folder.join("worker.properties"), properties).expect("the test's folder can be written to");
        command.arg(folder.join("worker.properties"));
        for (name, text) in connectors {
            std::fs::write(folder.join(name), text).expect("the test's folder can be written to");
            command.arg(folder.join(name));
        }
        let log = folder.join("weir.log");
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let child = command.stderr(out).spawn().expect("weir starts");
        Worker { child, log }
    }

    /// Starts Apache Kafka Connect, `Standalone` or `Distributed`, with these properties in a folder; answers when it is
    /// ready, and where.
    pub fn apache(kind: &str, folder: &Path, properties: &str) -> (Worker, String) {
        let (port, _) = super::kafka::free_ports();
        let properties = format!("listeners=http://127.0.0.1:{port}\n{properties}");
        std::fs::write(folder.join("worker.properties"), properties).expect("the test's folder can be written to");
        let mut command = super::kafka::connect(kind, &["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(folder.join("worker.properties"));
        let log = folder.join("apache.log");
        let out = std::fs::File::create(&log).expect("a log");
        let err = out.try_clone().expect("a log");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("java starts");
        let (mut worker, url) = (Worker { child, log }, format!("http://127.0.0.1:{port}"));
        worker.until("REST", || super::http::request("GET", &format!("{url}/health"), None).status == 200);
        (worker, url)
    }

    /// The worker's standard input, where it was started with a pipe.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("a pipe")
    }

    /// What the worker has logged, earlier workers of the same folder included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it is logged.
    pub fn log_file(&self) -> PathBuf {
        self.log.clone()
    }

    /// Where the worker that was started last answers REST; waits until it does.
    pub fn url(&mut self) -> String {
        let mut url = String::new();
        let found =
            |log: &str| log.rsplit_once("address=").map(|(_, rest)| rest.lines().next().unwrap_or("").to_owned());
        let log = self.log.clone();
        self.until("REST", || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            url = found(&said).map(|address| format!("http://{address}")).unwrap_or_default();
            !url.is_empty() && super::http::request("GET", &format!("{url}/health"), None).status == 200
        });
        url
    }

    /// Waits until something holds; fails the test with the worker's log when it takes longer than a minute or the
    /// worker ends.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("waited for {what}, but the worker ended ({status}):\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it at once, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Stops it in the middle of whatever it does (SIGSTOP), until it is thawed.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Has it go on as if nothing had happened (SIGCONT).
    pub fn thaw(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    /// Asks it to stop and waits for it; answers whether it ended well.
    pub fn stop(mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.wait(Duration::from_secs(30))
    }

    /// Waits for it to end by itself; answers whether it ended well, and its log.
    pub fn ended(mut self) -> (bool, String) {
        (self.wait(Duration::from_secs(60)), self.log())
    }

    fn wait(&mut self, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The files that a process has open now.
pub fn open_files(of: u32) -> Vec<PathBuf> {
    let Ok(open) = std::fs::read_dir(format!("/proc/{of}/fd")) else { return Vec::new() };
    open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect()
}

/// The command lines of the children that a process has now, and where the system tells of them.
pub fn children(of: u32) -> Vec<(String, PathBuf)> {
    let parent = format!("\nPPid:\t{of}\n");
    let processes = std::fs::read_dir("/proc").expect("a system that tells").flatten().map(|entry| entry.path());
    let ours = processes
        .filter(|process| std::fs::read_to_string(process.join("status")).is_ok_and(|status| status.contains(&parent)));
    ours.map(|process| (std::fs::read_to_string(process.join("cmdline")).unwrap_or_default(), process)).collect()
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

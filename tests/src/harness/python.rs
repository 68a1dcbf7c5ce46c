//! Programs of the Python environment that set-up makes, run to their end within a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The interpreter.
pub fn interpreter() -> PathBuf {
    let python = std::env::var_os("WEIR_PYTHON").map(PathBuf::from).expect("WEIR_PYTHON is set: run make test");
    assert!(python.exists(), "{} is missing: run make test", python.display());
    python
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name).display().to_string()
}

/// Runs Python with these arguments in a folder; fails the test with what it wrote when it does not end well in time.
pub fn run(folder: &Path, arguments: &[&str], within: Duration) {
    let written = folder.join("python.log");
    let out = File::create(&written).expect("the test's folder can be written to");
    let err = out.try_clone().expect("a log");
    let mut command = Command::new(interpreter());
    // Its own home: clients keep settings and caches there. No byte code beside the scripts.
    command.current_dir(folder).env("HOME", folder).env("PYTHONDONTWRITEBYTECODE", "1").env("NO_COLOR", "1");
    command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err);
    let mut child = command.spawn().expect("Python starts");
    let said = || std::fs::read_to_string(&written).unwrap_or_default();
    let deadline = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success(), "{arguments:?} ended with {status}:\n{}", said());
            return;
        }
        if Instant::now() > deadline {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
            panic!("{arguments:?} did not end within {within:?}:\n{}", said());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! What examples/deploy promises: readiness under systemd, no rights and no writable root, an address that others can use, files that agree with the
//! binary and with each other, and what Kafka has to allow.

#[path = "deploy/acls.rs"]
mod acls;
#[path = "deploy/advertised.rs"]
mod advertised;
#[path = "deploy/confined.rs"]
mod confined;
#[path = "deploy/files.rs"]
mod files;
#[path = "deploy/readiness.rs"]
mod readiness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deploy").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("examples/deploy/{name}: {error}"))
}

/// The keys of a properties file, in which nothing needs an escape.
fn properties(text: &str) -> BTreeMap<String, String> {
    let pairs =
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Both outputs of a command that ended.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether a program is on this machine; the test says what it leaves out where it is not.
fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("left out: {program} is not on this machine");
    }
    found
}

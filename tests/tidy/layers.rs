//! The layers inside weir-core: a file uses its own and those before it; and what a file that says Pure does without.

use crate::{
    rust::{self, Path},
    tree::{Finding, Tree},
};

const CORE: &str = "runtime/core/src/";

/// Bottom up.
const LAYERS: &[&str] =
    &["model", "settings", "observe", "port", "process", "task", "worker", "store", "plugin", "access", "herder"];
/// Stands beside the layers: the suite that every implementation of a port passes.
const CONTRACT: &str = "contract";
const CONTRACT_USES: &[&str] = &["model", "port"];

pub fn check_layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(inside) = file.path.strip_prefix(CORE).filter(|inside| *inside != "lib.rs") else { continue };
        let modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
        let own = modules[0];
        let allowed: &[&str] = match LAYERS.iter().position(|layer| *layer == own) {
            Some(index) => &LAYERS[..=index],
            None if own == CONTRACT => CONTRACT_USES,
            None => {
                findings.push(file.finding(
                    1,
                    format!("{own} is no layer of weir-core; move the file into one of {}", LAYERS.join(", ")),
                ));
                continue;
            }
        };
        for path in rust::paths(&rust::code(&file.text)) {
            let Some(used) = layer_used(&path, modules.len()) else { continue };
            if LAYERS.iter().chain([&CONTRACT]).any(|layer| *layer == used) && used != own && !allowed.contains(&used) {
                findings.push(file.finding(
                    path.line,
                    format!("{own} stands below {used}; move the shared part down, or pass it in"),
                ));
            }
        }
    }
    findings
}

/// What a path names directly under the crate, said with `crate` or by climbing up to it.
fn layer_used(path: &Path, modules: usize) -> Option<&str> {
    let mut parts = path.parts.iter().map(String::as_str).skip_while(|part| *part == "self").peekable();
    if parts.peek() == Some(&"crate") {
        return parts.nth(1);
    }
    let mut climbed = 0;
    while parts.next_if_eq(&"super").is_some() {
        climbed += 1;
    }
    (climbed == modules + path.depth).then(|| parts.next()).flatten()
}

/// Paths that a Pure file does without, and why.
const IMPURE: &[(&[&str], &str)] = &[
    (&["async"], "is async"),
    (&["await"], "awaits"),
    (&["tokio"], "uses the runtime"),
    (&["tokio_util"], "uses the runtime"),
    (&["futures"], "is async"),
    (&["Instant"], "reads a clock"),
    (&["SystemTime"], "reads a clock"),
    (&["rand"], "draws randomness"),
    (&["fastrand"], "draws randomness"),
    (&["getrandom"], "draws randomness"),
    (&["RandomState"], "draws randomness"),
    (&["std", "fs"], "does I/O"),
    (&["std", "net"], "does I/O"),
    (&["std", "io"], "does I/O"),
    (&["std", "thread"], "uses threads"),
    (&["std", "env"], "reads the environment"),
    (&["std", "process"], "runs processes"),
];

pub fn check_pure(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.text.starts_with("//! Pure")) {
        for path in rust::paths(&rust::without_tests(&rust::code(&file.text))) {
            let why =
                IMPURE.iter().find(|(parts, _)| if parts.len() == 1 { path.has(parts) } else { path.starts(parts) });
            if let Some((parts, why)) = why {
                let what = format!(
                    "says Pure but {why} ({}); pass the value in, or take Pure off the first line",
                    parts.join("::")
                );
                findings.push(file.finding(path.line, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{CORE, check_layers, check_pure};
    use crate::tree::{Tree, places};

    fn lines(inside: &str, text: &str) -> Vec<usize> {
        let path = format!("{CORE}{inside}");
        check_layers(&Tree::made(&[(&path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn own_and_earlier_layers_may_be_used() {
        assert!(
            lines(
                "task/lifecycle.rs",
                "use crate::{model::Id, task::Effect};\nuse super::Effect;\nfn f() { crate::port::x() }"
            )
            .is_empty()
        );
        assert!(lines("lib.rs", "pub use crate::herder::Herder;").is_empty());
        assert!(lines("contract/log.rs", "use crate::{model, port};").is_empty());
        assert!(lines("model.rs", "// crate::herder\nmod tests { use super::*; }").is_empty());
    }

    #[test]
    fn later_layers_may_not_however_they_are_named() {
        assert_eq!(lines("model.rs", "use crate::settings::X;"), [1]);
        assert_eq!(lines("task/lifecycle.rs", "use crate::{\n    model,\n    worker::Set,\n};"), [3]);
        assert_eq!(lines("port/broker.rs", "fn f() {\n    crate::herder::f()\n}"), [2]);
        assert_eq!(lines("task/lifecycle.rs", "use super::super::worker;"), [1]);
        assert_eq!(lines("task/mod.rs", "use super::worker;"), [1]);
        assert_eq!(lines("model.rs", "mod inner {\n    use super::super::herder;\n}"), [2]);
        assert_eq!(lines("contract.rs", "use crate::process;"), [1]);
        assert_eq!(lines("process.rs", "use crate::contract;"), [1]);
    }

    #[test]
    fn a_module_that_is_no_layer_is_found() {
        assert_eq!(lines("extra/mod.rs", ""), [1]);
    }

    #[test]
    fn a_pure_file_is_held_to_it_outside_its_tests() {
        let clean = "//! Pure. Offsets.\nuse std::time::Duration; // Instant\nfn f() {}\n#[cfg(test)]\nmod tests { use std::fs; async fn g() {} }";
        let impure = "//! Pure. Offsets.\nuse std::{fmt, fs};\nuse std::time::Instant;\nasync fn f() {\n    g().await\n}\nfn h() { tokio::spawn(rand::random()) }";
        let tree = Tree::made(&[("a.rs", clean), ("b.rs", impure), ("c.rs", "//! Not so.\nuse std::fs;")]);
        assert_eq!(places(&check_pure(&tree)), ["b.rs:2", "b.rs:3", "b.rs:4", "b.rs:5", "b.rs:7", "b.rs:7"]);
    }

    #[test]
    fn every_impure_thing_is_found() {
        for (parts, _) in super::IMPURE {
            let tree = Tree::made(&[("a.rs", &format!("//! Pure.\nfn f() {{ {} }}", parts.join("::")))]);
            assert_eq!(places(&check_pure(&tree)), ["a.rs:2"], "{parts:?}");
        }
    }
}

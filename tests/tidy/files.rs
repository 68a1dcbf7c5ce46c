//! What holds for single files: first lines, lengths, names, sizes, words, unsafe code, sleeping tests.

use crate::{
    rust,
    tree::{File, Finding, Tree},
};

const LINES_MAX: usize = 500;
const BYTES_MAX: usize = 1_000_000;
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

/// Where unsafe code may be: over librdkafka's C interface and in the yardstick beside it, in copies of cells, in what
/// exports a guest.
const UNSAFE: &[&str] =
    &["runtime/kafka/src/native", "runtime/kafka/examples/yardstick/raw.rs", "runtime/data/src/cbor", "guest-sdk/src/"];
/// Here too, but only to load what this worker compiled itself.
const UNSAFE_DESERIALIZE: &str = "runtime/wasm/src/";

/// Tests wait by polling in this one place; a hostile guest may dawdle; a benchmark looks at what has nothing to do; the
/// simulation's clock is paused, and its world takes time.
const MAY_SLEEP: &[&str] = &["tests/src/harness", "tests/guests/", "tests/benches/", "runtime/local/tests/simulation/"];

// In pieces, so that this file does not hold what it looks for.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];
const MACHINE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("deb.deb", "ian.org"),
    concat!("archive.ubu", "ntu.com"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("static.rust-", "lang.org"),
    concat!("repo.maven.", "apache.org"),
    concat!("maven", ".org"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("proxy.gol", "ang.org"),
];

pub fn check_first_lines(tree: &Tree) -> Vec<Finding> {
    let missing =
        |file: &&File| !file.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 4);
    tree.rust()
        .filter(missing)
        .map(|file| file.finding(1, "begin with a `//!` line that says what the file holds"))
        .collect()
}

pub fn check_lengths(tree: &Tree) -> Vec<Finding> {
    let source = |file: &&File| [".rs", ".wit", ".sh"].iter().any(|ending| file.path.ends_with(ending));
    let long = tree
        .files
        .iter()
        .filter(source)
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(file, lines)| {
        file.finding(lines, format!("more than {LINES_MAX} lines; split it by what it speaks about"))
    })
    .collect()
}

pub fn check_sizes(tree: &Tree) -> Vec<Finding> {
    let large = tree.files.iter().filter(|file| file.bytes >= BYTES_MAX);
    large
        .map(|file| file.finding(1, format!("{} bytes; make it when it is needed, or keep less of it", file.bytes)))
        .collect()
}

pub fn check_names(tree: &Tree) -> Vec<Finding> {
    let empty = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part));
    let mut findings = Vec::new();
    for file in &tree.files {
        if let Some(part) = file.path.split('/').find(|part| empty(part)) {
            findings.push(file.finding(1, format!("{part} says nothing; name it by what it holds")));
        }
        let code = if file.is_rust() { rust::code(&file.text) } else { continue };
        for (index, line) in code.lines().enumerate() {
            let words: Vec<&str> =
                line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
            if let Some(pair) = words.windows(2).find(|pair| pair[0] == "mod" && empty(pair[1])) {
                findings.push(
                    file.finding(index + 1, format!("module {} says nothing; name it by what it holds", pair[1])),
                );
            }
        }
    }
    findings
}

pub fn check_unsafe(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !UNSAFE.iter().any(|place| file.path.starts_with(place))) {
        let code = rust::code(&file.text);
        let lines: Vec<&str> = code.lines().collect();
        for path in rust::paths(&code).iter().filter(|path| path.has(&["unsafe"])) {
            let statement = &lines[path.line - 1..(path.line + 3).min(lines.len())];
            let own_artefact =
                file.path.starts_with(UNSAFE_DESERIALIZE) && statement.iter().any(|line| line.contains("deserialize"));
            if !own_artefact {
                findings.push(file.finding(
                    path.line,
                    "unsafe code is kept to a few files (tests/tidy/files.rs names them); do without",
                ));
            }
        }
    }
    findings
}

pub fn check_unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let written =
        |file: &&File| [".rs", ".wit", ".sh", ".toml", "Makefile"].iter().any(|ending| file.path.ends_with(ending));
    for file in tree.files.iter().filter(written) {
        for (line, text) in file.lines() {
            if let Some(word) = text.split(|c: char| !c.is_alphanumeric()).find(|word| UNFINISHED.contains(word)) {
                findings.push(file.finding(line, format!("{word}: finish it, or file an issue and say nothing here")));
            }
        }
        if file.is_rust() {
            let code = rust::code(&file.text);
            for (index, text) in code.lines().enumerate() {
                if ["todo!", "unimplemented!"].iter().any(|unfinished| text.contains(unfinished)) {
                    findings.push(
                        file.finding(index + 1, "unfinished code panics in front of a user; finish it or leave it out"),
                    );
                }
            }
        }
    }
    findings
}

pub fn check_sleeps(tree: &Tree) -> Vec<Finding> {
    let in_tests = |file: &&File| {
        file.path.split('/').any(|part| part == "tests") && !MAY_SLEEP.iter().any(|place| file.path.starts_with(place))
    };
    let mut findings = Vec::new();
    for file in tree.rust().filter(in_tests) {
        let paths = rust::paths(&rust::code(&file.text));
        for path in paths.iter().filter(|path| path.has(&["thread", "sleep"]) || path.has(&["time", "sleep"])) {
            findings.push(file.finding(
                path.line,
                "a sleeping test is slow or flaky; wait with the harness's polling, or pause the clock",
            ));
        }
    }
    findings
}

pub fn check_machine(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (line, text) in file.lines() {
            if let Some(word) = MACHINE.iter().find(|word| text.contains(**word)) {
                findings.push(file.finding(
                    line,
                    format!(
                        "{word} is this machine's own; say it relative to the clone, or let the client know its host"
                    ),
                ));
            }
        }
    }
    findings
}

pub fn check_readme(tree: &Tree) -> Vec<Finding> {
    let missing = |what: &str| Finding { path: "README.md".into(), line: 1, what: what.into() };
    let Some(readme) = tree.get("README.md") else { return vec![missing("is missing; write it")] };
    let commands = ["make demo", "make test"].iter().filter(|command| !readme.text.contains(**command));
    commands.map(|command| missing(&format!("does not say `{command}`; the two commands belong there"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::places;

    fn found(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        places(&check(&Tree::made(files)))
    }

    #[test]
    fn first_lines_lengths_and_sizes() {
        let firsts =
            [("a.rs", "//! Offsets.\n"), ("b.rs", "use x;\n//! Late."), ("c.rs", "//! "), ("d.rs", ""), ("e.md", "")];
        assert_eq!(found(check_first_lines, &firsts), ["b.rs:1", "c.rs:1", "d.rs:1"]);
        let (most, more) = ("x\n".repeat(LINES_MAX), "x\n".repeat(LINES_MAX + 1));
        assert_eq!(
            found(check_lengths, &[("a.rs", &most), ("b.rs", &more), ("c.wit", &more), ("d.json", &more)]),
            ["b.rs:501", "c.wit:501"]
        );
        let (small, large) = ("x".repeat(BYTES_MAX - 1), "x".repeat(BYTES_MAX));
        assert_eq!(found(check_sizes, &[("a.json", &small), ("b.json", &large)]), ["b.json:1"]);
    }

    #[test]
    fn names_that_say_nothing() {
        let files = [
            ("src/util.rs", "//! mod helper"),
            ("misc/a.json", ""),
            ("b.rs", "\nmod common {}"),
            ("utility.rs", "mod helping;"),
        ];
        assert_eq!(found(check_names, &files), ["src/util.rs:1", "misc/a.json:1", "b.rs:2"]);
    }

    #[test]
    fn unsafe_code_outside_its_few_places() {
        let code = "// unsafe\nfn f() { unsafe { g() } }";
        assert_eq!(found(check_unsafe, &[("runtime/core/src/model.rs", code)]), ["runtime/core/src/model.rs:2"]);
        assert_eq!(
            found(check_unsafe, &[("a.rs", "#![forbid(unsafe_code)]\n#[unsafe(no_mangle)]\nfn f() {}")]),
            ["a.rs:2"]
        );
        for place in
            ["runtime/kafka/src/native/consumer.rs", "runtime/data/src/cbor_read.rs", "guest-sdk/src/export.rs"]
        {
            assert!(found(check_unsafe, &[(place, code)]).is_empty(), "{place}");
        }
        let artefact = "let c = unsafe {\n    Component::deserialize_file(engine, path)\n};\n\n\nunsafe { g() }";
        assert_eq!(found(check_unsafe, &[("runtime/wasm/src/cache.rs", artefact)]), ["runtime/wasm/src/cache.rs:6"]);
        assert_eq!(found(check_unsafe, &[("runtime/core/src/cache.rs", artefact)]).len(), 2);
    }

    #[test]
    fn unfinished_work() {
        for word in UNFINISHED {
            let text = format!("//! A.\n// {word}: later");
            assert_eq!(
                found(check_unfinished, &[("a.rs", &text), ("b.toml", &text), ("c.csv", &text)]),
                ["a.rs:2", "b.toml:2"]
            );
        }
        assert_eq!(
            found(
                check_unfinished,
                &[("a.rs", "fn f() {\n    todo!()\n}\nfn g() { std::unimplemented!(\"x\") } // todo!()")]
            ),
            ["a.rs:2", "a.rs:4"]
        );
    }

    #[test]
    fn sleeping_tests() {
        let sleeps =
            "use tokio::time::{pause, sleep};\nfn f() { std::thread::sleep(d) }\nfn g() { tokio::time::advance(d) }";
        assert_eq!(found(check_sleeps, &[("runtime/core/tests/a.rs", sleeps), ("tests/b.rs", sleeps)]).len(), 4);
        for place in ["tests/src/harness/wait.rs", "tests/guests/dawdler/src/lib.rs", "runtime/core/src/task.rs"] {
            assert!(found(check_sleeps, &[(place, sleeps)]).is_empty(), "{place}");
        }
    }

    #[test]
    fn what_belongs_to_one_machine() {
        for word in MACHINE {
            assert_eq!(found(check_machine, &[("a.md", &format!("\nsee {word}x"))]), ["a.md:2"], "{word}");
        }
        assert!(found(check_machine, &[("a.md", "out/weir, ~/.cache")]).is_empty());
    }

    #[test]
    fn the_readme_says_the_two_commands() {
        assert_eq!(found(check_readme, &[]), ["README.md:1"]);
        assert_eq!(found(check_readme, &[("README.md", "make demo")]), ["README.md:1"]);
        assert!(found(check_readme, &[("README.md", "`make demo` and `make test`")]).is_empty());
    }
}

//! Which crate may depend on which: the picture of the house, and who holds each heavy dependency.

use crate::tree::{File, Finding, Tree};
use toml::Table;

/// Folder, package, and the packages of this workspace that it may use. A folder that ends in `/` stands for those in it.
const CRATES: &[(&str, Option<&str>, &[&str])] = &[
    ("guest-sdk", Some("weir-sdk"), &["weir-data"]),
    ("runtime/data", Some("weir-data"), &[]),
    ("runtime/core", Some("weir-core"), &["weir-data"]),
    ("runtime/convert", Some("weir-convert"), &["weir-data", "weir-core"]),
    ("runtime/wasm", Some("weir-wasm"), &["weir-data", "weir-core"]),
    ("runtime/kafka", Some("weir-kafka"), &["weir-data", "weir-core"]),
    ("runtime/local", Some("weir-local"), &["weir-data", "weir-core"]),
    (
        "runtime/server",
        Some("weir"),
        &["weir-data", "weir-core", "weir-convert", "weir-wasm", "weir-kafka", "weir-local"],
    ),
    ("runtime/plugins/", None, &["weir-data", "weir-sdk"]),
    ("examples/", None, &["weir-data", "weir-sdk"]),
    ("tests/guests/", None, &["weir-data", "weir-sdk"]),
];
const TESTS: &str = "tests"; // may use every crate

/// A dependency (`*` stands for any ending) and the only packages that hold it.
const HEAVY: &[(&str, &[&str])] = &[
    ("wasmtime*", &["weir-wasm"]),
    ("cranelift*", &["weir-wasm"]),
    ("rdkafka*", &["weir-kafka", "weir-tests"]),
    ("openssl*", &["weir-kafka", "weir-tests"]),
    ("tokio-openssl", &["weir-kafka", "weir-tests"]),
    ("axum*", &["weir", "weir-tests"]),
    ("redb", &["weir-local", "weir-tests"]),
    ("hyper*", &["weir", "weir-convert", "weir-wasm", "weir-tests"]),
    ("reqwest", &["weir", "weir-convert", "weir-tests"]),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let root = tree.get("Cargo.toml").map(|file| file.text.parse::<Table>().unwrap_or_default()).unwrap_or_default();
    let shared =
        root.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(toml::Value::as_table);
    let empty = Table::new();
    let shared = shared.unwrap_or(&empty);
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        match file.text.parse::<Table>() {
            Ok(manifest) => check_crate(file, folder, &manifest, shared, &mut findings),
            Err(e) => findings.push(file.finding(1, format!("not TOML: {}; mend it", e.message()))),
        }
    }
    findings
}

fn check_crate(file: &File, folder: &str, manifest: &Table, shared: &Table, findings: &mut Vec<Finding>) {
    let name =
        manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str).unwrap_or("");
    let place = CRATES.iter().find(|(place, ..)| match place.strip_suffix('/') {
        Some(parent) => folder.rsplit_once('/').is_some_and(|(above, _)| above == parent),
        None => *place == folder,
    });
    let free = folder == TESTS;
    if place.is_none() && !free {
        findings.push(file.finding(1, "a crate in a place the house does not have; move it, or add it to design, ARCHITECTURE.md and tests/tidy/arrows.rs"));
        return;
    }
    let expected = place.map_or(Some("weir-tests"), |place| place.1);
    if let Some(expected) = expected.filter(|expected| *expected != name) {
        findings.push(
            file.finding(line_of(file, "name"), format!("the package in {folder} is called {expected}; rename it")),
        );
    }
    for (section, key, value) in dependencies(manifest) {
        let line = line_of(file, key);
        let package = package(key, value, shared);
        let ours = package == "weir" || package.starts_with("weir-");
        let may = place.map_or(&[][..], |place| place.2);
        if ours && !free && !may.contains(&package) {
            let may = if may.is_empty() { "none of our crates".into() } else { may.join(", ") };
            findings.push(file.finding(line, format!("{name} may use {may}, not {package}; turn the arrow round with a port in weir-core, or move the code (a test of both belongs in tests/)")));
        }
        if !ours && name == "weir-data" && section == "dependencies" {
            findings.push(file.finding(line, format!("weir-data has no dependencies; do without {package}")));
        }
        for (heavy, holders) in HEAVY {
            let meant = match heavy.strip_suffix('*') {
                Some(start) => package.starts_with(start),
                None => package == *heavy,
            };
            if meant && !holders.contains(&name) {
                findings.push(file.finding(
                    line,
                    format!("only {} may hold {package}; use it through a port of weir-core", holders[0]),
                ));
            }
        }
    }
}

/// Every dependency of a manifest with the kind of its section, those for certain targets included.
fn dependencies(manifest: &Table) -> Vec<(&str, &str, &toml::Value)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(toml::Value::as_table).chain([manifest]);
    let mut found = Vec::new();
    for table in tables {
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(key, value)| (section, key.as_str(), value)));
        }
    }
    found
}

/// A dependency's package: its key unless the entry, or the workspace's entry it points to, renames it.
fn package<'a>(key: &'a str, value: &'a toml::Value, shared: &'a Table) -> &'a str {
    let value = if value.get("workspace").is_some() { shared.get(key).unwrap_or(value) } else { value };
    value.get("package").and_then(toml::Value::as_str).unwrap_or(key)
}

fn line_of(file: &File, key: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(key)?;
        Some(rest.starts_with(['.', ' ', '=', '"']))
    };
    let table = format!("dependencies.{key}]");
    file.lines().find(|(_, line)| names(line) == Some(true) || line.ends_with(&table)).map_or(1, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::{Tree, places};

    fn findings(path: &str, text: &str) -> Vec<String> {
        let root = "[workspace.dependencies]\nbroker = { package = \"rdkafka\", version = \"1\" }\nweir-core = { path = \"runtime/core\" }\n";
        places(&check(&Tree::made(&[("Cargo.toml", root), (path, text)])))
    }

    #[test]
    fn arrows_of_the_picture_pass() {
        for (path, text) in [
            ("runtime/data/Cargo.toml", "[package]\nname = \"weir-data\"\n[dev-dependencies]\nproptest = \"1\""),
            (
                "runtime/local/Cargo.toml",
                "[package]\nname = \"weir-local\"\n[dependencies]\nweir-core.workspace = true\nweir-data.workspace = true\nredb = \"4\"",
            ),
            (
                "runtime/server/Cargo.toml",
                "[package]\nname = \"weir\"\n[dependencies]\nweir-core.workspace = true\nweir-kafka.workspace = true\naxum = \"1\"",
            ),
            ("examples/weather/Cargo.toml", "[package]\nname = \"weather\"\n[dependencies]\nweir-sdk.workspace = true"),
            (
                "tests/Cargo.toml",
                "[package]\nname = \"weir-tests\"\n[dev-dependencies]\nweir-local.workspace = true\nrdkafka = \"1\"",
            ),
        ] {
            assert_eq!(findings(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn an_arrow_between_spokes_or_upwards_is_found_in_every_section() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
            let text = format!(
                "[package]\nname = \"weir-wasm\"\n\n[{section}]\nweir-core.workspace = true\nweir-local.workspace = true"
            );
            assert_eq!(findings("runtime/wasm/Cargo.toml", &text), ["runtime/wasm/Cargo.toml:6"]);
        }
        let up = "[package]\nname = \"weir-core\"\n[dependencies.weir]\npath = \"../server\"";
        assert_eq!(findings("runtime/core/Cargo.toml", up), ["runtime/core/Cargo.toml:3"]);
        let renamed = "[package]\nname = \"weir-sdk\"\n[dependencies]\ncore = { package = \"weir-core\", path = \"../runtime/core\" }";
        assert_eq!(findings("guest-sdk/Cargo.toml", renamed), ["guest-sdk/Cargo.toml:4"]);
        let guest = "[package]\nname = \"hog\"\n[dependencies]\nweir-core.workspace = true";
        assert_eq!(findings("tests/guests/hog/Cargo.toml", guest), ["tests/guests/hog/Cargo.toml:4"]);
    }

    #[test]
    fn a_heavy_dependency_is_found_outside_its_crate_even_when_renamed() {
        let text = "[package]\nname = \"weir-core\"\n[dependencies]\nbroker.workspace = true\nwasmtime-wasi = \"48\"\nredb = \"4\"\naxum = \"1\"";
        let core = "runtime/core/Cargo.toml";
        let mut found = findings(core, text);
        found.sort();
        assert_eq!(found, [4, 5, 6, 7].map(|line| format!("{core}:{line}")));
        let tests = "[package]\nname = \"weir-tests\"\n[dev-dependencies]\nwasmtime = \"48\"";
        assert_eq!(findings("tests/Cargo.toml", tests), ["tests/Cargo.toml:4"]);
    }

    #[test]
    fn data_without_dependencies_and_crates_in_their_places() {
        let data = "[package]\nname = \"weir-data\"\n[dependencies]\nserde = \"1\"";
        assert_eq!(findings("runtime/data/Cargo.toml", data), ["runtime/data/Cargo.toml:4"]);
        assert_eq!(
            findings("runtime/extra/Cargo.toml", "[package]\nname = \"weir-extra\""),
            ["runtime/extra/Cargo.toml:1"]
        );
        assert_eq!(findings("runtime/core/Cargo.toml", "[package]\nname = \"core\""), ["runtime/core/Cargo.toml:2"]);
        assert_eq!(findings("runtime/core/Cargo.toml", "[package"), ["runtime/core/Cargo.toml:1"]);
    }
}

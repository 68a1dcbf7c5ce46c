//! The files against each other, against the binary, and against what reads them.

use std::process::Command;
use std::time::Duration;

use weir_tests::harness::{python, weir};

use super::{file, has, properties, said, text};

/// Where a worker may write, in the image and under systemd alike.
const WRITABLE: [&str; 2] = ["/var/cache/weir", "/var/lib/weir"];

/// The seconds that a worker takes to stop at the worst, as README.md says.
fn stops_within() -> u64 {
    let settings = properties(&text("worker.properties"));
    let graceful: u64 = settings["task.shutdown.graceful.timeout.ms"].parse().unwrap();
    2 * graceful / 1000 + 15
}

#[test]
fn systemd_takes_the_unit_and_finds_it_confined() {
    let unit = text("weir.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect("the key");
    assert!(value("TimeoutStopSec").parse::<u64>().unwrap() >= stops_within());
    assert_eq!((value("Type"), value("DynamicUser")), ("notify", "yes"));
    if !has("systemd-analyze") {
        return;
    }
    // Where make has put the binary, not where an operator will.
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("weir.service");
    std::fs::write(&here, unit.replace("/usr/local/bin/weir", weir().canonicalize().unwrap().to_str().unwrap()))
        .unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(&here).output().unwrap();
        (output.status.success(), said(&output))
    };
    let (taken, warnings) = analyze(&["verify", "--man=no"]);
    assert!(taken && !warnings.contains("weir.service:"), "{warnings}");
    // Of 100; a unit that confines nothing has 96.
    let (confined, report) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]);
    assert!(confined, "{report}");
}

#[test]
fn kubernetes_takes_the_manifests_and_they_fit_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let root = file("../..");
    let path = |name: &str| root.join(name).display().to_string();
    let arguments = [
        path("tests/deploy/kubernetes_fits.py"),
        path("examples/deploy/kubernetes.yaml"),
        path("runtime/server/src/rest/openapi.json"),
        path("examples/deploy/worker.properties"),
    ];
    python::run(folder.path(), &arguments.each_ref().map(String::as_str), Duration::from_secs(60));
}

/// The package of Debian 12 that a library comes in; none for those that every image of Debian has.
fn package(library: &str) -> Option<&'static str> {
    match library {
        "libssl.so.3" | "libcrypto.so.3" => Some("libssl3"),
        "libz.so.1" => Some("zlib1g"),
        "libc.so.6" | "libm.so.6" | "libgcc_s.so.1" | "libdl.so.2" | "libpthread.so.0" | "librt.so.1" => None,
        loader if loader.starts_with("ld-linux") || loader.starts_with("linux-vdso") => None,
        other => panic!("the binary needs {other}: the image has to have it"),
    }
}

#[test]
fn the_image_has_what_the_binary_needs_and_runs_it_without_rights() {
    let dockerfile = text("Dockerfile").replace("\\\n", " ");
    let instructions: Vec<(&str, &str)> = dockerfile
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' ').map(|(word, rest)| (word, rest.trim())))
        .collect();
    let bases: Vec<&str> = instructions.iter().filter(|(word, _)| *word == "FROM").map(|(_, base)| *base).collect();
    assert!(matches!(bases[..], ["debian:12 AS build", "debian:12-slim"]), "{bases:?}");
    let last = instructions.iter().rposition(|(word, _)| *word == "FROM").unwrap();
    let image = &instructions[last..];
    let all =
        |word: &str| image.iter().filter(|(other, _)| *other == word).map(|(_, rest)| *rest).collect::<Vec<&str>>();
    let [user] = all("USER")[..] else { panic!("one USER") };
    let numbers: Vec<u32> = user.split(':').map(|number| number.parse().expect("a user by number")).collect();
    assert!(numbers.iter().all(|number| *number > 0), "{user}");
    let [entry] = all("ENTRYPOINT")[..] else { panic!("one ENTRYPOINT") };
    assert_eq!(entry, r#"["/usr/local/bin/weir"]"#, "without a shell, which would keep the signal to stop to itself");
    let [command] = all("CMD")[..] else { panic!("one CMD") };
    let arguments: Vec<String> = serde_json::from_str(command).expect("CMD without a shell");
    let kubernetes = text("kubernetes.yaml");
    assert!(kubernetes.contains(&format!("args: [{}]", arguments.join(", "))), "{arguments:?}");
    let worker = properties(&text("worker.properties"));
    let port = worker["listeners"].rsplit(':').next().unwrap();
    assert_eq!(all("EXPOSE"), [port]);
    assert!(all("ENV").contains(&format!("XDG_CACHE_HOME={}", WRITABLE[0]).as_str()));
    assert_eq!(serde_json::from_str::<Vec<String>>(all("VOLUME")[0]).unwrap(), WRITABLE);
    for folder in WRITABLE {
        assert!(all("RUN").iter().any(|run| run.contains("chown") && run.contains(folder)), "{folder}");
        assert!(kubernetes.contains(&format!("mountPath: {folder}}}")), "{folder}");
    }
    let unit = text("weir.service");
    assert!(
        unit.contains("CacheDirectory=weir\n") && unit.contains("StateDirectory=weir\n"),
        "WRITABLE, by systemd's names"
    );

    // What the build stage leaves is where the last one takes it from.
    let taken = "COPY --from=build /src/out/release/weir /usr/local/bin/weir";
    assert!(dockerfile.contains(taken) && dockerfile.contains("setup/build.sh release"));
    let ldd = Command::new("ldd").arg(weir()).output().expect("ldd, which comes with the C library");
    let listed = said(&ldd);
    let libraries = listed.lines().filter_map(|line| line.split_whitespace().next());
    let names: Vec<&str> = libraries.map(|path| path.rsplit('/').next().unwrap_or(path)).collect();
    assert!(names.contains(&"libc.so.6"), "{listed}");
    let installed = all("RUN").join(" ");
    for package in names.iter().filter_map(|name| package(name)) {
        assert!(installed.split_whitespace().any(|word| word == package), "{package} is not installed: {listed}");
    }
}

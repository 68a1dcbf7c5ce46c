//! The binary as the image and the unit run it: a user without rights, a root that cannot be written to.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;
use weir_tests::harness::http::request;
use weir_tests::harness::weir;
use weir_tests::harness::worker::Worker;

use super::has;

/// Runs weir on a root that has nothing but the libraries which it is linked to, and on which only two folders in memory can
/// be written to, as user 10001 without any right. `$1` is the test's folder, `$2` how the cache is mounted.
const CONFINED: &str = "\
    set -e
    here=$1 options=$2 new=$1/new
    shift 2
    mkdir -p \"$new$here/cache\" \"$new$here/data\" \"$new/proc\"
    for library in $(ldd \"$here/weir\" | grep -o '/[^ ]*'); do
        mkdir -p \"$new${library%/*}\"
        cp -L \"$library\" \"$new$library\"
    done
    cp \"$here/weir\" \"$here/worker.properties\" \"$new$here\"
    mount --bind \"$new\" \"$new\"
    mount -o remount,ro,bind \"$new\"
    mount -t tmpfs -o \"mode=1777,$options\" tmpfs \"$new$here/cache\"
    mount -t tmpfs -o mode=1777 tmpfs \"$new$here/data\"
    mount -t proc proc \"$new/proc\"
    exec env -i PATH=\"$PATH\" XDG_CACHE_HOME=\"$here/cache\" \
        setpriv --no-new-privs --bounding-set=-all,+setgid,+setuid,+sys_chroot \
        chroot --userspec=10001:10001 --groups=10001 \"$new\" \"$here/weir\" standalone \"$@\"";

/// Starts weir so; none where the system does not let the test do it.
fn confined(folder: &std::path::Path, cache: &str) -> Option<Worker> {
    if !["unshare", "setpriv", "chroot"].into_iter().all(has) {
        return None;
    }
    let may = Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output().unwrap();
    if !may.status.success() {
        eprintln!("left out: this user may not mount: {}", super::said(&may));
        return None;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(weir(), folder.join("weir")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", CONFINED, "sh"]).arg(folder).arg(cache);
    let properties = format!(
        "bootstrap.servers=local:{0}/data/store\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         offset.flush.interval.ms=200\n\
         sandbox.path.ceiling={0}/data\n",
        folder.display()
    );
    Some(Worker::started_by(command, folder, &properties))
}

#[test]
fn a_user_without_rights_runs_it_on_a_root_that_cannot_be_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut worker) = confined(folder.path(), "exec") else { return };
    let url = worker.url();
    let seen = std::path::PathBuf::from(format!("/proc/{}", worker.id()));
    let status = std::fs::read_to_string(seen.join("status")).unwrap();
    for line in
        ["Uid:\t10001\t10001\t10001\t10001", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"]
    {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
    let mounts = std::fs::read_to_string(seen.join("mounts")).unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/")).expect("a root");
    assert!(root.split(' ').nth(3).unwrap().split(',').any(|option| option == "ro"), "{root}");

    let data = folder.path().join("data");
    let put = |name: &str, config: serde_json::Value| {
        let body = config.to_string();
        let url = format!("{url}/connectors/{name}/config");
        let answer = request("PUT", &url, Some(("application/json", body.as_bytes())));
        assert_eq!(answer.status, 201, "{}", answer.text);
    };
    // What it sees, through its own root.
    let inside = |name: &str| seen.join("root").join(data.strip_prefix("/").unwrap()).join(name);
    std::fs::write(inside("in.txt"), "a\nb\n").unwrap();
    put("in", json!({"connector.class": "FileStreamSource", "file": data.join("in.txt"), "topic": "lines"}));
    put("out", json!({"connector.class": "FileStreamSink", "file": data.join("out.txt"), "topics": "lines"}));
    worker.until("the lines", || std::fs::read_to_string(inside("out.txt")).is_ok_and(|text| text == "a\nb\n"));
    let plugin = weir_tests::harness::guest("counter_source");
    let uploaded = request("POST", &format!("{url}/connector-plugins"), Some(("application/wasm", &plugin)));
    assert_eq!(uploaded.status, 201, "{}", uploaded.text);
    assert!(worker.stop());
}

#[test]
fn compiled_plugins_that_may_not_be_run_end_the_worker_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let Some(worker) = confined(folder.path(), "noexec") else { return };
    let (well, log) = worker.ended();
    assert!(!well, "{log}");
    let remedy = "cache/weir/compiled is mounted noexec, but compiled code is run from there: set XDG_CACHE_HOME";
    assert!(log.contains(remedy), "{log}");
}

//! The address by which others know a worker that listens everywhere, found under what the unit hides from it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use weir_tests::harness::http::request;
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, python, weir};

use super::{has, said, text};

/// What this machine is called while the test looks, and the address that the name stands for.
const NAME: &str = "weir-confined";
const ADDRESS: &str = "192.0.2.7";

/// Runs weir as user 10001 without any right, who sees of `/proc` what the unit shows, and gets sockets of its families
/// alone. `$1` is the test's folder, `$2` an interpreter, `$3` a script for it, `$4` the families.
const CONFINED: &str = "\
    set -e
    here=$1 python=$2 script=$3 families=$4
    shift 4
    hostname -F \"$here/name\"
    mount --bind \"$here/hosts\" /etc/hosts
    mount -t proc -o subset=pid,hidepid=invisible proc /proc
    export XDG_CACHE_HOME=\"$here/cache\"
    exec \"$python\" \"$script\" \"$families\" \
        setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all \
        \"$here/weir\" distributed \"$@\"";

fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect("the key")
}

fn open_to_all(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn under_the_units_confinement_a_worker_finds_the_address_of_its_machines_name() {
    let unit = text("weir.service");
    assert_eq!([value(&unit, "ProcSubset"), value(&unit, "ProtectProc")], ["pid", "invisible"], "as CONFINED has it");
    let families = value(&unit, "RestrictAddressFamilies");
    assert!(families.split(' ').any(|family| family == "AF_NETLINK"), "nss-myhostname asks for addresses by it");
    if !["unshare", "setpriv", "hostname"].into_iter().all(has) {
        return;
    }
    let may = Command::new("unshare").args(["--mount", "--uts", "true"]).output().unwrap();
    if !may.status.success() {
        return eprintln!("left out: this user may not mount: {}", said(&may));
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    open_to_all(here, 0o755);
    std::fs::create_dir(here.join("cache")).unwrap();
    open_to_all(&here.join("cache"), 0o777);
    std::fs::copy(weir(), here.join("weir")).unwrap();
    std::fs::write(here.join("name"), NAME).unwrap();
    std::fs::write(here.join("hosts"), format!("127.0.0.1 localhost\n{ADDRESS} {NAME}\n")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/restrict_address_families.py");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--uts", "sh", "-c", CONFINED, "sh"]).arg(here).arg(python::interpreter());
    command.arg(script).arg(families);
    let name = format!("advertised-{}", std::process::id());
    let topics: String = ["config", "offset", "status"]
        .map(|of| format!("{of}.storage.topic={name}-{of}\n{of}.storage.replication.factor=1\n"))
        .concat();
    let properties = format!(
        "bootstrap.servers={}\ngroup.id={name}\n{topics}listeners=http://:0\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n",
        kafka::shared().bootstrap()
    );
    let mut worker = Worker::started_by(command, here, &properties);
    let url = worker.url();
    let led = format!("leader=\"http://{ADDRESS}:{}/\"", url.rsplit(':').next().unwrap());
    let log = worker.log_file();
    worker.until(&led, || std::fs::read_to_string(&log).unwrap_or_default().contains(&led));
    assert!(!worker.log().contains("reach this one only if"), "{}", worker.log());
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap();
    for line in ["Uid:\t10001\t10001\t10001\t10001", "CapEff:\t0000000000000000", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
    let metrics = request("GET", &format!("{url}/metrics"), None).text;
    for metric in ["process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"] {
        assert!(metrics.contains(&format!("\n{metric} ")), "{metric} is not in what a worker so confined tells");
    }
    assert!(worker.stop());
}

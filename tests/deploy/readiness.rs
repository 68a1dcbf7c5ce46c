//! What the service manager is told.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use weir_tests::harness::http::request;
use weir_tests::harness::weir;
use weir_tests::harness::worker::Worker;

#[test]
fn the_service_manager_hears_when_the_worker_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("a state in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut command = Command::new(weir());
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).arg("standalone");
    let mut worker = Worker::started_by(
        command,
        folder.path(),
        "bootstrap.servers=local:memory\n\
        key.converter=org.apache.kafka.connect.storage.StringConverter\n\
        value.converter=org.apache.kafka.connect.storage.StringConverter\n",
    );
    assert_eq!(heard(), "READY=1");
    let url = worker.url();
    assert_eq!(request("GET", &format!("{url}/health"), None).status, 200);
    assert!(worker.stop());
    assert_eq!(heard(), "STOPPING=1");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 1]).is_err(), "nothing more is said");
}

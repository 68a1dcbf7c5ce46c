//! Who may ask a worker, and where: https with certificates of clients, names and passwords, listeners for `/admin` of
//! their own, and groups whose workers ask each other so.

use std::path::Path;

use serde_json::json;
use weir_tests::harness::certificates::{Authority, Certified, request_over_tls};
use weir_tests::harness::http::{request, request_with};
use weir_tests::harness::kafka;
use weir_tests::harness::worker::Worker;

use super::properties;

/// `ann:secret`, as a header `Authorization` shows it.
const ANN: (&str, &str) = ("authorization", "Basic YW5uOnNlY3JldA==");

/// Where a worker listens with this scheme and for this, once it says so.
fn listens(worker: &mut Worker, scheme: &str, served: &str) -> String {
    let wanted = format!("REST listens scheme=\"{scheme}\" served={served} address=");
    let (file, mut address) = (worker.log_file(), String::new());
    let find =
        |said: &str| said.split_once(&wanted).map(|(_, rest)| rest.lines().next().unwrap_or_default().to_owned());
    worker.until("its listener", || {
        address = find(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap_or_default();
        !address.is_empty()
    });
    address
}

fn stores(folder: &Path, authority: &Authority, own: &Certified, prefix: &str) -> String {
    let keys = own.write(folder.join("keys.pem"));
    let trust = authority.write(folder);
    format!(
        "{prefix}ssl.keystore.type=PEM\n{prefix}ssl.keystore.location={}\n\
         {prefix}ssl.truststore.type=PEM\n{prefix}ssl.truststore.location={}\n",
        keys.display(),
        trust.display()
    )
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
}

fn over_https(folder: &Path, authority: &Authority, client_auth: &str) -> Worker {
    let own = authority.certify(&["127.0.0.1"]);
    let settings = format!(
        "listeners=https://127.0.0.1:0\nlisteners.https.ssl.client.auth={client_auth}\n{}{}",
        stores(folder, authority, &own, "listeners.https."),
        properties(folder, "local:memory"),
    );
    Worker::standalone(folder, &settings, &[])
}

#[test]
fn https_shows_the_workers_certificate_and_asks_clients_for_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (authority, strangers) = (Authority::default(), Authority::default());
    let mut worker = over_https(folder, &authority, "required");
    let address = listens(&mut worker, "https", "All");
    let (client, stranger) = (authority.certify(&["ann"]), strangers.certify(&["eve"]));
    worker.until("REST", || {
        request_over_tls(&authority, Some(&client), &address, &ask("/health")).is_ok_and(|answer| answer.status == 200)
    });
    assert!(request_over_tls(&authority, None, &address, &ask("/")).is_err(), "nobody is let in");
    assert!(request_over_tls(&authority, Some(&stranger), &address, &ask("/")).is_err(), "nor a stranger");
    assert_eq!(request("GET", &format!("http://{address}/"), None).status, 0, "nor whoever speaks http");
    let body = json!({"name": "n", "config": {"connector.class": "FileStreamSource", "topic": "t", "file": folder.join("in.txt")}}).to_string();
    let create = format!(
        "POST /connectors HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let made = request_over_tls(&authority, Some(&client), &address, &create).unwrap();
    assert_eq!(made.location, Some(format!("https://{address}/connectors/n")), "{made:?}");
    assert!(worker.stop());
}

#[test]
fn where_certificates_are_only_requested_whoever_shows_none_is_let_in_and_a_stranger_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, strangers) = (Authority::default(), Authority::default());
    let mut worker = over_https(folder.path(), &authority, "requested");
    let address = listens(&mut worker, "https", "All");
    let (client, stranger) = (authority.certify(&["ann"]), strangers.certify(&["eve"]));
    let is_let_in = |client: Option<&Certified>| {
        request_over_tls(&authority, client, &address, &ask("/health")).is_ok_and(|answer| answer.status == 200)
    };
    worker.until("REST", || is_let_in(None));
    assert_eq!([is_let_in(Some(&client)), is_let_in(Some(&stranger))], [true, false]);
    assert!(worker.stop());
}

#[test]
fn settings_of_https_that_cannot_be_used_end_the_worker_with_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = format!("listeners=https://127.0.0.1:0\n{}", properties(folder, "local:memory"));
    let (well, log) = Worker::standalone(folder, &settings, &[]).ended();
    assert!(!well && log.contains("listeners cannot speak https") && log.contains("ssl.keystore.location"), "{log}");
}

#[test]
fn only_users_are_answered_where_names_and_passwords_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("users.properties"), "ann=secret\n").unwrap();
    let settings = format!(
        "rest.extension.classes=org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension\n\
         rest.basic.auth.file={}\n{}",
        folder.join("users.properties").display(),
        properties(folder, "local:memory")
    );
    let mut worker = Worker::standalone(folder, &settings, &[]);
    let url = format!("http://{}", listens(&mut worker, "http", "All"));
    worker.until("REST", || request_with("GET", &format!("{url}/health"), &[ANN], None).status == 200);
    for path in ["/", "/connectors", "/metrics", "/health", "/admin/loggers", "/nothing"] {
        let answer = request("GET", &format!("{url}{path}"), None);
        assert_eq!((answer.status, &answer.json()["error_code"]), (401, &json!(401)), "{path}: {answer:?}");
        assert!(answer.headers.iter().any(|(name, value)| name == "www-authenticate" && value.starts_with("Basic ")));
    }
    let wrong = ("authorization", "Basic YW5uOndyb25n");
    assert_eq!(request_with("DELETE", &format!("{url}/connectors/x"), &[wrong], None).status, 401);
    assert_eq!(request_with("DELETE", &format!("{url}/connectors/x"), &[ANN], None).status, 404);
    // What workers ask of each other comes through, and is looked at there.
    let tasks = request("POST", &format!("{url}/connectors/x/tasks"), Some(("application/json", b"[]")));
    assert_ne!(tasks.status, 401, "{tasks:?}");
    assert!(worker.stop());
}

#[test]
fn the_endpoints_below_admin_are_served_where_admin_listeners_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = format!(
        "listeners=http://127.0.0.1:0\nadmin.listeners=http://127.0.0.1:0\n{}",
        properties(folder, "local:memory")
    );
    let mut worker = Worker::standalone(folder, &settings, &[]);
    let (public, admin) = (listens(&mut worker, "http", "AllButAdmin"), listens(&mut worker, "http", "Admin"));
    let status = |address: &str, path: &str| request("GET", &format!("http://{address}{path}"), None).status;
    worker.until("REST", || status(&public, "/health") == 200);
    assert_eq!([status(&public, "/connectors"), status(&public, "/admin/loggers")], [200, 404]);
    assert_eq!([status(&admin, "/connectors"), status(&admin, "/admin/loggers")], [404, 200]);
    assert!(worker.stop());
}

#[test]
fn workers_of_a_group_ask_each_other_over_https_with_the_users_own_password() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shared = first.path();
    let authority = Authority::default();
    let mut workers: Vec<(Worker, String, Certified)> = [&first, &second]
        .into_iter()
        .map(|folder| {
            let folder = folder.path();
            std::fs::write(folder.join("users.properties"), "ann=secret\n").unwrap();
            let own = authority.certify(&["127.0.0.1"]);
            let settings = format!(
                "listeners=https://127.0.0.1:0\nssl.client.auth=required\nrest.basic.auth.file={}\n\
             group.id=secured-group\nconfig.storage.topic=secured-configs\noffset.storage.topic=secured-offsets\n\
             status.storage.topic=secured-status\nconfig.storage.replication.factor=1\n\
             offset.storage.replication.factor=1\nstatus.storage.replication.factor=1\n{}{}\
                 sandbox.path.ceiling={}\n",
                folder.join("users.properties").display(),
                stores(folder, &authority, &own, ""),
                properties(folder, &kafka::shared().bootstrap()),
                shared.display(),
            );
            let mut worker = Worker::distributed(folder, &settings);
            let address = listens(&mut worker, "https", "All");
            (worker, address, own)
        })
        .collect();
    let ask = |method: &str, address: &str, own: &Certified, path: &str, body: &str| {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{}: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ANN.0,
            ANN.1,
            body.len()
        );
        request_over_tls(&authority, Some(own), address, &text)
    };
    // Whoever leads, one of the two sends it on; and the worker that runs it sends its tasks to the leader.
    let names = ["a", "b", "c", "d"];
    for (at, name) in names.iter().enumerate() {
        let (worker, address, own) = &mut workers[at % 2];
        let config = json!({"connector.class": "FileStreamSource", "topic": "secured", "file": shared.join("in.txt")})
            .to_string();
        worker.until("a connector", || {
            let made = ask("PUT", address, own, &format!("/connectors/{name}/config"), &config);
            made.is_ok_and(|answer| [200, 201].contains(&answer.status))
        });
    }
    let (worker, address, own) = &mut workers[0];
    for name in names {
        worker.until("its task", || {
            let status = ask("GET", address, own, &format!("/connectors/{name}/status"), "");
            status.is_ok_and(|answer| answer.json()["tasks"][0]["state"].is_string())
        });
    }
    for (worker, ..) in workers {
        assert!(worker.stop());
    }
}

//! /openapi.json of a running worker against what it routes.

use std::collections::BTreeSet;

use super::*;

fn document(url: &str) -> Value {
    let answer = request("GET", &format!("{url}/openapi.json"), None);
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("application/json")));
    answer.json()
}

/// The methods that a worker takes at a path; none when there is no such path.
fn routed(url: &str, path: &str) -> BTreeSet<String> {
    let answer = request("OPTIONS", &format!("{url}{path}"), None);
    let methods = if answer.status == 200 { answer.text } else { String::new() };
    methods.split(", ").filter(|method| !["", "HEAD", "OPTIONS"].contains(method)).map(str::to_owned).collect()
}

#[test]
fn every_method_of_a_path_is_in_the_document_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    let document = document(&url);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, item) in paths {
        let members = item.as_object().unwrap().keys().filter(|member| *member != "parameters");
        let described: BTreeSet<String> = members.map(|method| method.to_uppercase()).collect();
        let asked = path.replace("{task}", "0").replace("{name}", "x").replace("{class}", "x");
        for asked in [asked.clone(), format!("{}/", asked.trim_end_matches('/'))] {
            assert_eq!(routed(&url, &asked), described, "{asked}");
        }
    }
    let said = String::from_utf8(Command::new(weir()).arg("--version").output().unwrap().stdout).unwrap();
    let version = document["info"]["version"].as_str().unwrap();
    assert!(said.starts_with(&format!("weir {version} (")), "{said} {version}");
    assert!(worker.stop());
}

#[test]
fn a_listener_without_loggers_has_none_in_its_document() {
    let folder = tempfile::tempdir().unwrap();
    let properties = properties(folder.path(), "local:memory") + "admin.listeners=\n";
    let mut worker = Worker::standalone(folder.path(), &properties, &[]);
    let url = worker.url();
    assert_eq!(routed(&url, "/admin/loggers"), BTreeSet::new());
    let document = document(&url);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/connectors") && !paths.keys().any(|path| path.starts_with("/admin")), "{paths:?}");
    assert!(worker.stop());
}

#[test]
fn a_worker_with_users_refuses_everybody_else_where_the_document_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.properties");
    std::fs::write(&users, "alice=secret\n").unwrap();
    let properties = properties(folder.path(), "local:memory");
    let properties = format!("{properties}rest.basic.auth.file={}\n", users.display());
    let mut worker = Worker::standalone(folder.path(), &properties, &[]);
    let mut url = String::new();
    worker.until("the address of REST", || {
        let log = std::fs::read_to_string(folder.path().join("weir.log")).unwrap_or_default();
        url = log
            .split("address=")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .map(|at| format!("http://{at}"))
            .unwrap_or_default();
        !url.is_empty()
    });
    let authorization = ("authorization", "Basic YWxpY2U6c2VjcmV0");
    let asked = |method: &str, path: &str, headers: &[(&str, &str)]| {
        weir_tests::harness::http::request_with(method, &format!("{url}{path}"), headers, None)
    };
    worker.until("ready", || asked("GET", "/health", &[authorization]).status == 200);
    let document = asked("GET", "/openapi.json", &[authorization]).json();
    let mut refused = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(member, _)| *member != "parameters") {
            let asked = asked(&method.to_uppercase(), &path.replace("{task}", "0"), &[]);
            assert_eq!(asked.status == 401, operation["responses"].get("401").is_some(), "{method} {path}: {asked:?}");
            refused += usize::from(asked.status == 401);
        }
    }
    assert!(refused > 25, "{refused}");
    assert!(worker.stop());
}

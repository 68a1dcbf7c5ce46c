//! /openapi.json of a running worker against what it routes.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_method_of_a_path_is_in_the_document_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    let answer = request("GET", &format!("{url}/openapi.json"), None);
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("application/json")));
    let document = answer.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, item) in paths {
        let described: BTreeSet<String> =
            item.as_object().unwrap().keys().filter(|key| *key != "parameters").map(|key| key.to_uppercase()).collect();
        let asked = path.replace("{task}", "0").replace("{name}", "x").replace("{class}", "x");
        for asked in [asked.clone(), format!("{}/", asked.trim_end_matches('/'))] {
            let allowed = request("OPTIONS", &format!("{url}{asked}"), None);
            let routed = allowed.text.split(", ").map(str::to_owned);
            let routed: BTreeSet<String> = routed.filter(|method| method != "HEAD" && method != "OPTIONS").collect();
            assert_eq!((allowed.status, routed), (200, described.clone()), "{asked}");
        }
    }
    let said = String::from_utf8(Command::new(weir()).arg("--version").output().unwrap().stdout).unwrap();
    let version = document["info"]["version"].as_str().unwrap();
    assert!(said.starts_with(&format!("weir {version} (")), "{said} {version}");
    assert!(worker.stop());
}

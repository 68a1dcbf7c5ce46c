//! What classes offer for their keys, connectors and steps, is answered by validation.

use serde_json::{Value, json};
use weir_tests::harness::guest;
use weir_tests::harness::http::send;
use weir_tests::harness::worker::Worker;

use super::properties;
use super::uploads::upload;

/// Values to choose from, whether the key is shown, and on what it depends.
fn offered(validation: &Value, key: &str) -> Value {
    let configs = validation["configs"].as_array().unwrap_or_else(|| panic!("{validation}"));
    let entry = configs.iter().find(|entry| entry["value"]["name"] == key).unwrap_or_else(|| panic!("no {key}"));
    json!([entry["value"]["recommended_values"], entry["value"]["visible"], entry["definition"]["dependents"]])
}

#[test]
fn validation_answers_what_the_classes_offer_under_the_configuration_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::standalone(folder.path(), &properties(folder.path(), "local:memory"), &[]);
    let url = worker.url();
    assert_eq!(upload(&url, &guest("guest_echo")).status, 201);
    let validate = |rows: &str, mood: &str| {
        let config = json!({"name": "e", "connector.class": "test.EchoSource", "rows": rows, "transforms": "t",
            "transforms.t.type": "test.Echo", "transforms.t.mood": mood});
        let answer = send("PUT", &format!("{url}/connector-plugins/test.EchoSource/config/validate"), &config);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let checked = validate("5", "merry");
    assert_eq!(offered(&checked, "rows"), json!([[], true, ["bytes"]]));
    assert_eq!(offered(&checked, "bytes"), json!([["100", "1000", "1000000"], true, []]));
    assert_eq!(offered(&checked, "transforms.t.text"), json!([["merry text"], true, []]));
    assert_eq!(offered(&validate("0", "sad"), "bytes"), json!([[], false, []]));
    let wrong = validate("many", "sad");
    assert_eq!(offered(&wrong, "bytes"), json!([["100"], true, []]), "asked although rows is no number");
    assert_eq!(wrong["error_count"], 2, "no number, and so no value: {wrong}");
    assert_eq!(offered(&wrong, "transforms.t.text"), json!([["sad text"], true, []]));
    assert!(worker.stop());
}

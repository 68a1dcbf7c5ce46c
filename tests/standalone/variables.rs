//! Variables of configurations, `${provider:path:key}`: looked up for the worker and for connectors, shown by nobody, and
//! looked at again when they hold for a time only.

use serde_json::json;
use weir_tests::harness::http::{request, send};
use weir_tests::harness::worker::Worker;

use super::on;

#[test]
fn variables_are_looked_up_shown_by_nobody_and_looked_at_again_after_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let at = |name: &str| folder.join(name).display().to_string();
    let secrets = |out: &str| {
        let text = format!(
            "out={}\nin={}\ninterval=200\nmost=2\nsteps=hoist-it\nquiet=none\n",
            at(out),
            at("in-the-vault.txt")
        );
        std::fs::write(folder.join("secrets.properties"), text).unwrap();
    };
    secrets("first-in-the-vault.txt");
    std::fs::write(folder.join("in-the-vault.txt"), "a\n").unwrap();
    let vault = at("secrets.properties");
    let worker_file = format!(
        "{}config.providers=vault\n\
         config.providers.vault.class=org.apache.kafka.common.config.provider.FileConfigProvider\n\
         config.providers.vault.param.allowed.paths={}\n\
         config.providers.vault.param.ttl.ms=1000\n\
         sandbox.path.ceiling={}\n",
        on("local:memory").replace("interval.ms=200", &format!("interval.ms=${{vault:{vault}:interval}}")),
        folder.display(),
        folder.display(),
    );
    let mut worker = Worker::standalone(folder, &worker_file, &[]);
    let url = worker.url();
    let variable = |key: &str| format!("${{vault:{vault}:{key}}}");
    let source = json!({"connector.class": "FileStreamSource", "topic": "t", "file": variable("in")});
    let sink = json!({"connector.class": "FileStreamSink", "topics": "t", "file": variable("out")});
    for (name, config) in [("source", &source), ("sink", &sink)] {
        let made = send("PUT", &format!("{url}/connectors/{name}/config"), config);
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["config"]["file"], config["file"]);
    }
    let lines = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    worker.until("the line", || lines("first-in-the-vault.txt") == "a\n");

    let tasks = request("GET", &format!("{url}/connectors/sink/tasks"), None);
    assert_eq!(tasks.json()[0]["config"]["file"], sink["file"], "{tasks:?}");
    let mut validated = sink.clone();
    validated["name"] = "sink".into();
    let valid = send("PUT", &format!("{url}/connector-plugins/FileStreamSink/config/validate"), &validated);
    assert!(!valid.text.contains("first-in-the-vault") && valid.text.contains(&variable("out")), "{valid:?}");

    // What a guest says of a secret in its trace is not said either: the path is a folder.
    std::fs::create_dir(folder.join("folder-in-the-vault.txt")).unwrap();
    secrets("folder-in-the-vault.txt");
    let status = || request("GET", &format!("{url}/connectors/sink/status"), None);
    worker.until("its failure", || status().json()["tasks"][0]["state"] == "FAILED");
    let trace = status().json()["tasks"][0]["trace"].as_str().unwrap_or_default().to_owned();
    assert!(trace.contains("${vault:") && !trace.contains("folder-in-the-vault"), "{trace}");

    // A file of another name: the sink goes on there, without being asked to.
    secrets("second-in-the-vault.txt");
    std::fs::write(folder.join("in-the-vault.txt"), "a\nb\n").unwrap();
    let restarted = request("POST", &format!("{url}/connectors/sink/tasks/0/restart"), None);
    assert_eq!(restarted.status, 204, "{restarted:?}");
    worker.until("the other line", || lines("second-in-the-vault.txt").ends_with("b\n"));
    secrets("third-in-the-vault.txt");
    std::fs::write(folder.join("in-the-vault.txt"), "a\nb\nc\n").unwrap();
    worker.until("a third file", || folder.join("third-in-the-vault.txt").exists());

    // Whatever of a configuration is a variable, the worker's own keys too.
    let steps = json!({
        "connector.class": "FileStreamSink", "topics": "t", "file": at("steps.txt"),
        "tasks.max": variable("most"), "transforms": variable("steps"), "config.action.reload": variable("quiet"),
        "transforms.hoist-it.type": "org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.hoist-it.field": "line",
    });
    let made = send("PUT", &format!("{url}/connectors/steps/config"), &steps);
    assert_eq!(made.status, 201, "{made:?}");
    worker.until("its tasks", || {
        let status = request("GET", &format!("{url}/connectors/steps/status"), None).json();
        [0, 1].map(|task| &status["tasks"][task]["state"] == "RUNNING") == [true, true]
    });
    let mut validated = steps.clone();
    validated["name"] = "steps".into();
    let valid = send("PUT", &format!("{url}/connector-plugins/FileStreamSink/config/validate"), &validated).json();
    let groups = valid["groups"].to_string();
    assert!(groups.contains(&variable("steps")) && !groups.contains("Transforms: hoist-it"), "{groups}");
    let offsets = request("GET", &format!("{url}/connectors/steps/offsets"), None);
    assert_eq!(offsets.status, 200, "{offsets:?}");

    let log = worker.log();
    assert!(!log.contains("-in-the-vault"), "{log}");
    let denied = json!({"connector.class": "FileStreamSink", "topics": "t", "file": "${vault:/etc/passwd:root}"});
    let denied = send("PUT", &format!("{url}/connectors/sink/config"), &denied);
    assert!(denied.status == 400 && denied.text.contains("param.allowed.paths"), "{denied:?}");
    let gone =
        json!({"connector.class": "FileStreamSink", "topics": "t", "file": format!("${{vault:{}:x}}", at("none"))});
    let gone = send("PUT", &format!("{url}/connectors/sink/config"), &gone);
    assert!(gone.status == 500 && gone.text.contains("Could not read properties from file"), "{gone:?}");
    assert_eq!(request("GET", &format!("{url}/connectors/sink/config"), None).json()["file"], sink["file"]);
    assert!(worker.stop());
}

#[test]
fn a_provider_that_cannot_be_had_ends_the_worker_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("{}config.providers=v\nconfig.providers.v.class=com.example.Vault\n", on("local:memory"));
    let (well, log) = Worker::standalone(folder.path(), &settings, &[]).ended();
    assert!(!well && log.contains("config.providers.v.class"), "{log}");
}

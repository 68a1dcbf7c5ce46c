//! REST scenarios: what weir answers against what Apache Kafka Connect answered. `make compare` asks Apache and writes
//! its answers anew.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_tests::harness::difference::{Meant, differences};
use weir_tests::harness::scenario::{Answered, Scenario, Stage};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, make_topic};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Apache's answers to a scenario.
fn golden(scenario: &Scenario) -> PathBuf {
    folder().join("apache-4.3.1").join(format!("{}.json", scenario.name))
}

/// Plays a scenario against a worker that was started for it.
fn play(scenario: &Scenario, start: impl Fn(&Path, &str) -> (Worker, String)) -> Vec<Answered> {
    let made = tempfile::tempdir().expect("a folder");
    let folder = made.path();
    scenario.lay_out(folder);
    let topic = format!("topic-of-{}", scenario.name);
    make_topic(&topic, 1);
    let offsets = match scenario.is_of_a_group() {
        true => String::new(), // Connect would take it for a setting of the offsets topic
        false => format!("offset.storage.file.filename={}\n", folder.join("offsets").display()),
    };
    let properties = format!(
        "bootstrap.servers={}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         {offsets}{}",
        kafka::shared().bootstrap(),
        scenario.properties()
    );
    let (_worker, url) = start(folder, &properties);
    scenario.play(&Stage { folder, topic: &topic, url: &url })
}

fn weir(scenario: &Scenario, folder: &Path, properties: &str) -> (Worker, String) {
    let properties = format!("{properties}sandbox.path.ceiling={}\n", folder.display());
    let mut worker = match scenario.is_of_a_group() {
        true => Worker::distributed(folder, &properties),
        false => Worker::standalone(folder, &properties, &[]),
    };
    let url = worker.url();
    (worker, url)
}

/// Writes Apache's answers; answers the steps whose awaited answer did not come.
fn write(scenario: &Scenario) -> Vec<String> {
    let kind = if scenario.is_of_a_group() { "Distributed" } else { "Standalone" };
    let played = play(scenario, |folder, properties| Worker::apache(kind, folder, properties));
    let late = played.iter().filter(|played| !played.came).map(|played| format!("{}: {}", scenario.name, played.step));
    let late = late.collect();
    let with_step = |played: Answered| json!({"step": played.step, "answer": played.answer});
    let answers: Vec<Value> = played.into_iter().map(with_step).collect();
    let text = serde_json::to_string_pretty(&answers).expect("JSON");
    std::fs::write(golden(scenario), text + "\n").expect("the golden answers can be written");
    late
}

#[test]
fn weir_answers_as_apache_does_but_for_what_is_listed() {
    let only = std::env::var("WEIR_SCENARIO").unwrap_or_default();
    let scenarios: Vec<Scenario> =
        Scenario::all(&folder()).into_iter().filter(|scenario| scenario.name.contains(&only)).collect();
    if std::env::var("WEIR_COMPARE").is_ok_and(|with| with == "apache") {
        let late: Vec<String> = scenarios.iter().flat_map(write).collect();
        assert!(late.is_empty(), "Apache does not come to what is awaited in {late:?}");
        return;
    }
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut meant = Meant::parse(&read(&folder().join("DIFFERENCES.json")));
    let mut unlisted = Vec::new();
    for scenario in &scenarios {
        let apache: Vec<Value> = serde_json::from_str(&read(&golden(scenario))).expect("golden answers are JSON");
        let played = play(scenario, |folder, properties| weir(scenario, folder, properties));
        let steps = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<String>>();
        let known = steps(&mut apache.iter().map(|step| step["step"].as_str().unwrap_or_default().to_owned()));
        let asked = steps(&mut played.iter().map(|played| played.step.clone()));
        assert_eq!(known, asked, "{}: its steps have changed: run make compare", scenario.name);
        for (apache, weir) in apache.iter().zip(&played) {
            let found = differences(&scenario.name, &weir.step, &apache["answer"], &weir.answer);
            unlisted.extend(found.into_iter().filter(|difference| !meant.holds(difference)));
        }
    }
    let mut report: Vec<String> = unlisted.iter().map(ToString::to_string).collect();
    if only.is_empty() {
        report.extend(meant.gone().map(|place| format!("listed in DIFFERENCES.json, but not there: {place}")));
    }
    assert!(report.is_empty(), "{} to mend or to list in DIFFERENCES.json:\n{}", report.len(), report.join("\n"));
}

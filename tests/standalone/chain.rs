//! Records through real transformations on both defaults: an author's (weather), the stock ones, predicates, and JSON with
//! schemas and without.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::harness::worker::Worker;
use weir_tests::harness::{kafka, make_topic};

use super::{lines, on, properties};

const OBSERVATIONS: &str = "date,precipitation,temp_max,temp_min,wind,weather\n\
                            2012-01-01,0.0,12.8,5.0,4.7,drizzle\n\
                            2012-01-02,10.9,10.6,2.8,4.5,rain\n\
                            2012-01-03,0.8,11.7,7.2,2.3,rain\n";

fn file(name: &str, config: Value) -> String {
    json!({"name": name, "config": config}).to_string()
}

/// Observations become structs, dry days are dropped; what comes from elsewhere is filtered out at the sink by a negated
/// predicate, before steps that would fail it.
fn rainy_days(folder: &Path, properties: &str, prefix: &str, schemas: bool) -> Vec<String> {
    std::fs::write(folder.join("days.csv"), OBSERVATIONS).unwrap();
    std::fs::write(folder.join("elsewhere.txt"), "no observation\n").unwrap();
    let source = |name: &str, from: &str, topic: &str| {
        json!({
            "connector.class": "FileStreamSource",
            "file": folder.join(from).display().to_string(),
            "topic": format!("{prefix}-{topic}"),
            "name": name,
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": schemas.to_string(),
        })
    };
    let mut days = source("days", "days.csv", "rainy");
    days["transforms"] = json!("weather");
    days["transforms.weather.type"] = json!("example.Weather");
    days["transforms.weather.units"] = json!("metric");
    let sink = json!({
        "connector.class": "FileStreamSink",
        "topics": format!("{prefix}-rainy,{prefix}-elsewhere"),
        "file": folder.join("out.txt").display().to_string(),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": schemas.to_string(),
        "transforms": "ours,names,site,mask",
        "transforms.ours.type": "org.apache.kafka.connect.transforms.Filter",
        "transforms.ours.predicate": "rainy",
        "transforms.ours.negate": "true",
        "transforms.names.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.names.exclude": "wind_metres_per_second,coldest_celsius",
        "transforms.names.renames": "rain_mm:rain",
        "transforms.site.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.site.static.field": "site",
        "transforms.site.static.value": "Seattle",
        "transforms.mask.type": "org.apache.kafka.connect.transforms.MaskField$Value",
        "transforms.mask.fields": "weather",
        "transforms.mask.replacement": "wet",
        "predicates": "rainy",
        "predicates.rainy.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.rainy.pattern": ".*-rainy",
    });
    let connectors = [
        ("elsewhere.json", file("elsewhere", source("elsewhere", "elsewhere.txt", "elsewhere"))),
        ("days.json", file("days", days)),
        ("sink.json", file("sink", sink)),
    ];
    let connectors: Vec<(&str, &str)> = connectors.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut worker = Worker::standalone(folder, properties, &connectors);
    worker.until("two rainy days", || lines(folder).len() >= 2);
    assert!(worker.stop());
    lines(folder)
}

const AS_MAPS: [&str; 2] = [
    "{date=2012-01-02, rain=10.9, warmest_celsius=10.6, weather=wet, site=Seattle}",
    "{date=2012-01-03, rain=0.8, warmest_celsius=11.7, weather=wet, site=Seattle}",
];
const AS_STRUCTS: [&str; 2] = [
    "Struct{date=2012-01-02,rain=10.9,warmest_celsius=10.6,weather=wet,site=Seattle}",
    "Struct{date=2012-01-03,rain=0.8,warmest_celsius=11.7,weather=wet,site=Seattle}",
];

#[test]
fn days_of_rain_go_through_a_chain_on_the_embedded_store() {
    for (schemas, expected) in [(false, AS_MAPS), (true, AS_STRUCTS)] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(rainy_days(folder.path(), &properties(folder.path()), "local", schemas), expected);
    }
}

#[test]
fn days_of_rain_go_through_a_chain_on_kafka() {
    for (prefix, schemas, expected) in [("maps", false, AS_MAPS), ("structs", true, AS_STRUCTS)] {
        let folder = tempfile::tempdir().unwrap();
        let offsets = format!("offset.storage.file.filename={}\n", folder.path().join("offsets").display());
        let properties = on(&kafka::shared().bootstrap()) + &offsets;
        // A consumer looks for a topic that is missing every five minutes.
        ["rainy", "elsewhere"].iter().for_each(|topic| make_topic(&format!("{prefix}-{topic}"), 1));
        assert_eq!(rainy_days(folder.path(), &properties, prefix, schemas), expected);
    }
}

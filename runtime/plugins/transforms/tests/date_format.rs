//! Patterns of dates against what `java.text.SimpleDateFormat` printed and read: golden/date_format.jsonl. They are
//! asked through TimestampConverter, which is how they are reached.

#[allow(dead_code)]
mod support;

use serde_json::Value as Json;
use support::component::{Answer, Datum, Fault, Row, Step, apply, configure};
use weir_data::Value;

fn cases() -> Vec<Json> {
    let path = format!("{}/tests/golden/date_format.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn converter(pattern: &str, target: &str) -> Step {
    let config = [("target.type", target), ("format", pattern)];
    let config = config.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    ("TimestampConverter$Value".into(), config.collect())
}

fn converted(segment: u32, value: Value) -> Result<Value, String> {
    let datum = |value| Datum { schema: None, value };
    let row = Row {
        topic: "t".into(),
        partition: None,
        timestamp: None,
        offset: None,
        key: datum(Value::Null),
        value: datum(value),
        headers: vec![],
    };
    match apply(segment, &row) {
        Answer::Kept(row) => Ok(row.value.value),
        Answer::Dropped => Err("dropped".into()),
        Answer::Failed(reason) => Err(reason),
    }
}

/// Whether a number is so large that it carries the moment over the change of calendars: a case that DIFFERENCES.md
/// names.
fn overflows(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits.len() > 16)
}

#[test]
fn moments_are_printed_as_java_prints_them() {
    let mut differences = Vec::new();
    for case in cases() {
        let pattern = case["pattern"].as_str().unwrap();
        if pattern.trim().is_empty() {
            continue;
        }
        let configured = configure(&[converter(pattern, "string")]);
        if let Some(error) = case["config_error"].as_str() {
            let Err(Fault::Config(problems)) = configured else { panic!("{pattern} was not refused: {error}") };
            assert!(problems[0].message.contains(&format!("IllegalArgumentException: {error} for ")), "{problems:?}");
            continue;
        }
        let (segment, _) = configured.unwrap();
        let millis = case["millis"].as_array().unwrap().iter();
        for (millis, expected) in millis.zip(case["printed"].as_array().unwrap()) {
            let ours = converted(segment, Value::Integer(millis.as_i64().unwrap()));
            // The month in which the calendar changed: Java counts its weeks without the days that were left out.
            let changed = millis.as_i64() == Some(-12_219_292_800_000) && pattern.contains('F');
            if ours != Ok(Value::from(expected.as_str().unwrap())) && !changed {
                differences.push(format!("{pattern:?} of {millis} is {ours:?}, not {expected}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn texts_are_read_as_java_reads_them() {
    let mut differences = Vec::new();
    for case in cases() {
        let pattern = case["pattern"].as_str().unwrap();
        if pattern.trim().is_empty() || case.get("config_error").is_some() {
            continue;
        }
        let (segment, _) = configure(&[converter(pattern, "unix")]).unwrap();
        let texts = case["texts"].as_array().unwrap().iter();
        for (text, expected) in texts.zip(case["parsed"].as_array().unwrap()) {
            let ours = converted(segment, Value::from(text.as_str().unwrap()));
            let ours = ours.ok().and_then(|value| value.as_integer());
            if ours != expected.as_i64() && !overflows(text.as_str().unwrap()) {
                differences.push(format!("{pattern:?} reads {text} as {ours:?}, not {expected}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

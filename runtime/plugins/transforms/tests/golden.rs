//! Against what Apache Connect's own transformations answered. How the answers were made: golden/README.md; where ours
//! differ and why: DIFFERENCES.md.

mod support;

use serde_json::Value as Json;
use support::cases::{schema, sorted, value};
use support::component::{Answer, Component, Datum, Fault, Row, Step, apply, apply_all, configure, describe};
use weir_sdk::Parts;
use weir_sdk::bindings::plugin::exports::weir::connect::plugin::{DefaultValue, Validator};
use weir_sdk::bindings::transformation::exports::weir::connect::transformations::Guest;

fn lines(file: &str) -> Vec<Json> {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The cases of every file that says what becomes of records.
fn all_cases() -> Vec<Json> {
    let folder = std::fs::read_dir(format!("{}/tests/golden", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let cases: Vec<Json> = names.filter(|name| name.ends_with(".jsonl")).flat_map(|name| lines(&name)).collect();
    cases.into_iter().filter(|case| case.get("steps").is_some()).collect()
}

fn datum(schema_json: &Json, value_json: &Json) -> Datum {
    let schema = schema(schema_json);
    let value = sorted(value(schema.as_ref().map(|schema| (schema, 0)), value_json));
    Datum { schema, value }
}

fn row(case: &Json) -> Row {
    Row {
        topic: case["topic"].as_str().unwrap_or("topic").to_owned(),
        partition: case["partition"].as_i64().map(|partition| partition as i32),
        timestamp: case["timestamp"].as_i64(),
        offset: case["offset"].as_i64(),
        key: datum(&case["key_schema"], &case["key"]),
        value: datum(&case["schema"], &case["value"]),
        headers: headers(case),
    }
}

fn headers(json: &Json) -> Vec<(String, Datum)> {
    let list = json["headers"].as_array().into_iter().flatten();
    // Elements without a common type have in Java a schema that lacks theirs; here the list or map has none.
    let known = |schema: &Json| ["items", "keys", "values"].iter().all(|part| schema.get(part) != Some(&Json::Null));
    let schema = |header: &Json| if known(&header[1]) { header[1].clone() } else { Json::Null };
    let header = |header: &Json| (header[0].as_str().unwrap().to_owned(), datum(&schema(header), &header[2]));
    list.map(header).collect()
}

fn steps(case: &Json) -> Vec<Step> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let config = |step: &Json| {
        step["config"].as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))).collect()
    };
    case["steps"].as_array().unwrap().iter().map(|step| (text(&step["class"]), config(step))).collect()
}

/// What ours answered, in words where it is no record.
enum Ours {
    Config(Vec<String>),
    Failed(String),
    Dropped,
    Kept(Row),
}

fn ours(case: &Json) -> Ours {
    let segment = match configure(&steps(case)) {
        Ok((segment, _)) => segment,
        Err(Fault::Config(problems)) => {
            return Ours::Config(problems.into_iter().map(|problem| problem.message).collect());
        }
        Err(other) => return Ours::Config(vec![format!("{other:?}")]),
    };
    match apply(segment, &row(case)) {
        Answer::Kept(row) => Ours::Kept(row),
        Answer::Dropped => Ours::Dropped,
        Answer::Failed(reason) => Ours::Failed(reason),
    }
}

/// Says how an answer differs from Apache's; nothing where it does not.
fn difference(case: &Json) -> Option<String> {
    let ours = ours(case);
    if let Some(expected) = case["config_error"].as_str() {
        return match ours {
            Ours::Config(problems) if problems.iter().any(|problem| same_config_error(problem, expected)) => None,
            Ours::Config(problems) => Some(format!("said {problems:?}, not {expected:?}")),
            _ => Some(format!("took what is refused with {expected:?}")),
        };
    }
    if let Some(holds) = case["test"].as_bool() {
        return (matches!(ours, Ours::Kept(_)) != holds).then(|| format!("is not {holds}"));
    }
    let expected = &case["out"];
    match (ours, case["error"].as_str()) {
        (Ours::Failed(reason), Some(expected)) if reason == expected => None,
        (Ours::Failed(reason), Some(expected)) => Some(format!("failed with {reason:?}, not {expected:?}")),
        (Ours::Failed(reason), None) => Some(format!("failed: {reason}")),
        (Ours::Config(problems), _) => Some(format!("refused: {problems:?}")),
        (_, Some(expected)) => Some(format!("did not fail with {expected:?}")),
        (Ours::Dropped, None) => (!expected.is_null()).then(|| "was dropped".into()),
        (Ours::Kept(_), None) if expected.is_null() => Some("was not dropped".into()),
        (Ours::Kept(row), None) => different_record(row, expected),
    }
}

fn different_record(row: Row, expected: &Json) -> Option<String> {
    let unlike = |what: &str, ours: Datum, expected: Datum| {
        let ours = Datum { value: sorted(ours.value), ..ours };
        (format!("{ours:?}") != format!("{expected:?}")).then(|| format!("{what} is\n  {ours:?}, not\n  {expected:?}"))
    };
    let topic = expected["topic"].as_str().unwrap();
    (row.topic != topic).then(|| format!("topic is {}, not {topic}", row.topic)).or_else(|| {
        unlike("key", row.key, datum(&expected["key_schema"], &expected["key"]))
            .or_else(|| unlike("value", row.value, datum(&expected["schema"], &expected["value"])))
            .or_else(|| {
                let theirs = headers(expected);
                let names: Vec<&String> = row.headers.iter().map(|(name, _)| name).collect();
                let alike = names.iter().copied().eq(theirs.iter().map(|(name, _)| name));
                (!alike).then(|| format!("headers are {names:?}, not {theirs:?}")).or_else(|| {
                    let mut pairs = row.headers.into_iter().zip(theirs);
                    pairs.find_map(|((name, ours), (_, theirs))| unlike(&format!("header {name}"), ours, theirs))
                })
            })
    })
}

fn same_config_error(ours: &str, expected: &str) -> bool {
    // The host says this one before a guest is asked.
    let missing = expected.starts_with("Missing required configuration") && ours == "is missing and has no default";
    // Which expressions are wrong is the same; in what words is not.
    let regex = |text: &str| text.find("Invalid regex: ").map(|at| text[..at].to_owned());
    let same_regex = regex(ours).is_some() && regex(ours) == regex(expected);
    // Java prints the address of an object where the field's name was meant.
    let spec = expected.find("org.apache.kafka.connect.transforms.InsertField$InsertionSpec@");
    let same_spec = spec.is_some_and(|at| ours.starts_with(&expected[..at]));
    ours == expected || missing || same_regex || same_spec
}

/// Differences that DIFFERENCES.md gives the reasons for.
fn is_meant(case: &Json, difference: &str) -> bool {
    let both_refuse_to_mask = difference.matches("Cannot mask value of type").count() == 2;
    let replacement = case["steps"][0]["config"]["replacement"].as_str();
    let scale = difference == "failed: Decimal value has mismatching scale for given Decimal schema";
    // Java's words for a mistake of its own: here the message says what is wrong with the record.
    let null_dereferenced = case["exception"] == "NullPointerException" && difference.starts_with("failed with");
    let no_path = difference == "refused: [\"Invalid value  for configuration field: a path has at least one name\"]";
    let no_name = case["config_error"] == "Index 1 out of bounds for length 0";
    let only_topic = difference.starts_with("failed with \"Timestamp missing on record: it is for topic ");
    let told_before = difference.starts_with("refused: [\"Invalid value ")
        && difference.contains(" for configuration timestamp.format: ");
    let no_date = difference.ends_with(" days since 1970 are no Date");
    null_dereferenced
        || no_name
        || only_topic
        || told_before
        || no_date
        || no_path
        || difference == "did not fail with \"Struct schemas do not match.\""
        || both_refuse_to_mask
        || (scale && replacement == Some("1e-5"))
}

#[test]
fn records_become_what_apaches_transformations_make_of_them() {
    let cases = all_cases();
    let mut differences = Vec::new();
    for case in &cases {
        if let Some(difference) = difference(case).filter(|difference| !is_meant(case, difference)) {
            let steps = &case["steps"];
            differences
                .push(format!("{steps}\n  schema {}\n  value {}\n  {difference}", case["schema"], case["value"]));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), cases.len(), differences.join("\n"));
}

#[test]
fn records_of_a_batch_become_what_they_become_alone() {
    let cases: Vec<Json> = all_cases().into_iter().filter(|case| case.get("config_error").is_none()).collect();
    let mut mixed = 0;
    for (at, case) in cases.iter().enumerate().step_by(5) {
        let steps = steps(case);
        let Ok((segment, _)) = configure(&steps) else { continue };
        // Those around are mostly records of the same kind, many of them for other steps.
        let around = (at..at + 12).map(|at| &cases[at % cases.len()]);
        let rows: Vec<Row> = around.map(row).collect();
        let alone = |row: &Row| format!("{:?}", apply(configure(&steps).unwrap().0, row));
        let alone: Vec<String> = rows.iter().map(alone).collect();
        let failed = alone.iter().filter(|answer| answer.starts_with("Failed")).count();
        mixed += usize::from(failed > 0 && failed < rows.len());
        // In two orders, and the second time with all plans made.
        for turned in [false, true] {
            let order = |at: usize| if turned { rows.len() - 1 - at } else { at };
            let batch: Vec<Row> = (0..rows.len()).map(|at| rows[order(at)].clone()).collect();
            for (at, together) in apply_all(segment, &batch).iter().enumerate() {
                assert_eq!(format!("{together:?}"), alone[order(at)], "{steps:?} of {:?}", batch[at]);
            }
        }
    }
    assert!(mixed > 500, "in {mixed} batches some records fail and others do not");
}

/// Validators as Connect prints them.
fn shown(validators: &[Validator]) -> String {
    let one = |validator: &Validator| match validator {
        Validator::NonEmpty => "non-empty string".into(),
        Validator::Regex => "valid regex".into(),
        Validator::OneOf(values) => format!("[{}]", values.join(", ")),
        Validator::OneOfIgnoringCase(values) => format!("(case insensitive) [{}]", values.join(", ")),
        other => format!("{other:?}"),
    };
    validators.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The validator of a key, where it is none that lists and what must not be null have: those are asked of the class.
fn checked_by_host(key: &Json) -> &str {
    let validator = key["validator"].as_str().unwrap_or("");
    if key["type"] == "LIST" || validator == "non-null string" { "" } else { validator }
}

#[test]
fn definitions_are_apaches() {
    let classes = describe();
    for expected in lines("definitions.jsonl") {
        let name = expected["define"].as_str().unwrap();
        let ours: Vec<_> = classes
            .iter()
            .filter(|class| {
                class
                    .aliases
                    .iter()
                    .any(|alias| alias.strip_suffix("$Key").or(alias.strip_suffix("$Value")).unwrap_or(alias) == name)
            })
            .collect();
        assert!(!ours.is_empty(), "{name}");
        for class in ours {
            assert_eq!(class.documentation, expected["doc"].as_str().unwrap());
            assert_eq!(class.version, "4.3.1");
            let keys: Vec<Json> = class
                .config
                .iter()
                .map(|key| {
                    let default = match &key.default {
                        DefaultValue::Required => None,
                        DefaultValue::Null => Some(Json::Null),
                        DefaultValue::Value(value) => Some(Json::from(value.as_str())),
                    };
                    serde_json::json!({
                        "name": key.name,
                        "type": format!("{:?}", key.type_).rsplit("::").next().unwrap().to_uppercase(),
                        "importance": format!("{:?}", key.importance).rsplit("::").next().unwrap().to_uppercase(),
                        "default": default,
                        "doc": key.documentation,
                        "validator": shown(&key.validators),
                    })
                })
                .collect();
            let expected: Vec<Json> = expected["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| {
                    let default = (!key["required"].as_bool().unwrap()).then(|| key["default"].clone());
                    serde_json::json!({
                        "name": key["name"], "type": key["type"], "importance": key["importance"],
                        "default": default, "doc": key["doc"], "validator": checked_by_host(key),
                    })
                })
                .collect();
            assert_eq!(keys, expected);
        }
    }
}

#[test]
fn wrong_lists_are_found_before_anything_starts() {
    let ask = |class: &str, key: &str, value: &str| -> Vec<String> {
        let config = vec![(key.to_owned(), value.to_owned())];
        <Component as Guest>::validate(class.to_owned(), config).into_iter().map(|problem| problem.message).collect()
    };
    assert_eq!(
        ask("ReplaceField$Value", "renames", "a"),
        ["Invalid value [a] for configuration renames: Invalid rename mapping: a"]
    );
    assert_eq!(ask("ReplaceField$Key", "exclude", "a,,b"), ["Configuration 'exclude' values must not be empty."]);
    assert_eq!(ask("MaskField$Value", "fields", "a,b"), Vec::<String>::new());
    assert_eq!(ask("MaskField$Value", "replacement", "x"), Vec::<String>::new());
    assert_eq!(ask("DropHeaders", "headers", "a,,b"), ["Configuration 'headers' values must not be empty."]);
    assert_eq!(ask("ValueToKey", "fields", "a,b"), Vec::<String>::new());
    assert_eq!(ask("HeaderFrom$Key", "headers", ""), ["Invalid value [] for configuration headers: Empty list"]);
    assert_eq!(ask("Cast$Value", "spec", ""), ["Must specify at least one field to cast."]);
    assert_eq!(ask("Cast$Value", "spec", "a:int8,b:STRING"), Vec::<String>::new());
    assert_eq!(
        ask("TimestampRouter", "timestamp.format", "yyyy-b"),
        ["Invalid value yyyy-b for configuration timestamp.format: Illegal pattern character 'b'"]
    );
    assert_eq!(
        ask("TimestampConverter$Value", "target.type", "string"),
        ["TimestampConverter requires format option to be specified when using string timestamps"]
    );
    assert_eq!(
        ask("MaskField$Value", "fields", ""),
        ["Configuration 'fields' must not be empty. Valid values include: any non-empty value"]
    );
}

#[test]
fn steps_say_just_what_they_read_and_write() {
    let parts = |class: &str, config: &[(&str, &str)]| {
        let config = config.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let (_, parts) = configure(&[(class.to_owned(), config)]).unwrap();
        (parts[0].reads, parts[0].writes)
    };
    let route = parts("RegexRouter", &[("regex", "a"), ("replacement", "b")]);
    assert_eq!(route, (Parts::TOPIC, Parts::TOPIC));
    assert_eq!(parts("Filter", &[]), (Parts::empty(), Parts::empty()));
    assert_eq!(parts("TopicNameMatches", &[("pattern", "a")]), (Parts::TOPIC, Parts::empty()));
    assert_eq!(parts("HoistField$Key", &[("field", "a")]), (Parts::KEY, Parts::KEY));
    assert_eq!(parts("MaskField$Value", &[("fields", "a")]), (Parts::VALUE, Parts::VALUE));
    let (key, value, headers) = (Parts::KEY, Parts::VALUE, Parts::HEADERS);
    assert_eq!(parts("ValueToKey", &[("fields", "a")]), (key | value, key));
    assert_eq!(parts("DropHeaders", &[("headers", "a")]), (headers, headers));
    assert_eq!(parts("HasHeaderKey", &[("name", "a")]), (headers, Parts::empty()));
    assert_eq!(parts("RecordIsTombstone", &[]), (value, Parts::empty()));
    let fields = |operation| parts("HeaderFrom$Value", &[("fields", "a"), ("headers", "h"), ("operation", operation)]);
    assert_eq!(fields("copy"), (value | headers, headers));
    assert_eq!(fields("move"), (value | headers, value | headers));
    assert_eq!(parts("TimestampRouter", &[]), (Parts::TOPIC | Parts::TIMESTAMP, Parts::TOPIC));
    assert_eq!(parts("Cast$Key", &[("spec", "int8")]), (key, key));
    let fixed = parts("InsertField$Value", &[("static.field", "a"), ("static.value", "b")]);
    assert_eq!(fixed, (Parts::VALUE, Parts::VALUE));
    let moved = parts("InsertField$Key", &[("topic.field", "a"), ("offset.field", "o")]);
    assert_eq!(moved, (Parts::KEY | Parts::TOPIC | Parts::OFFSET, Parts::KEY));
}

//! Holds the mapping between JSON Schema and Connect against what Confluent's JsonSchemaData answered
//! (`tests/golden/README.md`).

use serde_json::Value as Json;
use weir_core::model::SchemaHandle;
use weir_data::{Value, decode_cell, encode_cell};

use super::settings::DataSettings;
use super::{from_connect, to_connect};
use crate::json::{SchemaReading, SchemaWriting};
use crate::support::{self, cases, same_typed, schema_text, typed_value};

fn settings(case: &Json) -> DataSettings {
    let on = |key: &str, default: bool| case["config"][key].as_str().map_or(default, |value| value == "true");
    let defaults = DataSettings::default();
    DataSettings {
        additional_properties: on("object.additional.properties", defaults.additional_properties),
        optional_for_non_required: on("use.optional.for.nonrequired", defaults.optional_for_non_required),
        flatten_singleton_unions: on("flatten.singleton.unions", defaults.flatten_singleton_unions),
        ignore_default_for_nullables: on("ignore.default.for.nullables", defaults.ignore_default_for_nullables),
        numeric_decimals: case["config"]["decimal.format"] == "numeric",
    }
}

fn converted(case: &Json) -> Result<(SchemaHandle, Option<Vec<u8>>), String> {
    let version = case["version"].as_i64().map(|version| version as i32);
    let schema = to_connect::schema(&case["json_schema"].to_string(), &[], &settings(case), version)?;
    let mut cell = Vec::new();
    let json = case["in"].as_str().unwrap();
    let present = SchemaReading::new(&schema).cell(json.as_bytes(), usize::MAX, &mut cell)?;
    Ok((SchemaHandle::new(schema), present.then_some(cell)))
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Cases that `DIFFERENCES.md` explains.
fn known_difference(case: &Json) -> bool {
    let missing = case["in"] == "{}" && case["value"]["st"][0].is_null();
    let required = case["schema"].as_str().is_some_and(|schema| !schema.contains("\"optional\":true"));
    let number_as_bytes = case["json_schema"]["connect.type"] == "bytes" && case["value"]["scale"] == 0;
    (missing && required && case["value"].is_object()) || number_as_bytes || case["error"] == "Invalid default value"
}

#[test]
fn json_schema_becomes_what_confluent_makes_of_it() {
    let mut wrong = Vec::new();
    for case in cases("to_json_schema.jsonl") {
        if known_difference(&case) {
            continue;
        }
        let problem = match (converted(&case), case.get("exception").map(|_| &case["error"])) {
            (Err(_), Some(_)) => None,
            (Err(message), None) => Some(format!("{message:?} instead of {}", case["value"])),
            (Ok(converted), Some(expected)) => Some(format!("{converted:?} instead of {expected}")),
            (Ok((schema, cell)), None) => {
                let text = schema_text(&schema);
                let value = cell.map_or(Value::Null, |cell| decode_cell(Some(schema.schema()), &cell).unwrap());
                match Some(&text[..]) == case["schema"].as_str() {
                    false => Some(format!("{text}\n    instead of\n    {}", case["schema"])),
                    true => (!same_typed(Some((schema.schema(), 0)), &value, &case["value"]))
                        .then(|| format!("{value:?} instead of {}", case["value"])),
                }
            }
        };
        let said = || format!("{} {} {}", case["json_schema"], case["in"], case["config"]);
        wrong.extend(problem.map(|problem| format!("{}\n    {problem}", said())));
    }
    report(&wrong);
}

#[test]
fn connect_becomes_the_json_schema_that_confluent_makes_of_it() {
    let mut wrong = Vec::new();
    for case in cases("from_json_schema.jsonl") {
        let schema = support::parse_schema(&case["schema"]).unwrap();
        let value = support::dated(schema.schema(), 0, typed_value(&case["value"]));
        let settings = settings(&case);
        let mut cell = Vec::new();
        encode_cell(Some(&support::all_optional(schema.schema())), &value, &mut cell).unwrap();
        let written = || -> Result<(Json, Option<Json>), String> {
            let json = from_connect::schema(schema.schema(), &settings)?;
            let use_defaults = !settings.ignore_default_for_nullables;
            let plan = SchemaWriting::new(schema.schema(), settings.numeric_decimals, use_defaults)?;
            let cell = (value != Value::Null).then_some(&cell[..]);
            let root = schema.schema().root();
            if cell.is_none() && !root.optional && root.default.is_none() {
                return Ok((json, None));
            }
            let mut out = Vec::new();
            plan.cell(cell, usize::MAX, &mut out)?;
            Ok((json, Some(serde_json::from_slice(&out).unwrap())))
        };
        let problem = match (written(), case.get("exception").map(|_| &case["error"])) {
            (Err(_), Some(_)) => None,
            (Err(message), None) => Some(message),
            (Ok(written), Some(expected)) => Some(format!("{written:?} instead of {expected}")),
            (Ok((json, out)), None) => {
                let expected = case["out"].as_str().map(|text| serde_json::from_str::<Json>(text).unwrap());
                if json != case["json_schema"] {
                    Some(format!("{json}\n    instead of\n    {}", case["json_schema"]))
                } else {
                    (out != expected).then(|| format!("{out:?}\n    instead of\n    {expected:?}"))
                }
            }
        };
        let said = || format!("{} {} {}", case["config"], case["schema"], case["value"]);
        wrong.extend(problem.map(|problem| format!("{}\n    {problem}", said())));
    }
    report(&wrong);
}

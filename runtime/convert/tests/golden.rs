//! Holds the converters against what Apache Connect 4.3.1's own classes answered (`golden/README.md`).

mod support;

use serde_json::Value as Json;
use support::{base64, cases, converter_of, same_typed, schema_text, single, typed_value};
use weir_data::{Value, decode_cell, encode_cell};

/// Cases that `DIFFERENCES.md` explains, by a word of its heading there.
fn known_difference(case: &Json) -> Option<&'static str> {
    let input = case["in"].as_str().map(base64).unwrap_or_default();
    let text = String::from_utf8_lossy(&input);
    let has = |part: &str| text.contains(part);
    let numbered = has("connect.data.Decimal") && case["value"]["scale"].is_i64();
    if input == b"1\0" || input == b"\"\xc0\x80\"" || input == b"\"\xf5\x80\x80\x80\"" || input == b"\xef\xbb\xbf" {
        return Some("encodings");
    }
    if case["class"] == "bytes" && case["value"].to_string().contains("{\"") {
        let message = case["error"].as_str().unwrap_or_default();
        return (message.starts_with("ByteArrayConverter is not compatible")).then_some("class names");
    }
    let message = case["error"].as_str().unwrap_or_default();
    if message.contains("(was class java.util.LinkedHashMap)")
        || message.ends_with("of type class java.util.LinkedHashMap")
    {
        return Some("class names");
    }
    if message.ends_with("(was class java.lang.Long): ") && case["schema"].is_null() {
        return Some("widths of integers");
    }
    if has("{\"\\ud800\":") {
        return Some("surrogates");
    }
    if numbered && (has("1e-5") || has("987654321") || has("1.505") || has("\"-2\"") || !has("\"scale\": \""))
        || has("\"scale\": \"x\"")
    {
        return Some("scale");
    }
    if has("{\"type\": \"array\", \"items\": {\"type\": \"string\"}},\"payload\":[1,") {
        return Some("null elements");
    }
    if has("\"field\":\"a\"}],\"default\":{\"a\":5}") {
        return Some("defaults of structs");
    }
    if text.is_empty() && case["config"]["schema.content"].as_str().is_some_and(|content| content.len() > 5) {
        return Some("empty records");
    }
    let untyped = |schema: &str| schema.contains("\"items\":null") || schema.contains("\"values\":null");
    let is_header = case["class"] == "simple";
    if is_header && (case["schema"].as_str().is_some_and(untyped) || text == "[[1],[\"a\"]]") {
        return Some("headers");
    }
    if is_header && (text.starts_with('\u{663}') || text.starts_with("[\u{663}")) {
        return Some("headers");
    }
    let misnamed = [("\"int32\"", ".Timestamp"), ("\"string\"", ".Date"), ("\"int64\"", ".Date")];
    if misnamed
        .iter()
        .any(|(kind, name)| has(&format!("{{\"type\": {kind}, \"name\": \"org.apache.kafka.connect.data{name}\"")))
    {
        return Some("logical names");
    }
    None
}

fn check_to_connect(file: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases(file) {
        if known_difference(&case).is_some() {
            continue;
        }
        let input = case["in"].as_str().map(base64);
        let text = input.as_deref().unwrap_or_default();
        let outcome = converter_of(&case).map(|mut converter| single(&mut *converter, input.as_deref()));
        let expected_error = case["error"].as_str();
        let problem = match (outcome, expected_error) {
            (Err(_), Some(_)) => None,
            (Err(problems), None) => Some(format!("refused: {problems:?}")),
            (Ok(Err(message)), Some(expected)) => {
                (!message.starts_with(expected)).then(|| format!("{message:?} instead of {expected:?}"))
            }
            (Ok(Err(message)), None) => Some(format!("{message:?} instead of {}", case["value"])),
            // Connect's framework takes the missing answer for null.
            (Ok(Ok((None, None))), Some(_)) if text == b"null" && case["class"] == "simple" => None,
            (Ok(Ok((schema, cell))), Some(expected)) => Some(format!("{schema:?} {cell:?} instead of {expected:?}")),
            (Ok(Ok((schema, cell))), None) => {
                let schema_text = schema.as_ref().map(schema_text);
                if schema_text.as_deref() != case["schema"].as_str() {
                    Some(format!("schema {schema_text:?} instead of {}", case["schema"]))
                } else {
                    let value = match &cell {
                        None => Value::Null,
                        Some(cell) => decode_cell(schema.as_ref().map(|s| s.schema()), cell).unwrap(),
                    };
                    let same = same_typed(schema.as_ref().map(|s| (s.schema(), 0)), &value, &case["value"]);
                    (!same).then(|| format!("{value:?} instead of {}", case["value"]))
                }
            }
        };
        if let Some(problem) = problem {
            let shown = String::from_utf8_lossy(&input.unwrap_or_default()).chars().take(300).collect::<String>();
            wrong.push(format!("{shown}\n    {} {}\n    {problem}", case["class"], case["config"]));
        }
    }
    wrong
}

fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn plain_json_becomes_what_connect_makes_of_it() {
    report(check_to_connect("to_free.jsonl"));
}

#[test]
fn json_with_schemas_becomes_what_connect_makes_of_it() {
    report(check_to_connect("to_schema.jsonl"));
}

#[test]
fn json_that_connect_wrote_becomes_what_connect_makes_of_it() {
    report(check_to_connect("to_json.jsonl"));
}

#[test]
fn text_and_bytes_become_what_connect_makes_of_them() {
    report(check_to_connect("to_plain.jsonl"));
}

#[test]
fn booleans_and_numbers_become_what_connect_makes_of_them() {
    report(check_to_connect("to_number.jsonl"));
}

#[test]
fn headers_become_what_connect_makes_of_them() {
    report(check_to_connect("to_simple.jsonl"));
}

fn check_from_connect(file: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases(file) {
        if known_difference(&case).is_some() {
            continue;
        }
        let schema = support::parse_schema(&case["schema"]);
        let mut value = typed_value(&case["value"]);
        if let Some(schema) = &schema {
            value = support::dated(schema.schema(), 0, value);
        }
        let mut cell = Vec::new();
        let cell = match &value {
            Value::Null => None,
            value => {
                let relaxed = schema.as_ref().map(|schema| support::all_optional(schema.schema()));
                encode_cell(relaxed.as_ref(), value, &mut cell).unwrap();
                Some(&cell[..])
            }
        };
        let outcome = support::written(&mut *converter_of(&case).unwrap(), schema.as_ref(), cell);
        let problem = match (outcome, case["error"].as_str()) {
            (Err(message), Some(expected)) => {
                (message != expected).then(|| format!("{message:?} instead of {expected:?}"))
            }
            (Err(message), None) => Some(message),
            (Ok(bytes), Some(expected)) => Some(format!("{bytes:?} instead of {expected:?}")),
            (Ok(bytes), None) => {
                let expected = case["out"].as_str().map(base64);
                let shown = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|b| String::from_utf8_lossy(b).into_owned());
                let (is, should) = (shown(&bytes), shown(&expected));
                let identity = should.as_ref().is_some_and(|text| text.contains("[B@"));
                (is != should && !identity).then(|| format!("{is:?}\n    instead of\n    {should:?}"))
            }
        };
        if let Some(problem) = problem {
            wrong.push(format!(
                "{} {} {} {}\n    {problem}",
                case["class"], case["config"], case["schema"], case["value"]
            ));
        }
    }
    wrong
}

#[test]
fn every_converter_writes_the_bytes_that_connect_writes() {
    report(check_from_connect("from.jsonl"));
}

#[test]
fn json_is_written_as_connect_writes_it_under_every_setting() {
    report(check_from_connect("from_json.jsonl"));
}

#[test]
fn booleans_and_numbers_are_written_as_connect_writes_them() {
    report(check_from_connect("from_number.jsonl"));
}

#[test]
fn floats_are_printed_as_java_prints_them() {
    let mut wrong = Vec::new();
    for case in cases("floats.jsonl") {
        let mut out = Vec::new();
        match (case["double"].as_str(), case["float"].as_str()) {
            (Some(bits), _) => {
                weir_convert::java_text::double(f64::from_bits(u64::from_str_radix(bits, 16).unwrap()), &mut out);
            }
            (_, Some(bits)) => {
                weir_convert::java_text::single(f32::from_bits(u32::from_str_radix(bits, 16).unwrap()), &mut out);
            }
            _ => unreachable!(),
        }
        let out = String::from_utf8(out).unwrap();
        // JDKs before 19 print some floats with more digits than it takes to tell them apart (DIFFERENCES.md).
        let expected = case["text"].as_str().unwrap();
        let shorter = match case["double"].is_string() {
            true => out.parse::<f64>() == expected.parse::<f64>(),
            false => out.parse::<f32>() == expected.parse::<f32>(),
        };
        if out != expected && !(shorter && out.len() <= expected.len()) {
            wrong.push(format!("{out} instead of {expected}"));
        }
    }
    report(wrong);
}

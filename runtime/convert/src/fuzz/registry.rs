//! What schema registries answer: bodies and statuses of every kind, and schemas that refer to others.

use serde_json::json;

use super::{JSON, fuzz};
use crate::schema_registry::fuzzed::{RegistryError, id_and_version, registered};
use crate::schema_registry::{Format, Registered};
use crate::{avro, json_schema, protobuf};

const WORDS: [&str; 22] = [
    "\0",
    "200",
    "404",
    "409",
    "503",
    "\"id\":7",
    "\"version\":3",
    "\"schema\":",
    "\"schemaType\":\"AVRO\"",
    "\"schemaType\":\"JSON\"",
    "\"schemaType\":\"PROTOBUF\"",
    "\"references\":[",
    "\"subject\":\"s\"",
    "\"error_code\":40403",
    "\"message\":",
    "{\"name\":\"n\",\"subject\":\"s\",\"version\":1}",
    "\\\"",
    "\"\\\"int\\\"\"",
    "\\\"$ref\\\":\\\"n\\\"",
    "import \\\"n\\\";",
    "<html>",
    "-1",
];

/// Bytes of all answers to one converter; they may come again for each of hundreds of references.
const MOST: usize = 16 << 10;

/// A schema that refers to another one, and the answer to the question for that.
fn seed(kind: &str, schema: &str, name: &str, inner: &str) -> Vec<u8> {
    let references = json!([{"name": name, "subject": "s", "version": 1}]);
    let outer = json!({"id": 7, "version": 3, "schemaType": kind, "schema": schema, "references": references});
    format!("{outer}\0{}", json!({"schema": inner})).into_bytes()
}

/// A status of three digits and the body behind it; 200 for a body without.
fn answer(said: &[u8]) -> (u16, &[u8]) {
    let digits = said.split_at_checked(3).filter(|(status, _)| status.iter().all(u8::is_ascii_digit));
    digits.map_or((200, said), |(status, body)| {
        (status.iter().fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0')), body)
    })
}

/// What an error is about, in words that are the client's own.
fn about(error: &RegistryError) -> String {
    let message = error.message();
    assert!(message.len() < 8 << 10, "{} bytes", message.len());
    match error {
        RegistryError::Refused(why) if why.starts_with("the schema registry") || why.starts_with("schema ") => {
            why.split(": ").next().unwrap_or_default().to_owned()
        }
        RegistryError::Unavailable(_) => "unavailable".into(),
        RegistryError::Missing(_) => "missing".into(),
        RegistryError::Refused(_) => "refused".into(),
    }
}

/// What a converter of the format makes of a schema; of the first message, where there are several.
fn usable<F: Format>(format: &F, found: &Registered) -> String {
    if found.kind != F::KIND {
        return String::new();
    }
    let (name, reading) = (format.name(found, &[0]), format.reading(found, &[0], Some(3)));
    format!("{} {:?} {:?}", F::KIND, name.err(), reading.err())
}

/// Answers, each behind its status, with a zero between them.
#[test]
fn answers_of_registries() {
    let seeds = [
        seed(
            "AVRO",
            r#"{"type":"record","name":"O","fields":[{"name":"i","type":"I"}]}"#,
            "I",
            r#"{"type":"fixed","name":"I","size":2}"#,
        ),
        seed("JSON", r#"{"type":"object","properties":{"i":{"$ref":"i.json"}}}"#, "i.json", r#"{"type":"string"}"#),
        seed(
            "PROTOBUF",
            "syntax = \"proto3\"; import \"i.proto\"; message M { I i = 1; }",
            "i.proto",
            "syntax = \"proto3\"; message I { }",
        ),
        b"404{\"error_code\":40403,\"message\":\"Schema not found\"}".to_vec(),
        b"503<html><body>later</body></html>".to_vec(),
    ];
    let (avro, json_schema, protobuf) =
        (avro::fuzzed::format(), json_schema::fuzzed::format(), protobuf::fuzzed::format());
    let words = [&JSON[..], &WORDS].concat();
    fuzz("registry_answers", seeds, &words, |bytes| {
        let answers: Vec<(u16, &[u8])> = bytes[..bytes.len().min(MOST)].split(|byte| *byte == 0).map(answer).collect();
        let (status, body) = answers[0];
        let known = match id_and_version(status, body) {
            Err(error) => about(&error),
            Ok((_, version)) => {
                assert!(version >= 0, "{version}");
                "known".into()
            }
        };
        let found = match registered(&answers) {
            Err(error) => about(&error),
            Ok(found) => [usable(&avro, &found), usable(&json_schema, &found), usable(&protobuf, &found)].concat(),
        };
        format!("{known} {found}")
    });
}

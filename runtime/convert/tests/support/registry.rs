//! What the tests against a schema registry share: converters that ask it, and Confluent's client for Python.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value as Json, json};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use weir_convert::{Http, Role};
use weir_core::model::{BatchTables, Config, SchemaHandle};
use weir_core::port::{Converted, Converter, Serialized, TopicColumn};
use weir_data::{Cells, Column, Schema, Value, decode_cell, encode_cell};

use crate::apicurio::shared;

/// HTTP without anything of the host's.
pub fn http() -> Http {
    Arc::new(|settings| {
        let provider = Arc::new(default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let client = reqwest::Client::builder().connect_timeout(settings.connect_timeout).no_proxy();
        Ok(client.use_preconfigured_tls(tls).build().unwrap())
    })
}

/// A converter of values that asks the tests' registry, unless `more` names another.
pub fn converter(class: &str, more: &[(&str, &str)]) -> Box<dyn Converter> {
    let mut config = Config::from([("schema.registry.url".to_owned(), shared().url())]);
    config.insert("retries.wait.ms".into(), "1".into());
    config.extend(more.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    weir_convert::converter(class, &config, Role::Value, &http()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn column(cells: &[Option<Vec<u8>>]) -> Column {
    let mut column = Column::default();
    cells.iter().for_each(|cell| column.push_option(cell.as_deref()));
    column
}

/// Records of a topic to cells.
pub async fn read(converter: &mut dyn Converter, topic: &str, records: &[Option<Vec<u8>>]) -> (Converted, BatchTables) {
    let topics = [Arc::from(topic)];
    let mut tables = BatchTables::default();
    let topics = TopicColumn { topics: &topics, topic: &[] };
    let converted = converter.to_connect(topics, column(records), &mut tables).await;
    converted.cells.check(records.len(), tables.schemas.len(), "test").unwrap();
    (converted, tables)
}

/// One record to its schema and value, or the message of its fault.
pub async fn read_one(
    converter: &mut dyn Converter,
    topic: &str,
    record: &[u8],
) -> Result<(Option<SchemaHandle>, Value), String> {
    let (converted, tables) = read(converter, topic, &[Some(record.to_vec())]).await;
    if let Some(fault) = converted.faults.first() {
        return Err(fault.fault.to_string());
    }
    let schema = tables.schemas[converted.cells.schema_of(0)].clone();
    let cell = converted.cells.column.get(0);
    let value = cell.map_or(Ok(Value::Null), |cell| decode_cell(schema.as_ref().map(|s| s.schema()), cell));
    Ok((schema, value.unwrap()))
}

/// Cells of one schema to records of a topic.
pub async fn write(
    converter: &mut dyn Converter,
    topic: &str,
    schema: Option<&SchemaHandle>,
    cells: &[Option<Vec<u8>>],
) -> Serialized {
    let topics = [Arc::from(topic)];
    let tables = BatchTables { schemas: vec![schema.cloned()], ..BatchTables::default() };
    let cells = Cells { column: column(cells), schema: vec![0; cells.len()] };
    let serialized = converter.from_connect(TopicColumn { topics: &topics, topic: &[] }, cells, &tables).await;
    serialized.bytes.check(serialized.bytes.ends.len(), "test").unwrap();
    serialized
}

/// One value to its record, or the message of its fault.
pub async fn write_one(
    converter: &mut dyn Converter,
    topic: &str,
    schema: &Schema,
    value: &Value,
) -> Result<Vec<u8>, String> {
    let mut cell = Vec::new();
    encode_cell(Some(schema), value, &mut cell).unwrap();
    let written = write(converter, topic, Some(&SchemaHandle::new(schema.clone())), &[Some(cell)]).await;
    match written.faults.first() {
        Some(fault) => Err(fault.fault.to_string()),
        None => Ok(written.bytes.get(0).unwrap().to_vec()),
    }
}

/// Registers a schema, and answers its id.
pub fn register(subject: &str, body: &Json) -> u32 {
    let answer = shared().ask("POST", &format!("/subjects/{subject}/versions"), &body.to_string()).unwrap();
    let answer: Json = serde_json::from_str(&answer).unwrap();
    answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}")) as u32
}

/// What the registry answers to a question.
pub fn asked(path: &str) -> Json {
    serde_json::from_str(&shared().ask("GET", path, "").unwrap()).unwrap()
}

/// Confluent's client for Python.
struct Python {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

fn python(question: &Json) -> Json {
    static PYTHON: OnceLock<Mutex<Python>> = OnceLock::new();
    let start = || {
        let interpreter = std::env::var_os("WEIR_PYTHON").expect("WEIR_PYTHON is set: run make test");
        let script = format!("{}/tests/confluent_client.py", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(interpreter);
        command.args([script, shared().url()]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let answers = BufReader::new(child.stdout.take().unwrap());
        Mutex::new(Python { child, answers })
    };
    let mut python = PYTHON.get_or_init(start).lock().unwrap();
    writeln!(python.child.stdin.as_mut().unwrap(), "{question}").expect("Python reads");
    let mut answer = String::new();
    python.answers.read_line(&mut answer).expect("Python writes");
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("Python ended at {question}"))
}

/// What Confluent's client makes of a record.
pub fn read_by_confluent(format: &str, topic: &str, record: &[u8]) -> Json {
    read_as_by_confluent(format, topic, &Json::Null, record)
}

/// The same for a message of a schema.
pub fn read_as_by_confluent(format: &str, topic: &str, schema: &Json, record: &[u8]) -> Json {
    let question = json!({"format": format, "topic": topic, "schema": schema, "record": in_base64(record)});
    python(&question)["value"].clone()
}

/// A value as Confluent's client writes it.
pub fn written_by_confluent(format: &str, topic: &str, schema: &Json, value: &Json) -> Vec<u8> {
    let question = json!({"format": format, "topic": topic, "schema": schema, "value": value});
    let hex = python(&question)["record"].as_str().unwrap().to_owned();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn in_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (at, &byte)| word | u32::from(byte) << (16 - 8 * at));
        for digit in 0..4 {
            let known = digit <= chunk.len();
            text.push(if known { DIGITS[(word >> (18 - 6 * digit) & 63) as usize] as char } else { '=' });
        }
    }
    text
}

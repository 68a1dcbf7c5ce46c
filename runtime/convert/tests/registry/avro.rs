//! AvroConverter.

use serde_json::json;
use weir_core::model::{Fault, SchemaHandle};
use weir_data::{Node, Schema, Type, Value};

use crate::support::{
    self, asked, converter, read, read_by_confluent, read_one, register, write, write_one, written_by_confluent,
};
use crate::{apicurio, leaf, order};

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";

#[tokio::test]
async fn records_come_back_with_their_schema_and_its_version_in_the_registry() {
    let (schema, value) = order();
    let mut avro = converter(AVRO, &[]);
    let record = write_one(&mut *avro, "back", &schema, &value).await.unwrap();
    let subject = asked("/subjects/back-value/versions/latest");
    assert_eq!(record[..5], [&[0][..], &(subject["id"].as_u64().unwrap() as u32).to_be_bytes()].concat());
    // Another converter, which has seen nothing.
    let (read_schema, read_value) = read_one(&mut *converter("Avro", &[]), "back", &record).await.unwrap();
    assert_eq!(read_value, value);
    let mut nodes = schema.nodes().to_vec();
    nodes[0].version = Some(1);
    // Enclosed schemas say that null is what their fields default to.
    let read_schema = read_schema.unwrap();
    let plain = |schema: &Schema| -> Vec<Node> {
        let without = |node: &Node| Node { parameters: Vec::new(), ..node.clone() };
        schema.nodes().iter().map(without).collect()
    };
    assert_eq!(plain(read_schema.schema()), plain(&Schema::new(nodes).unwrap()));
    // The same schema again is the same id.
    assert_eq!(write_one(&mut *converter(AVRO, &[]), "back", &schema, &value).await.unwrap(), record);
}

#[tokio::test]
async fn confluents_client_reads_what_was_written_here() {
    let (schema, value) = order();
    let record = write_one(&mut *converter(AVRO, &[]), "there", &schema, &value).await.unwrap();
    let read = read_by_confluent("avro", "there", &record);
    let expected = json!({
        "id": 1i64 << 40, "small": -5, "middle": null, "ratio": 1.5, "price": 2.25, "note": "é", "raw": "00ff",
        "tags": ["a", "b"], "counts": {"k": null}, "by_number": [{"key": 7, "value": "seven"}],
        "customer": {"name": "Ann", "vip": true}, "total": "123.45", "day": "2024-10-04",
        "at": "2023-11-14 22:13:20.123000+00:00",
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn what_confluents_client_wrote_is_read_here() {
    let schema = json!({"type": "record", "name": "Order", "namespace": "shop", "doc": "an order", "fields": [
        {"name": "id", "type": "long"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "either", "type": ["null", "int", "string"], "default": null},
        {"name": "note", "type": ["null", "string"], "default": null},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 2}},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "sku", "type": "string"}, {"name": "count", "type": "int", "default": 1}]}}},
        {"name": "attributes", "type": {"type": "map", "values": "double"}}]});
    let value = json!({
        "id": 9, "state": "PAID", "either": "x", "note": "n", "hash": {"hex": "0aff"},
        "lines": [{"sku": "s", "count": 3}], "attributes": {"w": 1.5},
    });
    let record = written_by_confluent("avro", "here", &schema, &value);
    let (schema, value) = read_one(&mut *converter(AVRO, &[]), "here", &record).await.unwrap();
    let expected = Value::Struct(vec![
        Value::from(9),
        Value::from("PAID"),
        Value::Struct(vec![Value::Null, Value::from("x")]),
        Value::from("n"),
        Value::from(vec![0x0au8, 0xff]),
        Value::Array(vec![Value::Struct(vec![Value::from("s"), Value::from(3)])]),
        Value::Map(vec![(Value::from("w"), Value::from(1.5))]),
    ]);
    assert_eq!(value, expected);
    let schema = schema.unwrap();
    assert_eq!((schema.schema().root().name.as_deref(), schema.schema().root().version), (Some("shop.Order"), Some(1)));
    // What is read is written again so that its writer reads it.
    let written = write_one(&mut *converter(AVRO, &[]), "again", schema.schema(), &value).await.unwrap();
    assert_eq!(read_by_confluent("avro", "again", &written)["either"], "x");
}

#[tokio::test]
async fn subjects_are_named_as_the_strategy_says() {
    let schema = Schema::record([("a", leaf(Type::Int32))]).named("named.Record");
    let value = Value::Struct(vec![Value::from(1)]);
    for (strategy, subject) in [
        ("TopicNameStrategy", "topical-value"),
        ("io.confluent.kafka.serializers.subject.RecordNameStrategy", "named.Record"),
        ("TopicRecordNameStrategy", "topical-named.Record"),
    ] {
        let strategy = [("value.subject.name.strategy", strategy)];
        let record = write_one(&mut *converter(AVRO, &strategy), "topical", &schema, &value).await.unwrap();
        assert_eq!(asked(&format!("/subjects/{subject}/versions")), json!([1]), "{subject}");
        let (read, _) = read_one(&mut *converter(AVRO, &strategy), "topical", &record).await.unwrap();
        assert_eq!(read.unwrap().schema().root().version, Some(1));
    }
}

#[tokio::test]
async fn a_schema_that_does_not_fit_its_predecessor_is_refused_with_the_registrys_words() {
    let first = Schema::record([("a", leaf(Type::Int32))]).named("grown.R");
    let second = Schema::record([("a", leaf(Type::Int32)), ("b", leaf(Type::String))]).named("grown.R");
    let mut avro = converter(AVRO, &[]);
    write_one(&mut *avro, "grown", &first, &Value::Struct(vec![Value::from(1)])).await.unwrap();
    let compatibility = apicurio::shared().ask("PUT", "/config/grown-value", r#"{"compatibility":"BACKWARD"}"#);
    assert!(compatibility.unwrap().contains("BACKWARD"));
    let refused = write_one(&mut *avro, "grown", &second, &Value::Struct(vec![Value::from(1), Value::from("x")])).await;
    let message = refused.unwrap_err();
    let start = "Failed to serialize Avro data from topic grown: Error registering Avro schema{\"type\":\"record\"";
    assert!(message.starts_with(start), "{message}");
    assert!(message.contains("ncompatible") && message.contains("error code: 409"), "{message}");
    // The others in its batch do not suffer.
    write_one(&mut *avro, "grown", &first, &Value::Struct(vec![Value::from(2)])).await.unwrap();
}

#[tokio::test]
async fn without_registering_only_schemas_that_are_there_are_written() {
    let schema = Schema::record([("a", leaf(Type::Int32))]).named("known.R");
    let value = Value::Struct(vec![Value::from(1)]);
    let known = [("auto.register.schemas", "false")];
    let refused = write_one(&mut *converter(AVRO, &known), "known", &schema, &value).await.unwrap_err();
    assert!(refused.contains("Error retrieving Avro schema{") && refused.contains("error code: 40401"), "{refused}");
    let registered = write_one(&mut *converter(AVRO, &[]), "known", &schema, &value).await.unwrap();
    assert_eq!(write_one(&mut *converter(AVRO, &known), "known", &schema, &value).await.unwrap(), registered);
}

#[tokio::test]
async fn records_are_written_with_the_subjects_latest_schema_where_that_is_asked_for() {
    let latest = json!({"type": "record", "name": "R", "namespace": "latest", "fields": [
        {"name": "more", "type": "string", "default": "filled"}, {"name": "b", "type": ["string", "null"]},
        {"name": "a", "type": "long"}]});
    let id = register("latest-value", &json!({"schema": latest.to_string()}));
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut avro = converter(AVRO, &settings);
    let schema = Schema::record([("a", leaf(Type::Int32)), ("b", leaf(Type::String).optional())]).named("latest.R");
    let record = write_one(&mut *avro, "latest", &schema, &Value::Struct(vec![Value::from(5), Value::Null])).await;
    let record = record.unwrap();
    assert_eq!(record[1..5], id.to_be_bytes());
    assert_eq!(read_by_confluent("avro", "latest", &record), json!({"more": "filled", "b": null, "a": 5}));
    let other = Schema::record([("a", leaf(Type::String))]).named("latest.R");
    let unfit = write_one(&mut *avro, "latest", &other, &Value::Struct(vec![Value::from("x")])).await.unwrap_err();
    assert!(unfit.contains("do not fit the schema with id") && unfit.contains("latest-value"), "{unfit}");
    let by_id = [("auto.register.schemas", "false"), ("use.schema.id", &id.to_string()[..])];
    let value = Value::Struct(vec![Value::from(5), Value::Null]);
    assert_eq!(write_one(&mut *converter(AVRO, &by_id), "latest", &schema, &value).await.unwrap(), record);
}

#[tokio::test]
async fn schemas_that_others_refer_to_are_fetched_with_them() {
    let inner =
        json!({"type": "record", "name": "Inner", "namespace": "ref", "fields": [{"name": "x", "type": "int"}]});
    let middle =
        json!({"type": "record", "name": "Middle", "namespace": "ref", "fields": [{"name": "i", "type": "ref.Inner"}]});
    let outer = json!({"type": "record", "name": "Outer", "namespace": "ref", "fields": [
        {"name": "m", "type": "ref.Middle"}, {"name": "i", "type": ["null", "ref.Inner"], "default": null}]});
    register("ref-inner", &json!({"schema": inner.to_string()}));
    let reference = |name: &str, subject: &str| json!({"name": name, "subject": subject, "version": 1});
    let to_inner = reference("ref.Inner", "ref-inner");
    register("ref-middle", &json!({"schema": middle.to_string(), "references": [to_inner]}));
    let references = json!([reference("ref.Middle", "ref-middle"), to_inner]);
    let id = register("ref-value", &json!({"schema": outer.to_string(), "references": references}));
    let record = [&[0][..], &id.to_be_bytes(), &[6, 2, 8]].concat();
    let (schema, value) = read_one(&mut *converter(AVRO, &[]), "ref", &record).await.unwrap();
    let inner = |x: i32| Value::Struct(vec![Value::from(x)]);
    assert_eq!(value, Value::Struct(vec![Value::Struct(vec![inner(3)]), inner(4)]));
    assert_eq!(schema.unwrap().schema().root().version, Some(1));
}

#[tokio::test]
async fn values_without_schema_cross_as_anything() {
    let mut avro = converter(AVRO, &[]);
    let value = Value::map([
        ("a", Value::Array(vec![Value::from(1), Value::Null, Value::from("x"), Value::from(1.5)])),
        ("b", Value::from(true)),
    ]);
    let mut cell = Vec::new();
    weir_data::encode_cell(None, &value, &mut cell).unwrap();
    let written = write(&mut *avro, "free", None, &[Some(cell), None]).await;
    assert!(written.faults.is_empty() && written.bytes.get(1).is_none());
    let (schema, read) = read_one(&mut *avro, "free", written.bytes.get(0).unwrap()).await.unwrap();
    assert_eq!((schema, read), (None, value));
}

#[tokio::test]
async fn nulls_are_tombstones_and_bad_records_leave_the_others_alone() {
    let schema = Schema::record([("a", leaf(Type::String))]).named("mixed.R");
    let mut avro = converter(AVRO, &[]);
    let good = write_one(&mut *avro, "mixed", &schema, &Value::Struct(vec![Value::from("x")])).await.unwrap();
    let bad = [
        b"{}".to_vec(),
        vec![0, 0],
        vec![],
        [&[0][..], &0x7fff_fff0u32.to_be_bytes(), b"x"].concat(),
        good[..6].to_vec(),
    ];
    let mut records = vec![Some(good.clone()), None];
    records.extend(bad.into_iter().map(Some));
    records.push(Some(good));
    let (converted, tables) = read(&mut *avro, "mixed", &records).await;
    let messages: Vec<(u32, String)> =
        converted.faults.iter().map(|fault| (fault.row, fault.fault.to_string())).collect();
    let start = "Failed to deserialize data for topic mixed to Avro: ";
    let said = |row: u32| messages.iter().find(|(at, _)| *at == row).unwrap().1.strip_prefix(start).unwrap();
    assert_eq!(messages.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert_eq!((said(2), said(4)), ("Unknown magic byte!", "Unknown magic byte!"));
    assert!(said(5).contains("Error retrieving Avro value schema for id 2147483632"), "{}", said(5));
    assert!(said(5).contains("error code: 40403"), "{}", said(5));
    assert!(converted.faults.iter().all(|fault| matches!(fault.fault, Fault::Data(_))));
    assert!(converted.cells.column.get(1).is_none() && tables.schemas[converted.cells.schema_of(1)].is_none());
    assert_eq!(converted.cells.column.get(0), converted.cells.column.get(7));
    // Null where the schema allows it is a tombstone, and a fault where it does not.
    let optional = SchemaHandle::new(schema.clone().optional());
    assert_eq!(write(&mut *avro, "mixed", Some(&optional), &[None]).await.bytes.get(0), None);
    let required = write(&mut *avro, "mixed", Some(&SchemaHandle::new(schema)), &[None]).await;
    let said = required.faults[0].fault.to_string();
    assert!(said.ends_with("topic mixed: Found null value for non-optional schema"), "{said}");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_a_reason_to_try_again() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = [("schema.registry.url", &format!("http://{gone}")[..]), ("max.retries", "1")];
    let mut avro = converter(AVRO, &url);
    let (converted, _) = read(&mut *avro, "gone", &[Some(vec![0, 0, 0, 0, 1, 2])]).await;
    assert!(matches!(&converted.faults[0].fault, Fault::Retriable(why) if why.contains(&gone.to_string())));
    // A batch of many schemas does not wait for each of them.
    let many: Vec<_> = (0..5_000u32).map(|id| Some([&[0][..], &id.to_be_bytes()].concat())).collect();
    let slow = [("schema.registry.url", &format!("http://{gone}")[..]), ("retries.wait.ms", "100")];
    let began = std::time::Instant::now();
    let (converted, _) = read(&mut *converter(AVRO, &slow), "gone", &many).await;
    assert!(converted.faults.iter().all(|fault| matches!(fault.fault, Fault::Retriable(_))));
    assert!(converted.faults.len() == many.len() && began.elapsed().as_secs() < 10);
    // Where another address is known, that one is asked.
    let both = format!("http://{gone},{}", apicurio::shared().url());
    let schema = Schema::record([("a", leaf(Type::Int32))]);
    let mut avro = converter(AVRO, &[("schema.registry.url", &both)]);
    write_one(&mut *avro, "both", &schema, &Value::Struct(vec![Value::from(1)])).await.unwrap();
}

/// Answers every request with schema 7, `int`, and hands on what was asked.
fn listening_registry() -> (String, std::sync::mpsc::Receiver<String>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let asked = lines.collect::<Vec<_>>().join("\n");
            let answer = r#"{"id":7,"version":3,"schema":"\"int\""}"#;
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
            let _ = write!(&stream, "{head}Content-Length: {}\r\n\r\n{answer}", answer.len());
            if tell.send(asked).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[tokio::test]
async fn a_registry_is_shown_who_asks() {
    let (url, told) = listening_registry();
    let basic = "authorization: Basic dXNlcjpwOnc="; // user:p:w
    let with_user = url.replace("http://", "http://user:p%3Aw@");
    for (settings, expected) in [
        (&[("schema.registry.url", &with_user[..])][..], basic),
        (&[("basic.auth.credentials.source", "USER_INFO"), ("basic.auth.user.info", "user:p:w")], basic),
        (
            &[("basic.auth.credentials.source", "USER_INFO"), ("schema.registry.basic.auth.user.info", "user:p:w")],
            basic,
        ),
        (
            &[("bearer.auth.credentials.source", "STATIC_TOKEN"), ("bearer.auth.token", "tok")],
            "authorization: Bearer tok",
        ),
        (&[("request.header.X-Tenant", "blue")], "x-tenant: blue"),
    ] {
        let settings: Vec<_> = [("schema.registry.url", &url[..])].iter().chain(settings).copied().collect();
        let (schema, value) = read_one(&mut *converter(AVRO, &settings), "t", &[0, 0, 0, 0, 7, 10]).await.unwrap();
        assert_eq!((value, schema.unwrap().schema().root().version), (Value::from(5), Some(3)));
        let (first, second) = (told.recv().unwrap(), told.recv().unwrap());
        assert!(first.starts_with("GET /schemas/ids/7?fetchMaxId=false&subject=t-value HTTP"), "{first}");
        assert!(second.starts_with("POST /subjects/t-value?deleted=true HTTP"), "{second}");
        assert!(first.contains(expected) && second.contains(expected), "{first}");
    }
}

#[test]
fn every_problem_of_a_configuration_is_named_with_its_key() {
    use weir_core::model::Config;
    let problems = |settings: &[(&str, &str)]| -> Vec<String> {
        let config: Config = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let made = weir_convert::converter(AVRO, &config, weir_convert::Role::Value, &support::http());
        made.err()
            .unwrap_or_default()
            .into_iter()
            .map(|problem| format!("{}: {}", problem.key, problem.message))
            .collect()
    };
    let missing =
        "schema.registry.url: Missing required configuration \"schema.registry.url\" which has no default value.";
    assert_eq!(problems(&[]), [missing]);
    let url = ("schema.registry.url", "http://registry:8081");
    assert_eq!(problems(&[url]), [""; 0]);
    for (settings, expected) in [
        (&[("schema.registry.url", "mock://user:secret@x")][..], "schema.registry.url: Invalid value for"),
        (
            &[url, ("value.subject.name.strategy", "com.acme.Mine")],
            "value.subject.name.strategy: Invalid value com.acme",
        ),
        (&[url, ("generalized.sum.type.support", "true")], "generalized.sum.type.support: Invalid value true"),
        (&[url, ("auto.register.schemas", "maybe")], "auto.register.schemas: Invalid value maybe"),
        (&[url, ("max.retries", "-1")], "max.retries: Invalid value -1"),
        (
            &[url, ("basic.auth.credentials.source", "SASL_INHERIT")],
            "basic.auth.credentials.source: Invalid value SASL",
        ),
        (
            &[url, ("basic.auth.credentials.source", "USER_INFO")],
            "basic.auth.user.info: basic.auth.credentials.source=",
        ),
        (
            &[url, ("bearer.auth.credentials.source", "STATIC_TOKEN")],
            "bearer.auth.token: bearer.auth.credentials.source=",
        ),
        (
            &[url, ("bearer.auth.credentials.source", "OAUTHBEARER")],
            "bearer.auth.credentials.source: Invalid value OAUTH",
        ),
    ] {
        let found = problems(settings);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
        assert!(!found[0].contains("secret"), "{found:?}");
    }
}

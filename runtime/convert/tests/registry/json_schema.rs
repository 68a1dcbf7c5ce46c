//! JsonSchemaConverter.

use serde_json::json;
use weir_core::model::{Fault, SchemaHandle};
use weir_data::{Schema, Type, Value};

use crate::support::{
    asked, converter, read, read_by_confluent, read_one, register, write, write_one, written_by_confluent,
};
use crate::{leaf, order};

const JSON: &str = "io.confluent.connect.json.JsonSchemaConverter";

#[tokio::test]
async fn records_come_back_with_their_schema_and_its_version_in_the_registry() {
    let (schema, value) = order();
    let record = write_one(&mut *converter(JSON, &[]), "back-json", &schema, &value).await.unwrap();
    let subject = asked("/subjects/back-json-value/versions/latest");
    assert_eq!(subject["schemaType"], "JSON");
    assert_eq!(record[1..5], (subject["id"].as_u64().unwrap() as u32).to_be_bytes());
    let (read_schema, read_value) = read_one(&mut *converter("JsonSchema", &[]), "back-json", &record).await.unwrap();
    assert_eq!(read_value, value);
    let mut nodes = schema.nodes().to_vec();
    nodes[0].version = Some(1);
    assert_eq!(*read_schema.unwrap().schema(), Schema::new(nodes).unwrap());
    assert_eq!(write_one(&mut *converter(JSON, &[]), "back-json", &schema, &value).await.unwrap(), record);
}

#[tokio::test]
async fn confluents_client_reads_what_was_written_here() {
    let (schema, value) = order();
    let numeric = [("decimal.format", "numeric")];
    let record = write_one(&mut *converter(JSON, &numeric), "there-json", &schema, &value).await.unwrap();
    let read = read_by_confluent("json", "there-json", &record);
    let expected = json!({
        "id": 1i64 << 40, "small": -5, "middle": null, "ratio": 1.5, "price": 2.25, "note": "é", "raw": "AP8=",
        "tags": ["a", "b"], "counts": {"k": null}, "by_number": [{"key": 7, "value": "seven"}],
        "customer": {"name": "Ann", "vip": true}, "total": 123.45, "day": 20_000, "at": 1_700_000_000_123i64,
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn what_confluents_client_wrote_is_read_here() {
    let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "required": ["id", "state"], "properties": {
            "id": {"type": "integer"}, "state": {"type": "string"},
            "lines": {"type": "array", "items": {"$ref": "#/definitions/Line"}},
            "either": {"oneOf": [{"type": "integer"}, {"$ref": "#/definitions/Line"}]}},
        "definitions": {"Line": {"type": "object", "properties": {"sku": {"type": "string"}}}}});
    let value = json!({"id": 9, "state": "PAID", "either": {"sku": "x"}});
    let record = written_by_confluent("json", "here-json", &schema, &value);
    let optional = [("use.optional.for.nonrequired", "true")];
    let (schema, value) = read_one(&mut *converter(JSON, &optional), "here-json", &record).await.unwrap();
    let line = Value::Struct(vec![Value::from("x")]);
    let either = Value::Struct(vec![Value::Null, line]);
    let fields = vec![Value::from(9), Value::from("PAID"), Value::Null, either];
    assert_eq!(value, Value::Struct(fields));
    let root = schema.unwrap().schema().root().clone();
    assert_eq!((root.name.as_deref(), root.version), (Some("Order"), Some(1)));
    // What may be missing is not optional unless that is asked for, and the fault says how to ask.
    let refused = read_one(&mut *converter(JSON, &[]), "here-json", &record).await.unwrap_err();
    assert!(refused.contains("required ARRAY field") && refused.contains("use.optional.for.nonrequired"), "{refused}");
}

#[tokio::test]
async fn schemas_that_others_refer_to_are_fetched_with_them() {
    let inner = json!({"type": "object", "title": "Inner", "properties": {"x": {"type": "integer"}}});
    let outer = json!({"type": "object", "title": "Outer", "properties": {"i": {"$ref": "inner.json"}}});
    register("refj-inner", &json!({"schema": inner.to_string(), "schemaType": "JSON"}));
    let references = json!([{"name": "inner.json", "subject": "refj-inner", "version": 1}]);
    let body = json!({"schema": outer.to_string(), "schemaType": "JSON", "references": references});
    let id = register("refj-value", &body);
    let record = [&[0][..], &id.to_be_bytes(), br#"{"i":{"x":5}}"#].concat();
    let (schema, value) = read_one(&mut *converter(JSON, &[]), "refj", &record).await.unwrap();
    assert_eq!(value, Value::Struct(vec![Value::Struct(vec![Value::from(5)])]));
    assert_eq!(schema.unwrap().schema().root().name.as_deref(), Some("Outer"));
}

#[tokio::test]
async fn nulls_and_bad_records_are_told_apart() {
    let schema = Schema::record([("a", leaf(Type::String))]).named("MixedJson");
    let mut json = converter(JSON, &[]);
    let good = write_one(&mut *json, "mixed-json", &schema, &Value::Struct(vec![Value::from("x")])).await.unwrap();
    let id = u32::from_be_bytes(good[1..5].try_into().unwrap());
    let cut = good[..good.len() - 1].to_vec();
    let bad_text = [&good[..5], b"{\"a\":\"\xff\"}"].concat();
    let deep = [&good[..5], "[".repeat(100_000).as_bytes()].concat();
    let (converted, _) =
        read(&mut *json, "mixed-json", &[Some(good), None, Some(cut), Some(bad_text), Some(deep)]).await;
    let rows: Vec<u32> = converted.faults.iter().map(|fault| fault.row).collect();
    assert_eq!(rows, [2, 3, 4]);
    let start = "Converting byte[] to Kafka Connect data failed due to serialization error of topic mixed-json: ";
    assert!(converted.faults.iter().all(|fault| fault.fault.to_string().starts_with(start)));
    assert!(converted.faults.iter().all(|fault| matches!(fault.fault, Fault::Data(_))));
    // Null under an optional schema is a record, as Confluent's converter writes it; under a required one a tombstone.
    // (Apicurio takes no schema whose root is oneOf, so it is told the id of the other.)
    let optional = SchemaHandle::new(schema.clone().optional());
    let id = id.to_string();
    let mut by_id = converter(JSON, &[("auto.register.schemas", "false"), ("use.schema.id", &id)]);
    let written = write(&mut *by_id, "mixed-json", Some(&optional), &[None]).await;
    assert!(written.faults.is_empty(), "{:?}", written.faults);
    assert_eq!(&written.bytes.get(0).unwrap()[5..], b"null");
    let written = write(&mut *json, "mixed-json", Some(&SchemaHandle::new(schema)), &[None]).await;
    assert_eq!((written.bytes.get(0), written.faults.len()), (None, 0));
    // Without schema there is nothing to register.
    let written = write(&mut *json, "mixed-json", None, &[Some(vec![1]), None]).await;
    assert_eq!((written.faults.len(), written.faults[0].row), (1, 0));
    assert!(written.faults[0].fault.to_string().contains("no JSON Schema"));
    let list = json!({"type": "object", "title": "L", "properties": {"next": {"$ref": "#"}}});
    let id = register("list-json-value", &json!({"schema": list.to_string(), "schemaType": "JSON"}));
    let record = [&[0][..], &id.to_be_bytes(), b"{}"].concat();
    let refused = read_one(&mut *json, "list-json", &record).await.unwrap_err();
    assert!(refused.contains("the schema L holds itself"), "{refused}");
}

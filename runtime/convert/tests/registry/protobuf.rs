//! ProtobufConverter.

use serde_json::{Value as Json, json};
use weir_core::model::{Fault, SchemaHandle};
use weir_data::{Node, Schema, Type, Value, logical};

use crate::leaf;
use crate::support::{
    asked, converter, read, read_as_by_confluent, read_one, register, write, write_one, written_by_confluent,
};

const PROTOBUF: &str = "io.confluent.connect.protobuf.ProtobufConverter";

fn tagged(schema: Schema, tag: u32) -> Schema {
    let mut nodes = schema.nodes().to_vec();
    nodes[0].parameters.push(("io.confluent.connect.protobuf.Tag".into(), tag.to_string()));
    Schema::new(nodes).unwrap()
}

fn optional(kind: Type) -> Schema {
    leaf(kind).optional()
}

/// A parcel, with everything but what only Confluent's own types say.
fn parcel() -> (Schema, Value) {
    let time = Node { version: Some(1), ..Node::new(Type::Int64).named(logical::TIMESTAMP) };
    let sender = Schema::record([("name", optional(Type::String)), ("vip", optional(Type::Boolean))]);
    let line = Schema::record([("sku", optional(Type::String)), ("count", optional(Type::Int32))]);
    let schema = Schema::record([
        ("id", optional(Type::Int64)),
        ("weight", optional(Type::Float64)),
        ("ratio", optional(Type::Float32)),
        ("raw", optional(Type::Bytes)),
        ("sender", sender.named("Sender").optional()),
        ("lines", Schema::array(line.named("Line").optional()).optional()),
        ("marks", Schema::array(optional(Type::Int32)).optional()),
        ("counts", Schema::map(optional(Type::String), optional(Type::Int32)).named("counts").optional()),
        ("at", Schema::of(time).optional()),
        ("note", optional(Type::String)),
    ]);
    let value = Value::Struct(vec![
        Value::from(1i64 << 40),
        Value::from(2.25),
        Value::from(1.5f32),
        Value::from(vec![0u8, 255]),
        Value::Struct(vec![Value::from("Ann"), Value::from(true)]),
        Value::Array(vec![Value::Struct(vec![Value::from("s"), Value::from(-3)])]),
        Value::Array(vec![Value::from(1), Value::from(-1), Value::from(300)]),
        Value::Map(vec![(Value::from("k"), Value::from(7))]),
        Value::from(1_700_000_000_123i64),
        Value::from(""),
    ]);
    (schema.named("shop.Parcel"), value)
}

fn field(name: &str, number: u32, kind: &str, label: &str, type_name: &str) -> Json {
    let mut field = json!({"name": name, "number": number, "type": format!("TYPE_{kind}")});
    field["label"] = format!("LABEL_{label}").into();
    if !type_name.is_empty() {
        field["typeName"] = type_name.into();
    }
    field
}

/// The same as Confluent's client for Python knows it.
fn parcel_in_python() -> Json {
    let (one, many) = ("OPTIONAL", "REPEATED");
    let entry = json!({"name": "CountsEntry", "options": {"mapEntry": true},
        "field": [field("key", 1, "STRING", one, ""), field("value", 2, "INT32", one, "")]});
    let sender = json!({"name": "Sender",
        "field": [field("name", 1, "STRING", one, ""), field("vip", 2, "BOOL", one, "")]});
    let line = json!({"name": "Line",
        "field": [field("sku", 1, "STRING", one, ""), field("count", 2, "INT32", one, "")]});
    let message = json!({"name": "Parcel", "nestedType": [sender, line, entry], "field": [
        field("id", 1, "INT64", one, ""), field("weight", 2, "DOUBLE", one, ""), field("ratio", 3, "FLOAT", one, ""),
        field("raw", 4, "BYTES", one, ""), field("sender", 5, "MESSAGE", one, ".shop.Parcel.Sender"),
        field("lines", 6, "MESSAGE", many, ".shop.Parcel.Line"), field("marks", 7, "INT32", many, ""),
        field("counts", 8, "MESSAGE", many, ".shop.Parcel.CountsEntry"),
        field("at", 9, "MESSAGE", one, ".google.protobuf.Timestamp"), field("note", 10, "STRING", one, "")]});
    let file = json!({"name": "parcel.proto", "package": "shop", "syntax": "proto3", "messageType": [message],
        "dependency": ["google/protobuf/timestamp.proto"]});
    json!({"file": file, "message": "shop.Parcel"})
}

#[tokio::test]
async fn records_come_back_with_their_schema_and_its_version_in_the_registry() {
    let (schema, value) = parcel();
    let record = write_one(&mut *converter(PROTOBUF, &[]), "back-pb", &schema, &value).await.unwrap();
    let subject = asked("/subjects/back-pb-value/versions/latest");
    assert_eq!(subject["schemaType"], "PROTOBUF");
    assert_eq!(record[1..6], [&(subject["id"].as_u64().unwrap() as u32).to_be_bytes()[..], &[0]].concat());
    let (read, read_value) = read_one(&mut *converter("Protobuf", &[]), "back-pb", &record).await.unwrap();
    assert_eq!(read_value, value);
    let read = read.unwrap();
    assert_eq!((read.schema().root().name.as_deref(), read.schema().root().version), (Some("Parcel"), Some(1)));
    let names = |schema: &Schema| schema.fields().iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(read.schema()), names(&schema));
    // What was read is written as it was.
    let again = write_one(&mut *converter(PROTOBUF, &[]), "again-pb", read.schema(), &value).await.unwrap();
    assert_eq!(again[5..], record[5..]);
}

#[tokio::test]
async fn confluents_client_and_this_one_read_each_other() {
    let (schema, value) = parcel();
    let record = write_one(&mut *converter(PROTOBUF, &[]), "there-pb", &schema, &value).await.unwrap();
    let read = read_as_by_confluent("protobuf", "there-pb", &parcel_in_python(), &record);
    let expected = json!({
        "id": (1i64 << 40).to_string(), "weight": 2.25, "ratio": 1.5, "raw": "AP8=",
        "sender": {"name": "Ann", "vip": true}, "lines": [{"sku": "s", "count": -3}], "marks": [1, -1, 300],
        "counts": {"k": 7}, "at": "2023-11-14T22:13:20.123Z",
    });
    assert_eq!(read, expected);
    let record = written_by_confluent("protobuf", "here-pb", &parcel_in_python(), &expected);
    let (schema, read) = read_one(&mut *converter(PROTOBUF, &[]), "here-pb", &record).await.unwrap();
    assert_eq!(read, value);
    assert_eq!(schema.unwrap().schema().root().name.as_deref(), Some("Parcel"));
}

/// A schema with two messages, of which the second has one inside.
const TWO: &str = "syntax = \"proto3\"; package two; message A { int32 x = 1; } message B { message C { \
    oneof choice { string text = 1; int64 number = 5; A a = 6; } Color color = 2; optional int32 maybe = 3; \
    repeated sint64 packed = 4; enum Color { RED = 0; GREEN = 1; } map<int32, A> by = 7; uint32 u = 8; \
    fixed64 f = 9; } }";

#[tokio::test]
async fn messages_are_found_by_the_positions_that_records_begin_with() {
    let id = register("two-pb-value", &json!({"schema": TWO, "schemaType": "PROTOBUF"}));
    let framed = |body: &[u8]| [&[0][..], &id.to_be_bytes(), body].concat();
    let mut protobuf = converter(PROTOBUF, &[]);
    let (schema, value) = read_one(&mut *protobuf, "two-pb", &framed(&[0, 8, 5])).await.unwrap();
    assert_eq!(
        (schema.unwrap().schema().root().name.as_deref(), value),
        (Some("A"), Value::Struct(vec![Value::from(5)]))
    );
    // Positions 1 and 0: C inside B. A text, then a number, of which the last counts; what is not there.
    let body = [4, 2, 0, 10, 1, b'x', 40, 9, 16, 1, 34, 2, 1, 4, 58, 6, 8, 3, 18, 2, 8, 8];
    let (schema, value) = read_one(&mut *protobuf, "two-pb", &framed(&body)).await.unwrap();
    let schema = schema.unwrap();
    let names: Vec<_> = schema.schema().fields().iter().map(|field| &field.name[..]).collect();
    assert_eq!(names, ["choice_0", "color", "maybe", "packed", "by", "u", "f"]);
    let choice = Value::Struct(vec![Value::Null, Value::from(9), Value::Null]);
    let by = Value::Map(vec![(Value::from(3), Value::Struct(vec![Value::from(8)]))]);
    let packed = Value::Array(vec![Value::from(-1), Value::from(2)]);
    let expected = vec![choice, Value::from("GREEN"), Value::Null, packed, by, Value::from(0), Value::from(0)];
    assert_eq!(value, Value::Struct(expected));
    let color = schema.schema().node(schema.schema().fields()[1].node);
    assert!(color.parameters.contains(&("io.confluent.connect.protobuf.Enum.GREEN".into(), "1".into())));
    // It is written with a schema of its own, and read as it was: null, too, where its schema says optional.
    let mut nullable = converter(PROTOBUF, &[("optional.for.nullables", "true")]);
    let written = write_one(&mut *nullable, "two-again-pb", schema.schema(), &value).await.unwrap();
    let (_, back) = read_one(&mut *nullable, "two-again-pb", &written).await.unwrap();
    assert_eq!(back, value);
    for (bad, why) in [(&[2, 4][..], "no message at [2]"), (&[1], "by -1 positions"), (&[0, 8], "ends inside a value")]
    {
        let refused = read_one(&mut *protobuf, "two-pb", &framed(bad)).await.unwrap_err();
        let start = "Failed to deserialize data for topic two-pb to Protobuf: ";
        assert!(refused.starts_with(start) && refused.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn schemas_that_others_import_are_fetched_with_them() {
    let inner = "syntax = \"proto3\"; package ref; message Inner { int32 x = 1; }";
    let outer = "syntax = \"proto3\"; package ref; import \"inner.proto\"; message Outer { Inner i = 1; }";
    register("refpb-inner", &json!({"schema": inner, "schemaType": "PROTOBUF"}));
    let references = json!([{"name": "inner.proto", "subject": "refpb-inner", "version": 1}]);
    let id = register("refpb-value", &json!({"schema": outer, "schemaType": "PROTOBUF", "references": references}));
    let record = [&[0][..], &id.to_be_bytes(), &[0, 10, 2, 8, 5]].concat();
    let (_, value) = read_one(&mut *converter(PROTOBUF, &[]), "refpb", &record).await.unwrap();
    assert_eq!(value, Value::Struct(vec![Value::Struct(vec![Value::from(5)])]));
}

#[tokio::test]
async fn scalars_are_whole_records_as_wrappers_and_nulls_are_tombstones() {
    let mut protobuf = converter(PROTOBUF, &[]);
    let record = write_one(&mut *protobuf, "raw-pb", &leaf(Type::String), &Value::from("text")).await.unwrap();
    let (schema, value) = read_one(&mut *protobuf, "raw-pb", &record).await.unwrap();
    assert_eq!((value, schema.unwrap().schema().root().kind.clone()), (Value::from("text"), Type::String));
    let schema = SchemaHandle::new(Schema::record([("a", tagged(optional(Type::Int8), 9))]).named("Mixed"));
    let written = write(&mut *protobuf, "mixed-pb", Some(&schema), &[None]).await;
    assert_eq!((written.bytes.get(0), written.faults.len()), (None, 0));
    let (converted, _) = read(&mut *protobuf, "mixed-pb", &[None, Some(vec![1, 2, 3])]).await;
    assert!(converted.cells.column.get(0).is_none() && converted.faults.len() == 1);
    assert!(matches!(&converted.faults[0].fault, Fault::Data(why) if why.ends_with("Unknown magic byte!")));
    let list = "syntax = \"proto3\"; message L { L next = 1; }";
    let id = register("list-pb-value", &json!({"schema": list, "schemaType": "PROTOBUF"}));
    let refused = read_one(&mut *protobuf, "list-pb", &[&[0][..], &id.to_be_bytes(), &[0]].concat()).await.unwrap_err();
    assert!(refused.contains("the message L holds itself"), "{refused}");
}

#[tokio::test]
async fn what_protobuf_has_no_word_for_is_said_beside_its_fields() {
    let decimal = Node { version: Some(1), parameters: vec![("scale".into(), "2".into())], ..Node::new(Type::Bytes) };
    let day = Node { version: Some(1), ..Node::new(Type::Int32).named(logical::DATE) };
    let schema = Schema::record([
        ("small", optional(Type::Int8)),
        ("middle", optional(Type::Int16)),
        ("total", Schema::of(decimal.named(logical::DECIMAL)).optional()),
        ("day", Schema::of(day).optional()),
    ]);
    let value =
        Value::Struct(vec![Value::from(-5), Value::from(300), Value::from(vec![0x30u8, 0x39]), Value::from(20_000)]);
    let written = write_one(&mut *converter(PROTOBUF, &[]), "meta-pb", &schema.named("Meta"), &value).await;
    let record = written.unwrap();
    let (schema, back) = read_one(&mut *converter(PROTOBUF, &[]), "meta-pb", &record).await.unwrap();
    assert_eq!(back, value);
    let schema = schema.unwrap();
    let kinds: Vec<_> =
        schema.schema().fields().iter().map(|field| schema.schema().node(field.node).kind.clone()).collect();
    assert_eq!(kinds, [Type::Int8, Type::Int16, Type::Bytes, Type::Int32]);
}

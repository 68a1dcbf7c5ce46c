//! What converters do with whole batches: rows, schemas, faults, moved columns, names and settings.

mod support;

use support::{config, json, no_http, read, single, write, written};
use weir_convert::{CLASSES, ConverterClass, Role, converter, plain_schema};
use weir_core::model::{BatchTables, Config, Fault, SchemaHandle};
use weir_data::{Cells, Column, Node, Schema, Type, Value, encode_cell};

fn column(cells: &[Option<&str>]) -> Column {
    let mut column = Column::default();
    cells.iter().for_each(|cell| column.push_option(cell.map(str::as_bytes)));
    column
}

fn make(class: &str) -> Box<dyn weir_core::port::Converter> {
    converter(class, &Config::new(), Role::Header, &no_http()).unwrap()
}

#[test]
fn text_and_bytes_pass_through_without_a_copy() {
    for class in ["StringConverter", "ByteArrayConverter"] {
        let bytes = column(&[Some("héllo"), None, Some("")]);
        let (kept, mut tables) = (bytes.data.as_ptr(), BatchTables::default());
        let converted = read(&mut *make(class), bytes, &mut tables);
        assert_eq!(converted.cells.column.data.as_ptr(), kept, "{class} to connect");
        let back = write(&mut *make(class), converted.cells, &tables);
        assert_eq!(back.bytes.data.as_ptr(), kept, "{class} from connect");
        assert_eq!(tables.schemas.len(), 1);
    }
}

#[test]
fn characters_that_only_a_row_boundary_cuts_are_replaced_in_both_rows() {
    let mut bytes = Column::default();
    bytes.push(b"a\xc3");
    bytes.push(b"\xa9b");
    let converted = read(&mut *make("String"), bytes.clone(), &mut BatchTables::default());
    assert_eq!(converted.cells.column, column(&[Some("a\u{fffd}"), Some("\u{fffd}b")]));
    bytes = Column::default();
    bytes.push(b"\"\xc3");
    bytes.push(b"\xa9\"");
    let plain = &mut *json(&[("schemas.enable", "false")]);
    assert_eq!(read(plain, bytes, &mut BatchTables::default()).faults.len(), 2);
}

#[test]
fn integers_without_schema_are_written_where_they_fit() {
    for (class, fits, not) in [
        ("ShortConverter", -32_768, Some(32_768)),
        ("Integer", i64::from(i32::MAX), Some(i64::from(i32::MIN) - 1)),
        ("Long", i64::MIN, None),
    ] {
        let cell = |value: i64| {
            let mut cell = Vec::new();
            weir_data::cbor::integer(&mut cell, value);
            written(&mut *make(class), None, Some(&cell))
        };
        let bytes = cell(fits).unwrap().unwrap();
        assert!(fits.to_be_bytes().ends_with(&bytes), "{class}");
        let Some(not) = not else { continue };
        assert!(cell(not).unwrap_err().ends_with("(was class java.lang.Long): "), "{class}");
    }
}

#[test]
fn rows_that_fail_are_null_and_leave_the_others_alone() {
    let mut tables = BatchTables { schemas: vec![plain_schema(&Type::String, false)], ..BatchTables::default() };
    let records = column(&[Some("{\"a\":1}"), Some("{\"a\":"), None, Some("null"), Some("{\"a\":2}")]);
    let converted = read(&mut *json(&[("schemas.enable", "false")]), records, &mut tables);
    assert_eq!(converted.faults.len(), 1);
    assert_eq!((converted.faults[0].row, converted.faults[0].step), (1, 0));
    assert!(matches!(&converted.faults[0].fault, Fault::Data(message) if message.ends_with("line 1, column 6")));
    assert_eq!(converted.cells.schema, [1; 5]);
    let cells: Vec<_> = (0..5).map(|row| converted.cells.column.get(row)).collect();
    assert_eq!(cells, [Some(&b"\xa1aa\x01"[..]), None, None, None, Some(&b"\xa1aa\x02"[..])]);
}

#[test]
fn equal_schemas_share_a_handle_however_they_are_spelled() {
    let spelled = |schema: &str, payload: &str| format!("{{\"schema\":{schema},\"payload\":{payload}}}");
    let field = "{\"field\":\"a\",\"type\":\"int8\",\"optional\":false}";
    let records = [
        spelled(&format!("{{\"type\":\"struct\",\"fields\":[{field}]}}"), "{\"a\":1}"),
        spelled(&format!("{{ \"fields\":[{field}], \"type\":\"struct\" }}"), "{\"a\":2}"),
        spelled("{\"type\":\"int8\"}", "3"),
        spelled(&format!("{{\"type\":\"struct\",\"fields\":[{field}]}}"), "{\"a\":4}"),
    ];
    let records: Vec<Option<&str>> = records.iter().map(|record| Some(record.as_str())).collect();
    for cache in ["1000", "1", "0"] {
        let mut tables = BatchTables::default();
        let converted = read(&mut *json(&[("schemas.cache.size", cache)]), column(&records), &mut tables);
        assert!(converted.faults.is_empty());
        if cache == "1000" {
            assert_eq!(converted.cells.schema, [0, 0, 1, 0]);
            assert_eq!(tables.schemas[1], plain_schema(&Type::Int8, false));
        }
    }
}

#[test]
fn a_null_with_a_schema_is_told_from_a_null_without() {
    let tables = BatchTables {
        schemas: vec![None, plain_schema(&Type::Int8, true), plain_schema(&Type::Int8, false)],
        ..BatchTables::default()
    };
    let cells = || Cells { column: column(&[None, None, None]), schema: vec![0, 1, 2] };
    let written = write(&mut *json(&[("schemas.enable", "false")]), cells(), &tables);
    assert_eq!(written.bytes, column(&[None, Some("null"), None]));
    assert_eq!(written.faults.len(), 1);
    let enveloped = write(&mut *json(&[]), cells(), &tables);
    let envelope = "{\"schema\":{\"type\":\"int8\",\"optional\":true},\"payload\":null}";
    assert_eq!(enveloped.bytes, column(&[None, Some(envelope), None]));
    // A column that is null in every row counts them in its schemas, if anywhere.
    let all_null = Cells { column: Column::default(), schema: vec![0, 1, 2] };
    assert_eq!(write(&mut *json(&[]), all_null, &tables).bytes, enveloped.bytes);
    let unknown = write(&mut *json(&[]), Cells::default(), &tables);
    assert_eq!((unknown.bytes, unknown.faults), (Column::default(), vec![]));
}

#[test]
fn objects_keep_one_value_a_key_however_they_are_mixed() {
    let plain = &mut *json(&[("schemas.enable", "false")]);
    let back = |converter: &mut dyn weir_core::port::Converter, text: &str| {
        let (_, cell) = single(converter, Some(text.as_bytes())).unwrap();
        String::from_utf8(written(converter, None, cell.as_deref()).unwrap().unwrap()).unwrap()
    };
    for _ in 0..3 {
        assert_eq!(back(plain, "{\"a\":1,\"b\":2}"), "{\"a\":1,\"b\":2}");
        assert_eq!(back(plain, "{\"b\":1,\"a\":2}"), "{\"b\":1,\"a\":2}");
        assert_eq!(back(plain, "{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}");
        assert_eq!(back(plain, "{\"a\" :1,\"a\" :{\"a\":[{\"x\":1,\"x\":2}]}}"), "{\"a\":{\"a\":[{\"x\":2}]}}");
        assert_eq!(back(plain, "{\"\\u0061\":1,\"a\":2}"), "{\"a\":2}");
        assert_eq!(back(plain, "{\"a\":{\"a\":1,\"a\":2},\"a\":{\"b\":{}}}"), "{\"a\":{\"b\":{}}}");
    }
    let many: Vec<String> = (0..10_000).map(|at| format!("\"key {}\":{at}", at % 7_000)).collect();
    let text = back(plain, &format!("{{{}}}", many.join(",")));
    assert_eq!(text.matches(':').count(), 7_000);
    assert!(text.starts_with("{\"key 0\":7000,"));
    assert_eq!(back(plain, "{\"a\":1,\"b\":2}"), "{\"a\":1,\"b\":2}");
}

#[test]
fn depth_is_bounded_on_every_way() {
    let deep = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for (times, fits) in [(128, true), (129, false), (200_000, false)] {
            let text = deep(open, close, times);
            let outcome = single(&mut *json(&[("schemas.enable", "false")]), Some(text.as_bytes()));
            assert_eq!(outcome.is_ok(), fits, "{open} {times}");
            let text = format!("{{\"schema\":{{\"type\":\"struct\",\"fields\":[]}},\"payload\":{{\"x\":{text}}}}}");
            let outcome = single(&mut *json(&[]), Some(text.as_bytes()));
            assert!(times < 1_000 || outcome.is_err());
            let header = deep("[", "]", times);
            assert!(single(&mut *make("SimpleHeaderConverter"), Some(header.as_bytes())).is_ok());
        }
    }
    let schema =
        format!("{}{{\"type\":\"int8\"}}{}", "{\"type\":\"array\",\"items\":".repeat(5_000), "}".repeat(5_000));
    let text = format!("{{\"schema\":{schema},\"payload\":null}}");
    assert!(single(&mut *json(&[]), Some(text.as_bytes())).is_err());
    let mut cell = vec![0x81; 5_000];
    cell.push(0);
    for class in CLASSES.iter().filter(|class| class.converts_headers) {
        assert!(written(&mut *make(class.name), None, Some(&cell)).is_err(), "{}", class.name);
    }
}

#[test]
fn defaults_cannot_fill_the_memory() {
    // Each level's default holds ten of the one before it.
    let mut schema = "{\"type\":\"string\",\"default\":\"0123456789\"}".to_owned();
    for _ in 0..12 {
        let nulls = ["null"; 10].join(",");
        schema = format!("{{\"type\":\"array\",\"items\":{schema},\"default\":[{nulls}]}}");
    }
    let outcome = single(&mut *json(&[]), Some(format!("{{\"schema\":{schema},\"payload\":null}}").as_bytes()));
    assert!(outcome.unwrap_err().contains("default"));
}

#[test]
fn hostile_nesting_takes_no_exponential_time() {
    // Members out of order and twice at every level, so that each level is read in the slow way.
    let mut schema = "{\"type\":\"int8\",\"optional\":true}".to_owned();
    let mut payload = "1".to_owned();
    for _ in 0..60 {
        let field = |name: &str| schema.replacen("{\"type\"", &format!("{{\"field\":\"{name}\",\"type\""), 1);
        let other = "{\"field\":\"b\",\"type\":\"int8\",\"optional\":true}";
        schema = format!("{{\"type\":\"struct\",\"optional\":true,\"fields\":[{},{other}]}}", field("a"));
        payload = format!("{{\"a\":{payload},\"x\":0,\"b\":1,\"b\":2}}");
    }
    let start = std::time::Instant::now();
    let text = format!("{{\"payload\":{payload},\"schema\":{schema}}}");
    single(&mut *json(&[]), Some(text.as_bytes())).unwrap();
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn classes_answer_to_their_long_and_short_names() {
    for name in ["org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "Json", "String", "ByteArray"] {
        assert!(converter(name, &Config::new(), Role::Key, &no_http()).is_ok(), "{name}");
        assert!(ConverterClass::find(name).is_some());
    }
    let problem = |class, config: &Config, role| match converter(class, config, role, &no_http()) {
        Ok(_) => panic!("{class} was made"),
        Err(problems) => problems,
    };
    assert_eq!(problem("io.nobody.Converter", &Config::new(), Role::Key)[0].key, "key.converter");
    let simple = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
    assert_eq!(problem(simple, &Config::new(), Role::Value)[0].key, "value.converter");
    let wrong = config(&[("schemas.enable", "maybe"), ("schemas.cache.size", "many"), ("decimal.format", "HEX")]);
    let keys: Vec<String> = problem("Json", &wrong, Role::Key).into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["schemas.enable", "schemas.cache.size", "decimal.format"]);
    let latin = config(&[("converter.encoding", "ISO-8859-1")]);
    assert_eq!(problem("String", &latin, Role::Value)[0].key, "converter.encoding");
    for (class, keys) in [("Json", 6), ("String", 2), ("ByteArray", 1), (simple, 0)] {
        assert_eq!(ConverterClass::find(class).unwrap().definition().len(), keys, "{class}");
    }
}

#[test]
fn java_text_prints_structs_maps_and_arrays() {
    let schema = Schema::record([
        ("a", Schema::of(Node::new(Type::Int32))),
        ("b", Schema::of(Node::new(Type::String)).optional()),
        ("c", Schema::map(Schema::of(Node::new(Type::String)), Schema::array(Schema::of(Node::new(Type::Float64))))),
    ]);
    let map = Value::Map(vec![(Value::from("k"), Value::Array(vec![Value::from(1.0), Value::from(1e10)]))]);
    let mut cell = Vec::new();
    encode_cell(Some(&schema), &Value::Struct(vec![Value::from(1), Value::Null, map]), &mut cell).unwrap();
    let text = written(&mut *make("String"), Some(&SchemaHandle::new(schema)), Some(&cell)).unwrap().unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "Struct{a=1,c={k=[1.0, 1.0E10]}}");
}

//! What holds for every input: records come back as they went, and no bytes bring a converter down.

mod support;

use proptest::prelude::*;
use support::{all_optional, json, no_http, single, written};
use weir_convert::{CLASSES, Role, converter};
use weir_core::model::{BatchTables, Config, SchemaHandle};
use weir_data::{Cells, Column, Node, Schema, Type, Value, decode_cell, encode_cell};

fn free_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite() && *f != 0.0).prop_map(Value::Float64),
        "\\PC{0,12}|[a\"\\\\\n\u{1}é€😀]{0,30}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..30).prop_map(Value::Array),
            prop::collection::btree_map("[a-z\"é😀]{0,4}", inner, 0..30)
                .prop_map(|map| Value::Map(map.into_iter().map(|(k, v)| (Value::Text(k), v)).collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Schema> {
    let leaf = (0..11usize, any::<bool>()).prop_map(|(kind, optional)| {
        let kinds = [&Type::SCALARS[..], &[Type::Int64, Type::Bytes]].concat();
        let mut node = Node { optional, ..Node::new(kinds[kind].clone()) };
        if kind == 9 {
            node.name = Some("org.apache.kafka.connect.data.Timestamp".into());
        }
        if kind == 10 {
            node.name = Some("org.apache.kafka.connect.data.Decimal".into());
            node.parameters = vec![("scale".into(), "3".into())];
        }
        Schema::of(node)
    });
    leaf.prop_recursive(3, 24, 20, |inner| {
        prop_oneof![
            inner.clone().prop_map(Schema::array),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| Schema::map(key, value)),
            prop::collection::btree_map("[a-d\"é]{1,3}", inner, 0..20)
                .prop_map(|fields| Schema::record(fields.iter().map(|(name, schema)| (name.as_str(), schema.clone())))),
        ]
    })
}

/// A value of a schema, out of a seed.
fn value_of(schema: &Schema, node: u32, seed: &mut u64) -> Value {
    let mut next = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 20
    };
    let node = schema.node(node);
    let any = next();
    if node.optional && any.is_multiple_of(4) {
        return Value::Null;
    }
    let decimal = node.name.as_deref().is_some_and(|name| name.ends_with("Decimal"));
    match &node.kind {
        Type::Int8 => Value::from(any as i8),
        Type::Int16 => Value::from(any as i16),
        Type::Int32 => Value::from(any as i32),
        Type::Int64 => Value::from((any as i64) << 20 >> (any % 40)),
        Type::Float32 => Value::from(any as i16 as f32 / 4.0),
        Type::Float64 => Value::from(any as i16 as f64 / 4.0),
        Type::Boolean => Value::from(any.is_multiple_of(2)),
        Type::String => Value::from(&"a\"\\\n\u{1}é€😀text"[..[1, 2, 3, 4, 5, 7, 10, 14, 18][any as usize % 9]]),
        Type::Bytes if decimal => Value::from(vec![(any as u8 & 63) + 1; 1 + any as usize % 30]),
        Type::Bytes => Value::from(vec![any as u8; any as usize % 40]),
        Type::Array(element) => Value::Array((0..any % 5).map(|_| value_of(schema, *element, seed)).collect()),
        Type::Map { key, value } => {
            let mut entries: Vec<(Value, Value)> = Vec::new();
            for _ in 0..any % 4 {
                let key_value = value_of(schema, *key, seed);
                let value = value_of(schema, *value, seed);
                let text_null = schema.node(*key).kind == Type::String && key_value == Value::Null;
                if !text_null && entries.iter().all(|(known, _)| *known != key_value) {
                    entries.push((key_value, value));
                }
            }
            Value::Map(entries)
        }
        Type::Struct(fields) => Value::Struct(fields.iter().map(|field| value_of(schema, field.node, seed)).collect()),
    }
}

proptest! {
    #[test]
    fn values_without_schema_survive_json(value in free_value()) {
        let mut cell = Vec::new();
        encode_cell(None, &value, &mut cell).unwrap();
        let cell = (value != Value::Null).then_some(&cell[..]);
        let converter = &mut *json(&[("schemas.enable", "false")]);
        for _ in 0..2 {
            let text = written(converter, None, cell).unwrap();
            let (schema, back) = single(converter, text.as_deref()).unwrap();
            prop_assert!(schema.is_none());
            prop_assert_eq!(back.as_deref(), cell);
        }
        let enveloped = &mut *json(&[]);
        let text = written(enveloped, None, cell).unwrap();
        let (_, back) = single(enveloped, text.as_deref()).unwrap();
        prop_assert_eq!(back.as_deref(), cell);
    }

    #[test]
    fn values_with_schema_survive_the_envelope(schema in schema(), seed in any::<u64>(), numeric in any::<bool>()) {
        let value = value_of(&schema, 0, &mut seed.clone());
        let handle = SchemaHandle::new(schema.clone());
        let mut cell = Vec::new();
        encode_cell(Some(&schema), &value, &mut cell).unwrap();
        let cell = (value != Value::Null).then_some(&cell[..]);
        let converter = &mut *json(&[("decimal.format", if numeric { "numeric" } else { "base64" })]);
        let text = written(converter, Some(&handle), cell).unwrap();
        let (back_schema, back) = single(converter, text.as_deref()).unwrap();
        let back_schema = back_schema.unwrap();
        prop_assert_eq!(back_schema.schema(), &schema);
        prop_assert_eq!(back.as_deref(), cell);
    }

    #[test]
    fn members_in_any_order_make_the_same_struct(
        schema in schema(),
        seed in any::<u64>(),
        order in prop::collection::vec(any::<u32>(), 20),
        twice in any::<bool>(),
    ) {
        let schema = all_optional(&schema);
        let Value::Struct(_) = value_of(&schema, 0, &mut seed.clone()) else { return Ok(()) };
        let value = value_of(&schema, 0, &mut seed.clone());
        let mut cell = Vec::new();
        encode_cell(Some(&schema), &value, &mut cell).unwrap();
        let handle = SchemaHandle::new(schema);
        let text = written(&mut *json(&[]), Some(&handle), Some(&cell)).unwrap().unwrap();
        let serde_json::Value::Object(mut envelope) = serde_json::from_slice(&text).unwrap() else { panic!() };
        let serde_json::Value::Object(payload) = envelope.remove("payload").unwrap() else { panic!() };
        let mut members: Vec<_> = payload.into_iter().enumerate().collect();
        members.sort_by_key(|(at, _)| order.get(*at).copied().unwrap_or(0));
        let first = members.first().cloned();
        let mut shuffled: Vec<String> = members
            .into_iter()
            .map(|(_, (key, value))| format!("{}:{value}", serde_json::Value::from(key)))
            .collect();
        if let (true, Some((_, (key, value)))) = (twice, first) {
            // The last of a name counts.
            shuffled[0] = format!("{}:null", serde_json::Value::from(key.clone()));
            shuffled.push(format!("\"unknown\":[{{}}], {}:{value}", serde_json::Value::from(key)));
        }
        let text = format!("{{\"payload\":{{{}}},\"schema\":{}}}", shuffled.join(","), envelope["schema"]);
        let (_, back) = single(&mut *json(&[]), Some(text.as_bytes())).unwrap();
        prop_assert_eq!(back.unwrap(), cell);
    }

    #[test]
    fn arbitrary_bytes_bring_no_converter_down(
        records in prop::collection::vec(prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[\\[\\]{}\":,0-9a-ez.+\\\\untrflse -]{0,40}".prop_map(String::into_bytes),
            "\\{\"schema\":\\{\"type\":\"(int8|string|map|array|struct)\"[^\u{0}]{0,20}".prop_map(String::into_bytes),
        ]), 0..20),
        enable in any::<bool>(),
    ) {
        for class in CLASSES.iter().filter(|class| class.converts_headers) {
            let mut config = Config::new();
            config.insert("schemas.enable".into(), enable.to_string());
            let converter = &mut *converter(class.name, &config, Role::Header, &no_http()).unwrap();
            let mut column = Column::default();
            records.iter().for_each(|record| column.push_option(record.as_deref()));
            let mut tables = BatchTables::default();
            let converted = support::read(converter, column.clone(), &mut tables);
            for row in 0..converted.cells.column.ends.len() {
                let schema = tables.schemas[converted.cells.schema_of(row)].as_ref().map(|schema| schema.schema());
                let cell = converted.cells.column.get(row);
                prop_assert!(cell.is_none_or(|cell| decode_cell(schema, cell).is_ok()));
            }
            support::write(converter, converted.cells, &tables);
            // Cells that are not what their schemas say are a fault of their row.
            let schemas = [None, Some(Schema::of(Node::new(Type::Int8))), Some(Schema::array(Schema::of(Node::new(Type::String))))];
            for schema in schemas {
                let tables = BatchTables { schemas: vec![schema.map(SchemaHandle::new)], ..BatchTables::default() };
                let cells = Cells { column: column.clone(), schema: vec![0; column.ends.len()] };
                support::write(converter, cells, &tables);
            }
        }
    }

    #[test]
    fn header_texts_that_were_printed_are_read_back(value in any::<i64>(), text in "[a-z\"\\\\]{0,10}", flag in any::<bool>()) {
        let converter = &mut *converter("SimpleHeaderConverter", &Config::new(), Role::Header, &no_http()).unwrap();
        let long = SchemaHandle::new(Schema::of(Node::new(Type::Int64)));
        let mut cell = Vec::new();
        encode_cell(Some(long.schema()), &Value::Integer(value), &mut cell).unwrap();
        let printed = written(converter, Some(&long), Some(&cell)).unwrap();
        let (schema, back) = single(converter, printed.as_deref()).unwrap();
        prop_assert_eq!(decode_cell(schema.as_ref().map(|s| s.schema()), &back.unwrap()), Ok(Value::Integer(value)));
        let (_, back) = single(converter, Some(format!("x{text}").as_bytes())).unwrap();
        prop_assert_eq!(back.unwrap(), format!("x{text}").into_bytes());
        let (_, back) = single(converter, Some(flag.to_string().as_bytes())).unwrap();
        prop_assert_eq!(back.unwrap(), [if flag { 0xf5 } else { 0xf4 }]);
    }

    #[test]
    fn doubles_print_digits_that_read_back(bits in any::<u64>(), thousandths in -100_000_000_000i64..100_000_000_000) {
        for value in [f64::from_bits(bits), thousandths as f64 / 1e4, thousandths as f64 / 1e7] {
            let mut out = Vec::new();
            weir_convert::java_text::double(value, &mut out);
            let text = String::from_utf8(out).unwrap();
            if value.is_finite() {
                prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
                let digits = |text: &str| text.split('E').next().unwrap().trim_start_matches(['-', '0', '.']).replace('.', "").trim_end_matches('0').len();
                if value.abs() > 1e-300 {
                    prop_assert_eq!(digits(&text), digits(&format!("{value:e}").replace('e', "E")));
                }
            }
        }
    }
}

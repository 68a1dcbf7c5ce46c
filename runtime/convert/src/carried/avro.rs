//! Avro carries all of Connect's types, names, versions, documentation and parameters, and every value exactly.

use proptest::prelude::*;
use weir_data::{Schema, Type, Value};

use super::{shown, through, typed, with_nodes};
use crate::avro::fuzzed::format;
use crate::support::carried::{self, Defaults, exact, with_plain_text_keys};
use crate::support::random::{self, Random, default_of, same};

/// The same schema with a name for every map whose entries are records: those without share one name, so that only one
/// kind of them has a place in a schema, here as in Confluent's.
fn with_named_entries(schema: &Schema) -> Schema {
    with_nodes(schema, |at, node| {
        let Type::Map { key, .. } = node.kind else { return };
        let key = schema.node(key);
        if node.name.is_none() && (key.kind != Type::String || key.optional) {
            node.name = Some(format!("org.weir.Entry{at}"));
        }
    })
}

/// Whether Avro's JSON has words for a default: neither for floats that are not finite nor for entries that are
/// records.
fn is_said(schema: &Schema, at: u32, value: &Value) -> bool {
    match (&schema.node(at).kind, value) {
        (_, Value::Float32(float)) => float.is_finite(),
        (_, Value::Float64(float)) => float.is_finite(),
        (Type::Array(element), Value::Array(values)) => values.iter().all(|value| is_said(schema, *element, value)),
        (Type::Map { key, value }, Value::Map(entries)) => {
            let key = schema.node(*key);
            key.kind == Type::String && !key.optional && entries.iter().all(|(_, entry)| is_said(schema, *value, entry))
        }
        (Type::Struct(fields), Value::Struct(values)) => {
            fields.iter().zip(values).all(|(field, value)| is_said(schema, field.node, value))
        }
        _ => true,
    }
}

/// What is left of a schema: the defaults that Avro's JSON can say, and of keys that are Avro's own nothing but that
/// they are text.
fn left(schema: &Schema) -> Schema {
    let with_defaults = carried::defaults(schema, exact, Defaults::OfFields);
    let said = |at: usize| default_of(&with_defaults, at as u32).is_none_or(|value| is_said(schema, at as u32, &value));
    let left = with_nodes(&with_defaults, |at, node| {
        if !said(at) {
            node.default = None;
        }
    });
    with_plain_text_keys(&left)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn schemas_and_values_survive(seed in any::<u64>(), depth in 0usize..5) {
        let (schema, value) = typed(seed, depth);
        let schema = with_named_entries(&schema);
        let (back_schema, back) = through(&format(), Some(&schema), &value).unwrap();
        let expected = carried::value(&schema, 0, value, exact, Defaults::OfFields);
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
        // A null is a tombstone.
        if let Some(back_schema) = back_schema {
            prop_assert_eq!(shown(&back_schema), shown(&left(&schema)));
        }
    }

    #[test]
    fn values_without_schema_survive_but_for_bytes(seed in any::<u64>(), depth in 0usize..5) {
        let value = random::free(&mut Random(seed), depth);
        match through(&format(), None, &value) {
            Ok((schema, back)) => {
                prop_assert!(schema.is_none());
                prop_assert!(same(&back, &value), "{back:?}\n{value:?}");
            }
            // AvroData knows no bytes without schema.
            Err(why) => prop_assert!(why.contains("class [B") && format!("{value:?}").contains("Bytes("), "{why}"),
        }
    }
}

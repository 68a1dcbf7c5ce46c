//! Values and schemas of every kind through the converters that ask nobody, and back: equal but for what a converter
//! does not carry by Connect's rules, which `support/carried.rs` says.

mod support;

use proptest::prelude::*;
use support::carried::{self, Defaults, json_float, without_schema};
use support::random::{self, Names, Random, cell, same};
use support::{config, json, no_http, single, written};
use weir_convert::{Role, converter, plain_schema};
use weir_core::model::SchemaHandle;
use weir_core::port::Converter;
use weir_data::{Node, Schema, Type, Value, decode_cell, java_text, logical, values};

fn header(class: &str) -> Box<dyn Converter> {
    converter(class, &config(&[]), Role::Header, &no_http()).unwrap()
}

/// A schema and a value of it.
fn typed(seed: u64, depth: usize) -> (Schema, Value) {
    let random = &mut Random(seed);
    let schema = random::schema(random, Names::Any, depth);
    let value = random::value(random, &schema, 0);
    (schema, value)
}

type Read = (Option<SchemaHandle>, Value);

/// A value there and back, or the message of what failed.
fn through(converter: &mut dyn Converter, schema: Option<&Schema>, value: &Value) -> Result<Read, String> {
    let handle = schema.map(|schema| SchemaHandle::new(schema.clone()));
    let bytes = written(converter, handle.as_ref(), cell(schema, value).as_deref())?;
    let (schema, cell) = single(converter, bytes.as_deref())?;
    let value = cell.map_or(Ok(Value::Null), |cell| decode_cell(schema.as_ref().map(SchemaHandle::schema), &cell));
    Ok((schema, value.unwrap()))
}

fn switch(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn json_carries_schemas_and_all_values_but_floats_that_it_has_no_word_for(
        seed in any::<u64>(), depth in 0usize..5, numeric in any::<bool>(), replaced in any::<bool>(),
    ) {
        let (schema, value) = typed(seed, depth);
        let format = if numeric { "NUMERIC" } else { "BASE64" };
        let settings = [("decimal.format", format), ("replace.null.with.default", switch(replaced))];
        let defaults = if replaced { Defaults::Everywhere } else { Defaults::Kept };
        let (back_schema, back) = through(&mut *json(&settings), Some(&schema), &value).unwrap();
        let expected = carried::defaults(&schema, json_float, defaults);
        let back_schema = back_schema.unwrap();
        prop_assert_eq!(back_schema.schema(), &expected);
        let expected = carried::value(&schema, 0, value, json_float, defaults);
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
    }

    #[test]
    fn json_without_schemas_carries_what_json_itself_can_say(
        seed in any::<u64>(), depth in 0usize..5, replaced in any::<bool>(),
    ) {
        let (schema, value) = typed(seed, depth);
        let settings = [("schemas.enable", "false"), ("replace.null.with.default", switch(replaced))];
        let (back_schema, back) = through(&mut *json(&settings), Some(&schema), &value).unwrap();
        prop_assert!(back_schema.is_none());
        let expected = without_schema(Some((&schema, 0)), value, replaced);
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
    }

    #[test]
    fn json_carries_values_without_schema_with_and_without_its_envelope(
        seed in any::<u64>(), depth in 0usize..5, enable in any::<bool>(),
    ) {
        let value = random::free(&mut Random(seed), depth);
        let converter = &mut *json(&[("schemas.enable", switch(enable))]);
        let (schema, back) = through(converter, None, &value).unwrap();
        prop_assert!(schema.is_none());
        let expected = without_schema(None, value, false);
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
        // What went once goes again as it is.
        let (_, again) = through(converter, None, &back).unwrap();
        prop_assert!(same(&again, &back), "{again:?}\n{back:?}");
    }

    #[test]
    fn string_carries_texts_and_of_anything_else_what_java_prints(
        seed in any::<u64>(), depth in 0usize..4, typed_too in any::<bool>(),
    ) {
        let (schema, value) = match typed_too {
            true => { let (schema, value) = typed(seed, depth); (Some(schema), value) }
            false => (None, random::free(&mut Random(seed), depth)),
        };
        let expected = cell(schema.as_ref(), &value).map(|cell| {
            let mut text = Vec::new();
            java_text::append(schema.as_ref(), &cell, usize::MAX, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        let is_text = schema.as_ref().is_some_and(|schema| schema.root().kind == Type::String);
        let (back_schema, back) = through(&mut *header("StringConverter"), schema.as_ref(), &value).unwrap();
        prop_assert_eq!(back_schema, plain_schema(&Type::String, true));
        prop_assert_eq!(&back, &Value::from(expected));
        prop_assert!(!is_text || back == value);
    }

    #[test]
    fn bytes_booleans_and_numbers_are_carried_by_converters_of_their_own_and_nothing_else_is(
        seed in any::<u64>(), depth in 0usize..3,
    ) {
        let (schema, value) = typed(seed, depth);
        let plain = logical::of(schema.root()) == logical::Logical::Plain;
        for (class, kind) in [
            ("ByteArrayConverter", Type::Bytes),
            ("BooleanConverter", Type::Boolean),
            ("ShortConverter", Type::Int16),
            ("IntegerConverter", Type::Int32),
            ("LongConverter", Type::Int64),
            ("FloatConverter", Type::Float32),
            ("DoubleConverter", Type::Float64),
        ] {
            let back = through(&mut *header(class), Some(&schema), &value);
            // Of the schema nothing is left: neither its name nor its default.
            let optional = plain_schema(&kind, true);
            match back {
                Ok((back_schema, back)) => {
                    prop_assert_eq!(back_schema, optional);
                    prop_assert!(same(&back, &value), "{class}: {back:?}");
                    prop_assert!(value == Value::Null || plain && schema.root().kind == kind, "{class} took it");
                }
                Err(_) => prop_assert!(!plain || schema.root().kind != kind, "{class} refused it"),
            }
            let null = through(&mut *header(class), None, &Value::Null);
            prop_assert_eq!(null, Ok((plain_schema(&kind, true), Value::Null)));
        }
    }

    #[test]
    fn headers_carry_what_their_texts_are_taken_for(
        seed in any::<u64>(), depth in 0usize..4, typed_too in any::<bool>(),
    ) {
        let (schema, value) = match typed_too {
            true => { let (schema, value) = typed(seed, depth); (Some(schema), value) }
            false => (None, random::free(&mut Random(seed), depth)),
        };
        let converter = &mut *header("SimpleHeaderConverter");
        let handle = schema.as_ref().map(|schema| SchemaHandle::new(schema.clone()));
        let printed = written(converter, handle.as_ref(), cell(schema.as_ref(), &value).as_deref()).unwrap();
        let (back_schema, back) = through(converter, schema.as_ref(), &value).unwrap();
        let text = printed.map(|printed| String::from_utf8(printed).unwrap());
        let expected = text.as_deref().and_then(|text| match text {
            "" => Some((Some(Schema::of(Node::new(Type::String))), Value::from(""))),
            text => values::parse(text).map(|parsed| (parsed.schema, parsed.value)),
        });
        let (expected_schema, expected) = expected.unwrap_or((None, Value::Null));
        prop_assert_eq!(back_schema.as_ref().map(SchemaHandle::schema), expected_schema.as_ref());
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
        if let Some((kind, carried)) = header_scalar(&value) {
            prop_assert_eq!(back_schema, plain_schema(&kind, false));
            prop_assert!(same(&back, &carried), "{back:?}\n{carried:?}");
        }
    }
}

/// What a header carries of a scalar that is neither text nor of a logical type: the least type that holds it.
fn header_scalar(value: &Value) -> Option<(Type, Value)> {
    match value {
        Value::Boolean(_) => Some((Type::Boolean, value.clone())),
        // A float that is whole is an integer; of others the digits are those of a float where it does.
        Value::Float32(float) if float.is_finite() && float.fract() != 0.0 => Some((Type::Float32, value.clone())),
        _ => None,
    }
}

#[test]
fn integers_come_back_from_headers_in_the_least_type_that_holds_them() {
    let long = Schema::of(Node::new(Type::Int64));
    for (value, kind) in [
        (0, Type::Int8),
        (-128, Type::Int8),
        (128, Type::Int16),
        (-32_769, Type::Int32),
        (1 << 40, Type::Int64),
        (i64::MIN, Type::Int64),
    ] {
        let back = through(&mut *header("SimpleHeaderConverter"), Some(&long), &Value::Integer(value)).unwrap();
        assert_eq!(back, (plain_schema(&kind, false), Value::Integer(value)));
    }
}

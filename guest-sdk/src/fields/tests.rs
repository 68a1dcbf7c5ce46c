//! What plans do to rows, and how many plans they take.

use std::rc::Rc;

use weir_data::{Node, Schema, Type, Value, cbor};

use super::{Edits, Layout, Side};
use crate::data::{Cell, Data};
use crate::error::{Error, Result};
use crate::record::Record;

fn leaf(kind: Type) -> Schema {
    Schema::of(Node::new(kind))
}

fn text() -> Rc<Schema> {
    Rc::new(leaf(Type::String))
}

fn no_fill(_: u32, _: Option<&[u8]>, _: &mut Vec<u8>) -> Result<()> {
    Ok(())
}

fn edited(edits: &mut Edits, value: Data, plan: impl FnOnce(&mut Layout<'_>) -> Result<()>) -> Result<Data> {
    let mut record = Record::new("t", value);
    edits.apply(&mut record, Side::Value, 0, plan, no_fill)?;
    Ok(record.value()?.into_owned())
}

fn person(name: &str, age: i64) -> Value {
    Value::map([("name", name.into()), ("age", age.into())])
}

#[test]
fn a_plan_is_made_once_for_maps_with_the_same_keys() {
    let (mut edits, mut plans) = (Edits::default(), 0);
    for (value, expected) in [
        (person("a", 1), Value::map([("n", "a".into()), ("age", 1.into())])),
        (person("b\u{e9}", -1), Value::map([("n", "b\u{e9}".into()), ("age", (-1).into())])),
        (Value::map([("age", 2.into())]), Value::map([("age", 2.into())])),
        (person("c", i64::MIN), Value::map([("n", "c".into()), ("age", i64::MIN.into())])),
    ] {
        let out = edited(&mut edits, Data::free(value), |layout| {
            plans += 1;
            layout.rename("name", "n")
        });
        assert_eq!(out.unwrap().value, expected);
    }
    assert_eq!(plans, 2);
}

#[test]
fn equal_schemas_of_rows_become_one_schema() {
    let schema = Rc::new(Schema::record([("a", leaf(Type::Int64)), ("b", leaf(Type::String))]).optional().named("S"));
    let mut edits = Edits::default();
    let mut edit = |a: i64| {
        let data = Data::under(&schema, Value::Struct(vec![a.into(), "x".into()]));
        edited(&mut edits, data, |layout| {
            layout.remove("b")?;
            layout.insert("c", &text(), &[0x61, b'c'])
        })
        .unwrap()
    };
    let (first, second) = (edit(1), edit(2));
    assert!(Rc::ptr_eq(first.schema.as_ref().unwrap(), second.schema.as_ref().unwrap()));
    assert_eq!(second.value, Value::Struct(vec![2.into(), "c".into()]));
    let expected = Schema::record([("a", leaf(Type::Int64)), ("c", leaf(Type::String))]).named("S");
    assert_eq!(**first.schema.as_ref().unwrap(), expected);
}

#[test]
fn a_change_that_makes_no_difference_keeps_the_schema_itself() {
    let schema = Rc::new(Schema::record([("a", leaf(Type::Int64))]));
    let data = Data::under(&schema, Value::Struct(vec![1.into()]));
    let out = edited(&mut Edits::default(), data, |layout| layout.rename("none", "x")).unwrap();
    assert!(Rc::ptr_eq(out.schema.as_ref().unwrap(), &schema));
}

#[test]
fn steps_build_on_the_fields_that_steps_before_left() {
    let mut steps: Vec<Edits> = (0..4).map(|_| Edits::default()).collect();
    for age in 0..3 {
        let mut record = Record::new("t", Data::free(person("n", age)));
        let fill = |_: u32, was: Option<&[u8]>, out: &mut Vec<u8>| {
            out.extend_from_slice(was.unwrap_or(&[cbor::NULL]));
            Ok(())
        };
        let mut step = |at: usize, plan: fn(&mut Layout<'_>) -> Result<()>| {
            steps[at].apply(&mut record, Side::Value, 0, plan, fill).unwrap();
        };
        step(0, |layout| layout.wrap("w"));
        step(1, |layout| layout.fill("w", 7));
        step(2, |layout| layout.flatten("/"));
        step(3, |layout| layout.rename("w/age", "age"));
        let expected = Value::map([("w/name", "n".into()), ("age", age.into())]);
        assert_eq!(record.value().unwrap().value, expected);
    }
}

#[test]
fn rows_that_differ_in_what_is_nested_each_get_their_plan() {
    let mut edits = Edits::default();
    let inner = |keys: &[&str]| Value::map(keys.iter().map(|key| (*key, Value::from(1))));
    for _ in 0..2 {
        for (nested, expected) in [
            (inner(&["x"]), vec!["a.x", "b"]),
            (inner(&["x", "y"]), vec!["a.x", "a.y", "b"]),
            (inner(&[]), vec!["b"]),
            (Value::Null, vec!["a", "b"]),
            (Value::map([("m", inner(&["z"]))]), vec!["a.m.z", "b"]),
        ] {
            let value = Value::map([("a", nested), ("b", true.into())]);
            let Value::Map(entries) = edited(&mut edits, Data::free(value), |l| l.flatten(".")).unwrap().value else {
                panic!("a map")
            };
            let keys: Vec<&str> = entries.iter().filter_map(|(key, _)| key.as_text()).collect();
            assert_eq!(keys, expected);
        }
    }
}

#[test]
fn more_shapes_than_are_kept_are_all_made_right() {
    let mut edits = Edits::default();
    for at in (0..3_000).chain(0..300) {
        let key = format!("k{at}");
        let value = Value::map([("a", Value::map([(key.as_str(), at.into())])), (key.as_str(), at.into())]);
        let out = edited(&mut edits, Data::free(value), |layout| layout.flatten(".")).unwrap();
        let flat = format!("a.{key}");
        assert_eq!(out.value, Value::map([(flat.as_str(), at.into()), (key.as_str(), at.into())]));
        let value = Value::map([("a", Value::map([(key.as_str(), at.into())]))]);
        let out = edited(&mut edits, Data::free(value), |layout| layout.flatten(".")).unwrap();
        assert_eq!(out.value, Value::map([(flat.as_str(), at.into())]));
    }
}

#[test]
fn names_that_are_taken_are_refused_in_structs_and_replaced_in_maps() {
    let schema = Rc::new(Schema::record([("a", leaf(Type::Int64)), ("b", leaf(Type::Int64))]));
    let data = Data::under(&schema, Value::Struct(vec![1.into(), 2.into()]));
    let error = edited(&mut Edits::default(), data, |layout| layout.rename("a", "b")).unwrap_err();
    assert_eq!(error, Error::data("Cannot create field because of field name duplication b"));
    let data = Data::free(Value::map([("a", 1.into()), ("b", 2.into())]));
    let out = edited(&mut Edits::default(), data, |layout| layout.insert("a", &text(), &[3])).unwrap();
    assert_eq!(out.value, Value::map([("a", 3.into()), ("b", 2.into())]));
}

#[test]
fn a_row_that_failed_leaves_the_next_one_alone() {
    let mut edits = Edits::default();
    for name in ["a", "bad", "b"] {
        let mut record = Record::new("t", Data::free(person(name, 1)));
        let applied = edits.apply(
            &mut record,
            Side::Value,
            0,
            |layout| layout.fill("name", 0),
            |_, was, out| {
                if was.is_some_and(|was| was.ends_with(b"bad")) {
                    return Err(Error::data("bad"));
                }
                cbor::text(out, b"good");
                Ok(())
            },
        );
        assert_eq!(applied.is_err(), name == "bad");
        if name != "bad" {
            assert_eq!(record.value().unwrap().value, person("good", 1));
        }
    }
}

#[test]
fn bytes_that_are_no_cell_fail_and_nothing_panics() {
    let schema = Rc::new(Schema::record([("a", leaf(Type::Int64)), ("b", leaf(Type::String))]));
    for schema in [None, Some(&schema)] {
        for first in 0..=255u8 {
            for rest in [
                &b""[..],
                b"\x01",
                b"\x61",
                b"\x61a\x01",
                b"\x61a\x01\x61b\x61",
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            ] {
                let bytes = [&[first], rest].concat();
                let _ = super::live(Some(Cell { bytes: &bytes, schema }), schema);
            }
        }
    }
}

#[test]
fn text_and_null_are_wrapped_as_they_are() {
    let wrap = |data| edited(&mut Edits::default(), data, |layout| layout.wrap("w")).unwrap();
    assert_eq!(wrap(Data::text("x")).value, Value::Struct(vec!["x".into()]));
    assert_eq!(wrap(Data::bytes([0xff])).value, Value::Struct(vec![Value::Bytes(vec![0xff])]));
    assert_eq!(wrap(Data::null()).value, Value::map([("w", Value::Null)]));
    assert_eq!(wrap(Data::free(5)).value, Value::map([("w", 5.into())]));
}

fn nested() -> Rc<Schema> {
    let inner = Schema::record([("x", leaf(Type::Int64)), ("t", leaf(Type::String).optional())]).optional();
    Rc::new(Schema::record([("in", inner), ("b", leaf(Type::Bytes))]))
}

#[test]
fn a_field_that_is_extracted_is_a_cell_of_its_own_with_its_own_fields() {
    let mut steps: Vec<Edits> = (0..4).map(|_| Edits::default()).collect();
    let schema = nested();
    for (text, wrapped) in [(Value::from("t"), "t".into()), (Value::Null, Value::Null), ("u".into(), "u".into())] {
        let inner = Value::Struct(vec![7.into(), text.clone()]);
        let value = Value::Struct(vec![inner, Value::Bytes(vec![1])]);
        let mut record = Record::new("t", Data::under(&schema, value));
        let mut step = |at: usize, plan: fn(&mut Layout<'_>) -> Result<()>| {
            steps[at].apply(&mut record, Side::Value, 0, plan, no_fill).unwrap();
            record.value().unwrap().into_owned()
        };
        let extracted = step(0, |layout| layout.extract("in", false).map(|found| assert!(found)));
        assert_eq!(extracted.value, Value::Struct(vec![7.into(), text.clone()]));
        assert_eq!(extracted.schema.unwrap().fields()[1].name, "t");
        step(1, |layout| layout.remove("x"));
        let text_alone = step(2, |layout| layout.extract("t", false).map(|found| assert!(found)));
        assert_eq!(text_alone, Data { schema: Some(Rc::new(leaf(Type::String).optional())), value: text });
        assert_eq!(step(3, |layout| layout.wrap("w")).value, Value::Struct(vec![wrapped]));
    }
}

#[test]
fn what_is_not_there_is_not_extracted_and_null_stays_null() {
    let schema = nested();
    let value = Value::Struct(vec![Value::Null, Value::Bytes(vec![1])]);
    let mut edits = Edits::default();
    let out = edited(&mut edits, Data::under(&schema, value), |layout| {
        assert!(!layout.extract("none", false)?);
        assert!(layout.extract("in", false)?);
        assert!(layout.is_null() && layout.extract("t", false)? && !layout.extract("t", false)?);
        Ok(())
    });
    assert_eq!(out.unwrap(), Data { schema: Some(Rc::new(leaf(Type::String).optional())), value: Value::Null });
    let free =
        |value| edited(&mut Edits::default(), Data::free(value), |layout| layout.extract("a", false).map(|_| ()));
    assert_eq!(free(Value::map([("b", 1.into())])).unwrap(), Data::null());
    assert_eq!(free(Value::map([("a", Value::Bytes(vec![1]))])).unwrap(), Data::free(Value::Bytes(vec![1])));
    assert_eq!(free(5.into()).unwrap(), Data::free(5));
}

#[test]
fn what_a_step_inserted_is_a_cell_of_its_own_once_it_is_extracted() {
    let mut record = Record::new("t", Data::free(Value::map([("a", 1.into())])));
    let mut step = |plan: fn(&mut Layout<'_>) -> Result<()>| {
        Edits::default().apply(&mut record, Side::Value, 0, plan, no_fill).unwrap();
    };
    step(|layout| layout.insert("s", &text(), &[0x61, b'x']));
    step(|layout| layout.extract("s", false).map(|_| ()));
    step(|layout| {
        assert_eq!(layout.cell(), Some(&[0x61, b'x'][..]));
        Ok(())
    });
    assert_eq!(*record.value().unwrap(), Data::free("x"));
}

#[test]
fn defaults_stand_for_null_in_what_is_extracted() {
    let text = Node { default: Some(vec![0x61, b'd']), ..Node::new(Type::String).optional() };
    let schema = Rc::new(Schema::record([("t", Schema::of(text))]));
    for (default_null, expected) in [(true, Value::from("d")), (false, Value::Null)] {
        let data = Data::under(&schema, Value::Struct(vec![Value::Null]));
        let out = edited(&mut Edits::default(), data, |layout| layout.extract("t", default_null).map(|_| ()));
        assert_eq!(out.unwrap().value, expected);
    }
}

#[test]
fn all_of_a_value_is_replaced_under_another_schema() {
    let double = |_: u32, was: Option<&[u8]>, out: &mut Vec<u8>| {
        out.extend_from_slice(was.unwrap());
        cbor::text(out, b"x");
        out.drain(..was.unwrap().len());
        Ok(())
    };
    for data in [Data::free(7), Data::text("seven"), Data::free(person("a", 1))] {
        let mut record = Record::new("t", data);
        let text = text();
        let plan = |layout: &mut Layout<'_>| {
            layout.replace(Some(&text), 0);
            Ok(())
        };
        Edits::default().apply(&mut record, Side::Value, 0, plan, double).unwrap();
        assert_eq!(*record.value().unwrap(), Data::under(&text, "x".into()));
    }
    let null = |_: u32, _: Option<&[u8]>, out: &mut Vec<u8>| {
        out.push(cbor::NULL);
        Ok(())
    };
    let mut record = Record::new("t", Data::free(7));
    let plan = |layout: &mut Layout<'_>| {
        layout.replace(None, 0);
        Ok(())
    };
    assert!(matches!(Edits::default().apply(&mut record, Side::Value, 0, plan, null), Err(Error::Fatal(_))));
}

#[test]
fn a_schema_keeps_its_name_optionality_and_default_where_they_are_asked_for() {
    let root = Node { version: Some(1), doc: Some("d".into()), ..Node::new(Type::Boolean).named("S").optional() };
    let mut nodes = Schema::record([("a", leaf(Type::Int64))]).nodes().to_vec();
    nodes[0] = Node { kind: nodes[0].kind.clone(), ..root };
    let schema = Rc::new(Schema::new(nodes).unwrap());
    let of = |plan: fn(&mut Layout<'_>) -> Result<()>| {
        let data = Data::under(&schema, Value::Struct(vec![1.into()]));
        edited(&mut Edits::default(), data, plan).unwrap().schema.unwrap().root().clone()
    };
    let named = of(|layout| layout.name_schema(Some("T"), None));
    assert_eq!((named.name.as_deref(), named.version, named.optional), (Some("T"), Some(1), true));
    let kept = of(|layout| {
        layout.keep_optional();
        layout.set_default(Some(vec![0x81, 2]));
        layout.name_schema(None, Some(2))?;
        layout.rename("a", "b")
    });
    assert_eq!((kept.version, kept.optional, kept.default), (Some(2), true, Some(vec![0x81, 2])));
    let mut record = Record::new("t", Data::under(&schema, Value::Struct(vec![1.into()])));
    let write = |_: u32, _: Option<&[u8]>, out: &mut Vec<u8>| {
        cbor::text(out, b"x");
        Ok(())
    };
    Edits::default().apply(&mut record, Side::Value, 0, |layout| layout.fill_as("a", &text(), 0), write).unwrap();
    let filled = record.value().unwrap().into_owned();
    assert_eq!(filled.value, Value::Struct(vec!["x".into()]));
    assert_eq!(filled.schema.unwrap().nodes()[1].kind, Type::String);
}

#[test]
fn a_copy_is_changed_by_itself_and_fields_become_headers() {
    let schema = nested();
    for _ in 0..2 {
        let value = Value::Struct(vec![Value::Struct(vec![7.into(), Value::Null]), Value::Bytes(vec![1])]);
        let mut record = Record::new("t", Data::under(&schema, value.clone()));
        record.copy(Side::Value).unwrap();
        let pick = |layout: &mut Layout<'_>| {
            layout.add_header(&"h".into(), "b", false)?;
            layout.pick(&["b".into()])
        };
        Edits::default().apply(&mut record, Side::Key, 0, pick, no_fill).unwrap();
        assert_eq!(record.key().unwrap().value, Value::Struct(vec![Value::Bytes(vec![1])]));
        assert_eq!(record.value().unwrap().value, value);
        assert_eq!(record.headers().unwrap(), [("h".to_owned(), Data::bytes([1]))]);
    }
}

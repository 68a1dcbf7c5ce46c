//! Records that nobody should have written, through every converter: each is a fault of its own row, or what Connect
//! makes of it, and those around it go through. None takes long.

mod support;

use std::time::{Duration, Instant};

use support::{config, json, no_http, now, read};
use weir_convert::{CLASSES, Role, converter};
use weir_core::model::{BatchTables, Fault, RawHeaders, RawRecords, SchemaHandle, TimestampType};
use weir_core::port::Converter;
use weir_core::process::{Converters, Stage};
use weir_data::{Column, Value, decode_cell};

/// What a record comes to.
enum Is {
    Fault(&'static str),
    Value(Value),
    Null,
}
use Is::{Fault as Wrong, Null, Value as Good};

fn text(text: &str) -> Is {
    Good(Value::from(text))
}

fn member(value: Value) -> Is {
    Good(Value::map([("a", value)]))
}

/// Rows of one batch: a good record stands before and behind each.
fn check(what: &str, converter: &mut dyn Converter, good: (&[u8], Value), rows: &[(&[u8], Is)]) {
    let began = Instant::now();
    let mut column = Column::default();
    for (record, _) in rows {
        column.push(good.0);
        column.push(record);
    }
    column.push(good.0);
    column.push_absent();
    let mut tables = BatchTables::default();
    let converted = read(converter, column, &mut tables);
    let value = |row: usize| {
        let schema = tables.schemas[converted.cells.schema_of(row)].as_ref().map(SchemaHandle::schema);
        converted.cells.column.get(row).map(|cell| decode_cell(schema, cell).unwrap())
    };
    let fault = |row: usize| converted.faults.iter().find(|fault| fault.row as usize == row).map(|fault| &fault.fault);
    for (number, (record, is)) in rows.iter().enumerate() {
        let shown = record[..record.len().min(60)].escape_ascii();
        assert_eq!(value(2 * number).as_ref(), Some(&good.1), "{what}: before {shown}");
        let row = 2 * number + 1;
        match (is, fault(row), value(row)) {
            (Wrong(said), Some(Fault::Data(message)), None) => {
                assert!(message.contains(said), "{what}: {shown}: {message}")
            }
            (Good(expected), None, Some(value)) => {
                assert_eq!(format!("{value:?}"), format!("{expected:?}"), "{what}: {shown}");
            }
            (Null, None, None) => {}
            (_, fault, value) => panic!("{what}: {shown} is {value:?} and {fault:?}"),
        }
    }
    let last = 2 * rows.len();
    assert_eq!((value(last).as_ref(), value(last + 1), fault(last + 1)), (Some(&good.1), None, None), "{what}");
    assert!(began.elapsed() < Duration::from_secs(10), "{what} took {:?}", began.elapsed());
}

#[test]
fn json_without_schemas() {
    let deep = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat().into_bytes();
    let open = b"[".repeat(10_000);
    let objects = b"{\"a\":".repeat(10_000);
    let (deepest, deeper) = (deep(128), deep(129));
    let inner = (0..127).fold(Value::Array(vec![]), |inner, _| Value::Array(vec![inner]));
    let digits = "9".repeat(100_000).into_bytes();
    check(
        "json",
        &mut *json(&[("schemas.enable", "false")]),
        (b"{\"a\":1}", Value::map([("a", Value::from(1))])),
        &[
            (b"hello", Wrong("Unrecognized token 'hello'")),
            (b"{\"a\"", Wrong("Unexpected end-of-input")),
            (b"{\"a\":tru", Wrong("Unrecognized token 'tru'")),
            (b"{a:1}", Wrong("was expecting double-quote")),
            (b"[1,]", Wrong("Unexpected character (']'")),
            (b"\"\xff\"", Wrong("Invalid UTF-8 byte 0xff")),
            (b"{\"\xc3\x28\":1}", Wrong("Invalid UTF-8 byte 0xc3")),
            (b"\xed\xa0\x80", Wrong("")),
            (b"\0", Wrong("CTRL-CHAR, code 0")),
            (b"\"a\nb\"", Wrong("Illegal unquoted character")),
            (b"\"\\q\"", Wrong("Unrecognized character escape 'q'")),
            (b"", Null),
            (b" \n", Null),
            (b"null", Null),
            (b"\xef\xbb\xbf{\"a\":2}", member(Value::from(2))),
            (&open, Wrong("nesting depth")),
            (&objects, Wrong("nesting depth")),
            (&deeper, Wrong("nesting depth")),
            (&deepest, Good(inner)),
            (b"{\"a\":9223372036854775807}", member(Value::from(i64::MAX))),
            // Jackson keeps the low 64 bits of what is larger, and has no number beyond a double's.
            (b"{\"a\":9223372036854775808}", member(Value::from(i64::MIN))),
            (b"{\"a\":1e400}", member(Value::from(f64::INFINITY))),
            (b"{\"a\":-1e-400}", member(Value::from(-0.0))),
            (&digits, Wrong("")),
            (b"{\"a\":1,\"a\":2}", member(Value::from(2))),
            (b"{\"a\":1} and more", member(Value::from(1))),
            (b"NaN", Wrong("NaN")),
            (b"{\"a\":\"\\ud83d\"}", member(Value::from("?"))),
        ],
    );
}

fn enveloped(schema: &str, payload: &str) -> Vec<u8> {
    format!("{{\"schema\":{schema},\"payload\":{payload}}}").into_bytes()
}

#[test]
fn json_with_schemas() {
    let of = |kind: &str, payload: &str| enveloped(&format!("{{\"type\":\"{kind}\"}}"), payload);
    let optional =
        |kind: &str, payload: &str| enveloped(&format!("{{\"type\":\"{kind}\",\"optional\":true}}"), payload);
    let logical = |kind: &str, name: &str, payload: &str| {
        enveloped(&format!("{{\"type\":\"{kind}\",\"name\":\"org.apache.kafka.connect.data.{name}\"}}"), payload)
    };
    let (mut deep_schema, mut deep_value) = ("{\"type\":\"int8\"}".to_owned(), "1".to_owned());
    (0..10_000).for_each(|_| deep_schema.insert_str(0, "{\"type\":\"array\",\"items\":"));
    deep_schema.push_str(&"}".repeat(10_000));
    (0..10_000).for_each(|_| deep_value.insert(0, '['));
    deep_value.push_str(&"]".repeat(10_000));
    let rows: Vec<(Vec<u8>, Is)> = vec![
        (b"hello".to_vec(), Wrong("Unrecognized token 'hello'")),
        (b"{}".to_vec(), Wrong("requires \"schema\" and \"payload\" fields")),
        (b"".to_vec(), Wrong("requires \"schema\" and \"payload\" fields")),
        (b"{\"schema\":null,\"payload\":1,\"more\":2}".to_vec(), Wrong("may not contain additional fields")),
        (enveloped("null", "1"), Good(Value::from(1))),
        (enveloped("null", "null"), Null),
        (enveloped("5", "1"), Wrong("")),
        (enveloped("{}", "1"), Wrong("")),
        (of("int128", "1"), Wrong("Unknown schema type: int128")),
        (enveloped("{\"type\":\"array\"}", "[]"), Wrong("")),
        (enveloped("{\"type\":\"map\",\"keys\":{\"type\":\"int8\"}}", "[]"), Wrong("")),
        (enveloped("{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\"}]}", "{}"), Wrong("")),
        (of("int8", "null"), Wrong("null")),
        (optional("int8", "null"), Null),
        // Numbers beyond their type lose what does not fit, as in Java.
        (of("int8", "300"), Good(Value::from(44))),
        (of("int16", "70000"), Good(Value::from(4464))),
        (of("int32", "4294967297"), Good(Value::from(1))),
        (of("int64", "18446744073709551617"), Good(Value::from(1))),
        (of("float", "1e39"), Good(Value::from(f32::INFINITY))),
        (of("int8", "\"text\""), Good(Value::from(0))),
        (of("boolean", "\"true\""), Good(Value::from(false))),
        (of("bytes", "\"???\""), Wrong("")),
        (logical("int64", "Timestamp", "-1"), Good(Value::from(-1))),
        (logical("int32", "Date", "-1"), Good(Value::from(-1))),
        (logical("int32", "Time", "86400001"), Wrong("Time values must use number of milliseconds")),
        (logical("bytes", "Decimal", "\"AQ==\""), Wrong("")),
        (
            enveloped(
                "{\"type\":\"map\",\"keys\":{\"type\":\"int8\"},\"values\":{\"type\":\"int8\"}}",
                "[[1,2],[1,3]]",
            ),
            Good(Value::Map(vec![(Value::from(1), Value::from(3))])),
        ),
        (
            enveloped(
                "{\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":{\"type\":\"int8\"}}",
                "{\"k\":1,\"k\":2}",
            ),
            Good(Value::Map(vec![(Value::from("k"), Value::from(2))])),
        ),
        (enveloped(&deep_schema, "1"), Wrong("nesting depth")),
        (enveloped("{\"type\":\"int8\"}", &deep_value), Wrong("nesting depth")),
        (enveloped("{\"type\":\"string\"}", "\"\u{fffd}\""), text("\u{fffd}")),
    ];
    let rows: Vec<(&[u8], Is)> =
        rows.iter().map(|(record, _)| &record[..]).zip(rows.iter().map(|(_, is)| is.again())).collect();
    check("envelope", &mut *json(&[]), (&of("int8", "5"), Value::from(5)), &rows);
}

impl Is {
    fn again(&self) -> Is {
        match self {
            Wrong(said) => Wrong(said),
            Good(value) => Good(value.clone()),
            Null => Null,
        }
    }
}

fn of_class(class: &str) -> Box<dyn Converter> {
    converter(class, &config(&[]), Role::Header, &no_http()).unwrap()
}

#[test]
fn text_bytes_booleans_and_numbers() {
    check(
        "string",
        &mut *of_class("StringConverter"),
        (b"good", Value::from("good")),
        &[
            (b"\xff\xfe", text("\u{fffd}\u{fffd}")),
            (b"\xe2\x82", text("\u{fffd}")),
            (b"a\xed\xa0\x80", text("a\u{fffd}")),
            (b"", text("")),
            (b"\0", text("\0")),
        ],
    );
    check(
        "bytes",
        &mut *of_class("ByteArrayConverter"),
        (b"good", Value::from(&b"good"[..])),
        &[(b"\xff", Good(Value::from(&b"\xff"[..]))), (b"", Good(Value::from(&b""[..])))],
    );
    for (class, size, good) in [
        ("BooleanConverter", 1, Value::from(false)),
        ("ShortConverter", 2, Value::from(0)),
        ("IntegerConverter", 4, Value::from(0)),
        ("LongConverter", 8, Value::from(0)),
        ("FloatConverter", 4, Value::from(0.0f32)),
        ("DoubleConverter", 8, Value::from(0.0)),
    ] {
        let long = vec![0; 100_000];
        let said = "Size of data received by";
        check(
            class,
            &mut *of_class(class),
            (&vec![0; size], good),
            &[
                (b"", Wrong(said)),
                (&long[..size + 1], Wrong(said)),
                (&long[1..size], Wrong(said)),
                (&long, Wrong(said)),
            ],
        );
    }
    check(
        "boolean",
        &mut *of_class("BooleanConverter"),
        (&[1], Value::from(true)),
        &[(&[2], Wrong("Unexpected byte"))],
    );
}

#[test]
fn headers() {
    let deep = [&b"[".repeat(10_000)[..], &b"]".repeat(10_000)].concat();
    let (open, digits) = (b"{\"a\":".repeat(10_000), b"9".repeat(100_000));
    let shown = |bytes: &[u8]| Good(Value::from(std::str::from_utf8(bytes).unwrap()));
    check(
        "header",
        &mut *of_class("SimpleHeaderConverter"),
        (b"good", Value::from("good")),
        &[
            (b"", text("")),
            (b"null", Null),
            (b"[1,", text("[1,")),
            (b"{\"a\":", text("{\"a\":")),
            (b"\xff", text("\u{fffd}")),
            // A number beyond a double is a decimal of scale -400.
            (b"1e400", Good(Value::from(vec![1u8]))),
            (b"128", Good(Value::from(128))),
            (b"{\"a\":1,\"a\":2}", Good(Value::Map(vec![(Value::from("a"), Value::from(2))]))),
            (&deep, shown(&deep)),
            (&open, shown(&open)),
            (&digits, shown(&digits)),
        ],
    );
}

/// Records as a consumer brings them: tombstones, headers without values, no timestamps, every part bad in a row of
/// its own.
#[test]
fn whole_records_fail_row_by_row_and_say_where() {
    let json = || ("JsonConverter".to_owned(), json(&[("schemas.enable", "false")]));
    let mut converters = Converters { key: json(), value: json(), header: json() };
    let part = |cells: [Option<&str>; 6]| {
        let mut column = Column::default();
        cells.iter().for_each(|cell| column.push_option(cell.map(str::as_bytes)));
        column
    };
    let mut headers = part([None, Some("{"), Some("1"), Some(""), None, None]);
    headers.truncate(4);
    let raw = RawRecords {
        rows: 6,
        topics: vec!["t".into()],
        partitions: vec![Some(0)],
        offset: (10..16).collect(),
        timestamp: vec![-1, 0, -1, i64::MAX, i64::MIN, -1],
        timestamp_type: TimestampType::CreateTime,
        key: part([None, Some("1"), Some("x"), Some("2"), None, Some("3")]),
        value: part([None, Some("{\"a\":1}"), Some("2"), Some("\u{0}"), Some("null"), Some("")]),
        headers: RawHeaders { names: vec!["h".into()], ends: vec![1, 2, 3, 4, 4, 4], name: vec![0; 4], value: headers },
        ..RawRecords::default()
    };
    let (records, mut faults) = now(converters.to_connect(raw.clone()));
    records.check().unwrap();
    faults.sort_by_key(|fault| fault.row);
    let places: Vec<_> = faults.iter().map(|fault| (fault.row, fault.stage)).collect();
    assert_eq!(places, [(1, Stage::HeaderConverter), (2, Stage::KeyConverter), (3, Stage::ValueConverter)]);
    assert!(faults.iter().all(|fault| matches!(fault.fault, Fault::Data(_)) && fault.class == "JsonConverter"));
    assert_eq!((records.offset, records.timestamp), (raw.offset.clone(), raw.timestamp.clone()));
    for row in [0, 4, 5] {
        assert!(records.value.column.get(row).is_none(), "row {row} is a tombstone");
    }
    assert_eq!(
        (0..6).map(|row| raw.timestamp_of(row)).collect::<Vec<_>>(),
        [None, Some(0), None, Some(i64::MAX), None, None]
    );
    assert!(records.headers.value.column.get(0).is_none() && records.headers.range(5).is_empty());
}

#[test]
fn a_megabyte_of_anything_takes_no_class_long() {
    let size = 1 << 20;
    let filled = |piece: &[u8]| piece.repeat(size / piece.len());
    let records = [
        filled(b"["),
        filled(b"{\"a\":"),
        filled(b"\""),
        filled(b"\\"),
        filled(b"{\"a\":1,"),
        filled(b"1,"),
        filled(b"9"),
        filled(b"1e9,"),
        filled(b"\xff"),
        filled(b"\xe2\x82"),
        filled(b" "),
        filled(b"[[],"),
        filled(b"-"),
        filled(b"null,"),
        [&b"["[..], &filled(b"1,"), b"1]"].concat(),
        [&b"{"[..], &filled(b"\"a\":1,"), b"\"a\":1}"].concat(),
        [&b"["[..], &filled(b"\"\\\\\","), b"1]"].concat(),
        [&b"{\"schema\":"[..], &filled(b"{\"type\":")].concat(),
        [&b"["[..], &filled(b"[1],"), b"[\"a\"]]"].concat(),
    ];
    for class in CLASSES.iter().filter(|class| class.converts_headers) {
        for enable in ["true", "false"] {
            let settings = config(&[("schemas.enable", enable)]);
            let mut converter = converter(class.name, &settings, Role::Header, &no_http()).unwrap();
            for record in &records {
                let began = Instant::now();
                let mut column = Column::default();
                column.push(record);
                let mut tables = BatchTables::default();
                let converted = read(&mut *converter, column, &mut tables);
                support::write(&mut *converter, converted.cells, &tables);
                let shown = record[..20].escape_ascii();
                assert!(began.elapsed() < Duration::from_secs(5), "{} {shown}: {:?}", class.name, began.elapsed());
            }
        }
    }
}

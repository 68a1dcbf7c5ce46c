//! Fuzz targets of what reads cells, columns, schemas and texts: guests and topics bring them.

#[path = "../../../tests/fuzz/mod.rs"]
mod fuzzing;
#[path = "../../convert/tests/support/random.rs"]
mod random;

use fuzzing::fuzz;
use random::{Names, Random};
use weir_data::{
    Column, Field, Headers, Node, Schema, Type, Value, base64, cbor, decimal, decode_cell, encode_cell, java_text,
    to_regex, values,
};

/// Bytes that a text of a cell may take, before it is one too many.
const MOST: usize = 1 << 20;

fn answer(result: Result<impl Sized, impl std::fmt::Display>) -> String {
    result.err().map_or_else(|| "fine".to_owned(), |error| error.to_string())
}

/// Cells without schema: what `check` lets through is read, printed and written again.
#[test]
fn cells_without_schema() {
    let seeds = (0..200).filter_map(|seed| random::cell(None, &random::free(&mut Random(seed), 4)));
    fuzz("cell_free", seeds, &["\u{1}a", "a"], |bytes| {
        let checked = cbor::check(bytes);
        let read = decode_cell(None, bytes);
        assert_eq!(checked.is_ok(), read.is_ok(), "{checked:?} {read:?}");
        if let Ok(end) = cbor::skip(bytes, 0) {
            assert!(end <= bytes.len());
        }
        let mut text = Vec::new();
        let printed = java_text::append(None, bytes, MOST, &mut text);
        assert!(text.len() <= 2 * MOST + 64 * bytes.len());
        if let Ok(value) = read {
            assert!(std::str::from_utf8(&text).is_ok());
            let mut again = Vec::new();
            encode_cell(None, &value, &mut again).unwrap();
            assert!(again.len() <= bytes.len(), "heads are the shortest there are");
            assert!(random::same(&decode_cell(None, &again).unwrap(), &value));
        }
        format!("{} {}", answer(checked), answer(printed))
    });
}

/// Cells under schemas of every kind; the first eight bytes choose one.
#[test]
fn cells_under_schemas() {
    let typed = |seed: u64| random::schema(&mut Random(seed), Names::Any, (seed % 5) as usize);
    let seeds = (0..400u64).filter_map(|seed| {
        let schema = typed(seed);
        let cell = random::cell(Some(&schema), &random::value(&mut Random(!seed), &schema, 0))?;
        Some([&seed.to_be_bytes()[..], &cell].concat())
    });
    fuzz("cell_typed", seeds, &[], |bytes| {
        let Some((seed, cell)) = bytes.split_first_chunk::<8>() else { return String::new() };
        let schema = typed(u64::from_be_bytes(*seed));
        let mut text = Vec::new();
        let printed = java_text::append(Some(&schema), cell, MOST, &mut text);
        assert!(text.len() <= 2 * MOST + 64 * bytes.len());
        let read = decode_cell(Some(&schema), cell);
        if let Ok(value) = &read {
            let mut again = Vec::new();
            encode_cell((*value != Value::Null).then_some(&schema), value, &mut again).unwrap();
            if *value != Value::Null {
                assert!(random::same(&decode_cell(Some(&schema), &again).unwrap(), value));
            }
        }
        format!("{} {}", answer(read), answer(printed))
    });
}

/// What texts stand for: values that fit their schemas.
#[test]
fn texts_of_headers() {
    let seeds =
        ["[1,2.5,\"a\"]", "{\"a\":{1:2}}", "2024-02-29T12:00:00.000Z", "12:00:00.000Z", "-1.5e10", "[[],[null]]"];
    let words = ["[", "]", "{", "}", ",", ":", "\"", "\\", "null", "true", "1e9", "2024-01-01", "T00:00:00.000Z", " "];
    fuzz("header_text", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Some(parsed) = (!text.is_empty()).then(|| values::parse(&text)).flatten() else { return String::new() };
        let mut cell = Vec::new();
        let kept = encode_cell(parsed.schema.as_ref(), &parsed.value, &mut cell);
        assert!(cell.len() <= 64 + 16 * text.len(), "{} bytes", cell.len());
        if kept.is_ok() {
            assert!(random::same(&decode_cell(parsed.schema.as_ref(), &cell).unwrap(), &parsed.value));
        }
        format!("{:?} {}", parsed.schema.map(|schema| schema.root().kind.clone()), answer(kept))
    });
}

/// Numbers out of bytes, of which a decoder has none left.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> usize {
        self.0.split_off_first().copied().unwrap_or_default().into()
    }

    fn numbers(&mut self) -> Vec<u32> {
        let count = self.byte() % 32;
        (0..count).map(|_| if self.byte() % 64 == 63 { u32::MAX } else { self.byte() as u32 }).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let count = self.byte() % 64;
        (0..count).map(|_| self.byte() as u8).collect()
    }
}

/// Columns and headers as guests send them: what passes the check can be read, chosen from and put together.
#[test]
fn columns_of_guests() {
    fuzz("columns", [vec![3, 0, 1, 0, 1, 0, 2, 2, 7, 7, 0], vec![0; 20]], &[], |bytes| {
        let rest = &mut Rest(bytes);
        let rows = rest.byte() % 32;
        let column = Column { ends: rest.numbers(), data: rest.bytes(), absent: rest.bytes() };
        let checked = column.check(rows, "test");
        if checked.is_ok() {
            let cells: Vec<Option<&[u8]>> = (0..rows).map(|row| column.get(row)).collect();
            let back: Vec<u32> = (0..rows as u32).rev().collect();
            let chosen = column.select(&back);
            assert!((0..rows).all(|row| chosen.get(row) == cells[rows - 1 - row]));
            if !column.is_null() {
                let mut twice = column.clone();
                twice.append(&column, 0..rows);
                twice.check(2 * rows, "test").unwrap();
                twice.truncate(rows);
                assert_eq!(twice.data, column.data);
            }
        }
        let value = weir_data::Cells { column, schema: rest.numbers() };
        let headers = Headers { ends: rest.numbers(), name: rest.numbers(), value };
        let of_headers = headers.check(rows, rest.byte(), rest.byte());
        if of_headers.is_ok() {
            let mut seen = 0;
            for at in (0..rows).flat_map(|row| headers.range(row)) {
                std::hint::black_box(headers.value.column.get(at));
                seen += 1;
            }
            assert_eq!(seen, headers.name.len());
            headers.select(&(0..rows as u32).rev().collect::<Vec<_>>());
        }
        format!("{} {}", answer(checked), answer(of_headers))
    });
}

/// Tables of nodes as guests send them: what is a schema is a tree, and every part of it a schema.
#[test]
fn schemas_of_guests() {
    fuzz("schema_nodes", [vec![9, 1, 11, 2, 1, 97, 2, 98, 3, 1, 2], vec![10, 1, 10, 2, 0]], &[], |bytes| {
        let rest = &mut Rest(bytes);
        let mut nodes = Vec::new();
        while !rest.0.is_empty() && nodes.len() < 12_000 {
            let kind = match rest.byte() % 13 {
                0 => Type::Int8,
                1..=4 => Type::Int64,
                5 | 6 => Type::Bytes,
                7 | 8 => Type::String,
                9 => Type::Array(rest.byte() as u32),
                10 => Type::Array(nodes.len() as u32 + 1),
                11 => Type::Map { key: rest.byte() as u32, value: rest.byte() as u32 },
                _ => {
                    let count = rest.byte() % 8;
                    let field = |_| Field { name: format!("f{}", rest.byte() % 9), node: rest.byte() as u32 };
                    Type::Struct((0..count).map(field).collect())
                }
            };
            let default = (rest.byte() % 8 == 7).then(|| rest.bytes());
            nodes.push(Node { default, optional: rest.byte() % 2 == 1, ..Node::new(kind) });
        }
        let made = Schema::new(nodes.clone());
        if let Ok(schema) = &made {
            for at in (0..schema.nodes().len() as u32).take(50) {
                let inner = schema.subschema(at);
                assert_eq!(Schema::new(inner.nodes().to_vec()).as_ref(), Ok(&inner));
            }
            let _ = decode_cell(Some(schema), &bytes[..bytes.len().min(64)]);
        }
        answer(made)
    });
}

/// Base64, decimals and patterns.
#[test]
fn small_texts() {
    let words = ["=", "AAAA", "\\", "(?", "[", "]", "{1,", "&&", "^", "\\p{", "}", "|", "*+", "-"];
    let seeds = ["aGVsbG8=", "[a-z&&[^b]]\\p{Alpha}\\d{2,3}", "(?i)topic-.*"];
    fuzz("small_texts", seeds.map(|seed| seed.as_bytes().to_vec()), &words, |bytes| {
        let mut decoded = Vec::new();
        let is_base64 = base64::decode(bytes, &mut decoded).is_some();
        if is_base64 {
            let (mut text, mut again) = (Vec::new(), Vec::new());
            base64::encode(&decoded, &mut text);
            base64::decode(&text, &mut again).unwrap();
            assert_eq!(again, decoded);
        }
        let scale = i32::from(bytes.first().copied().unwrap_or_default()) - 128;
        let mut printed = Vec::new();
        let unscaled = &bytes[..bytes.len().min(2_000)];
        let decimal = decimal::print(unscaled, scale, &mut printed);
        let text = String::from_utf8_lossy(bytes);
        let regex = to_regex(&text);
        if let Ok(regex) = &regex {
            assert!(regex.len() <= 64 + 200 * text.len());
        }
        format!("{is_base64} {} {}", answer(decimal), regex.is_ok())
    });
}

//! Pure. JSON text as Connect's workers (Jackson) write it, byte for byte: they find offsets by the bytes of keys.

use serde_json::Value;
use weir_data::java_text;

/// The text of a value.
pub(super) fn text(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(holds) => out.extend(if *holds { &b"true"[..] } else { b"false" }),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => java_text::double(double, out),
            None => out.extend(number.to_string().bytes()),
        },
        Value::String(string) => write_string(string, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
    }
}

fn write_string(string: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for char in string.chars() {
        let short = match char {
            '"' | '\\' => Some(char as u8),
            '\u{8}' => Some(b'b'),
            '\u{c}' => Some(b'f'),
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            _ => None,
        };
        if let Some(letter) = short {
            out.extend([b'\\', letter]);
        } else if !(' '..='\u{ffff}').contains(&char) {
            // Characters outside the basic plane become two escaped surrogates.
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend(format!("\\u{unit:04X}").bytes());
            }
        } else {
            out.extend(char.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    out.push(b'"');
}

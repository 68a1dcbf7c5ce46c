//! Pure. Why a record is not what a converter can convert, told as Connect tells it.

use crate::java_text::Unprintable;

/// What is wrong with one record. Boxed on its way, so that results stay small on the path that has no flaws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The bytes are not JSON: what, and at which byte.
    Syntax(String, usize),
    /// The JSON is not what the schema or Connect's rules ask for.
    Data(String),
    /// A null where the schema allows none, found deep inside; the path to it is spelled out on the way back.
    NullFor {
        /// Where it stands within what was read last, in Connect's words (`element of array `).
        place: String,
        /// Connect's name of the type that was expected.
        kind: &'static str,
    },
}

/// Bytes that one schema's default may have, as CBOR and as JSON.
pub(crate) const DEFAULT_MAX: usize = 64 << 10;

/// A result on a converter's path.
pub(crate) type Outcome<T> = Result<T, Box<Flaw>>;

/// A record that is wrong in itself.
#[cold]
pub(crate) fn data<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Flaw::Data(message.into())))
}

/// A record of a batch that grew larger than `most` bytes while it was converted.
#[cold]
pub(crate) fn too_large<T>(most: usize) -> Outcome<T> {
    data(Unprintable::TooLarge(most).to_string())
}

/// Text that is not JSON.
#[cold]
pub(crate) fn syntax<T>(message: impl Into<String>, at: usize) -> Outcome<T> {
    Err(Box::new(Flaw::Syntax(message.into(), at)))
}

impl Flaw {
    /// Connect's message for bytes that could not become a value.
    pub(crate) fn to_connect_message(&self, json: &[u8]) -> String {
        match self {
            Flaw::Syntax(what, at) => {
                let before = &json[..(*at).min(json.len())];
                let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
                format!(
                    "Converting byte[] to Kafka Connect data failed due to serialization error: \
                     {what} at line {line}, column {column}"
                )
            }
            Flaw::Data(message) => message.clone(),
            Flaw::NullFor { place, kind } => {
                format!("Invalid value: null used for required {place}value, schema type: {kind}")
            }
        }
    }

    /// The same flaw seen from the array or map around it.
    pub(crate) fn inside(self: Box<Self>, around: &str) -> Box<Self> {
        match *self {
            Flaw::NullFor { place, kind } => Box::new(Flaw::NullFor { place: format!("{place}{around}"), kind }),
            _ => self,
        }
    }

    /// The same flaw seen from the struct around it: there Connect checks the field.
    pub(crate) fn in_field(self: Box<Self>, field: &str) -> Box<Self> {
        match *self {
            Flaw::NullFor { place, kind } => Box::new(Flaw::Data(format!(
                "Invalid value: null used for required {place}field: \"{field}\", schema type: {kind}"
            ))),
            _ => self,
        }
    }
}

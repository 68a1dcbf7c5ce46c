//! Pure. MaskField: puts zero, an empty value or a replacement in the place of fields' values.

use std::marker::PhantomData;

use weir_data::cbor::{self, major};
use weir_data::logical::{self, Logical};
use weir_data::{Type, decimal};
use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::number::Number;
use crate::settings::{self, Empty, invalid, names};
use crate::subject::{self, Half, replace_null_with_default, require_fields};

/// Connect's MaskField.
pub struct MaskField<H> {
    fields: Vec<String>,
    masks: Masks,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for MaskField<H> {
    fn class() -> Class {
        let doc = "Mask specified fields with a valid null value for the field type (i.e. 0, false, empty string, and so \
                   on).<p/>For numeric and string fields, an optional replacement value can be specified that is \
                   converted to the correct type.";
        subject::class::<H>("MaskField", doc)
            .key(Key::list("fields").importance(Importance::High).doc("Names of fields to mask."))
            .key(Key::text("replacement").optional().non_empty().importance(Importance::Low).doc(
                "Custom value replacement, that will be applied to all 'fields' values (numeric or non-empty string \
                 values only).",
            ))
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        settings::wrong_names(config, "fields")
    }

    fn configure(config: &Config) -> Result<Self> {
        let replacement = config.get("replacement");
        if let Some(blank) = replacement.filter(|replacement| replacement.is_empty()) {
            return Err(invalid("replacement", blank, "String must be non-empty"));
        }
        Ok(MaskField {
            fields: names(config, "fields", Empty::Refused)?,
            masks: Masks::new(replacement),
            replace_null: settings::replace_null(config)?,
            edits: Edits::default(),
            half: PhantomData,
        })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let MaskField { fields, masks, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                require_fields(layout, "mask fields")?;
                if *replace_null {
                    layout.default_nulls();
                }
                for name in fields.iter() {
                    match layout.field(name).map(|field| field.schema().map(|schema| tag_of(schema))) {
                        Some(tag) => layout.fill(name, tag.unwrap_or(BY_VALUE))?,
                        None if layout.has_schema() => {}
                        None => layout.put_null(name)?,
                    }
                }
                Ok(())
            },
            |tag, was, out| masks.mask(tag, was, out),
        )?;
        Ok(Outcome::Keep)
    }
}

/// What a value is; the tags by which plans ask for masks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    Text,
    Bytes,
    Array,
    Map,
    Struct,
    Date,
}

const KINDS: [(Kind, &str); 13] = [
    (Kind::Int8, "java.lang.Byte"),
    (Kind::Int16, "java.lang.Short"),
    (Kind::Int32, "java.lang.Integer"),
    (Kind::Int64, "java.lang.Long"),
    (Kind::Float32, "java.lang.Float"),
    (Kind::Float64, "java.lang.Double"),
    (Kind::Boolean, "java.lang.Boolean"),
    (Kind::Text, "java.lang.String"),
    (Kind::Bytes, "[B"),
    (Kind::Array, "java.util.ArrayList"),
    (Kind::Map, "java.util.HashMap"),
    (Kind::Struct, "org.apache.kafka.connect.data.Struct"),
    (Kind::Date, "java.util.Date"),
];

/// Without schema the value says what it is.
const BY_VALUE: u32 = u32::MAX >> 1;
/// Set for decimals, whose scale stands in the other bits.
const DECIMAL: u32 = 1 << 31;

fn tag_of(schema: &Schema) -> u32 {
    let root = schema.root();
    let kind = match (logical::of(root), &root.kind) {
        (Logical::Decimal(Some(scale)), _) => return DECIMAL | (scale as u32 & (DECIMAL - 1)),
        (Logical::Date | Logical::Time | Logical::Timestamp, _) => Kind::Date,
        (_, Type::Int8) => Kind::Int8,
        (_, Type::Int16) => Kind::Int16,
        (_, Type::Int32) => Kind::Int32,
        (_, Type::Int64) => Kind::Int64,
        (_, Type::Float32) => Kind::Float32,
        (_, Type::Float64) => Kind::Float64,
        (_, Type::Boolean) => Kind::Boolean,
        (_, Type::String) => Kind::Text,
        (_, Type::Bytes) => Kind::Bytes,
        (_, Type::Array(_)) => Kind::Array,
        (_, Type::Map { .. }) => Kind::Map,
        (_, Type::Struct(_)) => Kind::Struct,
    };
    kind as u32
}

/// The masks of all kinds, made beforehand.
struct Masks {
    by_kind: Vec<Result<Vec<u8>>>,
    decimal: Result<Number>,
}

impl Masks {
    fn new(replacement: Option<&str>) -> Masks {
        let decimal = match replacement {
            None => Ok(Number::zero()),
            Some(text) => Number::parse(text).ok_or_else(|| no_number(text)),
        };
        let by_kind = KINDS.iter().map(|(kind, class)| match replacement {
            None => empty(*kind, class),
            Some(text) => replaced(*kind, class, text),
        });
        Masks { by_kind: by_kind.collect(), decimal }
    }

    fn mask(&self, tag: u32, was: Option<&[u8]>, out: &mut Vec<u8>) -> Result<()> {
        let first = was.and_then(|was| was.first()).copied().unwrap_or(cbor::NULL);
        if first == cbor::NULL {
            out.push(cbor::NULL);
            return Ok(());
        }
        if tag & DECIMAL != 0 {
            let scale = ((tag << 1) as i32) >> 1;
            let number = self.decimal.as_ref().map_err(Clone::clone)?;
            let mut unscaled = Vec::new();
            let (negative, digits) = number
                .at_scale(scale)
                .ok_or_else(|| Error::data("Decimal value has mismatching scale for given Decimal schema"))?;
            decimal::from_digits(negative, digits, &mut unscaled);
            cbor::bytes(out, &unscaled);
            return Ok(());
        }
        let kind = if tag == BY_VALUE { by_value(first) as usize } else { tag as usize };
        cbor::put(out, self.by_kind[kind].as_ref().map_err(Clone::clone)?);
        Ok(())
    }
}

fn by_value(first: u8) -> Kind {
    match first >> 5 {
        major::UNSIGNED | major::NEGATIVE => Kind::Int64,
        major::BYTES => Kind::Bytes,
        major::TEXT => Kind::Text,
        major::ARRAY => Kind::Array,
        major::MAP => Kind::Map,
        _ => match first {
            cbor::FLOAT32 => Kind::Float32,
            cbor::FLOAT64 => Kind::Float64,
            _ => Kind::Boolean,
        },
    }
}

fn empty(kind: Kind, class: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match kind {
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Date => cbor::integer(&mut out, 0),
        Kind::Float32 => cbor::float32(&mut out, 0.0),
        Kind::Float64 => cbor::float64(&mut out, 0.0),
        Kind::Boolean => out.push(cbor::FALSE),
        Kind::Text => cbor::text(&mut out, b""),
        Kind::Array => cbor::head(&mut out, major::ARRAY, 0),
        Kind::Map => cbor::head(&mut out, major::MAP, 0),
        Kind::Bytes | Kind::Struct => return Err(Error::data(format!("Cannot mask value of type: class {class}"))),
    }
    Ok(out)
}

fn replaced(kind: Kind, class: &str, text: &str) -> Result<Vec<u8>> {
    let number = || {
        let class = "class java.lang.String";
        Number::parse(text).ok_or_else(|| Error::data(format!("Unable to convert {text} ({class}) to a number")))
    };
    let mut out = Vec::new();
    match kind {
        Kind::Int8 => cbor::integer(&mut out, i64::from(number()?.low_bits() as i8)),
        Kind::Int16 => cbor::integer(&mut out, i64::from(number()?.low_bits() as i16)),
        Kind::Int32 => cbor::integer(&mut out, i64::from(number()?.low_bits() as i32)),
        Kind::Int64 => cbor::integer(&mut out, number()?.low_bits()),
        Kind::Float32 => cbor::float32(&mut out, number()?.double() as f32),
        Kind::Float64 => cbor::float64(&mut out, number()?.double()),
        Kind::Text => cbor::text(&mut out, text.as_bytes()),
        Kind::Boolean | Kind::Bytes | Kind::Array | Kind::Map | Kind::Struct | Kind::Date => {
            return Err(Error::data(format!("Cannot mask value of type class {class} with custom replacement.")));
        }
    }
    Ok(out)
}

fn no_number(text: &str) -> Error {
    Error::data(format!("Unable to convert {text} (class java.lang.String) to number"))
}

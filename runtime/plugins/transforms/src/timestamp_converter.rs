//! TimestampConverter: moments as text, numbers, dates or times of day. Looks at the clock when it is set up, for years
//! of two digits.

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_data::cbor::{self, major};
use weir_data::java_text::date::DAY;
use weir_data::logical::{self, Logical};
use weir_data::{Node, Type};
use weir_sdk::fields::{Edits, Layout};
use weir_sdk::prelude::*;

use crate::date_format::DateFormat;
use crate::settings;
use crate::subject::{self, Half, class_of_cell, replace_null_with_default, require_fields};

const TARGETS: [(&str, Target); 5] = [
    ("string", Target::Text),
    ("unix", Target::Unix),
    ("Date", Target::Date),
    ("Time", Target::Time),
    ("Timestamp", Target::Timestamp),
];
const PRECISIONS: [&str; 4] = ["nanoseconds", "microseconds", "milliseconds", "seconds"];
const NO_FORMAT: &str = "TimestampConverter requires format option to be specified when using string timestamps";

/// Connect's TimestampConverter.
pub struct TimestampConverter<H> {
    field: String,
    conversion: Conversion,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

/// What a value stands for; the tags by which plans ask for conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Text,
    Unix,
    /// Days since 1970.
    Days,
    Millis,
    /// Its CBOR says it: it has no schema.
    Free,
}

const SOURCES: [Source; 5] = [Source::Text, Source::Unix, Source::Days, Source::Millis, Source::Free];

struct Conversion {
    target: Target,
    format: Option<DateFormat>,
    precision: String,
    now: i64,
    /// The schemas of what comes out, required and optional.
    schemas: [Rc<Schema>; 2],
}

impl<H: Half> Transformation for TimestampConverter<H> {
    fn class() -> Class {
        let doc = "Convert timestamps between different formats such as Unix epoch, strings, and Connect \
                   Date/Timestamp types.Applies to individual fields or to the entire value.";
        subject::class::<H>("TimestampConverter", doc)
            .key(
                Key::text("field")
                    .default("")
                    .importance(Importance::High)
                    .doc("The field containing the timestamp, or empty if the entire value is a timestamp"),
            )
            .key(
                Key::text("target.type")
                    .one_of(&TARGETS.map(|(name, _)| name))
                    .importance(Importance::High)
                    .doc("The desired timestamp representation: string, unix, Date, Time, or Timestamp"),
            )
            .key(Key::text("format").default("").doc(
                "A SimpleDateFormat-compatible format for the timestamp. Used to generate the output when type=string \
                 or used to parse the input if the input is a string.",
            ))
            .key(
                Key::text("unix.precision")
                    .default("milliseconds")
                    .one_of(&PRECISIONS)
                    .importance(Importance::Low)
                    .doc(
                        "The desired Unix precision for the timestamp: seconds, milliseconds, microseconds, or \
                         nanoseconds. Used to generate the output when type=unix or used to parse the input if the \
                         input is a Long.Note: This SMT will cause precision loss during conversions from, and to, \
                         values with sub-millisecond components.",
                    ),
            )
            .key(replace_null_with_default())
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        let Ok(target) = target(config) else { return Vec::new() };
        format(config, target).err().map_or_else(Vec::new, settings::problems)
    }

    fn configure(config: &Config) -> Result<Self> {
        let precision = settings::one_of(config, "unix.precision", &PRECISIONS).map(str::to_owned);
        let (target, precision, replace_null) =
            settings::all3(target(config), precision, settings::replace_null(config))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let conversion = Conversion {
            target,
            format: format(config, target)?,
            precision,
            now,
            schemas: [false, true].map(|optional| Rc::new(Schema::of(Node { optional, ..node(target) }))),
        };
        let field = settings::text(config, "field")?.to_owned();
        Ok(TimestampConverter { field, conversion, replace_null, edits: Edits::default(), half: PhantomData })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let TimestampConverter { field, conversion, replace_null, edits, .. } = self;
        let conversion = &*conversion;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| match field.is_empty() {
                true => conversion.plan_all(layout),
                false => conversion.plan_field(layout, field, *replace_null),
            },
            |tag, was, out| conversion.convert(tag, was.unwrap_or(&[cbor::NULL]), out),
        )?;
        Ok(Outcome::Keep)
    }
}

fn target(config: &Config) -> Result<Target> {
    let name = settings::one_of(config, "target.type", &TARGETS.map(|(name, _)| name))?;
    Ok(TARGETS.iter().find(|(known, _)| *known == name).map_or(Target::Text, |(_, target)| *target))
}

fn format(config: &Config, target: Target) -> Result<Option<DateFormat>> {
    let pattern = settings::text(config, "format")?;
    if pattern.is_empty() {
        return if target == Target::Text { Err(Error::config("format", NO_FORMAT)) } else { Ok(None) };
    }
    let format = DateFormat::new(pattern).map_err(|why| {
        Error::config(
            "format",
            format!(
                "Invalid value java.lang.IllegalArgumentException: {why} for configuration TimestampConverter requires \
                 a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
            ),
        )
    });
    format.map(Some)
}

/// The schema of a target.
fn node(target: Target) -> Node {
    let named = |kind, name| Node { version: Some(1), ..Node::new(kind).named(name) };
    match target {
        Target::Text => Node::new(Type::String),
        Target::Unix => Node::new(Type::Int64),
        Target::Date => named(Type::Int32, logical::DATE),
        Target::Time => named(Type::Int32, logical::TIME),
        Target::Timestamp => named(Type::Int64, logical::TIMESTAMP),
    }
}

/// What values under a schema stand for.
fn source(node: &Node) -> Result<Source> {
    Ok(match (logical::of(node), &node.kind) {
        (Logical::Date, _) => Source::Days,
        (Logical::Time | Logical::Timestamp, _) => Source::Millis,
        (_, Type::String) => Source::Text,
        (_, Type::Int64) => Source::Unix,
        (_, kind) => {
            let kind = logical::type_name(kind);
            let named = node.name.as_ref().map_or_else(|| kind.to_owned(), |name| format!("{name}:{kind}"));
            return Err(Error::data(format!(
                "Schema Schema{{{named}}} does not correspond to a known timestamp type format"
            )));
        }
    })
}

impl Conversion {
    fn schema(&self, optional: bool) -> &Rc<Schema> {
        &self.schemas[usize::from(optional)]
    }

    fn plan_all(&self, layout: &mut Layout<'_>) -> Result<()> {
        let Some(schema) = layout.schema().cloned() else {
            if !layout.is_null() {
                layout.replace(None, Source::Free as u32);
            }
            return Ok(());
        };
        let (source, new) = (source(schema.root())?, self.schema(schema.root().optional));
        match layout.is_null() {
            true => layout.make_null(Some(new)),
            false => layout.replace(Some(new), source as u32),
        }
        Ok(())
    }

    fn plan_field(&self, layout: &mut Layout<'_>, name: &str, replace_null: bool) -> Result<()> {
        let purpose = "converting timestamp formats";
        let Some(schema) = layout.schema().cloned() else {
            if layout.is_null() {
                return Ok(());
            }
            require_fields(layout, purpose)?;
            return layout.fill(name, Source::Free as u32);
        };
        if !layout.is_null() {
            require_fields(layout, purpose)?;
        }
        let root = schema.root();
        let Type::Struct(fields) = &root.kind else { return Err(Error::data("Cannot list fields on non-struct type")) };
        let field = fields.iter().find(|field| field.name == name).map(|field| schema.node(field.node));
        let new = field.map(|field| self.schema(field.optional).clone());
        let default = self.default(&schema, name)?;
        if layout.is_null() {
            let fields = fields.iter().map(|field| match &new {
                Some(new) if field.name == name => (name, (**new).clone()),
                _ => (field.name.as_str(), schema.subschema(field.node)),
            });
            let mut nodes = Schema::record(fields).nodes().to_vec();
            nodes[0] = Node { kind: nodes[0].kind.clone(), default, ..root.clone() };
            layout.make_null(Some(&Rc::new(Schema::new(nodes).map_err(Error::data)?)));
            return Ok(());
        }
        if replace_null {
            layout.default_nulls();
        }
        layout.keep_optional();
        layout.set_default(default);
        match (field, new) {
            (Some(field), Some(new)) => layout.fill_as(name, &new, source(field)? as u32),
            _ => Ok(()),
        }
    }

    /// A struct's default with its field converted.
    fn default(&self, schema: &Schema, name: &str) -> Result<Option<Vec<u8>>> {
        let root = schema.root();
        let (Some(default), Type::Struct(fields)) = (&root.default, &root.kind) else { return Ok(None) };
        let mut at = cbor::read_head(default, 0).map_err(Error::data)?.end;
        let mut converted = default[..at].to_vec();
        for field in fields {
            let end = cbor::skip(default, at).map_err(Error::data)?;
            match field.name == name {
                true => {
                    let source = source(schema.node(field.node))?;
                    self.convert(source as u32, &default[at..end], &mut converted)?;
                }
                false => converted.extend_from_slice(&default[at..end]),
            }
            at = end;
        }
        Ok(Some(converted))
    }

    fn convert(&self, tag: u32, was: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let head = cbor::read_head(was, 0).map_err(Error::data)?;
        if head.first == cbor::NULL {
            out.push(cbor::NULL);
            return Ok(());
        }
        let integer = || {
            let value = i64::try_from(head.argument).map_err(Error::data)?;
            Ok::<i64, Error>(if head.major == major::NEGATIVE { !value } else { value })
        };
        let source = SOURCES[tag as usize];
        let millis = match (source, head.major) {
            (Source::Text | Source::Free, major::TEXT) => {
                let body = cbor::string_body(was, &head).map_err(Error::data)?.0;
                self.parse(std::str::from_utf8(body).map_err(Error::data)?)?
            }
            (Source::Unix | Source::Free, major::UNSIGNED | major::NEGATIVE) => self.millis_of_unix(integer()?),
            (Source::Days, _) => integer()?.wrapping_mul(DAY),
            (Source::Millis, _) => integer()?,
            _ => {
                let class = class_of_cell(was);
                return Err(Error::data(format!(
                    "TimestampConverter does not support class {class} objects as timestamps"
                )));
            }
        };
        self.write(millis, source == Source::Free, out)
    }

    fn parse(&self, text: &str) -> Result<i64> {
        let format = self.format.as_ref().ok_or_else(|| Error::data(NO_FORMAT))?;
        format.parse(text, self.now).ok_or_else(|| {
            let pattern = format.pattern();
            Error::data(format!("Could not parse timestamp: value ({text}) does not match pattern ({pattern})"))
        })
    }

    fn millis_of_unix(&self, value: i64) -> i64 {
        match self.precision.as_str() {
            "seconds" => value.saturating_mul(1_000),
            "microseconds" => value / 1_000,
            "nanoseconds" => value / 1_000_000,
            _ => value,
        }
    }

    fn to_unix(&self, millis: i64) -> i64 {
        match self.precision.as_str() {
            "seconds" => millis / 1_000,
            "microseconds" => millis.saturating_mul(1_000),
            "nanoseconds" => millis.saturating_mul(1_000_000),
            _ => millis,
        }
    }

    /// Appends a moment as the target. Without schema a date is its first millisecond.
    fn write(&self, millis: i64, free: bool, out: &mut Vec<u8>) -> Result<()> {
        let days = millis.div_euclid(DAY);
        match (self.target, &self.format) {
            (Target::Text, Some(format)) => {
                let start = out.len();
                out.push(0);
                format.print(millis, out);
                let length = out.len() - start - 1;
                cbor::patch_head(out, start, major::TEXT, length as u64);
            }
            (Target::Text, None) => return Err(Error::data(NO_FORMAT)),
            (Target::Unix, _) => cbor::integer(out, self.to_unix(millis)),
            (Target::Date, _) if free => cbor::integer(out, days.wrapping_mul(DAY)),
            (Target::Date, _) => {
                let days =
                    i32::try_from(days).map_err(|_| Error::data(format!("{days} days since 1970 are no Date")))?;
                cbor::integer(out, days.into());
            }
            (Target::Time, _) => cbor::integer(out, millis.rem_euclid(DAY)),
            (Target::Timestamp, _) => cbor::integer(out, millis),
        }
        Ok(())
    }
}

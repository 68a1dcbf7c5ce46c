//! Pure. InsertField: a record's topic, partition, offset or timestamp, or a fixed text, as fields.

use std::marker::PhantomData;
use std::rc::Rc;

use weir_data::cbor;
use weir_data::logical::TIMESTAMP;
use weir_data::{Node, Type};
use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::hoist_field::null_for_required;
use crate::settings::{self, invalid};
use crate::subject::{self, Half, replace_null_with_default, require_fields};

const PURPOSE: &str = "field insertion";

/// Connect's InsertField.
pub struct InsertField<H> {
    insertions: Vec<Insertion>,
    text: Vec<u8>,
    wants_topic: bool,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Fixed,
}

/// Key of the configuration, what its documentation names, and what it inserts; in Connect's order.
const SOURCES: [(&str, &str, Source); 5] = [
    ("topic.field", "Field name for Kafka topic. ", Source::Topic),
    ("partition.field", "Field name for Kafka partition. ", Source::Partition),
    ("offset.field", "Field name for Kafka offset - only applicable to sink connectors.<br/>", Source::Offset),
    ("timestamp.field", "Field name for record timestamp. ", Source::Timestamp),
    ("static.field", "Field name for static data field. ", Source::Fixed),
];

struct Insertion {
    source: Source,
    name: String,
    schema: Rc<Schema>,
}

impl Insertion {
    /// Reads `name`, `name?` or `name!`.
    fn parse(source: Source, spec: &str) -> Insertion {
        let required = spec.strip_suffix('!');
        let name = required.or_else(|| spec.strip_suffix('?')).unwrap_or(spec).to_owned();
        let node = match source {
            Source::Topic | Source::Fixed => Node::new(Type::String),
            Source::Partition => Node::new(Type::Int32),
            Source::Offset => Node::new(Type::Int64),
            Source::Timestamp => Node { version: Some(1), ..Node::new(Type::Int64).named(TIMESTAMP) },
        };
        let node = if required.is_some() { node } else { node.optional() };
        Insertion { source, name, schema: Rc::new(Schema::of(node)) }
    }

    fn is_optional(&self) -> bool {
        self.schema.root().optional
    }
}

impl<H: Half> Transformation for InsertField<H> {
    fn class() -> Class {
        let doc = "Insert field(s) using attributes from the record metadata or a configured static value.";
        let class = SOURCES.iter().fold(subject::class::<H>("InsertField", doc), |class, (key, doc, _)| {
            class.key(Key::text(key).optional().doc(&format!(
                "{doc}Suffix with <code>!</code> to make this a required field, or <code>?</code> to keep it optional \
                 (the default)."
            )))
        });
        class
            .key(Key::text("static.value").optional().doc("Static field value, if field name configured."))
            .key(replace_null_with_default())
    }

    fn configure(config: &Config) -> Result<Self> {
        let insertion =
            |(key, _, source): &(&str, &str, Source)| config.get(key).map(|spec| Insertion::parse(*source, spec));
        let insertions: Vec<Insertion> = SOURCES.iter().filter_map(insertion).collect();
        if insertions.is_empty() {
            return Err(Error::config("static.field", "No field insertion configured"));
        }
        let text = config.get("static.value");
        if let Some(fixed) = insertions.iter().find(|insertion| insertion.source == Source::Fixed)
            && text.is_none()
        {
            let why = format!("No value specified for static field: {}", fixed.name);
            return Err(invalid("static.value", "null", &why));
        }
        let mut cbor = Vec::new();
        cbor::text(&mut cbor, text.unwrap_or_default().as_bytes());
        let replace_null = settings::replace_null(config)?;
        let wants_topic = insertions.iter().any(|insertion| insertion.source == Source::Topic);
        let edits = Edits::default();
        Ok(InsertField { insertions, text: cbor, wants_topic, replace_null, edits, half: PhantomData })
    }

    fn parts(&self) -> StepParts {
        let reads = self.insertions.iter().fold(H::PART, |parts, insertion| {
            parts
                | match insertion.source {
                    Source::Topic => Parts::TOPIC,
                    Source::Partition => Parts::PARTITION,
                    Source::Offset => Parts::OFFSET,
                    Source::Timestamp => Parts::TIMESTAMP,
                    Source::Fixed => Parts::empty(),
                }
        });
        StepParts { reads, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        if record.is_null(H::SIDE) {
            return Ok(Outcome::Keep);
        }
        let (partition, timestamp, offset) = (record.partition(), record.timestamp(), record.offset());
        // Only a topic that is wanted is copied: it borrows the record, which is about to change.
        let topic = if self.wants_topic { record.topic().to_owned() } else { String::new() };
        let variant = u32::from(partition.is_none()) | u32::from(timestamp.is_none()) << 1;
        let InsertField { insertions, text, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            variant,
            |layout| {
                require_fields(layout, PURPOSE)?;
                if *replace_null {
                    layout.default_nulls();
                }
                for (tag, insertion) in insertions.iter().enumerate() {
                    let Insertion { source, name, schema } = insertion;
                    let missing = match source {
                        Source::Fixed => {
                            layout.insert(name, schema, text)?;
                            continue;
                        }
                        Source::Topic => false,
                        Source::Partition => partition.is_none(),
                        Source::Timestamp => timestamp.is_none(),
                        Source::Offset if offset.is_none() => return Err(no_sink_record()),
                        Source::Offset => false,
                    };
                    if !missing {
                        layout.insert_filled(name, schema, tag as u32)?;
                    } else if layout.has_schema() && insertion.is_optional() {
                        layout.insert(name, schema, &[cbor::NULL])?;
                    } else if layout.has_schema() {
                        return Err(null_for_required(name, &schema.root().kind));
                    }
                }
                Ok(())
            },
            |tag, _, out| {
                match insertions[tag as usize].source {
                    Source::Topic => cbor::text(out, topic.as_bytes()),
                    Source::Partition => cbor::integer(out, i64::from(partition.unwrap_or_default())),
                    Source::Timestamp => cbor::integer(out, timestamp.unwrap_or_default()),
                    Source::Offset => cbor::integer(out, offset.ok_or_else(no_sink_record)?),
                    Source::Fixed => cbor::put(out, text),
                }
                Ok(())
            },
        )?;
        Ok(Outcome::Keep)
    }
}

fn no_sink_record() -> Error {
    Error::data(format!(
        "Only SinkRecord supported for [{PURPOSE}], found: org.apache.kafka.connect.source.SourceRecord"
    ))
}

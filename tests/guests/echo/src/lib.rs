//! A source, a sink and transformations that do next to nothing: what crossing the sandbox costs. Beside them, those
//! that look at everything: what crosses arrives as it was.

mod every;
mod ranges;

use std::time::Duration;

use weir_sdk::prelude::*;

/// Brings `rows` records of `bytes` each at every poll, without building them anew.
pub struct EchoSource(Config);

/// Its task.
pub struct EchoSourceTask {
    rows: usize,
    text: String,
    topic: String,
    /// The record that it brings where it is no text.
    record: Option<SourceRecord>,
}

impl SourceConnector for EchoSource {
    type Task = EchoSourceTask;

    fn class() -> Class {
        Class::new("test.EchoSource", "1.0.0")
            .doc("Brings the same records at every poll.")
            .key(Key::int("rows").default(500).at_least(0.0).dependents(&["bytes"]))
            .key(Key::int("bytes").default(100).at_least(0.0).recommended(|config| match config.parse("rows") {
                Ok(0) => Recommended::shown_if(false),
                Ok(1..=9) => Recommended::values([100, 1_000, 1_000_000]),
                _ => Recommended::values([100]),
            }))
            .key(Key::text("topic").default("echo"))
            .key(Key::boolean("binary").default(false).doc("Whether values are bytes and not text."))
    }

    fn start(config: Config) -> Result<Self> {
        Ok(EchoSource(config))
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone(); max_tasks as usize])
    }
}

impl SourceTask for EchoSourceTask {
    fn start(config: Config) -> Result<Self> {
        let (text, topic) = ("x".repeat(config.parse("bytes")?), config.text("topic")?.to_owned());
        let record = config.boolean("binary")?.then(|| SourceRecord::new(&topic, Data::bytes(text.clone())));
        Ok(EchoSourceTask { rows: config.parse("rows")?, text, topic, record })
    }

    fn poll(&mut self, _: Duration, batch: &mut SourceBatch) -> Result<()> {
        for _ in 0..self.rows {
            match &self.record {
                Some(record) => drop(batch.push("{}", "{\"n\":1}", record)?),
                None => drop(batch.push_text("{}", "{\"n\":1}", &self.topic, None, &self.text)),
            }
        }
        Ok(())
    }
}

/// Brings `rows`, comma-separated, and then a record for each of them that says what it was told of it.
pub struct TellingSource(Config);

/// Its task.
pub struct TellingSourceTask {
    topic: String,
    rows: Vec<String>,
    told: Vec<Acknowledged>,
    brought: usize,
}

impl SourceConnector for TellingSource {
    type Task = TellingSourceTask;

    fn class() -> Class {
        Class::new("test.TellingSource", "1.0.0")
            .doc("Brings rows, and then what it was told of each.")
            .key(Key::text("rows"))
            .key(Key::text("topic"))
            .wants_acknowledged()
    }

    fn start(config: Config) -> Result<Self> {
        Ok(TellingSource(config))
    }

    fn task_configs(&mut self, _: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone()])
    }
}

impl SourceTask for TellingSourceTask {
    fn start(config: Config) -> Result<Self> {
        let rows: Vec<String> = config.text("rows")?.split(',').map(str::to_owned).collect();
        Ok(TellingSourceTask { topic: config.text("topic")?.to_owned(), brought: 0, rows, told: Vec::new() })
    }

    fn poll(&mut self, _: Duration, batch: &mut SourceBatch) -> Result<()> {
        for row in &self.rows[self.brought..] {
            batch.push_text("{}", "{}", &self.topic, None, row);
        }
        self.brought = self.rows.len();
        for Acknowledged { row_id, position } in self.told.drain(..) {
            let Some(row) = self.rows.get(row_id as usize) else { continue };
            let text = match position {
                Some((topic, partition, offset)) => format!("{row} is at {topic}-{partition}@{offset}"),
                None => format!("{row} was dropped"),
            };
            batch.push_text("{}", "{}", &self.topic, None, &text);
        }
        Ok(())
    }

    fn acknowledged(&mut self, rows: &[Acknowledged]) -> Result<()> {
        self.told.extend_from_slice(rows);
        Ok(())
    }
}

/// Takes records and looks at none.
pub struct EchoSink(Config);

/// Its task.
pub struct EchoSinkTask;

impl SinkConnector for EchoSink {
    type Task = EchoSinkTask;

    fn class() -> Class {
        Class::new("test.EchoSink", "1.0.0").doc("Takes records and looks at none.")
    }

    fn start(config: Config) -> Result<Self> {
        Ok(EchoSink(config))
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone(); max_tasks as usize])
    }
}

impl SinkTask for EchoSinkTask {
    fn start(_: Config) -> Result<Self> {
        Ok(EchoSinkTask)
    }

    fn put(&mut self, _: &SinkBatch) -> Result<Delivery> {
        Ok(Delivery::all())
    }
}

/// Declares to change values and changes none.
pub struct Echo;

impl Transformation for Echo {
    fn class() -> Class {
        Class::new("test.Echo", "1.0.0")
            .doc("Declares to change values and changes none.")
            .key(Key::text("mood").default("plain"))
            .key(
                Key::text("text")
                    .optional()
                    .recommended(|config| Recommended::values(config.get("mood").map(|mood| format!("{mood} text")))),
            )
    }

    fn configure(_: &Config) -> Result<Self> {
        Ok(Echo)
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::VALUE, writes: Parts::VALUE }
    }

    fn apply(&mut self, _: &mut Record) -> Result<Outcome> {
        Ok(Outcome::Keep)
    }
}

/// Looks at every record's value and changes nothing.
pub struct Look;

impl Transformation for Look {
    fn class() -> Class {
        Class::new("test.Look", "1.0.0").doc("Looks at every record's value and changes nothing.")
    }

    fn configure(_: &Config) -> Result<Self> {
        Ok(Look)
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::VALUE, writes: Parts::empty() }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        std::hint::black_box(record.value_cell());
        Ok(Outcome::Keep)
    }
}

/// Gives every record a new value of the same text.
pub struct Rewrite;

impl Transformation for Rewrite {
    fn class() -> Class {
        Class::new("test.Rewrite", "1.0.0").doc("Gives every record a new value of the same text.")
    }

    fn configure(_: &Config) -> Result<Self> {
        Ok(Rewrite)
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: Parts::VALUE, writes: Parts::VALUE }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let text = record.value_cell().and_then(|cell| cell.as_text()).unwrap_or_default();
        record.set_value(Data::text(text));
        Ok(Outcome::Keep)
    }
}

use every::{Rebuild, StreamSink, StreamSource};
use ranges::RangeSource;

weir_sdk::export!(
    sources: [EchoSource, TellingSource, StreamSource, RangeSource],
    sinks: [EchoSink, StreamSink],
    transformations: [Echo, Look, Rewrite, Rebuild],
);

//! A source, a sink and a transformation that take every record apart and put it together again: what crosses the
//! sandbox arrives as it was. Host and guest make the same records out of the same seeds.

use std::rc::Rc;
use std::time::Duration;

use weir_sdk::prelude::*;

#[path = "../../../../runtime/convert/tests/support/random.rs"]
mod random;

use random::{Datum, row, shown};

fn seeds() -> [Key; 2] {
    [Key::text("seed"), Key::text("schemas")]
}

/// The seed of a stream, and how many schemas its records have.
#[derive(Clone)]
struct Stream {
    seed: u64,
    schemas: u64,
}

impl Stream {
    fn of(config: &Config) -> Result<Stream> {
        Ok(Stream { seed: config.parse("seed")?, schemas: config.parse("schemas")? })
    }

    fn row(&self, number: u64) -> random::Row {
        row(self.seed.wrapping_add(number), self.schemas)
    }
}

/// Brings the records of a stream.
pub struct StreamSource(Config);

/// Its task.
pub struct StreamSourceTask {
    stream: Stream,
    rows: u64,
    next: u64,
}

impl SourceConnector for StreamSource {
    type Task = StreamSourceTask;

    fn class() -> Class {
        let [seed, schemas] = seeds();
        Class::new("test.StreamSource", "1.0.0")
            .doc("Brings the records of a stream.")
            .key(seed)
            .key(schemas)
            .key(Key::int("rows").default(20))
    }

    fn start(config: Config) -> Result<Self> {
        Ok(StreamSource(config))
    }

    fn task_configs(&mut self, _: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone()])
    }
}

fn data(datum: Datum) -> Data {
    Data { schema: datum.schema.map(Rc::new), value: datum.value }
}

impl SourceTask for StreamSourceTask {
    fn start(config: Config) -> Result<Self> {
        Ok(StreamSourceTask { stream: Stream::of(&config)?, rows: config.parse("rows")?, next: 0 })
    }

    fn poll(&mut self, _: Duration, batch: &mut SourceBatch) -> Result<()> {
        for _ in 0..self.rows {
            let row = self.stream.row(self.next);
            let record = SourceRecord {
                topic: row.topic,
                partition: row.partition,
                timestamp: row.timestamp,
                key: data(row.key),
                value: data(row.value),
                headers: row.headers.into_iter().map(|(name, datum)| (name, data(datum))).collect(),
            };
            batch.push("{\"p\":1}", &format!("{{\"at\":{}}}", self.next), &record)?;
            self.next += 1;
        }
        Ok(())
    }
}

/// Takes the records of a stream, and refuses every one that is not as it should be.
pub struct StreamSink(Config);

/// Its task.
pub struct StreamSinkTask(Stream);

impl SinkConnector for StreamSink {
    type Task = StreamSinkTask;

    fn class() -> Class {
        let [seed, schemas] = seeds();
        Class::new("test.StreamSink", "1.0.0").doc("Looks at every record of a stream.").key(seed).key(schemas)
    }

    fn start(config: Config) -> Result<Self> {
        Ok(StreamSink(config))
    }

    fn task_configs(&mut self, _: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone()])
    }
}

/// What differs between a cell and what it should be. A null says nothing of its schema here.
fn differs(what: &str, cell: Option<Cell<'_>>, datum: &Datum) -> Option<String> {
    let is = match cell.map(|cell| cell.data()).transpose() {
        Ok(Some(data)) => shown(data.schema.as_deref(), &data.value),
        Ok(None) if datum.value == Value::Null => return None,
        Ok(None) => "null".into(),
        Err(error) => format!("{error:?}"),
    };
    let should = shown(datum.schema.as_ref(), &datum.value);
    (is != should).then(|| format!("{what} is {is}, and should be {should}"))
}

impl SinkTask for StreamSinkTask {
    fn start(config: Config) -> Result<Self> {
        Ok(StreamSinkTask(Stream::of(&config)?))
    }

    fn put(&mut self, batch: &SinkBatch) -> Result<Delivery> {
        let mut delivery = Delivery::all();
        for record in batch.iter() {
            let row = self.0.row(record.offset() as u64);
            let headers: Vec<_> = record.headers().collect();
            let names = headers.iter().map(|header| header.name).eq(row.headers.iter().map(|(name, _)| name.as_str()));
            let of_headers =
                headers.iter().zip(&row.headers).find_map(|(is, (name, should))| differs(name, is.value, should));
            let place = record.topic() == row.topic
                && record.partition() == row.partition.unwrap_or(-1)
                && record.timestamp() == row.timestamp;
            let wrong = differs("its key", record.key(), &row.key)
                .or(differs("its value", record.value(), &row.value))
                .or(of_headers)
                .or((!names).then(|| format!("{} headers", headers.len())))
                .or((!place).then(|| "another place or time".into()));
            if let Some(wrong) = wrong {
                delivery = delivery.failed(record.row(), wrong);
            }
        }
        Ok(delivery)
    }
}

/// Decodes every part of a record and gives it back, under the same schemas or under equal ones that it makes.
pub struct Rebuild {
    anew: bool,
}

impl Rebuild {
    fn data(&self, mut data: Data) -> Data {
        if self.anew {
            data.schema = data.schema.map(|schema| Rc::new((*schema).clone()));
        }
        data
    }
}

impl Transformation for Rebuild {
    fn class() -> Class {
        Class::new("test.Rebuild", "1.0.0")
            .doc("Takes every record apart and puts it together again.")
            .key(Key::boolean("anew").default(false).doc("Under schemas of its own."))
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(Rebuild { anew: config.parse("anew")? })
    }

    fn parts(&self) -> StepParts {
        let parts = Parts::KEY | Parts::VALUE | Parts::HEADERS | Parts::TOPIC | Parts::PARTITION | Parts::TIMESTAMP;
        StepParts { reads: parts, writes: parts }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let (key, value) = (record.key()?.into_owned(), record.value()?.into_owned());
        let headers = record.headers()?.into_iter().map(|(name, data)| (name, self.data(data))).collect();
        record.set_key(self.data(key));
        record.set_value(self.data(value));
        record.set_headers(headers);
        let topic = record.topic().to_owned();
        record.set_topic(topic);
        record.set_partition(record.partition());
        record.set_timestamp(record.timestamp());
        Ok(Outcome::Keep)
    }
}

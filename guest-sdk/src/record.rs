//! Records on their way through transformations: read from the batch, written aside, decoded only when looked at.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use weir_data::{Cells, Headers, Schema};

use crate::bindings::transformation::exports::weir::connect::transformations as wit;
use crate::data::{Cell, Data};
use crate::error::Result;
use crate::fields::{Live, Side, live, live_of_data};
use crate::headers::{AddedValue, HeaderList};
use crate::schemas;
use crate::tables::{cells_from_wit, headers_from_wit};
use crate::transformation::Parts;

/// A header.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; none for null.
    pub value: Option<Cell<'a>>,
}

/// What happens to a record after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Keep,
    /// It is filtered.
    Drop,
}

/// A batch of records that came to be transformed.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pub rows: usize,
    pub topics: Vec<String>,
    pub partitions: Vec<Option<i32>>,
    pub header_names: Vec<String>,
    pub schemas: Vec<Option<Rc<Schema>>>,
    pub topic: Option<Vec<u32>>,
    pub partition: Option<Vec<u32>>,
    pub timestamp: Option<Vec<i64>>,
    pub offset: Option<Vec<i64>>,
    pub key: Option<Cells>,
    pub value: Option<Cells>,
    pub headers: Option<Headers>,
}

impl Input {
    pub fn from_wit(input: wit::Input) -> Input {
        schemas::take_news(input.news);
        Input {
            rows: input.rows as usize,
            schemas: input.tables.schemas.iter().map(schemas::resolve).collect(),
            topics: input.tables.topics,
            partitions: input.tables.partitions,
            header_names: input.tables.header_names,
            topic: input.topic,
            partition: input.partition,
            timestamp: input.timestamp,
            offset: input.offset,
            key: input.key.map(cells_from_wit),
            value: input.value.map(cells_from_wit),
            headers: input.headers.map(headers_from_wit),
        }
    }

    #[inline(always)]
    fn cell<'a>(&'a self, cells: &'a Option<Cells>, row: usize) -> Option<Cell<'a>> {
        let cells = cells.as_ref()?;
        let bytes = cells.column.get(row)?;
        Some(Cell { bytes, schema: self.schema(cells, row) })
    }

    #[inline(always)]
    fn schema<'a>(&'a self, cells: &Cells, row: usize) -> Option<&'a Rc<Schema>> {
        self.schemas.get(cells.schema_of(row)).and_then(Option::as_ref)
    }

    #[inline]
    fn came<'a>(&'a self, cells: &'a Option<Cells>, row: usize) -> Came<'a> {
        let schema = cells.as_ref().and_then(|cells| self.schema(cells, row));
        Came { cell: self.cell(cells, row), schema }
    }

    pub fn topic(&self, row: usize) -> &str {
        let at = self.topic.as_ref().map(|topic| position(topic, row));
        at.map_or("", |at| &self.topics[at])
    }

    pub fn partition(&self, row: usize) -> Option<i32> {
        let at = position(self.partition.as_ref()?, row);
        self.partitions.get(at).copied().flatten()
    }
}

impl Input {
    /// The name of the header at a position among all of the batch.
    pub fn header_name(&self, at: usize) -> &str {
        self.headers.as_ref().map_or("", |headers| &self.header_names[headers.name[at] as usize])
    }

    /// The cell and the schema of the header at a position.
    pub fn header(&self, at: usize) -> (Option<&[u8]>, Option<&Rc<Schema>>) {
        let Some(headers) = &self.headers else { return (None, None) };
        (headers.value.column.get(at), self.schema(&headers.value, at))
    }
}

fn position(positions: &[u32], row: usize) -> usize {
    positions.get(row).map_or(0, |&position| position as usize)
}

/// A time or an offset; none where it is below zero.
fn natural(values: &Option<Vec<i64>>, row: usize) -> Option<i64> {
    values.as_ref()?.get(row).copied().filter(|&value| value >= 0)
}

/// A key or value as it came.
#[derive(Clone, Copy, Default)]
struct Came<'a> {
    cell: Option<Cell<'a>>,
    schema: Option<&'a Rc<Schema>>,
}

/// A key or value: as it came, or as a step left it.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Came,
    Set(Data),
    /// Its fields known by position: see [`crate::fields`].
    Fields(Live<'a>),
}

impl<'a> Part<'a> {
    fn data(&self, came: impl FnOnce() -> Came<'a>) -> Result<Cow<'_, Data>> {
        match self {
            Part::Came => match came() {
                Came { cell: Some(cell), .. } => Ok(Cow::Owned(cell.data()?)),
                Came { cell: None, schema } => {
                    Ok(Cow::Owned(Data { schema: schema.cloned(), value: weir_data::Value::Null }))
                }
            },
            Part::Set(data) => Ok(Cow::Borrowed(data)),
            Part::Fields(live) => Ok(Cow::Owned(live.data()?)),
        }
    }

    #[inline]
    fn is_null(&self, came: impl FnOnce() -> Came<'a>) -> bool {
        match self {
            Part::Came => came().cell.is_none(),
            Part::Set(data) => data.value == weir_data::Value::Null,
            Part::Fields(live) => live.shape.is_null(),
        }
    }

    #[inline(always)]
    fn live(&mut self, came: impl FnOnce() -> Came<'a>) -> Result<&mut Live<'a>> {
        match self {
            Part::Came => {
                let Came { cell, schema } = came();
                *self = Part::Fields(live(cell, schema)?);
            }
            Part::Set(data) => *self = Part::Fields(live_of_data(data)?),
            Part::Fields(_) => {}
        }
        match self {
            Part::Fields(live) => Ok(live),
            Part::Came | Part::Set(_) => unreachable!("it was made so above"),
        }
    }
}

/// A record.
#[derive(Debug)]
pub struct Record<'a> {
    /// What it came in; none for a record to try a transformation with.
    input: Option<&'a Input>,
    row: usize,
    /// Which of the parts below count. The others are as they came, and are looked up only when asked for.
    pub(crate) changed: Parts,
    topic: String,
    partition: Option<i32>,
    timestamp: Option<i64>,
    offset: Option<i64>,
    pub(crate) key: Part<'a>,
    pub(crate) value: Part<'a>,
    pub(crate) headers: HeaderList,
    /// Whether the key or value may be other than as it came though no step has changed it.
    looked_at: bool,
}

impl Record<'static> {
    /// A record to try a transformation with.
    pub fn new(topic: &str, value: Data) -> Record<'static> {
        Record {
            input: None,
            row: 0,
            changed: Parts::all(),
            topic: topic.to_owned(),
            partition: None,
            timestamp: None,
            offset: None,
            key: Part::Set(Data::null()),
            value: Part::Set(value),
            headers: HeaderList::default(),
            looked_at: false,
        }
    }

    /// The same record out of a topic, at this offset.
    pub fn at_offset(self, offset: i64) -> Record<'static> {
        Record { offset: Some(offset), ..self }
    }
}

impl<'a> Record<'a> {
    /// The first row of a batch.
    pub(crate) fn first(input: &'a Input) -> Record<'a> {
        Record {
            input: Some(input),
            row: 0,
            changed: Parts::empty(),
            topic: String::new(),
            partition: None,
            timestamp: None,
            offset: None,
            key: Part::Came,
            value: Part::Came,
            headers: HeaderList::default(),
            looked_at: false,
        }
    }

    /// Becomes another row of its batch, as that one came.
    #[inline]
    pub(crate) fn go_to(&mut self, row: usize) {
        self.row = row;
        if self.looked_at || !self.changed.is_empty() {
            self.changed = Parts::empty();
            self.looked_at = false;
            (self.key, self.value) = (Part::Came, Part::Came);
        }
    }

    #[inline]
    fn is_set(&self, part: Parts) -> bool {
        self.changed.contains(part)
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        match self.input {
            Some(input) if !self.is_set(Parts::TOPIC) => input.topic(self.row),
            _ => &self.topic,
        }
    }

    /// Sends it to another topic.
    pub fn set_topic(&mut self, topic: impl AsRef<str>) {
        self.topic.clear();
        self.topic.push_str(topic.as_ref());
        self.changed |= Parts::TOPIC;
    }

    /// Its Kafka partition; none where the producer chooses.
    pub fn partition(&self) -> Option<i32> {
        match self.input {
            Some(input) if !self.is_set(Parts::PARTITION) => input.partition(self.row),
            _ => self.partition,
        }
    }

    /// Sends it to another partition.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.partition = partition;
        self.changed |= Parts::PARTITION;
    }

    /// Its timestamp, in milliseconds since 1970.
    pub fn timestamp(&self) -> Option<i64> {
        match self.input {
            Some(input) if !self.is_set(Parts::TIMESTAMP) => natural(&input.timestamp, self.row),
            _ => self.timestamp,
        }
    }

    /// Gives it another timestamp.
    pub fn set_timestamp(&mut self, timestamp: Option<i64>) {
        self.timestamp = timestamp;
        self.changed |= Parts::TIMESTAMP;
    }

    /// Its Kafka offset; sinks only.
    pub fn offset(&self) -> Option<i64> {
        self.input.map_or(self.offset, |input| natural(&input.offset, self.row))
    }

    /// Its key, decoded.
    pub fn key(&self) -> Result<Cow<'_, Data>> {
        self.key.data(|| came(self.input, Side::Key, self.row))
    }

    /// Gives it another key.
    pub fn set_key(&mut self, key: Data) {
        self.key = Part::Set(key);
        self.changed |= Parts::KEY;
    }

    /// Its value, decoded.
    pub fn value(&self) -> Result<Cow<'_, Data>> {
        self.value.data(|| came(self.input, Side::Value, self.row))
    }

    /// Its value as it came, not decoded; none when it is null or a step has changed it.
    #[inline(always)]
    pub fn value_cell(&self) -> Option<Cell<'a>> {
        if self.is_set(Parts::VALUE) {
            return None;
        }
        self.input.and_then(|input| input.cell(&input.value, self.row))
    }

    /// Gives it another value.
    #[inline]
    pub fn set_value(&mut self, value: Data) {
        self.value = Part::Set(value);
        self.changed |= Parts::VALUE;
    }

    /// Whether its value is null.
    pub fn is_tombstone(&self) -> bool {
        self.is_null(Side::Value)
    }

    /// Whether its key or value is null.
    pub fn is_null(&self, side: Side) -> bool {
        let part = match side {
            Side::Key => &self.key,
            Side::Value => &self.value,
        };
        part.is_null(|| came(self.input, side, self.row))
    }

    /// The fields of its key or value, to be changed.
    #[inline(always)]
    pub(crate) fn live(&mut self, side: Side) -> Result<&mut Live<'a>> {
        let (part, flag) = match side {
            Side::Key => (&mut self.key, Parts::KEY),
            Side::Value => (&mut self.value, Parts::VALUE),
        };
        self.looked_at = true;
        let live = part.live(|| came(self.input, side, self.row))?;
        self.changed |= flag;
        Ok(live)
    }

    /// Makes the key what the value is, or the value what the key is; nothing is decoded.
    pub fn copy(&mut self, from: Side) -> Result<()> {
        let (part, other, changed) = match from {
            Side::Key => (&mut self.key, &mut self.value, Parts::VALUE),
            Side::Value => (&mut self.value, &mut self.key, Parts::KEY),
        };
        self.looked_at = true;
        *other = match part {
            Part::Set(data) => Part::Set(data.clone()),
            part => Part::Fields(part.live(|| came(self.input, from, self.row))?.copy()),
        };
        self.changed |= changed;
        Ok(())
    }

    /// Its headers, in order, decoded.
    pub fn headers(&self) -> Result<Vec<(String, Data)>> {
        if !self.is_set(Parts::HEADERS) {
            return self.came_headers().map(|at| self.came_header(at)).collect();
        }
        let came = self.headers.came().iter().cloned().flatten().map(|at| self.came_header(at));
        let added = self.headers.added().iter().map(|added| {
            let data = match &added.value {
                AddedValue::Data(value) => value.clone(),
                AddedValue::Cell { schema, cell } => data_of(self.headers.cell(cell), schema.as_ref())?,
            };
            Ok((added.name.to_string(), data))
        });
        came.chain(added).collect()
    }

    /// Gives it other headers.
    pub fn set_headers(&mut self, headers: Vec<(String, Data)>) {
        self.headers.reset(0..0);
        headers.into_iter().for_each(|(name, value)| self.headers.push(name.into(), value));
        self.changed |= Parts::HEADERS;
    }

    /// Whether it has a header of this name.
    pub fn has_header(&self, name: &str) -> bool {
        if !self.is_set(Parts::HEADERS) {
            return self.came_headers().any(|at| came_name(self.input, at) == name);
        }
        self.headers.came().iter().cloned().flatten().any(|at| came_name(self.input, at) == name)
            || self.headers.added().iter().any(|added| *added.name == *name)
    }

    /// Takes away the headers whose names `gone` accepts; no value is decoded.
    pub fn remove_headers(&mut self, gone: impl Fn(&str) -> bool) {
        let (input, untouched) = (self.input, !self.is_set(Parts::HEADERS));
        if untouched && !self.came_headers().any(|at| gone(came_name(input, at))) {
            return;
        }
        self.own_headers().retain(|at| came_name(input, at), |name| !gone(name));
    }

    /// Adds a header behind the others.
    pub fn add_header(&mut self, name: impl Into<Rc<str>>, value: Data) {
        self.own_headers().push(name.into(), value);
    }

    /// Adds a header behind the others, whose value is a cell under its schema; none is null.
    pub fn add_header_cell(&mut self, name: &Rc<str>, schema: Option<&Rc<Schema>>, cell: Option<&[u8]>) {
        self.own_headers().push_cell(name, schema, cell);
    }

    fn own_headers(&mut self) -> &mut HeaderList {
        if !self.is_set(Parts::HEADERS) {
            let came = self.came_headers();
            self.headers.reset(came);
            self.changed |= Parts::HEADERS;
        }
        &mut self.headers
    }

    fn came_headers(&self) -> Range<usize> {
        self.input.and_then(|input| input.headers.as_ref()).map_or(0..0, |headers| headers.range(self.row))
    }

    fn came_header(&self, at: usize) -> Result<(String, Data)> {
        let (cell, schema) = self.input.map_or((None, None), |input| input.header(at));
        Ok((came_name(self.input, at).to_owned(), data_of(cell, schema)?))
    }
}

fn came_name(input: Option<&Input>, at: usize) -> &str {
    input.map_or("", |input| input.header_name(at))
}

fn data_of(cell: Option<&[u8]>, schema: Option<&Rc<Schema>>) -> Result<Data> {
    match cell {
        Some(bytes) => Cell { bytes, schema }.data(),
        None => Ok(Data { schema: schema.cloned(), value: weir_data::Value::Null }),
    }
}

fn came(input: Option<&Input>, side: Side, row: usize) -> Came<'_> {
    let Some(input) = input else { return Came::default() };
    let cells = match side {
        Side::Key => &input.key,
        Side::Value => &input.value,
    };
    input.came(cells, row)
}

//! Records on their way through transformations: read from the batch, written aside, decoded only when looked at.

use std::borrow::Cow;
use std::rc::Rc;

use weir_data::{Cells, Headers, Schema};

use crate::bindings::transformation::exports::weir::connect::transformations as wit;
use crate::data::{Cell, Data};
use crate::error::Result;
use crate::fields::{Live, Side, live, live_of_data};
use crate::schemas;
use crate::tables::{cells_from_wit, headers_from_wit};

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

    #[inline]
    fn cell<'a>(&'a self, cells: &'a Cells, row: usize) -> Option<Cell<'a>> {
        let bytes = cells.column.get(row)?;
        Some(Cell { bytes, schema: self.schema(cells, row) })
    }

    #[inline]
    fn schema<'a>(&'a self, cells: &Cells, row: usize) -> Option<&'a Rc<Schema>> {
        self.schemas.get(cells.schema_of(row)).and_then(Option::as_ref)
    }
}

/// A key or value: as it came, or as a step left it.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Came {
        cell: Option<Cell<'a>>,
        schema: Option<&'a Rc<Schema>>,
    },
    Set(Data),
    /// Its fields known by position: see [`crate::fields`].
    Fields(Live<'a>),
}

impl<'a> Part<'a> {
    #[inline]
    fn of(input: &'a Input, cells: &'a Option<Cells>, row: usize) -> Part<'a> {
        match cells {
            Some(cells) => Part::Came { cell: input.cell(cells, row), schema: input.schema(cells, row) },
            None => Part::Came { cell: None, schema: None },
        }
    }

    fn data(&self) -> Result<Cow<'_, Data>> {
        match self {
            Part::Came { cell: Some(cell), .. } => Ok(Cow::Owned(cell.data()?)),
            Part::Came { cell: None, schema } => {
                Ok(Cow::Owned(Data { schema: schema.cloned(), value: weir_data::Value::Null }))
            }
            Part::Set(data) => Ok(Cow::Borrowed(data)),
            Part::Fields(live) => Ok(Cow::Owned(live.data()?)),
        }
    }

    #[inline]
    fn is_null(&self) -> bool {
        match self {
            Part::Came { cell, .. } => cell.is_none(),
            Part::Set(data) => data.value == weir_data::Value::Null,
            Part::Fields(live) => live.shape.is_null(),
        }
    }

    #[inline(always)]
    fn live(&mut self) -> Result<&mut Live<'a>> {
        if !matches!(self, Part::Fields(_)) {
            self.find_fields()?;
        }
        match self {
            Part::Fields(live) => Ok(live),
            Part::Came { .. } | Part::Set(_) => unreachable!("it was made so above"),
        }
    }

    fn find_fields(&mut self) -> Result<()> {
        match self {
            Part::Came { cell, schema } => *self = Part::Fields(live(*cell, *schema)?),
            Part::Set(data) => *self = Part::Fields(live_of_data(data)?),
            Part::Fields(_) => {}
        }
        Ok(())
    }
}

/// A record.
#[derive(Debug)]
pub struct Record<'a> {
    topic: Cow<'a, str>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    offset: Option<i64>,
    pub(crate) key: Part<'a>,
    pub(crate) value: Part<'a>,
    came_headers: Option<(&'a Input, usize)>,
    pub(crate) set_headers: Option<Vec<(String, Data)>>,
}

impl Record<'static> {
    /// A record to try a transformation with.
    pub fn new(topic: &str, value: Data) -> Record<'static> {
        Record {
            topic: Cow::Owned(topic.to_owned()),
            partition: None,
            timestamp: None,
            offset: None,
            key: Part::Set(Data::null()),
            value: Part::Set(value),
            came_headers: None,
            set_headers: Some(Vec::new()),
        }
    }

    /// The same record out of a topic, at this offset.
    pub fn at_offset(self, offset: i64) -> Record<'static> {
        Record { offset: Some(offset), ..self }
    }
}

impl<'a> Record<'a> {
    #[inline]
    pub(crate) fn of(input: &'a Input, row: usize) -> Record<'a> {
        let at = |positions: &Option<Vec<u32>>| {
            positions.as_ref().map(|p| p.get(row).map_or(0, |&position| position as usize))
        };
        let value = |values: &Option<Vec<i64>>| values.as_ref().and_then(|v| v.get(row)).copied().filter(|&v| v >= 0);
        Record {
            topic: at(&input.topic).map_or("", |at| &input.topics[at]).into(),
            partition: at(&input.partition).and_then(|at| input.partitions.get(at).copied().flatten()),
            timestamp: value(&input.timestamp),
            offset: value(&input.offset),
            key: Part::of(input, &input.key, row),
            value: Part::of(input, &input.value, row),
            came_headers: Some((input, row)),
            set_headers: None,
        }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends it to another topic.
    pub fn set_topic(&mut self, topic: impl Into<String>) {
        self.topic = Cow::Owned(topic.into());
    }

    /// Its Kafka partition; none where the producer chooses.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// Sends it to another partition.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.partition = partition;
    }

    /// Its timestamp, in milliseconds since 1970.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// Gives it another timestamp.
    pub fn set_timestamp(&mut self, timestamp: Option<i64>) {
        self.timestamp = timestamp;
    }

    /// Its Kafka offset; sinks only.
    pub fn offset(&self) -> Option<i64> {
        self.offset
    }

    /// Its key, decoded.
    pub fn key(&self) -> Result<Cow<'_, Data>> {
        self.key.data()
    }

    /// Gives it another key.
    pub fn set_key(&mut self, key: Data) {
        self.key = Part::Set(key);
    }

    /// Its value, decoded.
    pub fn value(&self) -> Result<Cow<'_, Data>> {
        self.value.data()
    }

    /// Its value as it came, not decoded; none when it is null or a step has changed it.
    pub fn value_cell(&self) -> Option<Cell<'a>> {
        match &self.value {
            Part::Came { cell, .. } => *cell,
            Part::Set(_) | Part::Fields(_) => None,
        }
    }

    /// Gives it another value.
    pub fn set_value(&mut self, value: Data) {
        self.value = Part::Set(value);
    }

    /// Whether its value is null.
    pub fn is_tombstone(&self) -> bool {
        self.value.is_null()
    }

    /// Whether its key or value is null.
    pub fn is_null(&self, side: Side) -> bool {
        match side {
            Side::Key => self.key.is_null(),
            Side::Value => self.value.is_null(),
        }
    }

    #[inline(always)]
    pub(crate) fn live(&mut self, side: Side) -> Result<&mut Live<'a>> {
        match side {
            Side::Key => self.key.live(),
            Side::Value => self.value.live(),
        }
    }

    /// Its headers, in order, decoded.
    pub fn headers(&self) -> Result<Vec<(String, Data)>> {
        if let Some(headers) = &self.set_headers {
            return Ok(headers.clone());
        }
        let Some((input, row)) = self.came_headers else { return Ok(Vec::new()) };
        let Some(headers) = &input.headers else { return Ok(Vec::new()) };
        headers
            .range(row)
            .map(|at| {
                let name = input.header_names[headers.name[at] as usize].clone();
                let schema = input.schema(&headers.value, at).cloned();
                let null = Data { schema, value: weir_data::Value::Null };
                Ok((name, input.cell(&headers.value, at).map_or(Ok(null), |cell| cell.data())?))
            })
            .collect()
    }

    /// Gives it other headers.
    pub fn set_headers(&mut self, headers: Vec<(String, Data)>) {
        self.set_headers = Some(headers);
    }
}

//! Dead letters: records that were given up, written to a topic of their own as they came (DeadLetterQueueReporter).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{RawHeaders, RawRecords, TaskId};
use crate::port::{BrokerError, Producer, Sent, Ticket};

use super::error_context::{INCOMPLETE, Origin, PREFIX, headers};
use super::stage::StageFault;

/// Headers by name.
type Context = Vec<(String, String)>;

/// Where a task's dead letters go.
pub struct DeadLetters {
    /// The topic.
    pub topic: Arc<str>,
    /// What writes them.
    pub producer: Box<dyn Producer>,
    /// Whether headers say what was wrong.
    context_headers: bool,
    /// As many bytes may be unanswered before more are sent.
    buffer_bytes: usize,
    /// What takes the place of each letter that is not answered, should it be refused for what it is; none for what is such
    /// a place itself.
    unanswered: BTreeMap<Ticket, Option<Context>>,
    next: Ticket,
    /// Why a letter is not stored. Nothing makes up for that.
    failed: Option<BrokerError>,
}

/// The letters of rows, each with the headers that say what was wrong.
fn letters(topic: &Arc<str>, rows: RawRecords, context: &[Context]) -> RawRecords {
    let headers = headed(rows.headers, context);
    RawRecords {
        topics: vec![topic.clone()],
        topic: Vec::new(),
        partitions: Vec::new(),
        partition: Vec::new(),
        offset: Vec::new(),
        headers,
        ..rows
    }
}

/// Each row's own headers, and behind them those that are added to it.
fn headed(own: RawHeaders, added: &[Context]) -> RawHeaders {
    let first_added = own.names.len();
    let mut all = RawHeaders { names: own.names.clone(), ..RawHeaders::default() };
    for (row, added) in added.iter().enumerate() {
        own.range(row).for_each(|at| all.push_of(&own, at));
        for (name, value) in added {
            let known = all.names[first_added..].iter().position(|known| **known == **name);
            let position = known.unwrap_or_else(|| {
                all.names.push(name.as_str().into());
                all.names.len() - 1 - first_added
            });
            all.name.push((first_added + position) as u32);
            all.value.push(value.as_bytes());
        }
        all.ends.push(all.name.len() as u32);
    }
    all
}

impl DeadLetters {
    /// Letters into a topic.
    pub fn new(topic: &str, context_headers: bool, producer: Box<dyn Producer>, buffer_bytes: usize) -> DeadLetters {
        DeadLetters {
            topic: topic.into(),
            producer,
            context_headers,
            buffer_bytes,
            unanswered: BTreeMap::new(),
            next: 0,
            failed: None,
        }
    }

    /// Sends rows that failed, one for each fault, which came from these places. Of some a part may be missing.
    pub fn send(
        &mut self,
        task: &TaskId,
        rows: RawRecords,
        why: &[(&StageFault, Origin)],
        incomplete: &BTreeSet<usize>,
    ) -> Result<(), BrokerError> {
        let whole: Vec<Context> = why.iter().map(|(fault, origin)| headers(task, fault, origin)).collect();
        let shown = whole.iter().enumerate().map(|(row, context)| {
            let context = if self.context_headers { context.clone() } else { Context::new() };
            if incomplete.contains(&row) { with_incomplete(context) } else { context }
        });
        let shown: Vec<Context> = shown.collect();
        self.write(rows, &shown, whole.into_iter().map(Some).collect())
    }

    /// Sends a letter that says where a record is, and no more of it than that.
    pub fn send_place(&mut self, task: &TaskId, place: RawRecords, fault: &StageFault) -> Result<(), BrokerError> {
        let context = with_incomplete(headers(task, fault, &Origin::consumed(&place, 0)));
        self.write(place, &[context], vec![None])
    }

    fn write(
        &mut self,
        rows: RawRecords,
        context: &[Context],
        in_place: Vec<Option<Context>>,
    ) -> Result<(), BrokerError> {
        let letters = letters(&self.topic, rows, context);
        let tickets: Vec<Ticket> = (self.next..self.next + letters.rows as u64).collect();
        self.next += letters.rows as u64;
        self.unanswered.extend(tickets.iter().copied().zip(in_place));
        self.producer.send(letters, &tickets)
    }

    /// Whether it is time to wait until letters are stored before more are sent.
    pub fn is_full(&self) -> bool {
        self.producer.unanswered_bytes() > self.buffer_bytes
    }

    /// Waits until every letter is answered. Answers how many were refused for what they are, with the first refusal; in
    /// their place stand letters that say where the records are. The error says that a letter is not stored, and says so
    /// ever after.
    pub async fn flush(&mut self) -> Result<Option<(u64, BrokerError)>, BrokerError> {
        let mut refused: Option<(u64, BrokerError)> = None;
        while self.failed.is_none() && self.producer.unanswered_bytes() > 0 {
            let mut in_place = Vec::new();
            for Sent { ticket, outcome } in self.producer.answers().await {
                match (outcome, self.unanswered.remove(&ticket).flatten()) {
                    (Ok(_), _) => {}
                    (Err(error @ BrokerError::BadRecord(_)), Some(context)) => {
                        refused.get_or_insert((0, error)).0 += 1;
                        in_place.push(with_incomplete(context));
                    }
                    (Err(error), _) => drop(self.failed.get_or_insert(error)),
                }
            }
            if !in_place.is_empty() {
                let mut rows =
                    RawRecords { rows: in_place.len(), topics: vec![self.topic.clone()], ..RawRecords::default() };
                in_place.iter().for_each(|_| rows.value.push_absent());
                let none = vec![None; in_place.len()];
                self.write(rows, &in_place, none)?;
            }
        }
        self.failed.clone().map_or(Ok(refused), Err)
    }
}

fn with_incomplete(mut context: Context) -> Context {
    context.push((format!("{PREFIX}{INCOMPLETE}"), "true".to_owned()));
    context
}

#[cfg(test)]
mod tests {
    use weir_data::Column;

    use super::*;

    #[test]
    fn a_letter_is_its_record_with_the_context_behind_its_own_headers() {
        let mut rows = RawRecords {
            rows: 2,
            topics: vec!["a".into(), "b".into()],
            topic: vec![1, 0],
            partitions: vec![Some(4)],
            offset: vec![8, 9],
            timestamp: vec![100, -1],
            ..RawRecords::default()
        };
        rows.value.push(b"x");
        rows.value.push_absent();
        rows.headers = RawHeaders {
            names: vec!["own".into(), "none".into()],
            ends: vec![2, 2],
            name: vec![0, 1],
            value: Column::default(),
        };
        rows.headers.value.push(b"1");
        rows.headers.value.push_absent();
        let context = |stage: &str| vec![("stage".to_owned(), stage.to_owned())];
        let made = letters(&"dead".into(), rows, &[context("one"), context("two")]);
        assert_eq!((&**made.topic_of(0), made.partition_of(0), made.offset.len()), ("dead", None, 0));
        assert_eq!((made.timestamp_of(0), made.timestamp_of(1)), (Some(100), None));
        assert_eq!((made.value.get(0), made.value.get(1)), (Some(&b"x"[..]), None));
        let of = |row| made.headers.of(row).map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>();
        let named = |name: &str, value| (name.to_owned(), value);
        assert_eq!(of(0), [named("own", Some(&b"1"[..])), named("none", None), named("stage", Some(b"one"))]);
        assert_eq!(of(1), [named("stage", Some(&b"two"[..]))]);
    }
}

//! Dead letters: records that were given up, written to a topic of their own as they came (DeadLetterQueueReporter).

use std::sync::Arc;

use crate::model::{RawHeaders, RawRecords, TaskId};
use crate::port::{BrokerError, Producer, Sent};

use super::error_context::{Origin, headers};
use super::stage::StageFault;

/// Where a task's dead letters go.
pub struct DeadLetters {
    /// The topic.
    pub topic: Arc<str>,
    /// Whether headers say what was wrong.
    pub context_headers: bool,
    /// What writes them.
    pub producer: Box<dyn Producer>,
    /// As many bytes may be unanswered before more are sent.
    pub buffer_bytes: usize,
}

/// The letters of rows, each with the headers that say what was wrong.
fn letters(topic: &Arc<str>, rows: RawRecords, context: &[Vec<(String, String)>]) -> RawRecords {
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
fn headed(own: RawHeaders, added: &[Vec<(String, String)>]) -> RawHeaders {
    let first_added = own.names.len();
    let mut all = RawHeaders { names: own.names.clone(), ..RawHeaders::default() };
    for (row, added) in added.iter().enumerate() {
        for at in own.range(row) {
            all.name.push(own.name[at]);
            all.value.push_option(own.value.get(at));
        }
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
    /// Sends rows that failed, one for each fault, which came from these places.
    pub fn send(&mut self, task: &TaskId, rows: RawRecords, why: &[(&StageFault, Origin)]) -> Result<(), BrokerError> {
        let context = |(fault, origin): &(&StageFault, Origin)| match self.context_headers {
            true => headers(task, fault, origin),
            false => Vec::new(),
        };
        let context: Vec<_> = why.iter().map(context).collect();
        self.write(rows, &context)
    }

    /// Sends letters that say where a record is, and no more of it than that.
    pub fn send_place(&mut self, task: &TaskId, place: RawRecords, fault: &StageFault) -> Result<(), BrokerError> {
        let context = headers(task, fault, &Origin::consumed(&place, 0));
        self.write(place, &[context])
    }

    fn write(&mut self, rows: RawRecords, context: &[Vec<(String, String)>]) -> Result<(), BrokerError> {
        let letters = letters(&self.topic, rows, context);
        let tickets: Vec<u64> = (0..letters.rows as u64).collect();
        self.producer.send(letters, &tickets)
    }

    /// Whether it is time to wait until letters are stored before more are sent.
    pub fn is_full(&self) -> bool {
        self.producer.unanswered_bytes() > self.buffer_bytes
    }

    /// Waits until every letter is answered. Answers how many were refused, with the first refusal: such a letter would
    /// be refused again. The error says that the topic cannot be written to.
    pub async fn flush(&mut self) -> Result<Option<(u64, BrokerError)>, BrokerError> {
        let mut refused: Option<(u64, BrokerError)> = None;
        while self.producer.unanswered_bytes() > 0 {
            for Sent { outcome, .. } in self.producer.answers().await {
                match outcome {
                    Ok(_) => {}
                    Err(error @ BrokerError::Rejected(_)) => refused.get_or_insert((0, error)).0 += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(refused)
    }
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

//! Reports of records that failed: counted, logged, and put among the dead letters, as a connector wants it (KIP-298).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use crate::model::{RawRecords, Records, TaskId};
use crate::observe::ErrorCounts;
use crate::port::BrokerError;

use super::conversion::Converters;
use super::dead_letters::DeadLetters;
use super::error_context::{Origin, consumed, line};
use super::stage::StageFault;
use super::tolerance::Judged;

/// Whom records that failed are reported to.
pub struct Reports {
    /// The task.
    pub task: TaskId,
    /// Whether there are lines, and then whether they name the record.
    pub log: Option<bool>,
    /// Where the records go.
    pub letters: Option<DeadLetters>,
    /// How a source's records are written down: they have no bytes of their own.
    pub written_down: Option<Converters>,
    /// What is counted.
    pub counts: Arc<ErrorCounts>,
}

impl Reports {
    /// Reports that go nowhere but into counts.
    pub fn counted(task: TaskId, counts: Arc<ErrorCounts>) -> Reports {
        Reports { task, log: None, letters: None, written_down: None, counts }
    }

    /// Whether a report needs the record.
    pub fn need_records(&self) -> bool {
        self.letters.is_some() || self.log == Some(true)
    }

    /// Whether anybody reads them (WorkerSinkTask gives its task a reporter only then).
    pub fn are_read(&self) -> bool {
        self.letters.is_some() || self.log.is_some()
    }

    /// Counts rows that a task has named as wrong, which was no try of the worker's.
    pub fn count_named(&self, judged: &Judged) {
        self.counts.failures.add(judged.reported().count() as u64);
    }

    /// Counts rows that failed for good.
    pub fn count(&self, judged: &Judged) {
        self.counts.errors.add(judged.reported().count() as u64);
        self.counts.skipped.add(judged.passed_over.len() as u64);
        self.note_time(judged.reported().next().is_some());
    }

    /// Counts a row that its task reports, which was no try of the worker's.
    pub fn count_report(&self, ends_task: bool) {
        self.counts.failures.add(1);
        self.counts.errors.add(u64::from(ends_task));
        self.note_time(true);
    }

    fn note_time(&self, any: bool) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if any {
            self.counts.last_error.set(now.as_millis() as u64);
        }
    }

    /// Reports consumed rows. The batch may be missing unless [`Reports::need_records`].
    pub fn of_consumed(&mut self, faults: &[&StageFault], batch: Option<&RawRecords>) -> Result<(), BrokerError> {
        for fault in faults {
            self.log(fault, || batch.map(|raw| consumed(raw, fault.row as usize)));
        }
        let (Some(letters), Some(batch), false) = (&mut self.letters, batch, faults.is_empty()) else { return Ok(()) };
        let rows: Vec<u32> = faults.iter().map(|fault| fault.row).collect();
        let why: Vec<_> = faults.iter().map(|fault| (*fault, Origin::consumed(batch, fault.row as usize))).collect();
        self.counts.letters.add(rows.len() as u64);
        letters.send(&self.task, batch.select(&rows), &why, &BTreeSet::new())
    }

    /// Reports a consumed row of which only the place is known.
    pub fn of_place(&mut self, fault: &StageFault, place: RawRecords) -> Result<(), BrokerError> {
        self.log(fault, || Some(consumed(&place, 0)));
        let Some(letters) = &mut self.letters else { return Ok(()) };
        self.counts.letters.add(1);
        letters.send_place(&self.task, place, fault)
    }

    /// Reports polled rows, written down: with the source partition and source offset of each, as JSON text. The batch may
    /// be missing unless [`Reports::need_records`].
    pub async fn of_polled(
        &mut self,
        faults: &[&StageFault],
        sources: Vec<(String, String)>,
        batch: Option<&Records>,
    ) -> Result<(), BrokerError> {
        let (Some(batch), Some(converters)) = (batch, &mut self.written_down) else {
            faults.iter().for_each(|fault| self.log(fault, || None));
            return Ok(());
        };
        let rows: Vec<u32> = faults.iter().map(|fault| fault.row).collect();
        let (written, missing) = converters.from_connect(batch.select(&rows)).await;
        for StageFault { stage, fault, .. } in &missing {
            let (task, part) = (&self.task, stage.name());
            tracing::error!(%task, part, %fault, "a part of a record that failed cannot be written down: it is left out");
        }
        let incomplete = missing.iter().map(|fault| fault.row as usize).collect();
        let origins = rows.iter().zip(sources).map(|(&row, source)| Origin::polled(batch, row as usize, source));
        let why: Vec<_> = faults.iter().copied().zip(origins).collect();
        for (at, (fault, origin)) in why.iter().enumerate() {
            self.log(fault, || Some(described(&written, at, origin)));
        }
        let Some(letters) = &mut self.letters else { return Ok(()) };
        self.counts.letters.add(rows.len() as u64);
        letters.send(&self.task, written, &why, &incomplete)
    }

    /// Why the task fails when its reports cannot be stored.
    pub fn not_stored(&self, error: BrokerError) -> String {
        let topic = self.letters.as_ref().map_or("", |letters| &letters.topic);
        format!("The dead letter queue {topic} cannot be written to\nCaused by: {error}")
    }

    fn log(&self, fault: &StageFault, record: impl FnOnce() -> Option<String>) {
        let Some(messages) = self.log else { return };
        let record = if messages { record() } else { None };
        tracing::error!(reason = %fault.fault, "{}", line(&self.task, fault, record.as_deref()));
        self.counts.logged.add(1);
    }

    /// Waits until everything that was reported is where it goes.
    pub async fn flush(&mut self) -> Result<(), BrokerError> {
        let Some(letters) = &mut self.letters else { return Ok(()) };
        match letters.flush().await {
            Ok(None) => Ok(()),
            Ok(Some((refused, error))) => {
                self.counts.letter_failures.add(refused);
                let (task, topic) = (&self.task, &letters.topic);
                let what = "Could not produce message to dead letter queue: a letter that says where the record is stands for it";
                tracing::error!(%task, %topic, refused, %error, "{what}");
                Ok(())
            }
            Err(error) => {
                self.counts.letter_failures.add(1);
                Err(error)
            }
        }
    }
}

/// The most of a record's key or value that a line shows, in bytes.
const SHOWN_MAX: usize = 1_000;

/// The most headers that a line shows.
const HEADERS_SHOWN_MAX: usize = 20;

/// A source's record as a line names it.
fn described(written: &RawRecords, at: usize, origin: &Origin) -> String {
    let shown = |cell: Option<&[u8]>| match cell {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > SHOWN_MAX => {
            format!("{}... ({} bytes)", String::from_utf8_lossy(&bytes[..SHOWN_MAX]), bytes.len())
        }
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let (partition, offset) = origin.source.clone().unwrap_or_default();
    let headers: Vec<String> = written
        .headers
        .of(at)
        .take(HEADERS_SHOWN_MAX)
        .map(|(name, value)| format!("{name}={}", shown(value)))
        .collect();
    format!(
        "source record is = SourceRecord{{sourcePartition={partition}, sourceOffset={offset}}} ConnectRecord{{topic='{}', \
         kafkaPartition={}, key={}, value={}, timestamp={}, headers=[{}]}}",
        origin.topic.as_deref().unwrap_or_default(),
        origin.partition.map_or("null".into(), |partition| partition.to_string()),
        shown(written.key.get(at)),
        shown(written.value.get(at)),
        written.timestamp_of(at).map_or("null".into(), |timestamp| timestamp.to_string()),
        headers.join(", "),
    )
}

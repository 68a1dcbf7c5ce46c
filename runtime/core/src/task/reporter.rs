//! What becomes of a sink's records that fail: those that failed on their way, and those that its guest reports (KIP-610).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::model::{Fault, RawRecords, TopicPartition};
use crate::port::{BrokerError, ErrantReporter};
use crate::process::{Judged, Reports, Stage, StageFault, consumed_at, failure};
use crate::settings::Tolerance;

use super::TaskFailure;

/// The class that Connect names where a task reports a record.
const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";
/// Bytes of put records that are kept so that their guest can report them, the last put aside. Of older ones a report says
/// where they are.
const KEPT_BYTES: usize = 8 << 20;

/// The most of a reason that is kept, in bytes.
const REASON_MAX: usize = 8 << 10;

/// Takes reports of a sink task's records.
pub struct Reporter {
    tolerance: Tolerance,
    needs_records: bool,
    are_read: bool,
    reports: tokio::sync::Mutex<Reports>,
    put: Mutex<PutRecords>,
    /// The partitions that the task has.
    open: Mutex<BTreeSet<TopicPartition>>,
    /// Why the task has to fail.
    exceeded: Mutex<Option<TaskFailure>>,
}

impl Reporter {
    /// A reporter that hands on to reports.
    pub fn new(tolerance: Tolerance, reports: Reports) -> Reporter {
        Reporter {
            tolerance,
            needs_records: reports.need_records(),
            are_read: reports.are_read(),
            reports: tokio::sync::Mutex::new(reports),
            put: Mutex::default(),
            open: Mutex::default(),
            exceeded: Mutex::default(),
        }
    }

    /// What becomes of the task that meets a record that fails.
    pub fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// Whether reports need the records.
    pub fn needs_records(&self) -> bool {
        self.needs_records
    }

    /// Whether the guest is offered to report records (WorkerSinkTask gives its task a reporter only then).
    pub fn is_offered(&self) -> bool {
        self.are_read
    }

    /// Reports rows that failed on their way, and waits until that is stored.
    pub(super) async fn report(&self, judged: &Judged, batch: Option<&RawRecords>) -> Result<(), TaskFailure> {
        let mut reports = self.reports.lock().await;
        reports.count(judged);
        let faults: Vec<&StageFault> = judged.reported().collect();
        let reported = reports.of_consumed(&faults, batch);
        reported.map_err(|error| not_stored(&reports, error))?;
        let flushed = reports.flush().await;
        flushed.map_err(|error| not_stored(&reports, error))
    }

    /// Counts rows that the guest has named as wrong.
    pub(super) async fn count_named(&self, judged: &Judged) {
        self.reports.lock().await.count_named(judged);
    }

    /// Waits until everything that was reported is stored.
    pub(super) async fn flush(&self) -> Result<(), TaskFailure> {
        if !self.needs_records {
            return Ok(());
        }
        let mut reports = self.reports.lock().await;
        let flushed = reports.flush().await;
        flushed.map_err(|error| not_stored(&reports, error))
    }

    /// Keeps a batch that is put, so that its guest can report rows of it.
    pub(super) fn about_to_put(&self, batch: Option<&Arc<RawRecords>>) {
        if let Some(batch) = batch {
            self.put.lock().unwrap_or_else(PoisonError::into_inner).keep(batch);
        }
    }

    pub(super) fn opened(&self, partition: TopicPartition) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
    }

    pub(super) fn closed(&self, partition: &TopicPartition) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }

    fn has(&self, partition: &TopicPartition) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).contains(partition)
    }

    /// Why the task has to fail, once its guest has reported a record and none is tolerated.
    pub(super) fn exceeded(&self) -> Option<TaskFailure> {
        self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn not_stored(reports: &Reports, error: BrokerError) -> TaskFailure {
    TaskFailure { trace: reports.not_stored(error) }
}

#[async_trait]
impl ErrantReporter for Reporter {
    async fn report(&self, partition: TopicPartition, offset: i64, mut reason: String) -> Result<(), Fault> {
        if !self.has(&partition) {
            return Err(Fault::Data(format!(
                "the task has no partition {partition}: only of its own it reports records"
            )));
        }
        reason.truncate(reason.floor_char_boundary(REASON_MAX));
        let found = self.put.lock().unwrap_or_else(PoisonError::into_inner).find(&partition, offset);
        let row = found.as_ref().map_or(0, |(_, row)| *row);
        let fault = StageFault { row, stage: Stage::TaskPut, class: SINK_TASK.into(), fault: Fault::Data(reason) };
        let mut reports = self.reports.lock().await;
        reports.count_report(self.tolerance == Tolerance::None);
        let written = match &found {
            Some((batch, _)) => reports.of_consumed(&[&fault], Some(batch)),
            None => reports.of_place(&fault, only_place(&partition, offset)),
        };
        let failed = |error, reports: &Reports| Fault::Fatal(reports.not_stored(error));
        written.map_err(|error| failed(error, &reports))?;
        if reports.letters.as_ref().is_some_and(|letters| letters.is_full()) {
            let flushed = reports.flush().await;
            flushed.map_err(|error| failed(error, &reports))?;
        }
        if self.tolerance == Tolerance::All {
            return Ok(());
        }
        let failure = TaskFailure { trace: failure(&fault, &consumed_at(&partition, offset)) };
        self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        Err(Fault::Fatal("Tolerance exceeded in error handler".into()))
    }
}

/// What stands for a record that is not kept any more: where it is.
fn only_place(partition: &TopicPartition, offset: i64) -> RawRecords {
    RawRecords {
        rows: 1,
        topics: vec![partition.topic.clone()],
        partitions: vec![Some(partition.partition)],
        offset: vec![offset],
        ..RawRecords::default()
    }
}

/// The records that were put last.
#[derive(Default)]
struct PutRecords {
    batches: VecDeque<PutBatch>,
    bytes: usize,
}

/// A batch, and once a row of it was looked for, where each of its partitions' offsets stand: rising, as they are read.
struct PutBatch {
    batch: Arc<RawRecords>,
    places: Option<BTreeMap<TopicPartition, Vec<(i64, u32)>>>,
}

impl PutBatch {
    fn find(&mut self, partition: &TopicPartition, offset: i64) -> Option<u32> {
        let batch = &self.batch;
        let places = self.places.get_or_insert_with(|| {
            let mut places: BTreeMap<TopicPartition, Vec<(i64, u32)>> = BTreeMap::new();
            for (row, &offset) in batch.offset.iter().enumerate() {
                let partition = batch.partition_of(row).unwrap_or(-1);
                let place = TopicPartition { topic: batch.topic_of(row).clone(), partition };
                places.entry(place).or_default().push((offset, row as u32));
            }
            places
        });
        let rows = places.get(partition)?;
        let at = rows.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        Some(rows[at].1)
    }
}

impl PutRecords {
    fn keep(&mut self, batch: &Arc<RawRecords>) {
        if self.batches.back().is_some_and(|last| Arc::ptr_eq(&last.batch, batch)) {
            return;
        }
        while self.bytes > KEPT_BYTES {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.bytes -= oldest.batch.bytes();
        }
        self.bytes += batch.bytes();
        self.batches.push_back(PutBatch { batch: batch.clone(), places: None });
    }

    fn find(&mut self, partition: &TopicPartition, offset: i64) -> Option<(Arc<RawRecords>, u32)> {
        self.batches.iter_mut().rev().find_map(|put| Some((put.batch.clone(), put.find(partition, offset)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(offset: i64, bytes: usize) -> Arc<RawRecords> {
        let mut batch = only_place(&TopicPartition { topic: "t".into(), partition: 3 }, offset);
        batch.value.push(&vec![0; bytes]);
        Arc::new(batch)
    }

    #[test]
    fn put_records_are_found_by_their_place_until_newer_ones_need_the_room() {
        let mut put = PutRecords::default();
        (0..4).for_each(|offset| put.keep(&batch(offset, KEPT_BYTES / 2 - 100)));
        let mut found =
            |partition, offset| put.find(&TopicPartition { topic: "t".into(), partition }, offset).is_some();
        assert_eq!([0, 1, 2, 3].map(|offset| found(3, offset)), [false, true, true, true]);
        assert!(!found(4, 3));
        assert_eq!(put.bytes, put.batches.iter().map(|put| put.batch.bytes()).sum::<usize>());
    }
}

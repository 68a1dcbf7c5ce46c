//! A batch on its way between a topic and a task: what goes through at once, and what has to wait to be tried again. While
//! it waits it is no call, so whoever has it can do other things meanwhile, or give it up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Fault, RawRecords, Records};
use crate::observe::ErrorCounts;
use crate::settings::{RetrySettings, Tolerance};

use super::chain::{Chain, ChainFailure, Passed, compose};
use super::conversion::Converters;
use super::interleave::interleave;
use super::retries::wait;
use super::stage::StageFault;

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is through.
    Through,
    /// Some of its rows are to be tried again, after this time.
    Again(Duration),
}

/// How a task tries again.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    /// For how long and how often.
    pub settings: RetrySettings,
    /// Where tries are counted.
    pub counts: Arc<ErrorCounts>,
}

/// The tries of one stage.
#[derive(Debug)]
struct Tries {
    began: Instant,
    made: u32,
}

impl Default for Tries {
    fn default() -> Tries {
        Tries { began: Instant::now(), made: 0 }
    }
}

/// Rows that are tried again, and after which time.
struct Again {
    rows: Vec<u32>,
    wait: Duration,
}

impl Retries {
    /// A stage was tried: which of the rows that failed are tried again. Where a row that fails for good ends the task, none
    /// behind it is. `failed` is the first that has done so by now; `in_batch` says which row of the batch a row of the
    /// stage is.
    fn after(
        &self,
        tolerance: Tolerance,
        tries: &mut Tries,
        faults: &[StageFault],
        failed: Option<u32>,
        in_batch: impl Fn(u32) -> u32,
    ) -> Option<Again> {
        if faults.is_empty() {
            return None;
        }
        tries.made += 1;
        let for_good: BTreeSet<u32> =
            faults.iter().filter(|fault| !may_go_through(fault)).map(|fault| in_batch(fault.row)).collect();
        let end = match tolerance {
            Tolerance::All => None,
            Tolerance::None => for_good.first().copied().into_iter().chain(failed).min(),
        };
        let looked_at = |row: &u32| end.is_none_or(|end| in_batch(*row) <= end);
        let failed: BTreeSet<u32> = faults.iter().map(|fault| fault.row).filter(looked_at).collect();
        let rows: Vec<u32> = failed.iter().copied().filter(|&row| !for_good.contains(&in_batch(row))).collect();
        let counted = if tries.made == 1 { failed.len() } else { rows.len() };
        self.counts.failures.add(counted as u64);
        if rows.is_empty() {
            return None;
        }
        let wait = wait(&self.settings, tries.made, tries.began.elapsed(), fastrand::f64())?;
        self.counts.retries.add(rows.len() as u64);
        Some(Again { rows, wait })
    }
}

fn may_go_through(fault: &StageFault) -> bool {
    matches!(fault.fault, Fault::Retriable(_))
}

/// The first row of a batch that failed for good.
fn first_failed(faults: &[StageFault]) -> Option<u32> {
    faults.iter().map(|fault| fault.row).min()
}

/// A batch on its way through a chain.
#[derive(Debug, Default)]
struct InChain {
    /// The next segment.
    next: usize,
    so_far: Passed<Records>,
    /// Rows that the next segment tries again.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    tries: Tries,
    records: Records,
    /// Where they stand among the rows that came to the segment, as those that came through before.
    rows: Vec<u32>,
    through: Records,
    through_rows: Vec<u32>,
}

impl InChain {
    async fn advance(
        &mut self,
        chain: &mut Chain,
        retries: &Retries,
        tolerance: Tolerance,
    ) -> Result<Progress, ChainFailure> {
        loop {
            let (mut tries, records, earlier) = match self.waiting.take() {
                Some(Waiting { tries, records, rows, through, through_rows }) => {
                    (tries, records, Some((rows, through, through_rows)))
                }
                None if self.next == chain.segments.len() || self.so_far.records.rows == 0 => {
                    return Ok(Progress::Through);
                }
                None => (Tries::default(), std::mem::take(&mut self.so_far.records), None),
            };
            let came = retries.settings.any().then(|| records.clone());
            let count = records.rows as u32;
            let Passed { records, kept, mut faults } = chain.segment(self.next, records).await?;
            let (mut rows, mut kept) = (None, kept);
            let mut through = records;
            if let Some((tried, before, before_rows)) = earlier {
                let of_now = compose(Some(&tried), kept).unwrap_or_default();
                let (whole, whole_rows) = interleave(&before, &before_rows, &through, &of_now);
                (through, kept, rows) = (whole, Some(whole_rows), Some(tried));
            }
            let place = |row: u32| rows.as_ref().map_or(row, |rows| rows[row as usize]);
            let so_far = &mut self.so_far;
            let in_batch = |row: u32| {
                let row = place(row);
                so_far.kept.as_ref().map_or(row, |kept| kept[row as usize])
            };
            let again = retries.after(tolerance, &mut tries, &faults, first_failed(&so_far.faults), in_batch);
            if let Some(Again { rows, .. }) = &again {
                faults.retain(|fault| rows.binary_search(&fault.row).is_err());
            }
            faults.iter_mut().for_each(|fault| fault.row = in_batch(fault.row));
            so_far.faults.append(&mut faults);
            if let (Some(Again { rows: later, wait }), Some(came)) = (again, came) {
                let through_rows = kept.unwrap_or_else(|| (0..count).collect());
                let (records, rows) = (came.select(&later), later.into_iter().map(place).collect());
                self.waiting = Some(Waiting { tries, records, rows, through, through_rows });
                return Ok(Progress::Again(wait));
            }
            self.so_far.kept = compose(self.so_far.kept.as_deref(), kept);
            self.so_far.records = through;
            self.next += 1;
        }
    }
}

/// Rows that failed are left out.
fn without_failed(rows: usize, faults: &[StageFault]) -> Option<Vec<u32>> {
    if faults.is_empty() {
        return None;
    }
    let mut failed = vec![false; rows];
    faults.iter().for_each(|fault| failed[fault.row as usize] = true);
    Some((0..rows as u32).filter(|&row| !failed[row as usize]).collect())
}

/// Consumed rows on their way to a sink.
#[derive(Debug, Default)]
pub struct Inbound {
    /// What is not converted yet, and how often it was tried.
    raw: Option<(RawRecords, Tries)>,
    chain: InChain,
}

impl Inbound {
    /// Rows as they were consumed.
    pub fn new(raw: RawRecords) -> Inbound {
        Inbound { raw: Some((raw, Tries::default())), chain: InChain::default() }
    }

    /// Brings them on as far as they come.
    pub async fn advance(
        &mut self,
        (converters, chain): (&mut Converters, &mut Chain),
        retries: &Retries,
        tolerance: Tolerance,
    ) -> Result<Progress, ChainFailure> {
        if let Some((raw, mut tries)) = self.raw.take() {
            let came = retries.settings.any().then(|| raw.clone());
            let (mut records, faults) = converters.to_connect(raw).await;
            let again = retries.after(tolerance, &mut tries, &faults, None, |row| row);
            if let (Some(Again { wait, .. }), Some(came)) = (again, came) {
                self.raw = Some((came, tries));
                return Ok(Progress::Again(wait));
            }
            let kept = without_failed(records.rows, &faults);
            if let Some(kept) = &kept {
                records = records.select(kept);
            }
            self.chain.so_far = Passed { records, kept, faults };
        }
        self.chain.advance(chain, retries, tolerance).await
    }

    /// What came of them, once they are through.
    pub fn finish(self) -> Passed<Records> {
        self.chain.so_far
    }
}

/// A source's rows on their way to topics.
#[derive(Debug, Default)]
pub struct Outbound {
    chain: InChain,
    /// How often they were converted.
    tries: Tries,
    raw: RawRecords,
}

impl Outbound {
    /// Rows as they were polled.
    pub fn new(records: Records) -> Outbound {
        let so_far = Passed { records, ..Passed::default() };
        Outbound { chain: InChain { so_far, ..InChain::default() }, ..Outbound::default() }
    }

    /// Brings them on as far as they come.
    pub async fn advance(
        &mut self,
        (chain, converters): (&mut Chain, &mut Converters),
        retries: &Retries,
        tolerance: Tolerance,
    ) -> Result<Progress, ChainFailure> {
        if let again @ Progress::Again(_) = self.chain.advance(chain, retries, tolerance).await? {
            return Ok(again);
        }
        if self.tries.made == 0 {
            self.tries.began = Instant::now();
        }
        let so_far = &mut self.chain.so_far;
        let records = std::mem::take(&mut so_far.records);
        let came = retries.settings.any().then(|| records.clone());
        let (raw, mut faults) = converters.from_connect(records).await;
        let in_batch = |row: u32| so_far.kept.as_ref().map_or(row, |kept| kept[row as usize]);
        let again = retries.after(tolerance, &mut self.tries, &faults, first_failed(&so_far.faults), in_batch);
        if let (Some(Again { wait, .. }), Some(came)) = (again, came) {
            so_far.records = came;
            return Ok(Progress::Again(wait));
        }
        self.raw = raw;
        if let Some(kept) = without_failed(self.raw.rows, &faults) {
            self.raw = self.raw.select(&kept);
            faults.iter_mut().for_each(|fault| fault.row = in_batch(fault.row));
            so_far.kept = compose(so_far.kept.as_deref(), Some(kept));
        }
        so_far.faults.append(&mut faults);
        Ok(Progress::Through)
    }

    /// What came of them, once they are through.
    pub fn finish(self) -> Passed<RawRecords> {
        let Passed { kept, faults, .. } = self.chain.so_far;
        Passed { records: self.raw, kept, faults }
    }
}

/// Records after a chain in which nothing is tried again.
#[cfg(test)]
pub(super) async fn through(chain: &mut Chain, records: Records) -> Passed<Records> {
    let mut passage = InChain { so_far: Passed { records, ..Passed::default() }, ..InChain::default() };
    let progress = passage.advance(chain, &Retries::default(), Tolerance::None).await.unwrap();
    assert_eq!(progress, Progress::Through);
    passage.so_far
}

//! The transformation chain of one task: neighbouring steps of one component are one call; a predicate of another
//! component than its step's is a call of its own, after which the batch is split and put together again.

use std::collections::HashSet;

use crate::model::{Fault, Records, RowFault};
use crate::port::{Transformations, Transformed};

use super::interleave::interleave;
use super::stage::{Stage, StageFault};

/// A predicate that stands in another component than the step it guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Which of the chain's instances has it.
    pub instance: usize,
    /// Its segment there.
    pub segment: u32,
    /// Turns its answer round.
    pub negate: bool,
}

/// A segment of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSegmentPlace {
    /// Which of the chain's instances has it.
    pub instance: usize,
    /// Its number there.
    pub segment: u32,
    /// Which rows go through it.
    pub gate: Option<Gate>,
    /// The classes of its steps, for messages.
    pub classes: Vec<String>,
}

/// The chain of one task.
#[derive(Default)]
pub struct Chain {
    /// One instance for each component.
    pub instances: Vec<Box<dyn Transformations>>,
    /// Its segments, in order.
    pub segments: Vec<ChainSegmentPlace>,
}

/// What is left of a batch.
#[derive(Debug, Default)]
pub struct Passed<T> {
    /// The records that are left.
    pub records: T,
    /// The row that each came from; none when all are left.
    pub kept: Option<Vec<u32>>,
    /// The rows that failed; a row may have failed in several stages.
    pub faults: Vec<StageFault>,
}

/// Rows of an earlier batch, by rows of a later one.
pub(super) fn compose(earlier: Option<&[u32]>, later: Option<Vec<u32>>) -> Option<Vec<u32>> {
    match (earlier, later) {
        (None, later) => later,
        (Some(earlier), None) => Some(earlier.to_vec()),
        (Some(earlier), Some(later)) => Some(later.into_iter().map(|row| earlier[row as usize]).collect()),
    }
}

/// A fault that ends the task whatever is tolerated, and the classes that met it.
pub type ChainFailure = (String, Fault);

impl Chain {
    /// Runs records through one of the segments, behind its gate. Rows are those of the records that came.
    pub(super) async fn segment(&mut self, at: usize, records: Records) -> Result<Passed<Records>, ChainFailure> {
        let place = &self.segments[at];
        let class = || place.classes.join(", ");
        let mut faults = Vec::new();
        let (inside, inside_rows, outside) = match &place.gate {
            None => (records, None, None),
            Some(gate) => {
                let instance = &mut self.instances[gate.instance];
                let holds = apply(instance, gate.segment, records.clone()).await.map_err(|fault| (class(), fault))?;
                faults.extend(holds.failed.into_iter().map(|failed| failure(failed.row, class(), failed.fault)));
                let failed: HashSet<u32> = faults.iter().map(|fault| fault.row).collect();
                let all: Vec<u32> = (0..records.rows as u32).collect();
                let passed = holds.kept.unwrap_or_else(|| all.clone());
                let goes_in = |row: &u32| passed.binary_search(row).is_ok() != gate.negate;
                let (into, past): (Vec<u32>, Vec<u32>) =
                    all.into_iter().filter(|row| !failed.contains(row)).partition(goes_in);
                (records.select(&into), Some(into), Some((records.select(&past), past)))
            }
        };
        let instance = &mut self.instances[place.instance];
        let transformed = apply(instance, place.segment, inside).await.map_err(|fault| (class(), fault))?;
        for failed in transformed.failed {
            let row = inside_rows.as_ref().map_or(failed.row, |rows| rows[failed.row as usize]);
            let class = place.classes.get(failed.step as usize).cloned().unwrap_or_default();
            faults.push(failure(row, class, failed.fault));
        }
        let kept = compose(inside_rows.as_deref(), transformed.kept);
        let (records, kept) = match outside {
            None => (transformed.records, kept),
            Some((outside, past)) => {
                let kept = kept.unwrap_or_default();
                let (whole, rows) = interleave(&transformed.records, &kept, &outside, &past);
                (whole, Some(rows))
            }
        };
        Ok(Passed { records, kept, faults })
    }
}

/// Calls an instance. A call that may go through later has failed so for each of its rows.
async fn apply(instance: &mut Box<dyn Transformations>, segment: u32, records: Records) -> Result<Transformed, Fault> {
    let rows = records.rows as u32;
    if rows == 0 {
        return Ok(Transformed { records, ..Transformed::default() });
    }
    match instance.apply(segment, records).await {
        Err(later @ Fault::Retriable(_)) => {
            let failed = (0..rows).map(|row| RowFault { row, step: 0, fault: later.clone() }).collect();
            Ok(Transformed { records: Records::default(), kept: Some(Vec::new()), failed })
        }
        applied => applied,
    }
}

fn failure(row: u32, class: String, fault: Fault) -> StageFault {
    StageFault { row, stage: Stage::Transformation, class, fault }
}

#[cfg(test)]
mod tests {
    use super::super::passage::through;
    use super::*;
    use crate::model::StepParts;
    use crate::port::ChainSegment;
    use async_trait::async_trait;
    use weir_data::Column;

    /// Segment 0 keeps values that have an `a`; segment 1 fails values that have an `f` and drops those with a `d`;
    /// segment 2 sends everything to the topic `marked`.
    struct Letters;

    #[async_trait]
    impl Transformations for Letters {
        async fn validate(&mut self, _: &str, _: &crate::model::Config) -> Result<Vec<crate::model::Problem>, Fault> {
            Ok(Vec::new())
        }

        async fn configure(&mut self, _: u32, _: &ChainSegment) -> Result<Vec<StepParts>, Fault> {
            Ok(vec![])
        }

        async fn apply(&mut self, segment: u32, mut records: Records) -> Result<Transformed, Fault> {
            let has = |row: usize, letter: u8| records.value.column.get(row).unwrap_or(b"").contains(&letter);
            let mut failed = vec![];
            let mut kept = vec![];
            for row in 0..records.rows {
                match segment {
                    0 if !has(row, b'a') => {}
                    1 if has(row, b'f') => {
                        failed.push(RowFault { row: row as u32, step: 0, fault: Fault::Data("f".into()) })
                    }
                    1 if has(row, b'd') => {}
                    _ => kept.push(row as u32),
                }
            }
            if segment == 2 {
                records.tables.topics = vec!["marked".into()];
                records.topic.clear();
            }
            Ok(Transformed { records: records.select(&kept), kept: Some(kept), failed })
        }
    }

    fn records(values: &[&str]) -> Records {
        let mut column = Column::default();
        values.iter().for_each(|value| column.push(value.as_bytes()));
        let mut records = Records { rows: values.len(), ..Records::default() };
        records.tables.topics.push("plain".into());
        records.tables.schemas.push(None);
        records.value.column = column;
        records
    }

    fn place(segment: u32, gate: Option<Gate>) -> ChainSegmentPlace {
        ChainSegmentPlace { instance: 0, segment, gate, classes: vec![format!("Segment{segment}")] }
    }

    #[tokio::test]
    async fn rows_are_known_by_where_they_came_from_through_drops_and_failures() {
        let mut chain = Chain { instances: vec![Box::new(Letters)], segments: vec![place(1, None), place(1, None)] };
        let out = through(&mut chain, records(&["x", "d", "f", "y"])).await;
        assert_eq!(out.kept, Some(vec![0, 3]));
        assert_eq!(out.faults.iter().map(|f| (f.row, f.class.as_str())).collect::<Vec<_>>(), [(2, "Segment1")]);
    }

    #[tokio::test]
    async fn a_predicate_of_another_component_lets_rows_pass_by_in_order() {
        for negate in [false, true] {
            let gate = Some(Gate { instance: 0, segment: 0, negate });
            let mut chain =
                Chain { instances: vec![Box::new(Letters)], segments: vec![place(1, None), place(2, gate)] };
            let out = through(&mut chain, records(&["xa", "d", "y", "za", "f"])).await;
            assert_eq!(out.kept, Some(vec![0, 2, 3]));
            let topics: Vec<&str> = (0..3).map(|row| &**out.records.topic_of(row)).collect();
            let (marked, plain) = if negate { ("plain", "marked") } else { ("marked", "plain") };
            assert_eq!(topics, [marked, plain, marked]);
        }
    }
}

//! Pure. Which rows of a batch that failed are passed over, and which one ends the task.

use crate::settings::Tolerance;

use super::stage::StageFault;

/// What becomes of the rows that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Rows without which the task goes on, rising.
    pub passed_over: Vec<StageFault>,
    /// The row that ends the task: nothing from it on counts.
    pub fatal: Option<StageFault>,
}

impl Judged {
    /// What is reported: of rows that are looked at again when the task runs anew, nothing is.
    pub fn reported(&self) -> impl Iterator<Item = &StageFault> {
        self.passed_over.iter().chain(&self.fatal)
    }
}

/// Judges rows that failed. Of a row that failed in several stages the first counts: Connect would not have come to
/// the others.
pub fn judge(tolerance: Tolerance, mut faults: Vec<StageFault>) -> Judged {
    faults.sort_by_key(|fault| fault.row);
    faults.dedup_by_key(|fault| fault.row);
    match tolerance {
        Tolerance::All => Judged { passed_over: faults, fatal: None },
        Tolerance::None => Judged { passed_over: Vec::new(), fatal: faults.into_iter().next() },
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Fault;
    use crate::process::Stage;

    use super::*;

    fn fault(row: u32, stage: Stage) -> StageFault {
        StageFault { row, stage, class: "X".into(), fault: Fault::Data("bad".into()) }
    }

    #[test]
    fn each_row_counts_once_by_the_stage_that_came_first() {
        let faults = vec![
            fault(4, Stage::KeyConverter),
            fault(1, Stage::ValueConverter),
            fault(4, Stage::ValueConverter),
            fault(1, Stage::Transformation),
        ];
        let (first, second) = (fault(1, Stage::ValueConverter), fault(4, Stage::KeyConverter));
        let all = judge(Tolerance::All, faults.clone());
        assert_eq!((all.passed_over, all.fatal), (vec![first.clone(), second], None));
        let none = judge(Tolerance::None, faults);
        assert_eq!(none.reported().cloned().collect::<Vec<_>>(), std::slice::from_ref(&first));
        assert_eq!(none.fatal, Some(first));
        assert_eq!(judge(Tolerance::None, Vec::new()), Judged::default());
    }
}

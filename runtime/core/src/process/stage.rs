//! Pure. Where on its way a row failed, in Connect's words.

use crate::model::Fault;

/// A stage of a record's way (Connect's `Stage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In a transformation or predicate.
    Transformation,
    /// In the key's converter.
    KeyConverter,
    /// In the value's converter.
    ValueConverter,
    /// In the header converter.
    HeaderConverter,
    /// In a sink task's put.
    TaskPut,
    /// On its way into a topic.
    KafkaProduce,
}

impl Stage {
    /// The name that Connect writes into logs and dead letters.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Transformation => "TRANSFORMATION",
            Stage::KeyConverter => "KEY_CONVERTER",
            Stage::ValueConverter => "VALUE_CONVERTER",
            Stage::HeaderConverter => "HEADER_CONVERTER",
            Stage::TaskPut => "TASK_PUT",
            Stage::KafkaProduce => "KAFKA_PRODUCE",
        }
    }
}

/// A row that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFault {
    /// Position of the row in the batch as it came.
    pub row: u32,
    /// Where it failed.
    pub stage: Stage,
    /// The class that failed it.
    pub class: String,
    /// Why.
    pub fault: Fault,
}

/// What a failed row is to its task where it is not passed over; `record` names it.
pub fn failure(fault: &StageFault, record: &str) -> String {
    let StageFault { stage, class, fault, .. } = fault;
    let stage = stage.name();
    format!(
        "Tolerance exceeded in error handler\nCaused by: error in stage {stage} with class {class}, where {record}: {fault}"
    )
}

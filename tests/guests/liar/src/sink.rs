//! The liar as a sink: what it answers about records that it was given.

use weir_sdk::bindings::sink::exports::weir::connect::{sink_connector, sink_task};
use weir_sdk::bindings::words::weir::connect::connectors::{AlteredOffset, Config};
use weir_sdk::bindings::words::weir::connect::errors::{Error, Problem};
use weir_sdk::bindings::words::weir::connect::positions::{Position, TopicPartition};

use crate::component::{LIE, Liar, told};

impl sink_connector::Guest for Liar {
    fn validate(_: String, _: Config) -> Vec<Problem> {
        vec![]
    }

    fn start(_: String, _: Config) -> Result<(), Error> {
        Ok(())
    }

    fn task_configs(max_tasks: u32) -> Result<Vec<Config>, Error> {
        Ok(vec![vec![]; max_tasks as usize])
    }

    fn watch(_: u64) -> Result<bool, Error> {
        Ok(false)
    }

    fn alter_offsets(_: String, _: Config, _: Vec<AlteredOffset>) -> Result<bool, Error> {
        Ok(false)
    }

    fn stop() -> Result<(), Error> {
        Ok(())
    }
}

impl sink_task::Guest for Liar {
    fn start(_: String, config: Config) -> Result<(), Error> {
        LIE.set(told(&config));
        Ok(())
    }

    fn open(_: Vec<Position>) -> Result<(), Error> {
        Ok(())
    }

    fn put(batch: sink_task::SinkBatch) -> Result<sink_task::Delivery, Error> {
        let failed = |row| sink_task::RowFault { row, error: Error::Data("no".into()) };
        let retry = |from| Some(sink_task::Retry { from, after_ms: None, reason: "busy".into() });
        let (faults, retry) = match LIE.with_borrow(String::clone).as_str() {
            "failed rows out of order" => (vec![failed(1), failed(0)], None),
            "row failed twice" => (vec![failed(1), failed(1)], None),
            "failed row that was not there" => (vec![failed(batch.rows)], None),
            "retry from a row that was not there" => (vec![], retry(batch.rows)),
            "row failed and offered again" => (vec![failed(1)], retry(1)),
            _ => (vec![], None), // its lie is told elsewhere
        };
        Ok(sink_task::Delivery { faults, retry })
    }

    fn pre_commit(positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        let Some(first) = positions.first() else { return Ok(vec![]) };
        let at = |topic: &str, partition, offset| Position { topic: topic.into(), partition, offset };
        Ok(match LIE.with_borrow(String::clone).as_str() {
            "position beyond what was put" => vec![at(&first.topic, first.partition, first.offset + 1)],
            "position below the first" => vec![at(&first.topic, first.partition, -1)],
            "partition that it has not" => vec![at(&first.topic, first.partition + 1, 0), at("elsewhere", 0, 0)],
            _ => positions, // its lie is told elsewhere
        })
    }

    fn close(_: Vec<TopicPartition>) -> Result<(), Error> {
        Ok(())
    }

    fn stop() -> Result<(), Error> {
        Ok(())
    }
}

weir_sdk::__export_sink!(Liar with_types_in weir_sdk::bindings::sink);

//! A source of several tasks that counts without end in partitions of its own, and can say where its transactions end:
//! what it brought, and how often, shows in what it wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_sdk::prelude::*;

/// Counts in `partitions` source partitions, spread over its tasks.
pub struct RangeSource(Config);

/// Its task.
pub struct RangeSourceTask {
    topic: String,
    rows: u64,
    pause: Duration,
    ends: bool,
    /// The next number of each source partition.
    next: BTreeMap<u64, u64>,
}

impl SourceConnector for RangeSource {
    type Task = RangeSourceTask;

    fn class() -> Class {
        Class::new("test.RangeSource", "1.0.0")
            .doc("Counts without end.")
            .key(Key::text("topic"))
            .key(Key::long("partitions").default(6).at_least(1.0))
            .key(Key::long("rows").default(10).at_least(1.0).doc("How many numbers each partition has in a batch."))
            .key(Key::long("pause.ms").default(20).at_least(0.0))
            .key(Key::boolean("ends").default(false).doc("Whether tasks end their transactions, and give some up."))
            .key(Key::text("own").optional().doc("The partitions of a task, which the connector gives it."))
    }

    fn start(config: Config) -> Result<Self> {
        Ok(RangeSource(config))
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let partitions: u64 = self.0.parse("partitions")?;
        let tasks = u64::from(max_tasks).min(partitions);
        let own = |task: u64| {
            let own: Vec<String> = (task..partitions).step_by(tasks as usize).map(|one| one.to_string()).collect();
            let mut config = self.0.clone();
            config.set("own", own.join(","));
            config
        };
        Ok((0..tasks).map(own).collect())
    }

    fn exactly_once_support(_: &Config) -> Support {
        Support::Supported
    }

    fn can_define_boundaries(_: &Config) -> Support {
        Support::Supported
    }
}

fn partition(number: u64) -> String {
    format!("{{\"range\":{number}}}")
}

impl SourceTask for RangeSourceTask {
    fn start(config: Config) -> Result<Self> {
        let own: Vec<u64> = config.text("own")?.split(',').filter_map(|number| number.parse().ok()).collect();
        let asked: Vec<String> = own.iter().copied().map(partition).collect();
        let next = own.iter().zip(weir_sdk::offsets(&asked)?).map(|(&number, offset)| {
            let digits: String = offset.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
            (number, digits.parse().unwrap_or(0))
        });
        Ok(RangeSourceTask {
            topic: config.text("topic")?.to_owned(),
            rows: config.parse("rows")?,
            pause: Duration::from_millis(config.parse("pause.ms")?),
            ends: config.boolean("ends")?,
            next: next.collect(),
        })
    }

    fn poll(&mut self, _: Duration, batch: &mut SourceBatch) -> Result<()> {
        std::thread::sleep(self.pause);
        for (&number, next) in &mut self.next {
            for _ in 0..self.rows {
                let value = format!("{number}-{next}");
                *next += 1;
                batch.push_text(&partition(number), &format!("{{\"n\":{next}}}"), &self.topic, None, &value);
            }
            if self.ends {
                batch.commit_transaction();
                let offset = format!("{{\"n\":{next}}}");
                batch.push_text(&partition(number), &offset, &self.topic, None, "given up");
                batch.abort_transaction();
            }
        }
        Ok(())
    }
}

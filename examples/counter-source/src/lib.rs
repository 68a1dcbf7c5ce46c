//! The smallest source: counts, one record a number, and goes on after a restart where it was.

use std::time::{Duration, Instant};

use weir_sdk::prelude::*;

/// The connector: one task, whatever is asked for, since there is one count.
pub struct CounterSource(Config);

impl SourceConnector for CounterSource {
    type Task = CounterTask;

    fn class() -> Class {
        Class::new("example.CounterSource", env!("CARGO_PKG_VERSION"))
            .doc("Counts: writes 1, 2, 3 and so on to a topic.")
            .key(Key::text("topic").non_empty().importance(Importance::High).doc("The topic to write to."))
            .key(Key::long("interval.ms").default(1000).at_least(0.0).doc("How long to wait between two numbers."))
            .key(Key::long("last").optional().at_least(0.0).doc("The number to end with; without it, there is no end."))
    }

    fn start(config: Config) -> Result<Self> {
        Ok(CounterSource(config))
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone()])
    }
}

/// The task.
pub struct CounterTask {
    topic: String,
    interval: Duration,
    last: Option<i64>,
    next: i64,
    due: Instant,
}

/// The source partition: there is only one.
const PARTITION: &str = r#"{"counter":"default"}"#;

impl SourceTask for CounterTask {
    fn start(config: Config) -> Result<Self> {
        let stored = weir_sdk::offsets(&[PARTITION.to_owned()])?.remove(0);
        let count = stored.as_deref().map_or(Ok(0), count_in)?;
        let last = config.get("last").map(|_| config.parse("last")).transpose()?;
        Ok(CounterTask {
            topic: config.text("topic")?.to_owned(),
            interval: Duration::from_millis(config.parse("interval.ms")?),
            last,
            next: count + 1,
            due: Instant::now(),
        })
    }

    fn poll(&mut self, max_wait: Duration, batch: &mut SourceBatch) -> Result<()> {
        if self.last.is_some_and(|last| self.next > last) {
            return Ok(());
        }
        let wait = self.due.saturating_duration_since(Instant::now());
        if wait > max_wait {
            std::thread::sleep(max_wait);
            return Ok(());
        }
        std::thread::sleep(wait);
        self.due = Instant::now() + self.interval;
        let record = SourceRecord::new(&self.topic, Data::free(self.next));
        batch.push(PARTITION, &format!(r#"{{"count":{}}}"#, self.next), &record)?;
        self.next += 1;
        Ok(())
    }
}

/// The count in a stored offset, `{"count":7}`.
fn count_in(offset: &str) -> Result<i64> {
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| Error::fatal(format!("stored offset {offset} has no count")))
}

weir_sdk::export!(sources: [CounterSource]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_to_the_last_number_and_then_brings_nothing() {
        let class = CounterSource::class();
        let config = Config::new([("topic", "numbers"), ("interval.ms", "0"), ("last", "3")]).with_defaults(&class);
        let mut task = CounterTask::start(config).unwrap();
        let mut batch = SourceBatch::default();
        for _ in 0..10 {
            task.poll(Duration::ZERO, &mut batch).unwrap();
        }
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn a_stored_offset_is_read_back() {
        assert_eq!(count_in(r#"{"count":41}"#), Ok(41));
        assert!(count_in("{}").is_err());
    }
}

//! How a store is run: sizes, times, the clock. Defaults are for a worker; tests and simulation set their own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Settings of a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Partitions of a topic made with -1.
    pub partitions_default: i32,
    /// How long appends wait for others to be committed with.
    pub group_delay_max: Duration,
    /// Bytes from which on appends wait no longer.
    pub group_bytes_max: usize,
    /// Bytes of records in one entry of the store, roughly.
    pub entry_bytes_max: usize,
    /// Bytes of one record.
    pub record_bytes_max: usize,
    /// Bytes of pages that the store keeps in memory.
    pub cache_bytes: usize,
    /// How often retention and compaction look for work.
    pub upkeep_interval: Duration,
    /// Bytes of keys that one pass of compaction keeps in memory.
    pub compaction_bytes_max: usize,
    /// What time it is.
    pub clock: Clock,
    /// Where the draw of partitions for records without key begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            partitions_default: 1,
            group_delay_max: Duration::from_millis(5),
            group_bytes_max: 1 << 20,
            entry_bytes_max: 250 << 10,
            record_bytes_max: 64 << 20,
            cache_bytes: 16 << 20,
            upkeep_interval: Duration::from_secs(15),
            compaction_bytes_max: 64 << 20,
            clock: Clock::default(),
            seed: 0,
        }
    }
}

/// Milliseconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that asks a function.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// What time it is, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(|| {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

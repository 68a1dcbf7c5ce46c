//! The database: its tables, opening it, and opening it again after the disk failed. Decides nothing about records.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::{CommitError, DatabaseError, SetDurabilityError, StorageError, TableError, TransactionError};
use redb::{Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use tracing::{info, warn};
use weir_core::port::BrokerError;

/// Facts about the store: its format and the cluster's id.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Topics by name, as JSON.
pub(crate) const TOPICS: TableDefinition<&str, &[u8]> = TableDefinition::new("topics");
/// Topic id and partition; its numbers.
pub(crate) const PARTITIONS: TableDefinition<(u64, i32), PartitionRow> = TableDefinition::new("partitions");
/// End, start, bytes, compacted up to, bytes when that was done.
pub(crate) type PartitionRow = (i64, i64, u64, i64, u64);
/// Topic id, partition and first offset.
pub(crate) type EntryKey = (u64, i32, i64);
/// Frames.
pub(crate) const ENTRIES: TableDefinition<EntryKey, &[u8]> = TableDefinition::new("entries");
/// Group, topic id and partition; the committed offset.
pub(crate) const OFFSETS: TableDefinition<(&str, u64, i32), i64> = TableDefinition::new("offsets");
/// Topics that were deleted and may still have entries; how many partitions they had.
pub(crate) const GRAVES: TableDefinition<u64, i32> = TableDefinition::new("graves");

const FORMAT: &[u8] = b"1";
const FILE: &str = "weir.redb";

/// Why the database did not do it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No room.
    Full,
    /// Anything else.
    Broken(String),
}

macro_rules! failures {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                match redb::Error::from(error) {
                    redb::Error::Io(e) => Failure::from(e),
                    other => Failure::Broken(other.to_string()),
                }
            }
        })*
    };
}
failures!(StorageError, TableError, TransactionError, CommitError, DatabaseError, SetDurabilityError);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Failure::Full,
            _ => Failure::Broken(error.to_string()),
        }
    }
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this directory.
    Dir(PathBuf),
    /// In memory; gone with the process.
    Memory,
}

pub(crate) struct Store {
    pub place: Place,
    cache_bytes: usize,
    database: RwLock<Option<Database>>,
    /// Counts how often the database was opened again; offsets in memory are then to be read anew.
    generation: AtomicU64,
}

impl Store {
    pub fn open(place: Place, cache_bytes: usize) -> Result<Store, BrokerError> {
        let store = Store { place, cache_bytes, database: RwLock::new(None), generation: AtomicU64::new(0) };
        let database = store.open_database().map_err(|failure| store.unavailable(failure))?;
        *store.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        let format = store.write(|write| {
            write.open_table(TOPICS)?;
            write.open_table(PARTITIONS)?;
            write.open_table(ENTRIES)?;
            write.open_table(OFFSETS)?;
            write.open_table(GRAVES)?;
            let mut meta = write.open_table(META)?;
            let found = meta.get("format")?.map(|format| format.value().to_vec());
            if found.is_none() {
                meta.insert("format", FORMAT)?;
            }
            Ok(found)
        })?;
        match format {
            Some(format) if *format != *FORMAT => Err(BrokerError::Rejected(format!(
                "{} has format {}, and this version of weir reads format 1; open it with the version that wrote it",
                store.name(),
                String::from_utf8_lossy(&format)
            ))),
            _ => Ok(store),
        }
    }

    fn open_database(&self) -> Result<Database, Failure> {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        Ok(match &self.place {
            Place::Dir(dir) => builder.create(dir.join(FILE))?,
            Place::Memory => builder.create_with_backend(redb::backends::InMemoryBackend::new())?,
        })
    }

    pub fn name(&self) -> String {
        match &self.place {
            Place::Dir(dir) => format!("the store in {}", dir.display()),
            Place::Memory => "the store in memory".into(),
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Reads in one short transaction; opens the database again when it had failed.
    pub fn read<T>(&self, mut f: impl FnMut(&ReadTransaction) -> Result<T, Failure>) -> Result<T, BrokerError> {
        let mut read = || {
            let (guard, generation) = self.opened()?;
            let database = guard.as_ref().ok_or_else(closed).map_err(|failure| (failure, generation))?;
            let done = database.begin_read().map_err(Failure::from).and_then(|read| f(&read));
            done.map_err(|failure| (failure, generation))
        };
        read()
            .or_else(|(failure, generation)| {
                warn!(error = ?failure, "store could not be read");
                self.reopen(generation).map_err(|_| failure)?;
                read().map_err(|(failure, _)| failure)
            })
            .map_err(|failure| self.unavailable(failure))
    }

    /// Writes in one transaction, which is safe on disk when this returns. After a failure nothing of it, or (when
    /// only the confirmation failed) all of it is there, and the generation is another.
    pub fn write<T>(&self, f: impl FnOnce(&WriteTransaction) -> Result<T, Failure>) -> Result<T, BrokerError> {
        let (guard, generation) = self.opened().map_err(|(failure, _)| self.unavailable(failure))?;
        let write = || {
            let mut write = guard.as_ref().ok_or_else(closed)?.begin_write()?;
            write.set_durability(Durability::Immediate)?;
            write.set_quick_repair(self.place != Place::Memory);
            let done = f(&write)?;
            write.commit()?;
            Ok(done)
        };
        let done: Result<T, Failure> = write();
        drop(guard);
        done.map_err(|failure| {
            let _ = self.reopen(generation);
            self.unavailable(failure)
        })
    }

    fn opened(&self) -> Result<(Opened<'_>, u64), (Failure, u64)> {
        loop {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let generation = self.generation();
            if guard.is_some() {
                return Ok((guard, generation));
            }
            drop(guard);
            self.reopen(generation).map_err(|failure| (failure, generation))?;
        }
    }

    /// Opens the database again unless somebody did so since `generation`. What is only in memory cannot fail so.
    fn reopen(&self, generation: u64) -> Result<(), Failure> {
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.place == Place::Memory || (self.generation() != generation && guard.is_some()) {
            return Ok(());
        }
        drop(guard.take());
        self.generation.fetch_add(1, Ordering::AcqRel);
        *guard = Some(self.open_database()?);
        info!(store = self.name(), "store was opened again");
        Ok(())
    }

    pub fn unavailable(&self, failure: Failure) -> BrokerError {
        BrokerError::Unavailable(match (failure, &self.place) {
            (Failure::Full, Place::Dir(dir)) => format!(
                "no room to write to {}: its disk is full or its size is limited; work goes on by itself once there is room",
                dir.display()
            ),
            (Failure::Full, Place::Memory) => "no room in memory".into(),
            (Failure::Broken(why), _) => format!("{} failed: {why}", self.name()),
        })
    }
}

type Opened<'a> = RwLockReadGuard<'a, Option<Database>>;

/// Whether a directory has a store.
pub(crate) fn exists(dir: &std::path::Path) -> bool {
    dir.join(FILE).exists()
}

fn closed() -> Failure {
    Failure::Broken("it is closed".into())
}

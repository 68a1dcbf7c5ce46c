//! The states of connectors and tasks: in memory for whoever asks, written to a compacted log in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model::TaskId;
use crate::port::{CompactedLog, LogRecord, StoreError};
use crate::task::TaskState;
use crate::worker::Statuses;

use super::status_codec::{State, Status, StatusKey};

#[derive(Default)]
struct Content {
    statuses: BTreeMap<StatusKey, Status>,
    /// What the log does not have yet. Later states of one key take the place of earlier ones.
    unwritten: BTreeSet<StatusKey>,
}

/// The states of all connectors and tasks.
pub struct StatusStore {
    worker_id: String,
    content: Mutex<Content>,
    more: Notify,
}

impl StatusStore {
    /// The store of a worker that others know as `host:port`, with what its log says.
    pub async fn open(log: &dyn CompactedLog, worker_id: &str) -> Result<StatusStore, StoreError> {
        let mut content = Content::default();
        for entry in log.reader().await?.read_to_end().await? {
            let Some(key) = entry.record.key.as_deref().and_then(StatusKey::decode) else { continue };
            match entry.record.value.as_deref().map(Status::decode) {
                None => drop(content.statuses.remove(&key)),
                Some(Some(status)) => drop(content.statuses.insert(key, status)),
                // The uses of topics, and what a newer worker may write.
                Some(None) => {}
            }
        }
        Ok(StatusStore { worker_id: worker_id.to_owned(), content: Mutex::new(content), more: Notify::new() })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        act(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes states to the log until it is cancelled, and then what is left.
    pub async fn write_to(self: Arc<Self>, log: Arc<dyn CompactedLog>, cancel: CancellationToken) {
        loop {
            let stopping = cancel.is_cancelled();
            self.write_once(&*log).await;
            if stopping {
                return;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = self.more.notified() => {}
            }
        }
    }

    async fn write_once(&self, log: &dyn CompactedLog) {
        let (keys, records): (Vec<StatusKey>, Vec<LogRecord>) = self.with(|content| {
            let keys = std::mem::take(&mut content.unwritten);
            let record = |key: StatusKey| {
                let value = content.statuses.get(&key).map(Status::encode);
                let encoded = key.encode().into_bytes();
                (key, LogRecord { key: Some(encoded), value })
            };
            keys.into_iter().map(record).unzip()
        });
        if records.is_empty() {
            return;
        }
        if let Err(error) = log.append(records).await {
            // They stay unwritten and go with the next change; a status is no record of anybody's data.
            tracing::warn!(%error, "statuses could not be written");
            self.with(|content| content.unwritten.extend(keys));
        }
    }

    /// Sets a state.
    pub fn put(&self, key: StatusKey, state: State, trace: Option<String>, version: Option<&str>) {
        let status = Status {
            state,
            trace,
            worker_id: self.worker_id.clone(),
            generation: 0,
            version: version.map(str::to_owned),
        };
        self.with(|content| {
            content.unwritten.insert(key.clone());
            content.statuses.insert(key, status);
        });
        self.more.notify_one();
    }

    /// The state of a connector.
    pub fn connector(&self, name: &str) -> Option<Status> {
        self.with(|content| content.statuses.get(&StatusKey::Connector(name.to_owned())).cloned())
    }

    /// The state of a task.
    pub fn of_task(&self, id: &TaskId) -> Option<Status> {
        self.with(|content| content.statuses.get(&StatusKey::Task(id.clone())).cloned())
    }

    /// The states of a connector's tasks, by number.
    pub fn tasks(&self, connector: &str) -> Vec<(TaskId, Status)> {
        let first = TaskId { connector: connector.to_owned(), index: 0 };
        self.with(|content| {
            let from = content.statuses.range(StatusKey::Task(first)..);
            let of_task = from.map_while(|(key, status)| match key {
                StatusKey::Task(id) if id.connector == connector => Some((id.clone(), status.clone())),
                _ => None, // keys are sorted by connector, then number
            });
            of_task.collect()
        })
    }

    /// Forgets the tasks of a connector that its set no longer has.
    pub fn keep_tasks(&self, connector: &str, count: usize) {
        for (id, _) in self.tasks(connector).into_iter().filter(|(id, _)| id.index as usize >= count) {
            self.forget_key(StatusKey::Task(id));
        }
    }

    /// Forgets the connectors and tasks whose connector is not to be kept.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        let name = |key: &StatusKey| match key {
            StatusKey::Connector(name) => name.clone(),
            StatusKey::Task(id) => id.connector.clone(),
            StatusKey::Topic { connector, .. } => connector.clone(),
        };
        let names: BTreeSet<String> = self.with(|content| content.statuses.keys().map(name).collect());
        names.iter().filter(|name| !keep(name)).for_each(|name| self.forget(name));
    }

    /// Forgets a connector and its tasks.
    pub fn forget(&self, connector: &str) {
        self.keep_tasks(connector, 0);
        self.forget_key(StatusKey::Connector(connector.to_owned()));
    }

    fn forget_key(&self, key: StatusKey) {
        self.with(|content| {
            if content.statuses.remove(&key).is_some() {
                content.unwritten.insert(key);
            }
        });
        self.more.notify_one();
    }
}

impl Statuses for StatusStore {
    fn task(&self, id: &TaskId, state: TaskState, version: Option<&str>) {
        let (state, trace) = match state {
            TaskState::Running => (State::Running, None),
            TaskState::Paused => (State::Paused, None),
            TaskState::Unassigned => (State::Unassigned, None),
            TaskState::Failed(failure) => (State::Failed, Some(failure.trace)),
        };
        match &trace {
            None => tracing::info!(task = %id, "{}", state.name().to_lowercase()),
            Some(trace) => tracing::error!(task = %id, "failed: {trace}"),
        }
        self.put(StatusKey::Task(id.clone()), state, trace, version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskFailure;
    use async_trait::async_trait;

    /// A log in memory that can refuse.
    #[derive(Default)]
    struct Log {
        records: Mutex<Vec<LogRecord>>,
        refuse: std::sync::atomic::AtomicBool,
    }

    struct Reader(Vec<LogRecord>);

    #[async_trait]
    impl CompactedLog for Log {
        async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
            if self.refuse.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(StoreError::Unavailable("refused".into()));
            }
            self.records.lock().unwrap().extend(records);
            Ok(())
        }

        async fn reader(&self) -> Result<Box<dyn crate::port::LogReader>, StoreError> {
            Ok(Box::new(Reader(self.records.lock().unwrap().clone())))
        }
    }

    #[async_trait]
    impl crate::port::LogReader for Reader {
        async fn read_to_end(&mut self) -> Result<Vec<crate::port::LogEntry>, StoreError> {
            let entry = |record| crate::port::LogEntry { partition: 0, offset: 0, timestamp: 0, record };
            Ok(std::mem::take(&mut self.0).into_iter().map(entry).collect())
        }

        async fn changed(&mut self) -> Result<(), StoreError> {
            std::future::pending().await
        }
    }

    fn id(connector: &str, index: u32) -> TaskId {
        TaskId { connector: connector.into(), index }
    }

    #[tokio::test]
    async fn states_survive_in_the_log_and_what_is_forgotten_stays_forgotten() {
        let log = Arc::new(Log::default());
        let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap());
        store.put(StatusKey::Connector("c".into()), State::Running, None, Some("1.0"));
        store.task(&id("c", 0), TaskState::Failed(TaskFailure { trace: "boom".into() }), Some("1.0"));
        store.task(&id("c", 1), TaskState::Running, None);
        store.task(&id("c-", 0), TaskState::Running, None);
        store.keep_tasks("c", 1);
        store.write_once(&*log).await;
        let again = StatusStore::open(&*log, "w:2").await.unwrap();
        assert_eq!(again.connector("c").unwrap().worker_id, "w:1");
        assert_eq!(again.tasks("c"), [(id("c", 0), store.of_task(&id("c", 0)).unwrap())]);
        assert_eq!(again.of_task(&id("c", 0)).unwrap().trace.as_deref(), Some("boom"));
        store.forget("c");
        store.write_once(&*log).await;
        let again = StatusStore::open(&*log, "w:2").await.unwrap();
        assert_eq!((again.connector("c"), again.tasks("c").len(), again.tasks("c-").len()), (None, 0, 1));
    }

    #[tokio::test]
    async fn what_the_log_refused_is_written_with_the_next_change_and_at_the_end() {
        let log = Arc::new(Log::default());
        let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap());
        log.refuse.store(true, std::sync::atomic::Ordering::Relaxed);
        store.put(StatusKey::Connector("a".into()), State::Running, None, None);
        store.write_once(&*log).await;
        log.refuse.store(false, std::sync::atomic::Ordering::Relaxed);
        store.put(StatusKey::Connector("b".into()), State::Running, None, None);
        let cancel = CancellationToken::new();
        cancel.cancel();
        store.clone().write_to(log.clone(), cancel).await;
        let again = StatusStore::open(&*log, "w:2").await.unwrap();
        assert!(again.connector("a").is_some() && again.connector("b").is_some());
    }
}

//! The states of connectors and tasks: in memory for whoever asks, written to a compacted log in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model::TaskId;
use crate::port::{CompactedLog, LogEntry, LogReader, LogRecord, StoreError};
use crate::task::TaskState;
use crate::worker::Statuses;

use super::status_codec::{State, Status, StatusKey};
use super::topic_uses::TopicUses;

/// The wait before states are written again that a log refused.
const AGAIN: Duration = Duration::from_millis(500);

/// States by key; none for one that is forgotten.
type Said = BTreeMap<StatusKey, Option<Status>>;

#[derive(Default)]
struct Content {
    /// What the log says.
    statuses: BTreeMap<StatusKey, Status>,
    /// What the log does not have yet. Later states of one key take the place of earlier ones.
    unwritten: Said,
    /// What is being written.
    writing: Said,
    /// What this worker has said in this life.
    own: BTreeSet<StatusKey>,
}

impl Content {
    fn get(&self, key: &StatusKey) -> Option<&Status> {
        match self.unwritten.get(key).or_else(|| self.writing.get(key)) {
            Some(said) => said.as_ref(),
            None => self.statuses.get(key),
        }
    }

    /// All keys from one on, in order, of states and of what was forgotten lately.
    fn keys_from(&self, first: &StatusKey) -> BTreeSet<&StatusKey> {
        let said = self.unwritten.range(first..).chain(self.writing.range(first..)).map(|(key, _)| key);
        said.chain(self.statuses.range(first..).map(|(key, _)| key)).collect()
    }

    /// Takes in a record of the log, by Connect's rules (KafkaStatusBackingStore.readTaskStatus). But for one: that a
    /// connector is forgotten says nothing of its tasks. They stand in other partitions, and may be read before it
    /// though they were written after it, by a connector of the same name; who forgets tasks says so of each.
    fn take(&mut self, key: StatusKey, status: Option<Status>) {
        let Some(status) = status else {
            self.statuses.remove(&key);
            return;
        };
        let runs = |known: &Status| known.state == State::Running && known.generation >= status.generation;
        let late = matches!(key, StatusKey::Task(_)) && status.state == State::Unassigned;
        if !(late && self.statuses.get(&key).is_some_and(runs)) {
            self.statuses.insert(key, status);
        }
    }

    /// Takes in what is read from the log.
    fn read(&mut self, worker_id: &str, key: StatusKey, value: Option<&[u8]>) {
        let status = match value.map(Status::decode) {
            None => None,
            Some(Some(status)) => Some(status),
            // What a newer worker may write is passed over.
            Some(None) => return,
        };
        let known = self.statuses.get(&key).filter(|known| known.worker_id == worker_id && self.own.contains(&key));
        match (&status, known) {
            // What this worker wrote was taken in when it was written, and something newer since, perhaps.
            (Some(status), Some(_)) if status.worker_id == worker_id => {}
            // What a former owner wrote comes late, and stands over this one's word now, which is said again.
            (Some(status), Some(known)) if status.generation < known.generation && known.state != State::Unassigned => {
                let known = known.clone();
                self.unwritten.entry(key).or_insert(Some(known));
            }
            _ => self.take(key, status),
        }
    }
}

/// The states of all connectors and tasks.
pub struct StatusStore {
    worker_id: String,
    /// The group's generation; 0 in standalone.
    generation: AtomicI32,
    content: Mutex<Content>,
    topics: TopicUses,
    more: Notify,
    written: Notify,
}

impl StatusStore {
    /// The store of a worker that others know as `host:port`, with what its log says, and the reader to follow it with.
    pub async fn open(
        log: &dyn CompactedLog,
        worker_id: &str,
    ) -> Result<(StatusStore, Box<dyn LogReader>), StoreError> {
        let mut reader = log.reader().await?;
        let store = StatusStore {
            worker_id: worker_id.to_owned(),
            generation: AtomicI32::new(0),
            content: Mutex::default(),
            topics: TopicUses::default(),
            more: Notify::new(),
            written: Notify::new(),
        };
        // Nobody else writes in this worker's name, so what it wrote in a former life is taken as another's.
        store.take(reader.read_to_end().await?, "");
        Ok((store, reader))
    }

    /// How others know this worker: `host:port`.
    pub fn worker_id(&self) -> &str {
        &self.worker_id
    }

    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        act(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, entries: Vec<LogEntry>, worker_id: &str) {
        self.with(|content| {
            for LogEntry { record, .. } in entries {
                match record.key.as_deref().and_then(StatusKey::decode) {
                    None => {}
                    Some(StatusKey::Topic { connector, topic }) => {
                        self.topics.take(connector, topic, record.value.is_some());
                    }
                    Some(key) => content.read(worker_id, key, record.value.as_deref()),
                }
            }
        });
        self.more.notify_one();
    }

    /// Takes in what other workers write, until it is dropped.
    pub async fn follow(self: Arc<Self>, mut reader: Box<dyn LogReader>) {
        loop {
            let read = match reader.changed().await {
                Ok(()) => reader.read_to_end().await,
                Err(error) => Err(error),
            };
            match read {
                Ok(entries) => self.take(entries, &self.worker_id),
                Err(error) => {
                    tracing::warn!(%error, "statuses could not be read, which is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Writes states to the log until it is cancelled, and then what is left.
    pub async fn write_to(self: Arc<Self>, log: Arc<dyn CompactedLog>, cancel: CancellationToken) {
        loop {
            let stopping = cancel.is_cancelled();
            let refused = !self.write_once(&*log).await;
            if stopping {
                return;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = self.more.notified() => {}
                () = tokio::time::sleep(AGAIN), if refused => {}
            }
        }
    }

    /// Whether nothing was refused.
    async fn write_once(&self, log: &dyn CompactedLog) -> bool {
        let mut records: Vec<LogRecord> = self.with(|content| {
            content.writing = std::mem::take(&mut content.unwritten);
            let record = |(key, status): (&StatusKey, &Option<Status>)| LogRecord {
                key: Some(key.encode().into_bytes()),
                value: status.as_ref().map(Status::encode),
            };
            content.writing.iter().map(record).collect()
        });
        let topics = self.topics.take_unwritten();
        records.extend(topics.clone());
        if records.is_empty() {
            return true;
        }
        let refused = log.append(records).await.err();
        if refused.is_some() {
            self.topics.give_back(topics);
        }
        self.with(|content| {
            for (key, status) in std::mem::take(&mut content.writing) {
                if refused.is_none() {
                    content.take(key, status);
                } else {
                    content.unwritten.entry(key).or_insert(status);
                }
            }
        });
        let all = refused.is_none();
        match refused {
            None => self.written.notify_waiters(),
            Some(StoreError::Fenced) => {} // whoever lost its place in the group is silent about it
            Some(error) => tracing::warn!(%error, "statuses could not be written, which is tried again"),
        }
        all
    }

    /// Returns once everything that was said is in the log. Cancel safe.
    pub async fn flushed(&self) {
        loop {
            let mut written = std::pin::pin!(self.written.notified());
            written.as_mut().enable();
            if self.with(|content| content.unwritten.is_empty() && content.writing.is_empty()) {
                return;
            }
            written.await;
        }
    }

    /// Forgets what was not written yet: others may have said something else since.
    pub fn silence(&self) {
        self.with(|content| content.unwritten.clear());
        self.written.notify_waiters();
    }

    /// The group's generation in which states are said from now on.
    pub fn set_generation(&self, generation: i32) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Sets a state. That something failed or is unassigned is not said over what another worker has said since
    /// (KafkaStatusBackingStore.putSafe).
    pub fn put(&self, key: StatusKey, state: State, trace: Option<String>, version: Option<&str>) {
        let status = Status {
            state,
            trace,
            worker_id: self.worker_id.clone(),
            generation: i64::from(self.generation.load(Ordering::Relaxed)),
            version: version.map(str::to_owned),
        };
        let is_safe = matches!(state, State::Failed | State::Unassigned);
        self.with(|content| {
            let newer = |known: &Status| known.worker_id != status.worker_id && known.generation > status.generation;
            if !(is_safe && content.get(&key).is_some_and(newer)) {
                content.own.insert(key.clone());
                content.unwritten.insert(key, Some(status));
            }
        });
        self.more.notify_one();
    }

    /// The state of a connector.
    pub fn connector(&self, name: &str) -> Option<Status> {
        self.with(|content| content.get(&StatusKey::Connector(name.to_owned())).cloned())
    }

    /// The state of a task.
    pub fn of_task(&self, id: &TaskId) -> Option<Status> {
        self.with(|content| content.get(&StatusKey::Task(id.clone())).cloned())
    }

    /// The states of a connector's tasks, by number.
    pub fn tasks(&self, connector: &str) -> Vec<(TaskId, Status)> {
        let first = StatusKey::Task(TaskId { connector: connector.to_owned(), index: 0 });
        self.with(|content| {
            let of_connector = |key: &&StatusKey| matches!(key, StatusKey::Task(id) if id.connector == connector);
            // Keys are sorted by connector, then number.
            let keys = content.keys_from(&first).into_iter().take_while(of_connector);
            let of_task = |key: &StatusKey| match key {
                StatusKey::Task(id) => content.get(key).map(|status| (id.clone(), status.clone())),
                StatusKey::Connector(_) | StatusKey::Topic { .. } => None,
            };
            keys.filter_map(of_task).collect()
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
        let names: BTreeSet<String> = self
            .with(|content| content.keys_from(&StatusKey::Connector(String::new())).into_iter().map(name).collect());
        let names = names.iter().chain(&self.topics.connectors()).cloned().collect::<BTreeSet<_>>();
        names.iter().filter(|name| !keep(name)).for_each(|name| self.forget(name));
    }

    /// The topics that a connector has used since they were last forgotten, in order.
    pub fn topics(&self, connector: &str) -> Vec<String> {
        self.topics.of(connector)
    }

    /// Forgets the topics that a connector has used.
    pub fn forget_topics(&self, connector: &str) {
        self.topics.forget(connector);
        self.more.notify_one();
    }

    /// Forgets a connector, its tasks and the topics that it has used.
    pub fn forget(&self, connector: &str) {
        self.forget_topics(connector);
        self.keep_tasks(connector, 0);
        self.forget_key(StatusKey::Connector(connector.to_owned()));
    }

    fn forget_key(&self, key: StatusKey) {
        self.with(|content| {
            content.own.remove(&key);
            if content.get(&key).is_some() {
                content.unwritten.insert(key, None);
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

    fn topic(&self, id: &TaskId, topic: &str) {
        if self.topics.note(id, topic) {
            self.more.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;

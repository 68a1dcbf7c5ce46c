//! What is said of connectors and tasks, what others say, and what is forgotten.

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
    let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap().0);
    store.put(StatusKey::Connector("c".into()), State::Running, None, Some("1.0"));
    store.task(&id("c", 0), TaskState::Failed(TaskFailure { trace: "boom".into() }), Some("1.0"));
    store.task(&id("c", 1), TaskState::Running, None);
    store.task(&id("c-", 0), TaskState::Running, None);
    store.keep_tasks("c", 1);
    store.write_once(&*log).await;
    let again = StatusStore::open(&*log, "w:2").await.unwrap().0;
    assert_eq!(again.connector("c").unwrap().worker_id, "w:1");
    assert_eq!(again.tasks("c"), [(id("c", 0), store.of_task(&id("c", 0)).unwrap())]);
    assert_eq!(again.of_task(&id("c", 0)).unwrap().trace.as_deref(), Some("boom"));
    store.forget("c");
    store.write_once(&*log).await;
    let again = StatusStore::open(&*log, "w:2").await.unwrap().0;
    assert_eq!((again.connector("c"), again.tasks("c").len(), again.tasks("c-").len()), (None, 0, 1));
}

#[tokio::test]
async fn what_the_log_refused_is_written_with_the_next_change_and_at_the_end() {
    let log = Arc::new(Log::default());
    let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap().0);
    log.refuse.store(true, std::sync::atomic::Ordering::Relaxed);
    store.put(StatusKey::Connector("a".into()), State::Running, None, None);
    store.write_once(&*log).await;
    log.refuse.store(false, std::sync::atomic::Ordering::Relaxed);
    store.put(StatusKey::Connector("b".into()), State::Running, None, None);
    let cancel = CancellationToken::new();
    cancel.cancel();
    store.clone().write_to(log.clone(), cancel).await;
    let again = StatusStore::open(&*log, "w:2").await.unwrap().0;
    assert!(again.connector("a").is_some() && again.connector("b").is_some());
}

fn said(worker: &str, generation: i64, state: State) -> Option<Vec<u8>> {
    let status = Status { state, trace: None, worker_id: worker.into(), generation, version: None };
    Some(status.encode())
}

#[tokio::test]
async fn what_others_say_counts_unless_it_is_late() {
    let store = StatusStore::open(&Log::default(), "w:1").await.unwrap().0;
    store.set_generation(5);
    let task = StatusKey::Task(id("c", 0));
    let read = |key: &StatusKey, value: Option<Vec<u8>>| {
        store.with(|content| content.read("w:1", key.clone(), value.as_deref()));
    };
    let state = || store.of_task(&id("c", 0)).map(|status| (status.worker_id, status.state));
    read(&task, said("w:2", 4, State::Running));
    assert_eq!(state(), Some(("w:2".into(), State::Running)));
    read(&task, said("w:3", 4, State::Unassigned));
    assert_eq!(state(), Some(("w:2".into(), State::Running)), "a former owner's last word");
    store.put(task.clone(), State::Paused, None, None);
    assert_eq!(state(), Some(("w:1".into(), State::Paused)), "what is not written yet comes later");
    read(&task, said("w:2", 6, State::Running));
    store.silence();
    assert_eq!(state(), Some(("w:2".into(), State::Running)), "what was never written was never so");
    store.put(task.clone(), State::Failed, None, None);
    assert_eq!(state(), Some(("w:2".into(), State::Running)), "no failure over a newer owner's word");
    read(&StatusKey::Connector("c".into()), None);
    assert!(state().is_some(), "it may be of a later connector of that name");
    read(&task, None);
    assert_eq!(state(), None);
    read(&task, said("w:1", 50, State::Running));
    store.with(|content| content.own.clear());
    read(&task, said("w:2", 1, State::Running));
    assert_eq!(state(), Some(("w:2".into(), State::Running)), "what a former life said is not said again");
    store.put(task.clone(), State::Running, None, None);
    store.with(|content| {
        let said = std::mem::take(&mut content.unwritten);
        said.into_iter().for_each(|(key, status)| content.take(key, status));
    });
    read(&task, said("w:2", 4, State::Failed));
    assert_eq!(state(), Some(("w:1".into(), State::Running)));
    assert!(store.with(|content| content.unwritten.contains_key(&task)), "over a late word it says its own again");
}

#[tokio::test]
async fn what_was_said_is_flushed_and_silence_drops_it() {
    let log = Arc::new(Log::default());
    let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap().0);
    store.put(StatusKey::Connector("a".into()), State::Running, None, None);
    tokio::join!(store.flushed(), store.write_once(&*log));
    store.put(StatusKey::Connector("b".into()), State::Running, None, None);
    store.silence();
    store.flushed().await;
    assert_eq!(log.records.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_topics_of_a_connector_are_kept_in_the_log_until_it_is_gone() {
    let log = Arc::new(Log::default());
    let store = Arc::new(StatusStore::open(&*log, "w:1").await.unwrap().0);
    store.topic(&id("c", 0), "t");
    store.topic(&id("d", 0), "t");
    log.refuse.store(true, std::sync::atomic::Ordering::Relaxed);
    store.write_once(&*log).await;
    log.refuse.store(false, std::sync::atomic::Ordering::Relaxed);
    store.write_once(&*log).await;
    let again = StatusStore::open(&*log, "w:2").await.unwrap().0;
    assert_eq!((again.topics("c"), again.topics("d")), (vec!["t".to_owned()], vec!["t".to_owned()]));
    again.retain(|name| name == "d");
    again.write_once(&*log).await;
    let again = StatusStore::open(&*log, "w:2").await.unwrap().0;
    assert_eq!((again.topics("c"), again.topics("d")), (vec![], vec!["t".to_owned()]));
}

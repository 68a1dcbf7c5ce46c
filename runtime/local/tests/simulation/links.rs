//! What lies between a worker and the world: links that are cut, and what goes over them late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_core::model::RawRecords;
use weir_core::port::{
    Broker, BrokerError, ClientSettings, CompactedLog, Coordinator, Joined, LogEntry, LogReader, LogRecord, MemberId,
    Producer, Refused, Sent, StoreError, Ticket, TransactionalProducer,
};

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It carries.
    Up,
    /// It carries, with answers that come seconds late.
    Slow,
    /// It carries nothing, and nobody is told.
    Silent,
    /// It carries nothing, and whoever asks is told after a while.
    Refusing,
}

/// How long a log takes to answer a reader that lags: longer than a worker may take to catch up.
const LAG: Duration = Duration::from_secs(4);

/// How late answers come over a slow link, at most: a beat that is answered so late was sent almost a session ago.
pub const SLOW: Duration = Duration::from_secs(9);

/// How long an append may take, as it is of workers on Kafka.
const APPEND: Duration = Duration::from_secs(3);

/// A worker's link to everything else. (Not a watch channel: that wakes its receivers in random order.)
#[derive(Clone)]
pub struct Link {
    state: Arc<(Mutex<State>, Notify)>,
    lags: Arc<AtomicBool>,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Link {
    /// A link that is up.
    pub fn new(random: Arc<Mutex<fastrand::Rng>>) -> Link {
        Link { state: Arc::new((Mutex::new(State::Up), Notify::new())), lags: Arc::default(), random }
    }

    /// Cuts it or mends it.
    pub fn set(&self, state: State) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.state.1.notify_waiters();
    }

    /// Has what is read by it come late, or not.
    pub fn lag(&self, lags: bool) {
        self.lags.store(lags, Ordering::Relaxed);
    }

    fn state(&self) -> State {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it carries.
    pub fn is_up(&self) -> bool {
        matches!(self.state(), State::Up | State::Slow)
    }

    /// Whether it carries, and answers come soon.
    pub fn is_swift(&self) -> bool {
        self.state() == State::Up
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.state.1.notified());
            changed.as_mut().enable();
            if holds() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until it carries.
    pub async fn pass(&self) {
        self.until(|| self.is_up()).await;
    }

    async fn refused(&self) {
        self.until(|| self.state() == State::Refusing).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    fn below(&self, bound: Duration) -> Duration {
        let millis = bound.as_millis() as u64;
        Duration::from_millis(self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(0..millis))
    }

    /// Something that goes over the link and comes back: late, or not at all.
    async fn carry<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let late = self.below(Duration::from_millis(30));
        let there_and_back = async {
            self.pass().await;
            tokio::time::sleep(late).await;
            let answer = call.await;
            self.pass().await;
            if self.state() == State::Slow {
                tokio::time::sleep(self.below(SLOW)).await;
            }
            answer
        };
        tokio::select! {
            biased;
            () = self.refused() => None,
            answer = there_and_back => Some(answer),
        }
    }
}

/// A coordinator behind a link.
pub struct Far<C> {
    /// The coordinator.
    pub inner: C,
    /// The link.
    pub link: Link,
}

#[async_trait]
impl<C: Coordinator> Coordinator for Far<C> {
    async fn find(&self) -> Result<(), Refused> {
        self.link.carry(self.inner.find()).await.unwrap_or(Err(Refused::NoCoordinator))
    }

    async fn join(&self, member: &str, protocols: &[(String, Vec<u8>)]) -> Result<Joined, Refused> {
        self.link.carry(self.inner.join(member, protocols)).await.unwrap_or(Err(Refused::NoCoordinator))
    }

    async fn sync(&self, id: &MemberId, assignments: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Refused> {
        self.link.carry(self.inner.sync(id, assignments)).await.unwrap_or(Err(Refused::NoCoordinator))
    }

    async fn heartbeat(&self, id: &MemberId) -> Result<(), Refused> {
        self.link.carry(self.inner.heartbeat(id)).await.unwrap_or(Err(Refused::NoCoordinator))
    }

    async fn leave(&self, member: &str) {
        self.link.carry(self.inner.leave(member)).await;
    }
}

/// A log behind a link.
pub struct FarLog {
    /// The log.
    pub inner: Arc<dyn CompactedLog>,
    /// The link.
    pub link: Link,
}

struct FarReader {
    inner: Box<dyn LogReader>,
    link: Link,
}

/// A producer that writes in transactions, behind a link and for a life.
pub struct FarTransactions {
    /// What writes.
    pub inner: Box<dyn TransactionalProducer>,
    /// The link.
    pub link: Link,
    /// Cancelled when the life is over.
    pub dead: CancellationToken,
}

impl FarTransactions {
    /// Takes a transactional id over, over a link.
    pub async fn take(
        broker: &dyn Broker,
        id: &str,
        link: &Link,
        dead: &CancellationToken,
    ) -> Result<Box<dyn TransactionalProducer>, BrokerError> {
        let settings = ClientSettings::new();
        let taken = link.carry(broker.transactional_producer(id, &settings));
        let inner = taken.await.unwrap_or_else(|| Err(BrokerError::Unavailable("the link is cut".into())))?;
        Ok(Box::new(FarTransactions { inner, link: link.clone(), dead: dead.clone() }))
    }
}

#[async_trait]
impl Producer for FarTransactions {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        self.inner.send(records, tickets)
    }

    fn unanswered_bytes(&self) -> usize {
        self.inner.unanswered_bytes()
    }

    async fn answers(&mut self) -> Vec<Sent> {
        self.inner.answers().await
    }
}

#[async_trait]
impl TransactionalProducer for FarTransactions {
    async fn commit(&mut self) -> Result<Vec<Sent>, BrokerError> {
        let commit = self.link.carry(self.inner.commit());
        tokio::select! {
            biased;
            () = self.dead.cancelled() => std::future::pending().await,
            done = commit => done.unwrap_or_else(|| Err(BrokerError::Unavailable("the link is cut".into()))),
        }
    }

    async fn abort(&mut self) -> Result<(), BrokerError> {
        self.inner.abort().await
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("the link is cut".into())
}

#[async_trait]
impl CompactedLog for FarLog {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        let append = self.link.carry(self.inner.append(records));
        tokio::time::timeout(APPEND, append).await.ok().flatten().unwrap_or_else(|| Err(unavailable()))
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        let inner = self.inner.reader().await?;
        Ok(Box::new(FarReader { inner, link: self.link.clone() }))
    }
}

#[async_trait]
impl LogReader for FarReader {
    async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError> {
        if self.link.lags.load(Ordering::Relaxed) {
            tokio::time::sleep(LAG).await;
        }
        // What was read must not get lost on the way back.
        self.link.carry(async {}).await.ok_or_else(unavailable)?;
        self.inner.read_to_end().await
    }

    async fn changed(&mut self) -> Result<(), StoreError> {
        self.link.pass().await;
        self.inner.changed().await
    }
}

//! Topics for other processes: through the worker that has the store open, else by opening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use weir_core::model::{Position, RawRecords};
use weir_core::port::{BrokerError, Created, NewTopic};

use crate::admin::{Outcomes, TopicAdmin, TopicDetails};
use crate::exchange::{Answer, At, Request, from_chunks, to_chunks};
use crate::local::Local;
use crate::lock::{DirLock, Refusal};
use crate::settings::Settings;
use crate::socket;
use crate::store::{self, Place};

/// How long a worker that has the lock may take to make its socket.
const STARTING: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The topics of the store in a directory.
pub struct LocalClient(Way);

enum Way {
    Here(Arc<Local>),
    Through { dir: PathBuf, stream: Mutex<Option<UnixStream>> },
}

impl LocalClient {
    /// Reaches the store in a directory that has one.
    pub async fn connect(dir: &Path) -> Result<LocalClient, BrokerError> {
        if !store::exists(dir) {
            return Err(BrokerError::Rejected(format!(
                "there is no store in {}; a worker with bootstrap.servers=local:{} makes one",
                dir.display(),
                dir.display()
            )));
        }
        LocalClient::reach(dir, Settings::default()).await
    }

    /// Reaches the store in a directory, making it where there is none.
    pub async fn connect_or_make(dir: &Path) -> Result<LocalClient, BrokerError> {
        LocalClient::reach(dir, Settings::default()).await
    }

    /// Whether a worker has the store open and is asked.
    pub fn is_through_worker(&self) -> bool {
        matches!(self.0, Way::Through { .. })
    }

    async fn reach(dir: &Path, settings: Settings) -> Result<LocalClient, BrokerError> {
        let deadline = Instant::now() + STARTING;
        loop {
            let refused = match socket::connect(dir).await {
                Ok(stream) => {
                    let (dir, stream) = (dir.to_path_buf(), Mutex::new(Some(stream)));
                    return Ok(LocalClient(Way::Through { dir, stream }));
                }
                Err(e) => e,
            };
            match DirLock::take(dir) {
                Ok(lock) => {
                    let local = Local::start(Place::Dir(dir.to_path_buf()), Some(lock), settings)?;
                    return Ok(LocalClient(Way::Here(local)));
                }
                Err(Refusal::Taken(_)) if refused.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err(BrokerError::Denied(format!(
                        "the store in {} belongs to another user's worker; act as that user",
                        dir.display()
                    )));
                }
                Err(Refusal::Taken(why)) if Instant::now() >= deadline => {
                    return Err(BrokerError::Unavailable(format!("{why}; its socket does not answer: {refused}")));
                }
                Err(Refusal::Taken(_)) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(refusal @ Refusal::Unusable(_)) => return Err(refusal.into()),
            }
        }
    }
}

/// Asks the worker. A request that is dropped or fails takes the connection with it; the next one makes another.
async fn ask(
    dir: &Path,
    stream: &Mutex<Option<UnixStream>>,
    request: &Request,
    body: &[u8],
) -> Result<(Answer, Vec<u8>), BrokerError> {
    let mut held = stream.lock().await;
    let exchange = async {
        let mut stream = match held.take() {
            Some(stream) => stream,
            None => socket::connect(dir).await?,
        };
        socket::write(&mut stream, request, body).await?;
        let version = socket::begun(&mut stream).await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let answer = socket::rest::<Answer>(&mut stream, version).await?;
        *held = Some(stream);
        Ok(answer)
    };
    match exchange.await {
        Ok((Answer::Failed { why }, _)) => Err(why.into()),
        Ok(answer) => Ok(answer),
        Err(e) => {
            let e: std::io::Error = e;
            let kind = match e.kind() {
                std::io::ErrorKind::InvalidInput => BrokerError::Rejected,
                _ => BrokerError::Unavailable,
            };
            Err(kind(format!("the worker that has {} open did not answer: {e}", dir.display())))
        }
    }
}

fn odd() -> BrokerError {
    BrokerError::Rejected("the worker gave an answer to another question; its version may differ".into())
}

#[async_trait]
impl TopicAdmin for LocalClient {
    async fn list(&self) -> Result<Vec<TopicDetails>, BrokerError> {
        match &self.0 {
            Way::Here(local) => local.list().await,
            Way::Through { dir, stream } => match ask(dir, stream, &Request::List, &[]).await? {
                (Answer::Topics { topics }, _) => Ok(topics),
                _ => Err(odd()),
            },
        }
    }

    async fn describe(&self, topic: &str) -> Result<Option<TopicDetails>, BrokerError> {
        let request = Request::Describe { topic: topic.into() };
        match &self.0 {
            Way::Here(local) => local.describe(topic).await,
            Way::Through { dir, stream } => match ask(dir, stream, &request, &[]).await? {
                (Answer::Topics { topics }, _) => Ok(topics.into_iter().next()),
                _ => Err(odd()),
            },
        }
    }

    async fn create(&self, topic: &NewTopic) -> Result<Created, BrokerError> {
        let NewTopic { name, partitions, replication_factor, config } = topic.clone();
        let request = Request::Create { topic: name, partitions, replication_factor, config };
        match &self.0 {
            Way::Here(local) => local.create(topic).await,
            Way::Through { dir, stream } => match ask(dir, stream, &request, &[]).await? {
                (Answer::Changed { changed: true }, _) => Ok(Created::New),
                (Answer::Changed { changed: false }, _) => Ok(Created::Existed),
                _ => Err(odd()),
            },
        }
    }

    async fn delete(&self, topic: &str) -> Result<bool, BrokerError> {
        let request = Request::Delete { topic: topic.into() };
        match &self.0 {
            Way::Here(local) => local.delete(topic).await,
            Way::Through { dir, stream } => match ask(dir, stream, &request, &[]).await? {
                (Answer::Changed { changed }, _) => Ok(changed),
                _ => Err(odd()),
            },
        }
    }

    async fn produce(&self, records: RawRecords) -> Result<Outcomes, BrokerError> {
        let (dir, stream) = match &self.0 {
            Way::Here(local) => return local.produce(records).await,
            Way::Through { dir, stream } => (dir, stream),
        };
        if records.rows == 0 {
            return Ok(Vec::new());
        }
        let (chunks, body, order) = to_chunks(&records);
        let (Answer::Produced { outcomes }, _) = ask(dir, stream, &Request::Produce { chunks }, &body).await? else {
            return Err(odd());
        };
        if outcomes.len() != order.len() {
            return Err(odd());
        }
        let mut sorted: Vec<_> = order.into_iter().zip(outcomes).collect();
        sorted.sort_by_key(|(row, _)| *row);
        Ok(sorted.into_iter().map(|(_, outcome)| outcome.map_err(BrokerError::from)).collect())
    }

    async fn read(
        &self,
        from: &[Position],
        max_wait: Duration,
        max_bytes: usize,
    ) -> Result<(RawRecords, Vec<Position>), BrokerError> {
        let (dir, stream) = match &self.0 {
            Way::Here(local) => return local.read(from, max_wait, max_bytes).await,
            Way::Through { dir, stream } => (dir, stream),
        };
        let max_wait_ms = u64::try_from(max_wait.as_millis()).unwrap_or(u64::MAX);
        let request = Request::Read { from: from.iter().map(At::from).collect(), max_wait_ms, max_bytes };
        let (Answer::Records { chunks, next }, body) = ask(dir, stream, &request, &[]).await? else {
            return Err(odd());
        };
        let records = from_chunks(&chunks, &body).map_err(|e| BrokerError::Unavailable(e.to_string()))?;
        Ok((records, next.into_iter().map(Position::from).collect()))
    }
}

//! Other processes' way to a store that is open here: the socket's server.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};
use weir_core::model::Position;
use weir_core::port::{BrokerError, Created, NewTopic};

use crate::admin::TopicAdmin;
use crate::exchange::{Answer, BODY_MAX, Refusal, Request, from_chunks, to_chunks};
use crate::local::Local;
use crate::socket;
use crate::store::Place;

const CONNECTIONS_MAX: usize = 64;
/// How long the rest of a frame may take, and the sending of an answer.
const FRAME_WAIT: Duration = Duration::from_secs(30);
const READ_WAIT_MAX: Duration = Duration::from_secs(30);
const READ_BYTES_MAX: usize = 4 << 20;

/// Serves a store's topics on the socket in its directory.
pub struct Server {
    local: Arc<Local>,
    dir: PathBuf,
    listener: UnixListener,
}

impl Server {
    /// Makes the socket `weir.sock`, which only this user can open. Called inside a tokio runtime.
    pub fn bind(local: Arc<Local>) -> Result<Server, BrokerError> {
        let Place::Dir(dir) = local.place().clone() else {
            return Err(BrokerError::Rejected("a store in memory has no directory for a socket".into()));
        };
        let listener = socket::listen(&dir)
            .map_err(|e| BrokerError::Unavailable(format!("no socket could be made in {}: {e}", dir.display())))?;
        Ok(Server { local, dir, listener })
    }

    /// Serves until `stop` is done, then breaks off and takes the socket away.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => _ = connections.spawn(converse(self.local.clone(), stream)),
                    Err(error) => {
                        warn!(%error, "a connection to the store's socket was not taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        socket::remove(&self.dir);
    }
}

async fn converse(local: Arc<Local>, mut stream: UnixStream) {
    while let Ok(Some(version)) = socket::begun(&mut stream).await {
        let request = timeout(FRAME_WAIT, socket::rest::<Request>(&mut stream, version)).await;
        let (answer, body, end) = match request.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((request, body)) => match handle(&*local, request, &body).await {
                Ok((answer, body)) => (answer, body, false),
                Err(error) => (failed(error), Vec::new(), false),
            },
            // Where the next frame would begin is anybody's guess.
            Err(error) => (failed(BrokerError::Rejected(format!("bad request: {error}"))), Vec::new(), true),
        };
        let written = timeout(FRAME_WAIT, socket::write(&mut stream, &answer, &body)).await;
        if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            debug!(%error, "an answer on the store's socket was not taken");
            return;
        }
        if end {
            return;
        }
    }
}

fn failed(error: BrokerError) -> Answer {
    Answer::Failed { why: Refusal::from(error) }
}

async fn handle(topics: &impl TopicAdmin, request: Request, body: &[u8]) -> Result<(Answer, Vec<u8>), BrokerError> {
    let answer = match request {
        Request::List => Answer::Topics { topics: topics.list().await? },
        Request::Describe { topic } => Answer::Topics { topics: topics.describe(&topic).await?.into_iter().collect() },
        Request::Create { topic, partitions, replication_factor, config } => {
            let created = topics.create(&NewTopic { name: topic, partitions, replication_factor, config }).await?;
            Answer::Changed { changed: created == Created::New }
        }
        Request::Delete { topic } => Answer::Changed { changed: topics.delete(&topic).await? },
        Request::Produce { chunks } => {
            let records = from_chunks(&chunks, body).map_err(|e| BrokerError::Rejected(e.to_string()))?;
            let outcomes = topics.produce(records).await?;
            Answer::Produced { outcomes: outcomes.into_iter().map(|outcome| outcome.map_err(Refusal::from)).collect() }
        }
        Request::Read { from, max_wait_ms, max_bytes } => {
            let from: Vec<Position> = from.into_iter().map(Position::from).collect();
            let wait = Duration::from_millis(max_wait_ms).min(READ_WAIT_MAX);
            let (records, next) = topics.read(&from, wait, max_bytes.min(READ_BYTES_MAX)).await?;
            let (chunks, body, _) = if records.rows == 0 { Default::default() } else { to_chunks(&records) };
            if body.len() > BODY_MAX {
                return Err(BrokerError::Rejected(format!(
                    "a record of {} bytes is too large to be shown",
                    body.len()
                )));
            }
            return Ok((Answer::Records { chunks, next: next.iter().map(Into::into).collect() }, body));
        }
    };
    Ok((answer, Vec::new()))
}

//! What comes before a source task that delivers exactly once may write: older tasks are fenced by the leader, the task's
//! transactional id is taken over, and it is its worker's still (Connect's ExactlyOnceWorkerSourceTask.initializeAndStart).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::model::TaskId;
use crate::port::Peers;

use super::fencing::transactional_id;
use super::request::{Answer, HerderError, Request, View};

/// How long the leader may take to fence older tasks, whoever leads (Connect's RestResource.DEFAULT_REST_REQUEST_TIMEOUT_MS).
pub(super) const WITHIN: Duration = Duration::from_secs(90);
/// The wait before it is asked again. Connect's tasks fail at once.
const AGAIN: Duration = Duration::from_millis(500);

/// How tasks of this worker are made ready to deliver exactly once.
pub struct Preflight {
    group: String,
    // The herder ends when nobody can ask it any more, and has this itself.
    requests: mpsc::WeakSender<Request>,
    peers: Arc<dyn Peers>,
    view: View,
}

impl Preflight {
    /// The preflight of a group's tasks, over this worker's herder and the other workers.
    pub fn new(group: String, requests: &mpsc::Sender<Request>, peers: Arc<dyn Peers>, view: View) -> Preflight {
        Preflight { group, requests: requests.downgrade(), peers, view }
    }

    /// The id under which a task writes its transactions.
    pub fn transactional_id(&self, id: &TaskId) -> String {
        transactional_id(&self.group, &id.connector, id.index)
    }

    async fn ask(&self, request: impl FnOnce(Answer<()>) -> Request) -> Result<(), HerderError> {
        let requests = self.requests.upgrade().ok_or(HerderError::Stopping)?;
        let (answer, answered) = oneshot::channel();
        requests.send(request(answer)).await.map_err(|_| HerderError::Stopping)?;
        drop(requests);
        let answered = timeout(WITHIN, answered).await;
        let late = || HerderError::Failed(format!("no answer within {WITHIN:?}"));
        answered.map_err(|_| late())?.unwrap_or(Err(HerderError::Stopping))
    }

    /// Has whatever older tasks of a connector may still write fenced, by the leader.
    pub async fn fence(&self, connector: &str) -> Result<(), String> {
        let until = Instant::now() + WITHIN;
        loop {
            let failed = match self.ask(|answer| Request::Fence { name: connector.to_owned(), answer }).await {
                Ok(()) => return Ok(()),
                Err(HerderError::Elsewhere(Some(leader))) => {
                    let signs = self.view.signs.load(Ordering::Relaxed);
                    let key = self.view.state().session_key().filter(|_| signs).cloned();
                    match self.peers.fence(&leader, connector, key.as_ref()).await {
                        Ok(()) => return Ok(()),
                        Err(failed) => failed,
                    }
                }
                Err(error @ (HerderError::NotFound(_) | HerderError::Invalid(_) | HerderError::Stopping)) => {
                    return Err(error.to_string());
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() >= until {
                return Err(failed);
            }
            tracing::warn!(connector, reason = failed, "older tasks could not be fenced, which is tried again");
            sleep(AGAIN).await;
        }
    }

    /// Checks that a task is of its connector's last task set, of this generation, and still this worker's.
    pub async fn claim(&self, id: &TaskId, generation: u64) -> Result<(), String> {
        let until = Instant::now() + WITHIN;
        loop {
            match self.ask(|answer| Request::Claim { id: id.clone(), generation, answer }).await {
                Ok(()) => return Ok(()),
                Err(HerderError::Rebalancing | HerderError::OutOfTouch) if Instant::now() < until => sleep(AGAIN).await,
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

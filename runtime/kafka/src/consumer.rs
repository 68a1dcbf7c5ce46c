//! A consumer: a member of a group over one client. What waits for brokers runs beside tokio; taking records does not
//! wait, so that no thread and no channel stands between librdkafka's queue and the task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, warn};
use weir_core::model::{Position, TopicPartition};
use weir_core::port::{BrokerError, Consumer, ConsumerPolled as Polled};

use crate::broker::{beside, joined};
use crate::errors::{classified, passes_by_itself};
use crate::native::{Admin, Client, Intake, KafkaError, Place, Rebalance};
use crate::subscription::Watcher;

/// How long the group may take to tell what follows on a revocation; later it is told to a poll.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(500);

/// What a consumer is told to do where its settings decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Where to read without a committed offset; none: nowhere.
    pub reset: Option<Place>,
    /// Whether the end of a partition is that of committed transactions.
    pub committed_only: bool,
    /// How long a request to a broker may take.
    pub wait: Duration,
    /// How often the group must see a poll.
    pub poll_every: Duration,
}

/// What was answered to the group, and what core is to hear of it.
enum Step {
    Assigned(Vec<Position>),
    Lost(Vec<TopicPartition>),
}

type Answering = JoinHandle<Result<Step, (Rebalance, BrokerError)>>;

/// Partitions that core was told to give up, and did not yet.
struct Revoking {
    partitions: Vec<TopicPartition>,
    cooperative: bool,
}

pub(crate) struct KafkaConsumer {
    client: Arc<Client>,
    intake: Intake,
    manner: Manner,
    watcher: Option<Watcher>,
    owned: BTreeSet<TopicPartition>,
    paused: BTreeSet<TopicPartition>,
    revoking: Option<Revoking>,
    answering: Option<Answering>,
}

impl KafkaConsumer {
    pub fn new(client: Arc<Client>, manner: Manner, watcher: Option<Watcher>) -> KafkaConsumer {
        KafkaConsumer {
            intake: Intake::new(client.clone()),
            client,
            manner,
            watcher,
            owned: BTreeSet::new(),
            paused: BTreeSet::new(),
            revoking: None,
            answering: None,
        }
    }

    /// Begins to answer what the group told, as far as that needs nobody else.
    fn begin(&mut self, rebalance: Rebalance) -> Option<Polled> {
        let (client, manner) = (self.client.clone(), self.manner);
        match rebalance {
            Rebalance::Assign { partitions, cooperative } => {
                if !cooperative {
                    let all: Vec<TopicPartition> = self.owned.iter().cloned().collect();
                    self.forget(&all);
                }
                self.answering = Some(beside(move || {
                    assign(&client, manner, &partitions, cooperative)
                        .map(Step::Assigned)
                        .map_err(|e| (Rebalance::Assign { partitions, cooperative }, e))
                }));
                None
            }
            Rebalance::Revoke { partitions, cooperative, lost } if lost || partitions.is_empty() => {
                self.forget(&partitions);
                self.answering = Some(beside(move || match give_up(&client, &partitions, cooperative) {
                    Ok(()) => Ok(Step::Lost(partitions)),
                    Err(e) => Err((Rebalance::Revoke { partitions, cooperative, lost }, classified(e))),
                }));
                None
            }
            Rebalance::Revoke { partitions, cooperative, .. } => {
                self.intake.forget(&partitions);
                self.intake.pause(&partitions);
                self.revoking = Some(Revoking { partitions: partitions.clone(), cooperative });
                Some(Polled::Revoked(partitions))
            }
        }
    }

    /// What the group told, answered or handed on; waits only for an answer that is under way. Cancel safe.
    async fn rebalance(&mut self) -> Result<Option<Polled>, BrokerError> {
        loop {
            if let Some(answering) = &mut self.answering {
                let answered = answering.await;
                self.answering = None;
                match answered.map_err(|e| BrokerError::Unavailable(format!("answering the group: {e}")))? {
                    Ok(Step::Assigned(positions)) if positions.is_empty() => {}
                    Ok(Step::Assigned(positions)) => {
                        self.owned.extend(positions.iter().map(|position| position.partition.clone()));
                        return Ok(Some(Polled::Assigned(positions)));
                    }
                    Ok(Step::Lost(partitions)) if partitions.is_empty() => {}
                    Ok(Step::Lost(partitions)) => return Ok(Some(Polled::Lost(partitions))),
                    Err((rebalance, error)) => {
                        self.client.put_back(rebalance);
                        return Err(error);
                    }
                }
            }
            if self.revoking.is_some() {
                return Ok(None);
            }
            let Some(rebalance) = self.client.next_rebalance() else { return Ok(None) };
            debug!(?rebalance, "the group moves partitions");
            if let Some(polled) = self.begin(rebalance) {
                return Ok(Some(polled));
            }
        }
    }

    /// Records, when there are some. Never waits.
    fn take(&mut self, max_bytes: usize) -> Result<Option<Polled>, BrokerError> {
        loop {
            match self.intake.take(max_bytes) {
                Ok(records) if records.rows > 0 => return Ok(Some(Polled::Records(records))),
                Ok(_) => return Ok(None),
                Err((position, error)) if passes_by_itself(error.code) => {
                    warn!(partition = %position.partition, "{}; trying again", error.message);
                }
                Err((position, KafkaError { code, message })) => {
                    let message = format!("{}: {message}", position.partition);
                    return Err(classified(KafkaError { code, message }));
                }
            }
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.intake.forget(partitions);
        self.intake.resume(partitions);
        for at in partitions {
            self.owned.remove(at);
            self.paused.remove(at);
        }
    }

    /// Those that this consumer has. Others may have been lost while their owner was about something else, and it will
    /// hear of that next.
    fn own(&self, partitions: &[TopicPartition]) -> Vec<TopicPartition> {
        partitions.iter().filter(|at| self.owned.contains(at)).cloned().collect()
    }

    fn is_revoked(&self, at: &TopicPartition) -> bool {
        self.revoking.as_ref().is_some_and(|revoking| revoking.partitions.contains(at))
    }
}

/// Finds where to read from and begins to. Waits for the broker.
fn assign(
    client: &Client,
    manner: Manner,
    partitions: &[TopicPartition],
    cooperative: bool,
) -> Result<Vec<Position>, BrokerError> {
    let committed = match partitions {
        [] => Vec::new(),
        partitions => client.committed(partitions, manner.wait).map_err(classified)?,
    };
    let mut positions = Vec::with_capacity(committed.len());
    let mut open = Vec::new();
    for (partition, offset) in committed {
        match offset {
            Some(offset) => positions.push(Position { partition, offset }),
            None => open.push(partition),
        }
    }
    if let Some(first) = open.first() {
        let Some(place) = manner.reset else {
            return Err(BrokerError::Rejected(format!(
                "no committed offset for {first}, and auto.offset.reset=none says not to choose one; set it to earliest or latest"
            )));
        };
        let admin = Admin { client, wait: manner.wait };
        positions.extend(admin.offsets(&open, place, manner.committed_only).map_err(classified)?);
        positions.sort();
    }
    client.assign(&positions, cooperative).map_err(classified)?;
    Ok(positions)
}

/// Gives partitions up; those that were paused are not when they come back. Waits for librdkafka's thread.
fn give_up(client: &Client, partitions: &[TopicPartition], cooperative: bool) -> Result<(), KafkaError> {
    if !partitions.is_empty() {
        // Librdkafka may have forgotten them already.
        let _ = client.set_paused(partitions, false);
    }
    client.unassign(partitions, cooperative)
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<Polled, BrokerError> {
        let deadline = Instant::now() + max_wait.min(Duration::from_secs(86_400));
        loop {
            // An answer to the group may outlast this poll: the next one finds it.
            match tokio::time::timeout_at(deadline, self.rebalance()).await {
                Ok(told) => {
                    if let Some(polled) = told? {
                        return Ok(polled);
                    }
                }
                Err(_) => return Ok(Polled::Nothing),
            }
            if let Some(polled) = self.take(max_bytes)? {
                return Ok(polled);
            }
            if let Some(denied) = self.client.denied() {
                return Err(classified(denied.clone()));
            }
            if self.revoking.is_none()
                && let Some(rebalance) = self.client.next_rebalance()
            {
                self.client.put_back(rebalance);
                continue;
            }
            // The group takes a member that polls too rarely for dead, also while nothing comes.
            let until = deadline.min(Instant::now() + self.manner.poll_every);
            let client = self.client.clone();
            let looking = async {
                match &mut self.watcher {
                    Some(watcher) => watcher.look(&client).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.client.woken() => {}
                looked = looking => looked?,
                () = tokio::time::sleep_until(until) => {
                    if until == deadline {
                        return Ok(Polled::Nothing);
                    }
                }
            }
        }
    }

    async fn release(&mut self) -> Result<(), BrokerError> {
        let Some(Revoking { partitions, cooperative }) = self.revoking.take() else { return Ok(()) };
        self.forget(&partitions);
        let client = self.client.clone();
        let before = self.client.followed();
        joined(beside(move || give_up(&client, &partitions, cooperative))).await?;
        // The group goes on once it told what follows, and it tells only who asks.
        let until = Instant::now() + FOLLOWS_WITHIN;
        while cooperative && self.client.followed() == before && Instant::now() < until {
            let _ = tokio::time::timeout_at(until, self.client.woken()).await;
            self.intake.serve();
        }
        self.client.wake();
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        let partitions = &self.own(partitions)[..];
        self.intake.pause(partitions);
        self.paused.extend(partitions.iter().cloned());
        self.client.set_paused(partitions, true).map_err(classified)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), BrokerError> {
        let own = self.own(partitions);
        let resumed: Vec<TopicPartition> = own.into_iter().filter(|at| !self.is_revoked(at)).collect();
        self.intake.resume(&resumed);
        resumed.iter().for_each(|at| _ = self.paused.remove(at));
        self.client.wake();
        self.client.set_paused(&resumed, false).map_err(classified)
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        let positions: Vec<Position> =
            positions.iter().filter(|position| self.owned.contains(&position.partition)).cloned().collect();
        if positions.is_empty() {
            return Ok(());
        }
        let partitions: Vec<TopicPartition> = positions.iter().map(|position| position.partition.clone()).collect();
        let client = self.client.clone();
        joined(beside(move || client.seek(&positions))).await?;
        self.intake.forget(&partitions);
        Ok(())
    }

    fn ends(&self) -> Vec<Position> {
        let end = |partition: &TopicPartition| {
            let offset = self.client.end_seen(partition)?;
            Some(Position { partition: partition.clone(), offset })
        };
        self.owned.iter().filter_map(end).collect()
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        if positions.is_empty() {
            return Ok(());
        }
        for Position { partition, offset } in positions {
            if !self.owned.contains(partition) {
                let why = format!("partition {partition} belongs to this consumer no more");
                return Err(BrokerError::Fenced(why));
            }
            if *offset < 0 {
                return Err(BrokerError::Rejected(format!("offset {offset} of {partition} is below 0")));
            }
        }
        let (client, positions) = (self.client.clone(), positions.to_vec());
        joined(beside(move || client.commit(&positions))).await
    }

    async fn close(&mut self) -> Result<(), BrokerError> {
        let all: Vec<TopicPartition> = self.owned.iter().cloned().collect();
        self.forget(&all);
        let client = self.client.clone();
        joined(beside(move || client.leave())).await
    }
}

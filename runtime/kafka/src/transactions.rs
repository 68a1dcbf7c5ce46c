//! A producer that writes in transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::timeout;
use weir_core::model::RawRecords;
use weir_core::port::{BrokerError, Producer, Sent, Ticket, TransactionalProducer};

use crate::broker::{beside, joined};
use crate::errors::classified;
use crate::native::{Client, KafkaError};
use crate::producer::KafkaProducer;

/// The wait before they are asked again.
const BREATH: Duration = Duration::from_millis(20);

/// How long what was sent may take to be answered before a transaction is given up.
const SETTLED: Duration = Duration::from_secs(5);

/// How long brokers are asked at a time to hand a transactional id over.
const TAKE_OVER: Duration = Duration::from_millis(500);

pub(crate) struct KafkaTransactions {
    producer: KafkaProducer,
    client: Arc<Client>,
    /// How long brokers are waited for.
    wait: Duration,
    begun: bool,
    /// Why the transaction that has begun cannot be committed.
    failed: Option<BrokerError>,
}

impl KafkaTransactions {
    /// Takes the transactional id of a client over.
    pub async fn begin(client: Client, wait: Duration) -> Result<KafkaTransactions, BrokerError> {
        let client = Arc::new(client);
        let producer = KafkaProducer::new(client.clone()).giving_up();
        tokio::select! {
            biased;
            taken = take_over(&client, wait) => taken?,
            denied = denied(&client) => return Err(denied),
        }
        Ok(KafkaTransactions { producer, client, wait, begun: false, failed: None })
    }

    fn note(&mut self, sent: &[Sent]) {
        if self.failed.is_none() {
            self.failed = sent.iter().find_map(|sent| sent.outcome.clone().err());
        }
    }

    async fn all_answered(&mut self) -> Vec<Sent> {
        let mut all = Vec::new();
        while self.producer.unanswered_bytes() > 0 {
            all.extend(self.producer.answers().await);
        }
        all
    }
}

/// Cancelled when whoever waits has gone.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes the client's transactional id over, as long as somebody waits for it: who takes it over later than another would
/// fence that one.
async fn take_over(client: &Arc<Client>, wait: Duration) -> Result<(), BrokerError> {
    let waits = Waits(Arc::default());
    let (client, gone, until) = (client.clone(), waits.0.clone(), Instant::now() + wait);
    joined(beside(move || {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match client.init_transactions(left.min(TAKE_OVER)) {
                // It says why it has not come about yet, and goes on when it is asked again.
                Err(error)
                    if matches!(classified(error.clone()), BrokerError::Unavailable(_))
                        && left > TAKE_OVER
                        && !gone.load(Ordering::Relaxed) =>
                {
                    std::thread::sleep(BREATH);
                }
                taken => return taken,
            }
        }
    }))
    .await
}

/// Why a broker does not let the client log in, once one has not. Nothing else is answered before anything is sent.
async fn denied(client: &Client) -> BrokerError {
    loop {
        client.deliveries(1, drop);
        if let Some(denied) = client.denied() {
            return classified(denied.clone());
        }
        client.woken().await;
    }
}

/// Makes a call that waits for brokers.
async fn ask(
    client: &Arc<Client>,
    wait: Duration,
    call: fn(&Client, Duration) -> Result<(), KafkaError>,
) -> Result<(), BrokerError> {
    let client = client.clone();
    joined(beside(move || call(&client, wait))).await
}

#[async_trait]
impl Producer for KafkaTransactions {
    fn send(&mut self, records: RawRecords, tickets: &[Ticket]) -> Result<(), BrokerError> {
        if !self.begun {
            self.client.begin_transaction().map_err(classified)?;
            self.begun = true;
        }
        self.producer.send(records, tickets)
    }

    fn unanswered_bytes(&self) -> usize {
        self.producer.unanswered_bytes()
    }

    async fn answers(&mut self) -> Vec<Sent> {
        let sent = self.producer.answers().await;
        self.note(&sent);
        sent
    }
}

#[async_trait]
impl TransactionalProducer for KafkaTransactions {
    async fn commit(&mut self) -> Result<Vec<Sent>, BrokerError> {
        let sent = self.all_answered().await;
        self.note(&sent);
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.begun {
            ask(&self.client, self.wait, Client::commit_transaction).await?;
            self.begun = false;
        }
        Ok(sent)
    }

    async fn abort(&mut self) -> Result<(), BrokerError> {
        if self.begun {
            // Of a transaction that is given up before its brokers know of it, librdkafka says that it ends, which they take
            // for an error and it for the end of the producer.
            let _ = timeout(SETTLED, async {
                while self.producer.unanswered_bytes() > 0 {
                    self.producer.answers().await;
                }
            })
            .await;
            let mut aborting = std::pin::pin!(ask(&self.client, self.wait, Client::abort_transaction));
            // What is dropped is answered while it is waited for, and is waited for until it is.
            loop {
                tokio::select! {
                    biased;
                    aborted = &mut aborting => break aborted?,
                    _ = self.producer.answers() => {}
                }
            }
            self.begun = false;
        }
        self.all_answered().await;
        self.failed = None;
        Ok(())
    }
}

//! What a consumer subscribes to: a list as it is, a pattern as the topics that match now and are looked for again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};
use weir_core::model::Pattern;
use weir_core::port::BrokerError;

use crate::broker::beside;
use crate::native::{Admin, Client, KafkaError};

/// Topics that Kafka keeps for itself; patterns match them only where `exclude.internal.topics` is false.
const INTERNAL: &[&str] = &["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// A pattern, and the topics that it matched last.
#[derive(Clone)]
pub(crate) struct Watch {
    pub pattern: Pattern,
    pub internal_too: bool,
    pub every: Duration,
    /// How long one look may take.
    pub wait: Duration,
    pub matched: Vec<String>,
}

impl Watch {
    /// Looks for topics and subscribes to them where they changed. Waits for the broker.
    pub fn look(&mut self, client: &Client) -> Result<(), KafkaError> {
        let mut matched = Admin { client, wait: self.wait }.topics()?;
        matched.retain(|name| self.pattern.matches(name) && (self.internal_too || !INTERNAL.contains(&name.as_str())));
        matched.sort();
        if matched != self.matched {
            info!(topics = matched.len(), "topics that match the pattern changed");
            client.subscribe(&matched)?;
            self.matched = matched;
        }
        Ok(())
    }
}

/// Looks again and again, beside whoever polls.
pub(crate) struct Watcher {
    watch: Watch,
    due: Instant,
    looking: Option<JoinHandle<(Watch, Result<(), KafkaError>)>>,
}

impl Watcher {
    /// The first look was at the moment.
    pub fn new(watch: Watch) -> Watcher {
        Watcher { due: Instant::now() + watch.every, watch, looking: None }
    }

    /// Waits for the next look and does it. Cancel safe.
    pub async fn look(&mut self, client: &Arc<Client>) -> Result<(), BrokerError> {
        loop {
            let Some(looking) = &mut self.looking else {
                tokio::time::sleep_until(self.due).await;
                let (mut watch, client) = (self.watch.clone(), client.clone());
                self.looking = Some(beside(move || {
                    let looked = watch.look(&client);
                    (watch, looked)
                }));
                continue;
            };
            let looked = looking.await;
            self.looking = None;
            self.due = Instant::now() + self.watch.every;
            match looked {
                Ok((watch, Ok(()))) => self.watch = watch,
                Ok((_, Err(e))) => warn!("topics could not be listed, trying again: {}", e.message),
                Err(e) => return Err(BrokerError::Unavailable(format!("listing topics: {e}"))),
            }
        }
    }
}

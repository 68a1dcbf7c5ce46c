//! The other workers of the group, as a worker speaks to them over their REST.

use async_trait::async_trait;

use crate::model::Config;

/// A key with which workers sign their requests to each other (KIP-507).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The key.
    pub key: Vec<u8>,
    /// What it is a key for, by Java's names: `HmacSHA256`.
    pub algorithm: String,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({}, {} bytes, {})", self.algorithm, self.key.len(), self.created)
    }
}

/// Other workers.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Gives the leader at a URL the task configurations that a connector wants, signed with the key if there is one. The
    /// error is for the log.
    async fn submit_tasks(
        &self,
        leader: &str,
        connector: &str,
        configs: &[Config],
        key: Option<&SessionKey>,
    ) -> Result<(), String>;

    /// Has the leader at a URL fence older tasks of a source connector, signed likewise. The error says why it did not.
    async fn fence(&self, leader: &str, connector: &str, key: Option<&SessionKey>) -> Result<(), String>;

    /// Makes a key for requests between workers, of the worker's algorithm and size, made now.
    fn new_key(&self) -> Result<SessionKey, String>;

    /// Whether a key is the kind that this worker makes and not older than `inter.worker.key.ttl.ms`.
    fn is_current(&self, key: &SessionKey) -> bool;
}

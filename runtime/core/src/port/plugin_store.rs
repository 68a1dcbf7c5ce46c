//! Where uploaded plugins are kept.

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;

/// Keeps uploaded plugins by the hash of their bytes, over restarts.
#[async_trait]
pub trait PluginStore: Send + Sync {
    /// The hashes of all plugins, in no order.
    async fn hashes(&self) -> Result<Vec<String>, StoreError>;

    /// A plugin's bytes; none when it is not there, or when what is there is not what the hash says.
    async fn get(&self, hash: &str) -> Result<Option<Bytes>, StoreError>;

    /// Keeps a plugin. Returns once it is safe; keeping one again changes nothing.
    async fn put(&self, hash: &str, wasm: Bytes) -> Result<(), StoreError>;

    /// Forgets a plugin, if it is there.
    async fn remove(&self, hash: &str) -> Result<(), StoreError>;
}

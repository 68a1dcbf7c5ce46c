//! Uploaded plugins: read, compiled, checked, kept, and known to the worker at once, or refused without a trace.

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use weir_core::model::Refusal;
use weir_core::plugin::Registry;
use weir_core::port::{Component, PluginStore, Plugins};

/// Uploads that are read and compiled at a time: each holds its bytes in memory.
const AT_ONCE: usize = 2;
/// Uploads that may wait for their turn.
const WAITING: usize = 8;

/// Why an upload was refused, by what its sender can do.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The bytes are not a plugin.
    #[error("{0}")]
    Unfit(String),
    /// Too many bytes.
    #[error("{0}")]
    TooLarge(String),
    /// A name or version is taken.
    #[error("{0}")]
    Conflict(String),
    /// The worker has no place for plugins.
    #[error("uploads are off: the worker has no plugin.upload.dir, its operator has to set it")]
    Off,
    /// Others upload.
    #[error("{AT_ONCE} plugins are being looked at and {WAITING} are waiting: try again later")]
    Busy,
    /// The worker could not look at it or keep it.
    #[error("{0}")]
    Unavailable(String),
}

/// A plugin that was taken.
pub struct Taken {
    /// The plugin.
    pub component: Arc<dyn Component>,
    /// Whether it was not there before.
    pub new: bool,
}

/// Takes uploads.
pub struct Uploads {
    plugins: Arc<dyn Plugins>,
    registry: Arc<RwLock<Registry>>,
    store: Option<Arc<dyn PluginStore>>,
    bytes_max: u64,
    data: Handle,
    turns: Semaphore,
    waiting: Semaphore,
    /// What is checked against the registry and then kept must not meet another.
    keeping: Mutex<()>,
}

impl Uploads {
    /// Uploads into a store; none takes no uploads. `data` is where guests run.
    pub fn new(
        plugins: Arc<dyn Plugins>,
        registry: Arc<RwLock<Registry>>,
        store: Option<Arc<dyn PluginStore>>,
        bytes_max: u64,
        data: Handle,
    ) -> Uploads {
        Uploads {
            plugins,
            registry,
            store,
            bytes_max,
            data,
            turns: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(AT_ONCE + WAITING),
            keeping: Mutex::new(()),
        }
    }

    fn too_large(&self, size: &str) -> UploadError {
        let limit = self.bytes_max;
        UploadError::TooLarge(format!("the plugin has {size} bytes, plugin.upload.max.bytes allows {limit} bytes"))
    }

    /// Takes a plugin in, or says why not.
    pub async fn take(&self, length: Option<u64>, body: Body) -> Result<Taken, UploadError> {
        let store = self.store.as_ref().ok_or(UploadError::Off)?;
        if let Some(length) = length.filter(|length| *length > self.bytes_max) {
            return Err(self.too_large(&length.to_string()));
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| UploadError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|_| UploadError::Busy)?;
        let limit = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
        let wasm = axum::body::to_bytes(body, limit).await.map_err(|error| {
            let too_large = std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("limit"));
            if too_large {
                self.too_large("more")
            } else {
                UploadError::Unfit(format!("the upload ended early: {error}"))
            }
        })?;
        // On the data runtime: hashing, writing and loading code takes time that requests should not wait for.
        let (plugins, bytes) = (self.plugins.clone(), wasm.clone());
        let loaded = self.data.spawn(async move { plugins.load(bytes).await }).await;
        let loaded = loaded.map_err(|error| UploadError::Unavailable(format!("loading it broke off: {error}")))?;
        let component = loaded.map_err(|refusal| match refusal {
            Refusal::Unfit(reason) => UploadError::Unfit(reason),
            Refusal::TooLarge { .. } => UploadError::TooLarge(refusal.to_string()),
            Refusal::Conflict(reason) => UploadError::Conflict(reason),
            Refusal::Unavailable(reason) => UploadError::Unavailable(reason),
        })?;
        let hash = component.hash().to_owned();
        let kept = self.keep(&**store, component, wasm).await;
        if kept.is_err() && !self.registry.read().unwrap_or_else(PoisonError::into_inner).has_component(&hash) {
            self.plugins.forget(&hash);
        }
        kept
    }

    async fn keep(
        &self,
        store: &dyn PluginStore,
        component: Arc<dyn Component>,
        wasm: Bytes,
    ) -> Result<Taken, UploadError> {
        let _alone = self.keeping.lock().await;
        let mut next = self.registry.read().unwrap_or_else(PoisonError::into_inner).clone();
        let known = next.has_component(component.hash());
        next.add(component.clone(), false).map_err(|conflict| UploadError::Conflict(conflict.to_string()))?;
        let not_kept = |error| UploadError::Unavailable(format!("the plugin cannot be kept: {error}"));
        // One that came from plugin.path is kept too: its file may go.
        let kept = store.hashes().await.map_err(not_kept)?;
        if !kept.iter().any(|hash| hash == component.hash()) {
            store.put(component.hash(), wasm).await.map_err(not_kept)?;
        }
        if !known {
            *self.registry.write().unwrap_or_else(PoisonError::into_inner) = next;
            let classes: Vec<&str> = component.classes().iter().map(|class| class.name.as_str()).collect();
            tracing::info!(sha256 = component.hash(), size = component.size(), ?classes, "plugin uploaded");
        }
        Ok(Taken { component, new: !known })
    }
}

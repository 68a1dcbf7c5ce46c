//! Uploaded plugins: read, compiled, checked, kept, and known to the worker at once, or refused without a trace.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use weir_core::model::Refusal;
use weir_core::plugin::Registry;
use weir_core::port::{Component, PluginStore, Plugins};

use crate::upload_body::{BodyError, UploadBody};

/// Uploads that are compiled at a time: each holds its bytes in memory.
const AT_ONCE: usize = 2;
/// Uploads that are on their way or wait for their turn: each holds its bytes on disk.
const PLACES: usize = 16;

/// Why an upload was refused, by what its sender can do.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The bytes are not a plugin.
    #[error("{0}")]
    Unfit(String),
    /// Too many bytes.
    #[error("{0}")]
    TooLarge(String),
    /// The bytes did not come.
    #[error("{0}")]
    Slow(String),
    /// A name or version is taken.
    #[error("{0}")]
    Conflict(String),
    /// The worker has no place for plugins.
    #[error("uploads are off: the worker has no plugin.upload.dir, its operator has to set it")]
    Off,
    /// Others upload.
    #[error("{PLACES} uploads are under way, more are not taken at a time: try again later")]
    Busy,
    /// The worker could not look at it or keep it.
    #[error("{0}")]
    Unavailable(String),
}

impl From<BodyError> for UploadError {
    fn from(error: BodyError) -> UploadError {
        let text = error.to_string();
        match error {
            BodyError::TooLarge { .. } => UploadError::TooLarge(text),
            BodyError::Silent => UploadError::Slow(text),
            BodyError::Broken(_) => UploadError::Unfit(text),
            BodyError::NoRoom { .. } => UploadError::Unavailable(text),
        }
    }
}

impl From<Refusal> for UploadError {
    fn from(refusal: Refusal) -> UploadError {
        match refusal {
            Refusal::Unfit(reason) => UploadError::Unfit(reason),
            Refusal::TooLarge { .. } => UploadError::TooLarge(refusal.to_string()),
            Refusal::Conflict(reason) => UploadError::Conflict(reason),
            Refusal::Unavailable(reason) => UploadError::Unavailable(reason),
        }
    }
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
    bodies: PathBuf,
    bytes_max: u64,
    data: Handle,
    places: Arc<Semaphore>,
    turns: Semaphore,
    /// What is checked against the registry and then kept must not meet another.
    keeping: Mutex<()>,
}

impl Uploads {
    /// Uploads into a store; none takes no uploads. Bodies are put down in the directory `bodies` while they come.
    /// `data` is where guests run.
    pub fn new(
        plugins: Arc<dyn Plugins>,
        registry: Arc<RwLock<Registry>>,
        store: Option<Arc<dyn PluginStore>>,
        bodies: PathBuf,
        bytes_max: u64,
        data: Handle,
    ) -> Uploads {
        let (places, turns) = (Arc::new(Semaphore::new(PLACES)), Semaphore::new(AT_ONCE));
        Uploads { plugins, registry, store, bodies, bytes_max, data, places, turns, keeping: Mutex::new(()) }
    }

    /// Takes a plugin in, or says why not.
    pub async fn take(self: &Arc<Self>, length: Option<u64>, body: Body) -> Result<Taken, UploadError> {
        let store = self.store.clone().ok_or(UploadError::Off)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| UploadError::Busy)?;
        let body = UploadBody::receive(body, length, self.bytes_max, &self.bodies).await?;
        let uploads = self.clone();
        // On the data runtime: hashing, writing and loading code takes time that requests should not wait for. By itself:
        // when whoever asked is gone, it still comes to an end that leaves nothing half done.
        let taken = self.data.spawn(async move {
            let _place = place;
            uploads.look_at(&*store, body).await
        });
        taken.await.map_err(|error| UploadError::Unavailable(format!("loading it broke off: {error}")))?
    }

    async fn look_at(&self, store: &dyn PluginStore, body: UploadBody) -> Result<Taken, UploadError> {
        let _turn = self.turns.acquire().await.map_err(|_| UploadError::Busy)?;
        let wasm = body.bytes().await?;
        let component = self.plugins.load(wasm.clone()).await?;
        let hash = component.hash().to_owned();
        let kept = self.keep(store, component, wasm).await;
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

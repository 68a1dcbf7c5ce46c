//! Live instances: the guest's store, its exports, and the schemas it knows.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::InstancePre;
use weir_core::model::{Config, Fault, Limits};
use weir_core::port::Context;

use crate::call::{Deadline, Guest};
use crate::engine::Engine;
use crate::schema_table::SchemaTable;
use crate::state::GuestState;

/// Instantiates a component within the deadline of a start, and finds one of its exports.
pub(crate) async fn instantiate<E: Send>(
    engine: &Engine,
    pre: &InstancePre<GuestState>,
    context: Context,
    load: impl FnOnce(&mut Store<GuestState>, &wasmtime::component::Instance) -> wasmtime::Result<E> + Send,
) -> Result<(Guest, E), Fault> {
    let deadline = Deadline::new("task.start.timeout.ms", context.limits.start);
    let mut guest = Guest::new(engine, context)?;
    let exports = guest
        .call("instantiate", deadline, |mut store| async move {
            let exports = match pre.instantiate_async(&mut store).await {
                Ok(instance) => load(&mut store, &instance),
                Err(error) => Err(error),
            };
            (store, exports)
        })
        .await?;
    Ok((guest, exports))
}

/// A live instance with the exports `E`.
pub(crate) struct Live<E> {
    pub guest: Guest,
    pub exports: E,
    pub schemas: SchemaTable,
    pub class: std::sync::Arc<str>,
    pub config: std::sync::Arc<Config>,
    pub limits: std::sync::Arc<Limits>,
}

impl<E: Send> Live<E> {
    pub async fn new(
        engine: &Engine,
        pre: &InstancePre<GuestState>,
        context: Context,
        load: impl FnOnce(&mut Store<GuestState>, &wasmtime::component::Instance) -> wasmtime::Result<E> + Send,
    ) -> Result<Live<E>, Fault> {
        let (class, config, limits) = (context.class.clone(), context.config.clone(), context.limits.clone());
        let (guest, exports) = instantiate(engine, pre, context, load).await?;
        Ok(Live { guest, exports, schemas: SchemaTable::default(), class, config, limits })
    }

    pub fn start(&self) -> Deadline {
        Deadline::new("task.start.timeout.ms", self.limits.start)
    }

    /// The deadline of a call that waits by itself for up to `max_wait`.
    pub fn waiting(&self, max_wait: Duration) -> Deadline {
        Deadline { key: "task.poll.timeout.ms", limit: self.limits.poll_beyond, wait: max_wait }
    }

    pub fn put(&self) -> Deadline {
        Deadline::new("task.put.timeout.ms", self.limits.put)
    }

    pub fn other(&self) -> Deadline {
        Deadline::new("task.call.timeout.ms", self.limits.other)
    }
}

/// A configuration as a call borrows it.
pub(crate) fn lower_config(config: &Config) -> Vec<(&str, &str)> {
    config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Calls an export by name under a deadline and answers what it says, its own error as a fault.
macro_rules! call {
    ($live:expr, $name:literal, $deadline:expr, $method:ident($($arg:expr),*)) => {{
        let deadline = $deadline;
        let exports = &$live.exports;
        let answer = $live
            .guest
            .call($name, deadline, |mut store| async move {
                let answer = exports.$method(&mut store, $($arg),*).await;
                (store, answer)
            })
            .await?;
        answer.map_err($crate::call::fault)
    }};
}
pub(crate) use call;

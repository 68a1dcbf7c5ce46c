//! What the host keeps for one instance: its WASI context, its limits, its log, and what it has used.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use weir_core::model::{Fault, Limit, Limits};
use weir_core::observe::InstanceMemory;
use weir_core::port::Context;

use crate::admission::Share;
use crate::call::Slice;
use crate::engine::Engine;
use crate::files::{self, FilesView, NamedFiles};
use crate::http::GrantedHttp;
use crate::log_lines::LogLines;
use crate::sockets::{self, LookupView};

/// Host resources that a guest may hold at a time.
const HANDLES: usize = 1_000;
/// Bytes that a table's element is charged with.
const ELEMENT: u64 = 16;

/// Bounds linear memories and tables together, and how many of each there may be.
pub(crate) struct Memory {
    limits: Arc<Limits>,
    used: InstanceMemory,
    /// Set when the limit was hit.
    pub hit: Option<Limit>,
}

impl Memory {
    fn grow(&mut self, current: u64, desired: u64) -> wasmtime::Result<bool> {
        let asked = self.used.bytes().saturating_sub(current).saturating_add(desired);
        let limit = self.limits.memory_bytes;
        if asked > limit {
            let hit = Limit::Memory { key: "task.memory.max.bytes", limit, asked };
            let message = hit.to_string();
            self.hit = Some(hit);
            return Err(wasmtime::Error::msg(message));
        }
        self.used.set(asked);
        Ok(true)
    }
}

impl wasmtime::ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current as u64, desired as u64)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current as u64 * ELEMENT, (desired as u64).saturating_mul(ELEMENT))
    }

    fn instances(&self) -> usize {
        self.limits.core_instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

/// The store's data.
pub(crate) struct GuestState {
    pub context: Context,
    pub log: LogLines,
    pub memory: Memory,
    pub slice: Arc<Slice>,
    pub share: Arc<Share>,
    /// Whether a metric of the guest's own was refused, which is logged once.
    pub metric_refused: bool,
    pub table: ResourceTable,
    names: NamedFiles,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    granted_http: GrantedHttp,
}

impl GuestState {
    pub fn new(context: Context, slice: Arc<Slice>, share: Arc<Share>, engine: &Engine) -> Result<GuestState, Fault> {
        let log = LogLines::new(context.owner.clone(), &context.limits, context.meter.clone());
        let mut builder = WasiCtx::builder();
        builder.stderr(log.clone());
        if context.grants.stdout {
            builder.inherit_stdout();
        } else {
            builder.stdout(log.clone());
        }
        if context.grants.stdin {
            builder.inherit_stdin();
        }
        let granted_http = GrantedHttp::new(&context, engine.authorities().clone(), log.clone());
        let names = files::open(&mut builder, &context.grants.paths)?;
        sockets::open(&mut builder, &context.grants, &log);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Ok(GuestState {
            memory: Memory {
                limits: context.limits.clone(),
                used: InstanceMemory::new(context.meter.clone()),
                hit: None,
            },
            log,
            slice,
            share,
            metric_refused: false,
            table,
            names,
            wasi: builder.build(),
            http: WasiHttpCtx::new(),
            granted_http,
            context,
        })
    }
}

impl GuestState {
    /// WASI's files, as far as they are granted.
    pub fn files(&mut self) -> FilesView<'_> {
        let wasi = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table };
        FilesView::new(wasi, &mut self.names)
    }
}

impl GuestState {
    /// WASI's name look-up, as far as names are granted.
    pub fn lookup(&mut self) -> LookupView<'_> {
        let wasi = WasiSocketsCtxView { ctx: self.wasi.sockets(), table: &mut self.table };
        LookupView::new(wasi, &self.context.grants)
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.granted_http }
    }
}

//! Components: what they import and export is checked, they say what they are, and instances are made of them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{InstancePre, Linker};
use weir_core::model::{Class, ClassKind, Fault, Grants, Limits, Recommendation, Refusal};
use weir_core::observe::GuestMeter;
use weir_core::port::{
    Compilation, Component, ConnectorKind, Context, Instance, Plugins, SinkTask, SourceTask, Transformations,
};

use crate::bindings::exports::weir::connect as exports;
use crate::call::Deadline;
use crate::compilations::Compilations;
use crate::compile::{CompileError, Compiler};
use crate::connector::{SinkConnector, SourceConnector};
use crate::describe;
use crate::engine::Engine;
use crate::host;
use crate::instance::{Live, instantiate, lower_config};
use crate::state::GuestState;
use crate::tls::Authorities;

/// Runs plugins as WebAssembly components.
pub struct WasmPlugins {
    engine: Engine,
    linker: Linker<GuestState>,
    compiler: Compiler,
    limits: Arc<Limits>,
    size_max: u64,
}

impl WasmPlugins {
    /// Plugins that are compiled by `compiler`, asked what they are within `limits`, and have at most `size_max` bytes
    /// (`plugin.upload.max.bytes`). Their TLS trusts `authorities`.
    pub fn new(
        compiler: Compiler,
        limits: Limits,
        size_max: u64,
        authorities: Authorities,
    ) -> wasmtime::Result<WasmPlugins> {
        let engine = Engine::new(limits.stack_bytes, authorities)?;
        let linker = host::linker(engine.wasmtime())?;
        Ok(WasmPlugins { engine, linker, compiler, limits: Arc::new(limits), size_max })
    }
}

/// Which of the contract's interfaces a component exports.
struct Indices {
    plugin: exports::plugin::GuestIndices,
    source: Option<(exports::source_connector::GuestIndices, exports::source_task::GuestIndices)>,
    sink: Option<(exports::sink_connector::GuestIndices, exports::sink_task::GuestIndices)>,
    transformations: Option<exports::transformations::GuestIndices>,
}

/// A component that was loaded.
pub(crate) struct WasmComponent {
    engine: Engine,
    pre: InstancePre<GuestState>,
    indices: Indices,
    hash: String,
    size: u64,
    imports: Vec<String>,
    classes: Vec<Class>,
    compilations: Compilations,
}

fn unfit(reason: impl std::fmt::Display) -> Refusal {
    Refusal::Unfit(reason.to_string())
}

/// Tells components from everything else by their first eight bytes, so that the refusal can name what was sent.
fn check_preamble(wasm: &[u8]) -> Result<(), Refusal> {
    match wasm.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(unfit(
            "this is a core WebAssembly module, not a component: build it for wasm32-wasip2 (cargo build --target \
             wasm32-wasip2) or wrap it with wasm-tools component new",
        )),
        Some([0, b'a', b's', b'm', ..]) => Err(unfit("this is WebAssembly of a version that weir does not know")),
        Some([0x7f, b'E', b'L', b'F', ..]) => {
            Err(unfit("this is native or precompiled code, which is never accepted: send the .wasm component"))
        }
        Some(_) => Err(unfit("this is not WebAssembly: it does not begin with \\0asm")),
        None => Err(unfit(format!("{} bytes are not WebAssembly", wasm.len()))),
    }
}

/// The name that a component exports an interface of the contract by.
fn full_name(interface: &str) -> String {
    format!("weir:connect/{interface}@0.1.0")
}

/// The indices of one interface, which are none when it is not exported.
fn find<I>(
    pre: &InstancePre<GuestState>,
    interface: &str,
    indices: fn(&InstancePre<GuestState>) -> wasmtime::Result<I>,
) -> Result<Option<I>, Refusal> {
    let name = full_name(interface);
    if pre.component().get_export_index(None, &name).is_none() {
        return Ok(None);
    }
    indices(pre).map(Some).map_err(|error| unfit(format!("its {name} is not the contract's: {error:#}")))
}

/// The indices of a connector's two interfaces, of which a component has both or none.
fn both<C, T>(kind: &str, connector: Option<C>, task: Option<T>) -> Result<Option<(C, T)>, Refusal> {
    let half = |half: &str, whole: &str| {
        unfit(format!("it exports {kind}-{half} without {kind}-{whole}: a connector needs both"))
    };
    match (connector, task) {
        (Some(connector), Some(task)) => Ok(Some((connector, task))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half("connector", "task")),
        (None, Some(_)) => Err(half("task", "connector")),
    }
}

fn exported(pre: &InstancePre<GuestState>) -> Result<Indices, Refusal> {
    let plugin = find(pre, "plugin", exports::plugin::GuestIndices::new)?.ok_or_else(|| {
        unfit(format!("it is a component for another world: it does not export {}", full_name("plugin")))
    })?;
    let source_connector = find(pre, "source-connector", exports::source_connector::GuestIndices::new)?;
    let source_task = find(pre, "source-task", exports::source_task::GuestIndices::new)?;
    let sink_connector = find(pre, "sink-connector", exports::sink_connector::GuestIndices::new)?;
    let sink_task = find(pre, "sink-task", exports::sink_task::GuestIndices::new)?;
    let transformations = find(pre, "transformations", exports::transformations::GuestIndices::new)?;
    let source = both("source", source_connector, source_task)?;
    let sink = both("sink", sink_connector, sink_task)?;
    Ok(Indices { plugin, source, sink, transformations })
}

impl Indices {
    /// Finds the plugin interface in an instance, and checks the types of every interface there is: indices know names
    /// only.
    fn load(
        &self,
        store: &mut Store<GuestState>,
        instance: &wasmtime::component::Instance,
    ) -> Result<exports::plugin::Guest, Refusal> {
        let differs = |interface: &'static str| {
            move |error| unfit(format!("its {} has other types than the contract's: {error:#}", full_name(interface)))
        };
        if let Some((connector, task)) = &self.source {
            connector.load(&mut *store, instance).map_err(differs("source-connector"))?;
            task.load(&mut *store, instance).map_err(differs("source-task"))?;
        }
        if let Some((connector, task)) = &self.sink {
            connector.load(&mut *store, instance).map_err(differs("sink-connector"))?;
            task.load(&mut *store, instance).map_err(differs("sink-task"))?;
        }
        if let Some(transformations) = &self.transformations {
            transformations.load(&mut *store, instance).map_err(differs("transformations"))?;
        }
        self.plugin.load(store, instance).map_err(differs("plugin"))
    }
}

fn check_kinds(classes: &[Class], indices: &Indices) -> Result<(), Refusal> {
    for class in classes {
        let (there, interface) = match class.kind {
            ClassKind::Source => (indices.source.is_some(), "source-connector and source-task"),
            ClassKind::Sink => (indices.sink.is_some(), "sink-connector and sink-task"),
            ClassKind::Transformation | ClassKind::Predicate => (indices.transformations.is_some(), "transformations"),
        };
        if !there {
            return Err(unfit(format!("it describes class {} but does not export {interface}", class.name)));
        }
    }
    Ok(())
}

#[async_trait]
impl Plugins for WasmPlugins {
    async fn load(&self, wasm: Bytes) -> Result<Arc<dyn Component>, Refusal> {
        let size = wasm.len() as u64;
        if size > self.size_max {
            return Err(Refusal::TooLarge { size, limit: self.size_max });
        }
        check_preamble(&wasm)?;
        let hash: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        let component = self.compiler.component(&self.engine, &hash, &wasm).await.map_err(|error| match error {
            CompileError::Unfit(reason) => unfit(format!("it does not compile: {reason}")),
            CompileError::TooSlow(_) => unfit(error),
            CompileError::Unavailable(reason) => Refusal::Unavailable(reason),
        })?;
        let checked = self.check(component, hash.clone(), size).await;
        if checked.is_err() {
            self.forget(&hash);
        }
        Ok(Arc::new(checked?))
    }

    fn forget(&self, hash: &str) {
        self.compiler.forget(&self.engine, hash);
    }
}

impl WasmPlugins {
    /// Looks at what a component imports, exports and says of itself.
    async fn check(
        &self,
        component: wasmtime::component::Component,
        hash: String,
        size: u64,
    ) -> Result<WasmComponent, Refusal> {
        let imports: Vec<String> =
            component.component_type().imports(self.engine.wasmtime()).map(|(name, _)| name.to_owned()).collect();
        let pre = self.linker.instantiate_pre(&component).map_err(|error| {
            unfit(format!("it imports what weir does not have (it imports {}): {error:#}", imports.join(", ")))
        })?;
        let indices = exported(&pre)?;
        let classes = self.describe(&pre, &indices, &hash).await?;
        check_kinds(&classes, &indices)?;
        let (engine, compilations) = (self.engine.clone(), self.compiler.done.clone());
        Ok(WasmComponent { engine, pre, indices, hash, size, imports, classes, compilations })
    }

    async fn describe(
        &self,
        pre: &InstancePre<GuestState>,
        indices: &Indices,
        hash: &str,
    ) -> Result<Vec<Class>, Refusal> {
        let context = Context {
            owner: Arc::from(format!("plugin {}", &hash[..12])),
            tenant: "".into(),
            class: Arc::from(""),
            config: Arc::default(),
            grants: Arc::new(Grants::default()),
            limits: self.limits.clone(),
            offsets: None,
            errants: None,
            wishes: None,
            stopping: Default::default(),
            meter: Arc::new(GuestMeter::default()),
        };
        let broken = |fault: Fault| unfit(format!("it cannot say what it is: {fault}"));
        let (mut guest, plugin) =
            instantiate(&self.engine, pre, context, |store, instance| Ok(indices.load(store, instance)))
                .await
                .map_err(broken)?;
        let plugin = plugin?;
        let deadline = Deadline::new("task.call.timeout.ms", self.limits.other);
        let described = guest
            .call("describe", deadline, |mut store| async move {
                let described = plugin.call_describe(&mut store).await;
                (store, described)
            })
            .await
            .map_err(broken)?;
        describe::classes(described).map_err(unfit)
    }
}

impl WasmComponent {
    fn missing(&self, interface: &str) -> Fault {
        Fault::Fatal(format!("component {} does not export {interface}", self.hash))
    }
}

#[async_trait]
impl Component for WasmComponent {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn imports(&self) -> &[String] {
        &self.imports
    }

    fn classes(&self) -> &[Class] {
        &self.classes
    }

    fn compilation(&self) -> Compilation {
        self.compilations.of(&self.hash)
    }

    async fn connector(&self, kind: ConnectorKind, context: Context) -> Result<Box<dyn Instance>, Fault> {
        match kind {
            ConnectorKind::Source => {
                let (indices, _) = self.indices.source.as_ref().ok_or_else(|| self.missing("source-connector"))?;
                let load = |store: &mut Store<GuestState>, i: &_| indices.load(store, i);
                Ok(Box::new(SourceConnector(Live::new(&self.engine, &self.pre, context, load).await?)))
            }
            ConnectorKind::Sink => {
                let (indices, _) = self.indices.sink.as_ref().ok_or_else(|| self.missing("sink-connector"))?;
                let load = |store: &mut Store<GuestState>, i: &_| indices.load(store, i);
                Ok(Box::new(SinkConnector(Live::new(&self.engine, &self.pre, context, load).await?)))
            }
        }
    }

    async fn source_task(&self, context: Context) -> Result<Box<dyn SourceTask>, Fault> {
        let (_, indices) = self.indices.source.as_ref().ok_or_else(|| self.missing("source-task"))?;
        let load = |store: &mut Store<GuestState>, i: &_| indices.load(store, i);
        Ok(Box::new(crate::source::Task(Live::new(&self.engine, &self.pre, context, load).await?)))
    }

    async fn sink_task(&self, context: Context) -> Result<Box<dyn SinkTask>, Fault> {
        let (_, indices) = self.indices.sink.as_ref().ok_or_else(|| self.missing("sink-task"))?;
        let load = |store: &mut Store<GuestState>, i: &_| indices.load(store, i);
        Ok(Box::new(crate::sink::Task(Live::new(&self.engine, &self.pre, context, load).await?)))
    }

    async fn transformations(&self, context: Context) -> Result<Box<dyn Transformations>, Fault> {
        let indices = self.indices.transformations.as_ref().ok_or_else(|| self.missing("transformations"))?;
        let load = |store: &mut Store<GuestState>, i: &_| indices.load(store, i);
        Ok(Box::new(crate::chain::Chain::new(Live::new(&self.engine, &self.pre, context, load).await?)))
    }

    async fn recommend(&self, context: Context) -> Result<Vec<Recommendation>, Fault> {
        let (class, config) = (context.class.clone(), context.config.clone());
        let load = |store: &mut Store<GuestState>, i: &_| self.indices.plugin.load(store, i);
        let mut live = Live::new(&self.engine, &self.pre, context, load).await?;
        let (config, plugin, deadline) = (lower_config(&config), &live.exports, live.other());
        let recommend = async |mut store: Store<GuestState>| {
            let answer = plugin.call_recommend(&mut store, &class, &config).await;
            (store, answer)
        };
        let answered = live.guest.call("recommend", deadline, recommend).await?;
        Ok(answered.into_iter().map(describe::recommendation).collect())
    }
}

//! What was built, instances of guests, and waiting with a deadline.

pub mod apicurio;
pub mod certificates;
pub mod difference;
pub mod fakes;
pub mod http;
pub mod kafka;
pub mod polling;
pub mod proxy;
pub mod python;
pub mod scenario;
pub mod server;
pub mod tls_front;
pub mod unfit;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use weir_core::model::{Config, Grants, Limits};
use weir_core::observe::GuestMeter;
use weir_core::port::{Broker, Component, Context, NewTopic, Plugins};
use weir_kafka::KafkaBroker;
use weir_wasm::{Authorities, CompileBounds, Compiler, WasmPlugins};

/// The bytes that a source is asked for at a time.
pub const BATCH: usize = 1 << 20;

/// A file below the clone's `out/`, where make puts what it builds.
pub fn built(path: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../out").join(path);
    assert!(file.exists(), "{} is missing: run make build", file.display());
    file
}

/// The program itself: the one that make built for tests, or for benchmarks.
pub fn weir() -> PathBuf {
    built(if cfg!(debug_assertions) { "weir" } else { "release/weir" })
}

/// The bytes of a guest.
pub fn guest(name: &str) -> Vec<u8> {
    std::fs::read(built(&format!("guests/{name}.wasm"))).expect("a guest that was built can be read")
}

/// Plugins, compiled by the built weir into a directory that all tests share, as workers do.
pub fn plugins(limits: Limits) -> WasmPlugins {
    let cache = std::env::temp_dir().join(format!("weir-tests-compiled-{}", rustix::process::geteuid().as_raw()));
    compiled_in(cache, CompileBounds::default(), limits)
}

/// Plugins, compiled by the built weir within bounds into a directory of the test's own.
pub fn compiled_in(cache: PathBuf, bounds: CompileBounds, limits: Limits) -> WasmPlugins {
    let compiler = Compiler::new(weir(), cache, bounds).expect("the directory for compiled code can be made");
    WasmPlugins::new(compiler, limits, 64 << 20, Authorities::of_the_web()).expect("an engine")
}

/// Makes a topic on the broker that all tests of a process share.
pub fn make_topic(name: &str, partitions: i32) {
    make_topic_on(&kafka::shared().bootstrap(), name, partitions);
}

/// Makes a topic on a broker.
pub fn make_topic_on(bootstrap: &str, name: &str, partitions: i32) {
    let broker = KafkaBroker::new(&config(&[("bootstrap.servers", bootstrap)])).expect("a client");
    let topic = NewTopic { name: name.into(), partitions, replication_factor: 1, config: Default::default() };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(broker.create_topic(&topic)).expect("a topic");
}

/// A guest, loaded.
pub async fn component(plugins: &WasmPlugins, name: &str) -> Arc<dyn Component> {
    plugins.load(guest(name).into()).await.expect("a guest of ours loads")
}

/// A configuration.
pub fn config(entries: &[(&str, &str)]) -> Config {
    entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// The context of an instance of `class`.
pub fn context(class: &str, entries: &[(&str, &str)], limits: &Limits) -> Context {
    Context {
        owner: "test|task-0".into(),
        tenant: "".into(),
        class: class.into(),
        config: Arc::new(config(entries)),
        grants: Arc::new(Grants::default()),
        limits: Arc::new(limits.clone()),
        offsets: None,
        errants: None,
        wishes: None,
        stopping: Default::default(),
        meter: Arc::new(GuestMeter::default()),
    }
}

//! `weir standalone worker.properties [connector files]`: wires a standalone worker and runs it until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use weir_core::herder::{Builder, Request, Standalone, StatusBoard};
use weir_core::model::{Config, Problem};
use weir_core::plugin::Ceilings;
use weir_core::port::{Broker, NewTopic};
use weir_core::settings::{Bootstrap, WorkerSettings, parse_properties};
use weir_core::store::OffsetStore;
use weir_local::Local;
use weir_wasm::{Compiler, WasmPlugins};

use crate::{connector_file, converters::StockConverters, plugins};

/// Requests that may wait for the herder.
const REQUESTS: usize = 64;

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    lines.join("\n")
}

/// Runs a worker until a signal or a failure ends it.
pub fn run(worker_file: &Path, connector_files: &[PathBuf], cache: PathBuf) -> Result<(), String> {
    let text = read(worker_file)?;
    let config = parse_properties(&text).map_err(|error| format!("{}: {error}", worker_file.display()))?;
    let settings = WorkerSettings::parse(&config)
        .map_err(|problems| format!("{} is not usable:\n{}", worker_file.display(), lines(&problems)))?;
    let connectors: Vec<(PathBuf, Config)> = connector_files
        .iter()
        .map(|file| {
            let config = read(file).and_then(|text| {
                connector_file::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
            })?;
            Ok((file.clone(), config))
        })
        .collect::<Result<_, String>>()?;
    // Guests run apart from everything that must never wait for them.
    let data = runtime("weir-data", 2)?;
    let control = runtime("weir-control", 1)?;
    let outcome = control.block_on(serve(settings, connectors, cache, data.handle().clone()));
    data.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

fn runtime(name: &str, threads: usize) -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| format!("runtime {name}: {error}"))
}

fn broker(bootstrap: &Bootstrap) -> Result<Arc<Local>, String> {
    match bootstrap {
        Bootstrap::Local(dir) => Local::open(dir, weir_local::Settings::default()).map_err(|error| error.to_string()),
        Bootstrap::LocalMemory => Local::memory(weir_local::Settings::default()).map_err(|error| error.to_string()),
        Bootstrap::Kafka(servers) => Err(format!(
            "bootstrap.servers={servers}: this version of weir runs on its embedded store only; say local:DIR or \
             local:memory"
        )),
    }
}

async fn serve(
    settings: WorkerSettings,
    connectors: Vec<(PathBuf, Config)>,
    cache: PathBuf,
    data: tokio::runtime::Handle,
) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| format!("where weir is: {error}"))?;
    let compiler = Compiler::new(own, cache).map_err(|error| error.to_string())?;
    let host = WasmPlugins::new(compiler, settings.limits.clone(), plugins::PLUGIN_BYTES_MAX)
        .map_err(|error| format!("the sandbox does not start: {error:#}"))?;
    let registry = plugins::load(&host, &settings.plugin_path).await?;
    let bootstrap = settings.bootstrap.clone();
    let classes = registry.classes().count();
    let local = broker(&settings.bootstrap)?;
    let cancel = CancellationToken::new();
    if let Bootstrap::Local(_) = settings.bootstrap {
        let server = weir_local::Server::bind(local.clone()).map_err(|error| error.to_string())?;
        tokio::spawn(server.run(cancel.clone().cancelled_owned()));
    }
    let broker: Arc<dyn Broker> = local;
    let topic = NewTopic {
        name: settings.offset_topic.clone(),
        partitions: 25,
        replication_factor: -1,
        config: [("cleanup.policy".to_owned(), "compact".to_owned())].into(),
    };
    let log = broker.compacted_log(&topic).await.map_err(|error| format!("topic {}: {error}", topic.name))?;
    let offsets = OffsetStore::open(log).await.map_err(|error| format!("topic {}: {error}", topic.name))?;
    let board = Arc::new(StatusBoard::default());
    let builder = Arc::new(Builder {
        settings: Arc::new(settings),
        plugins: Arc::new(RwLock::new(registry)),
        converters: Arc::new(StockConverters),
        broker,
        offsets,
        data,
        statuses: board.clone(),
    });
    let (requests, queue) = mpsc::channel(REQUESTS);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store = ?bootstrap, classes, "weir runs");
    let herder = tokio::spawn(Standalone::new(builder, board, queue, cancel.clone()).run());
    let outcome = tokio::select! {
        biased;
        signal = stop_signal() => signal,
        started = start(&requests, connectors) => match started {
            Ok(()) => stop_signal().await,
            Err(reason) => Err(reason),
        },
    };
    tracing::info!("stopping");
    cancel.cancel();
    herder.await.map_err(|error| format!("the herder panicked, which is a bug in weir: {error}"))?;
    outcome
}

/// Starts the connectors of the command line. One that cannot be started ends the worker, as in Connect.
async fn start(requests: &mpsc::Sender<Request>, connectors: Vec<(PathBuf, Config)>) -> Result<(), String> {
    // The operator gave these files: what they name is open to them, standard input and output too.
    let ceilings = Ceilings { any_path: true, endpoints: vec!["*:*".into()], stdio: true, ..Ceilings::default() };
    for (file, config) in connectors {
        let (answer, answered) = oneshot::channel();
        let put = Request::Put { config, ceilings: ceilings.clone(), answer };
        if requests.send(put).await.is_err() {
            return Err("the worker is stopping".into());
        }
        match answered.await {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => return Err(format!("{}: the connector does not start:\n{failure}", file.display())),
            Err(_) => return Err("the worker is stopping".into()),
        }
    }
    Ok(())
}

async fn stop_signal() -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| format!("signals: {error}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| format!("signals: {error}"))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

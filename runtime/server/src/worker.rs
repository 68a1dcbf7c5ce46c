//! `weir standalone worker.properties [connector files]` and `weir distributed worker.properties`: wires a worker and runs
//! it until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use weir_core::herder::{
    AutoRestart, Builder, Distributed, GroupSettings, Held, Herder, HerderError, OwnOffsets, Preflight, Put, Redrives,
    Request, Standalone, View, fencing, make_anew, restart_failed,
};
use weir_core::model::{Ceilings, Config, Problem};
use weir_core::observe::Tasks;
use weir_core::port::{ConfigProviders, Loggers, PluginStore, Secrets};
use weir_core::settings::{
    Bootstrap, WorkerSettings, parse_properties, providers, resolved, variables_of, without_effect,
};
use weir_core::store::{ConfigStore, LeadersPen, OffsetStore, SessionLog, StatusStore};
use weir_wasm::{Authorities, CompileBounds, Compiler, WasmPlugins};

use crate::config_providers::FileProviders;
use crate::connector_file::{self, ConnectorFile};
use crate::ground;
use crate::joining::{Grouped, coordinator, join, not_taken, refusal};
use crate::listening::{Listening, listen};
use crate::peers::{self, HttpPeers};
use crate::rest::{App, AppSlot};
use crate::upload_dir::{UploadDir, UploadMemory};
use crate::uploads::Uploads;
use crate::{converters, converters::StockConverters, plugins, readiness, registry_http};

/// Requests that may wait for the herder.
const REQUESTS: usize = 64;
/// How long the last statuses may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long leaving the group may take at the end.
const LEAVE: Duration = Duration::from_secs(4);

/// What the binary brings along.
pub struct Binary {
    /// The commit that it was built from.
    pub commit: &'static str,
    /// Where compiled code is kept.
    pub compile_cache: PathBuf,
    /// Where its log lines go.
    pub loggers: Arc<dyn Loggers>,
    /// What log lines leave out.
    pub secrets: Secrets,
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

pub fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    lines.join("\n")
}

type Parse = fn(&Config) -> Result<WorkerSettings, Vec<Problem>>;

/// A worker's settings, their own variables looked up, and where those of connectors are.
fn settings(
    worker_file: &Path,
    parse: Parse,
    secrets: &Secrets,
) -> Result<(WorkerSettings, Arc<FileProviders>), String> {
    let text = read(worker_file)?;
    let unusable = |problems: Vec<Problem>| format!("{} is not usable:\n{}", worker_file.display(), lines(&problems));
    let given = parse_properties(&text).map_err(|error| format!("{}: {error}", worker_file.display()))?;
    let providers =
        FileProviders::new(providers(&given).map_err(unusable)?).map_err(|problem| unusable(vec![problem]))?;
    let wanted = variables_of(&given, |provider| providers.is_known(provider));
    // The operator's own file may name what it likes.
    let values = providers.look_up(wanted, &operators_ceilings());
    let values = values.map_err(|error| format!("{}: {error}", worker_file.display()))?;
    secrets.add(&values);
    let config = resolved(&given, &values);
    let settings = parse(&config).map_err(unusable)?;
    let unknown = converters::unknown(&settings.converters);
    if !unknown.is_empty() {
        return Err(unusable(unknown));
    }
    if let Some(said) = without_effect(&config, &settings.unread, weir_kafka::properties::has_effect) {
        tracing::warn!(file = %worker_file.display(), "{said}");
    }
    Ok((settings, Arc::new(providers)))
}

/// Runs a worker of a group until a signal or a failure ends it.
pub fn distributed(worker_file: &Path, binary: Binary) -> Result<(), String> {
    run(settings(worker_file, WorkerSettings::parse_distributed, &binary.secrets)?, Vec::new(), binary)
}

/// Runs a worker of its own until a signal or a failure ends it.
pub fn standalone(worker_file: &Path, connector_files: &[PathBuf], binary: Binary) -> Result<(), String> {
    let settings = settings(worker_file, WorkerSettings::parse, &binary.secrets)?;
    run(settings, connectors(connector_files)?, binary)
}

/// The connectors of the command line, with their files.
fn connectors(files: &[PathBuf]) -> Result<Connectors, String> {
    let mut connectors = Connectors::new();
    for file in files {
        let parsed = connector_file::parse(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = parsed.config.get("name");
        if let Some((other, _)) =
            connectors.iter().find(|(_, other)| name.is_some() && other.config.get("name") == name)
        {
            let name = name.map_or("", String::as_str);
            return Err(format!(
                "{}: {} has a connector named {name}, too: give one of them another name",
                file.display(),
                other.display()
            ));
        }
        connectors.push((file.clone(), parsed));
    }
    Ok(connectors)
}

type Connectors = Vec<(PathBuf, ConnectorFile)>;
type Settings = (WorkerSettings, Arc<FileProviders>);

fn run(settings: Settings, connectors: Connectors, binary: Binary) -> Result<(), String> {
    raise_open_files();
    // Memory of a worker that has nothing to do goes back, too. A process that compiles has no threads to spare for that.
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::debug!(%error, "memory goes back to the system only while more is asked for");
    }
    // Guests run apart from everything that must never wait for them.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // One thread more than guests run at a time sees who else wants to.
    let data = runtime("weir-data", cores + 1)?;
    let control = runtime("weir-control", 1)?;
    let outcome = control.block_on(serve(settings, connectors, binary, data.handle().clone()));
    // Neither waits for a guest in its computation, nor for a broker that does not answer.
    data.shutdown_timeout(Duration::from_secs(2));
    control.shutdown_timeout(Duration::from_secs(2));
    outcome
}

/// As many files and connections may be open as the system allows without being asked.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::debug!(%error, ?limit, "the limit on open files stays");
    }
}

fn runtime(name: &str, threads: usize) -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| format!("runtime {name}: {error}"))
}

async fn serve(
    (settings, providers): Settings,
    connectors: Connectors,
    binary: Binary,
    data: tokio::runtime::Handle,
) -> Result<(), String> {
    let cancel = CancellationToken::new();
    let mut signals = StopSignals::listen()?;
    let app = AppSlot::default();
    let Listening { servers, worker_id, url } =
        listen(&settings.rest, settings.distributed.is_some(), &app, &cancel).await?;
    // REST is there from the first moment on; plugins that have to be compiled take longer.
    let initializing = app.stages.enter("initializing and reading to the end of internal topics");
    let started = tokio::select! {
        biased;
        () = signals.received() => return Ok(()),
        started = start((settings, providers), &connectors, binary, data, (&worker_id, url, &app), &cancel) => started?,
    };
    let Started { app: application, mut herder, written, group } = started;
    drop(initializing);
    app.fill(application.clone());
    let joining = group.is_some().then(|| app.stages.enter("ensuring membership in the cluster"));
    let outcome = tokio::select! {
        biased;
        () = signals.received() => Ok(()),
        ended = &mut herder => return early(ended),
        made = ready(&application.herder, connectors, group.as_ref()) => match made {
            Ok(()) => {
                drop(joining);
                application.ready.store(true, std::sync::atomic::Ordering::Relaxed);
                tracing::info!(worker = worker_id, "ready");
                readiness::tell(readiness::READY);
                tokio::select! {
                    biased;
                    () = signals.received() => Ok(()),
                    ended = &mut herder => return early(ended),
                }
            }
            Err(reason) => Err(reason),
        },
    };
    tracing::info!("stopping");
    readiness::tell(readiness::STOPPING);
    cancel.cancel();
    let panicked = |error| format!("a part of the worker panicked, which is a bug in weir: {error}");
    let ended = herder.await.map_err(panicked)?;
    written.cancel.cancel();
    // A broker that does not answer must not keep it from ending.
    if tokio::time::timeout(LAST_WORDS, written.done).await.is_err() {
        tracing::warn!("the last statuses could not be written in time");
    }
    // Requests that are under way get their answer, but nobody waits for them for ever.
    for server in servers {
        let _ = tokio::time::timeout(Duration::from_secs(1), server).await;
    }
    if let Some(group) = group {
        // It leaves the group, so that others need not wait for its session to end.
        group.leave.cancel();
        let _ = tokio::time::timeout(LEAVE, group.left).await;
    }
    outcome.and(ended)
}

/// A herder that ended by itself.
fn early(ended: Result<Result<(), String>, tokio::task::JoinError>) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Err("the herder has ended, which is a bug in weir".to_owned()),
        Ok(Err(why)) => Err(not_taken(&why)),
        Err(error) => Err(format!("a part of the worker panicked, which is a bug in weir: {error}")),
    }
}

/// The background writer of statuses: it ends after the herder, whose last words it writes.
struct Written {
    cancel: CancellationToken,
    done: JoinHandle<()>,
}

struct Started {
    app: Arc<App>,
    herder: JoinHandle<Result<(), String>>,
    written: Written,
    group: Option<Grouped>,
}

/// What the operator gave on the command line may open what it names, standard input and output too.
fn operators_ceilings() -> Ceilings {
    Ceilings { any_path: true, endpoints: vec!["*:*".into()], stdio: true, ..Ceilings::default() }
}

async fn start(
    (settings, providers): Settings,
    connectors: &[(PathBuf, ConnectorFile)],
    binary: Binary,
    data: tokio::runtime::Handle,
    (worker_id, url, slot): (&str, String, &AppSlot),
    cancel: &CancellationToken,
) -> Result<Started, String> {
    let own = std::env::current_exe().map_err(|error| format!("where weir is: {error}"))?;
    let compiler =
        Compiler::new(own, binary.compile_cache, CompileBounds::default()).map_err(|error| error.to_string())?;
    let bytes_max = settings.plugin_upload_max_bytes;
    let authorities = match &settings.tls_ca {
        Some(file) => Authorities::and_those_in(file).map_err(|error| {
            format!("Invalid value {} for configuration sandbox.tls.ca.location: {error}", file.display())
        })?,
        None => Authorities::of_the_web(),
    };
    let host = WasmPlugins::new(compiler, settings.limits.clone(), bytes_max, authorities)
        .map_err(|error| format!("the sandbox does not start: {error:#}"))?;
    let uploaded: Option<Arc<dyn PluginStore>> = match (&settings.plugin_upload_dir, &settings.bootstrap) {
        (Some(dir), _) => Some(Arc::new(UploadDir::open(dir).map_err(|error| error.to_string())?)),
        (None, Bootstrap::LocalMemory) => Some(Arc::new(UploadMemory::default())),
        (None, Bootstrap::Local(_) | Bootstrap::Kafka(_)) => None,
    };
    let bodies = settings.plugin_upload_dir.clone().unwrap_or_else(std::env::temp_dir);
    let loading = slot.stages.enter("loading plugins, and compiling those that are new here");
    let mut registry = plugins::load(&host, &settings.plugin_path, bytes_max).await?;
    if let Some(store) = &uploaded {
        plugins::load_uploads(&host, &**store, &mut registry).await?;
    }
    drop(loading);
    let group = settings.distributed.clone();
    let (mut ground, joining) = match &group {
        Some(group) => {
            let coordinator = coordinator(&settings, worker_id)?;
            let ground = tokio::select! {
                biased;
                // librdkafka tries for ever what will never go through, as a wrong password.
                why = refusal(&coordinator) => return Err(why),
                ground = ground::shared(&settings, group) => ground?,
            };
            (ground, Some(join(coordinator, group, settings.metrics.sample)))
        }
        None => (ground::of_its_own(&settings, cancel).await?, None),
    };
    if let (Some((_, grouped)), Some(group)) = (&joining, &group) {
        // What a worker writes that lost its place in the group, others would take for true.
        for log in [&mut ground.configs, &mut ground.offsets, &mut ground.statuses] {
            *log = Arc::new(SessionLog::new(log.clone(), grouped.session.clone(), group.appended_by()));
        }
    }
    let unusable = |what: &'static str| move |error| format!("{what} cannot be used: {error}");
    let configs = ConfigStore::open(ground.configs).await.map_err(unusable("config.storage.topic"))?;
    let offsets = OffsetStore::over(ground.offsets).await.map_err(unusable("offset.storage.topic"))?;
    let (statuses, follower) =
        StatusStore::open(&*ground.statuses, worker_id).await.map_err(unusable("status.storage.topic"))?;
    let statuses = Arc::new(statuses);
    let cluster_id = ground.broker.cluster_id().await.map_err(|error| {
        let servers = match &settings.bootstrap {
            Bootstrap::Kafka(servers) => servers.as_str(),
            Bootstrap::Local(_) | Bootstrap::LocalMemory => "local:",
        };
        format!(
            "bootstrap.servers={servers}: failed to connect to and describe the Kafka cluster: {error}. Check the worker's \
             broker connection and security properties"
        )
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        commit = binary.commit,
        store = ?settings.bootstrap,
        classes = registry.classes().count(),
        "weir runs"
    );
    let plugins = Arc::new(RwLock::new(registry));
    let view = View {
        state: Arc::default(),
        statuses: statuses.clone(),
        plugins: plugins.clone(),
        signs: Arc::default(),
        loggers: binary.loggers,
        stages: slot.stages.clone(),
        reachable: watch::Sender::default(),
    };
    let (requests, queue) = mpsc::channel(REQUESTS);
    let client = group.is_some().then(|| peers::client(&settings.rest)).transpose()?;
    let others = group.as_ref().zip(client.as_ref());
    let others = others.map(|(group, client)| Arc::new(HttpPeers::new(client.clone(), group.clone())));
    let preflight = group
        .as_ref()
        .zip(others.clone())
        .map(|(group, others)| Preflight::new(group.group.clone(), &requests, others, view.clone()));
    let configs = match group.as_ref().filter(|group| group.exactly_once.leader_writes_in_transactions()) {
        Some(group) => {
            let id = fencing::leaders_id(&group.group);
            let (broker, within) = (ground.broker.clone(), group.append_within());
            configs.with_pen(LeadersPen::new(broker, &settings.config_topic, id, within))
        }
        None => configs,
    };
    let sample = settings.metrics.sample;
    let builder = Arc::new(Builder {
        settings: Arc::new(settings),
        plugins: plugins.clone(),
        converters: Arc::new(StockConverters::new(registry_http::http())),
        broker: ground.broker,
        offsets,
        own_offsets: OwnOffsets::default(),
        preflight,
        data: data.clone(),
        statuses: statuses.clone(),
        tasks: Arc::new(Tasks::new(sample)),
        group: joining.as_ref().map(|(member, grouped)| (member.stats.clone(), grouped.client.clone())),
        session: joining.as_ref().map(|(_, grouped)| grouped.session.clone()),
        providers,
        secrets: binary.secrets,
        held: Held::default(),
        auto_restart: AutoRestart::default(),
        redrives: Redrives::default(),
    });
    let ceilings =
        connectors.iter().filter_map(|(_, file)| Some((file.config.get("name")?.clone(), operators_ceilings())));
    let (herder, grouped) = match (group, joining, others) {
        (Some(group), Some((member, grouped)), Some(peers)) => {
            let settings = GroupSettings {
                url,
                protocol: group.protocol,
                max_delay: group.max_delay,
                sync_timeout: group.sync_timeout,
                unsync_backoff: group.unsync_backoff,
            };
            let (builder, view, cancel) = (builder.clone(), view.clone(), cancel.clone());
            let herder = Distributed::new(builder, view, configs, (member, peers), settings, queue, cancel);
            tokio::spawn(statuses.clone().follow(follower));
            (tokio::spawn(herder.run()), Some(grouped))
        }
        _ => {
            let (builder, view, cancel) = (builder.clone(), view.clone(), cancel.clone());
            let herder = Standalone::new(builder, view, configs, ceilings.collect(), queue, cancel);
            let run = async move {
                herder.run().await;
                Ok(())
            };
            (tokio::spawn(run), None)
        }
    };
    let writing = CancellationToken::new();
    let written = tokio::spawn(statuses.write_to(ground.statuses, writing.clone()));
    let asker = Herder::new(requests, view, builder);
    tokio::spawn(make_anew(asker.clone(), cancel.clone()));
    tokio::spawn(restart_failed(asker.clone(), worker_id.to_owned(), cancel.clone()));
    let app = App {
        herder: asker,
        uploads: Arc::new(Uploads::new(Arc::new(host), plugins, uploaded, bodies, bytes_max, data)),
        client,
        cluster_id,
        commit: binary.commit,
        began_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
        ready: false.into(),
    };
    Ok(Started { app: Arc::new(app), herder, written: Written { cancel: writing, done: written }, group: grouped })
}

/// Makes the connectors of the command line, or waits until the group was joined.
async fn ready(herder: &Herder, connectors: Connectors, group: Option<&Grouped>) -> Result<(), String> {
    match group {
        Some(group) => {
            group.session.begun().await;
            Ok(())
        }
        None => make(herder, connectors).await,
    }
}

/// Makes the connectors of the command line. One that cannot be started ends the worker, as in Connect.
async fn make(herder: &Herder, connectors: Connectors) -> Result<(), String> {
    for (file, ConnectorFile { config, target }) in connectors {
        let failed = |error: HerderError| format!("{}: the connector does not start:\n{error}", file.display());
        let ceilings = operators_ceilings();
        let checked = herder.builder.check(&config, &[], &ceilings).await.map_err(failed)?;
        if let Some(refusal) = checked.refusal() {
            return Err(failed(refusal));
        }
        let put = Put { config, target, replace: true, ceilings: Some(ceilings), made_from: None };
        herder.ask(|answer| Request::Put { put, answer }).await.map_err(failed)?;
    }
    Ok(())
}

/// The signals that stop a worker. Listened to from the start on by one listener, so that none gets lost.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> Result<StopSignals, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals: {error}"));
        Ok(StopSignals { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

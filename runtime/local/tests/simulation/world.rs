//! Workers over one store and one coordinator, and what clients and fate do to them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_core::contract::topic;
use weir_core::herder::member::Timings;
use weir_core::herder::{
    AutoRestart, Builder, Distributed, GroupSettings, Held, Herder, HerderError, Preflight, Redrives, Request, Stages,
    View, fencing, make_anew, membership, restart_failed,
};
use weir_core::model::{Config, GroupProtocol};
use weir_core::plugin::Registry;
use weir_core::port::{Broker, CompactedLog, LoggerLevel, Loggers, NoLevel, Peers, Secrets, SessionKey};
use weir_core::settings::WorkerSettings;
use weir_core::store::{ConfigStore, LeadersPen, OffsetStore, SessionLog, StatusStore};
use weir_local::{Local, Settings, WorkerGroups};

use crate::fate::Fate;
use crate::guests::{Counter, Plain, SharedFloor, TOPIC};
use crate::links::{Far, FarLog, Link, State};
use crate::mortal::Mortal;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(15);
/// `inter.worker.key.ttl.ms` of the workers.
const KEY_TTL: Duration = Duration::from_secs(20);
/// `scheduled.rebalance.max.delay.ms` of the workers.
pub const DELAY: Duration = Duration::from_secs(12);

/// One life of a worker, from its start to its end.
pub struct Life {
    pub number: u32,
    pub url: String,
    pub link: Link,
    pub herder: Herder,
    broker: Arc<Mortal>,
    cancel: CancellationToken,
    runs: JoinSet<()>,
}

/// Everything.
pub struct World {
    pub broker: Arc<Local>,
    pub floor: SharedFloor,
    pub fate: Fate,
    pub lives: Mutex<BTreeMap<u32, Life>>,
    pub configs: Arc<dyn CompactedLog>,
    pub offsets: Arc<dyn CompactedLog>,
    pub statuses: Arc<dyn CompactedLog>,
    groups: WorkerGroups,
    random: Arc<Mutex<fastrand::Rng>>,
    /// The protocol of all workers; none where each has its own.
    protocol: Option<GroupProtocol>,
    /// Whether sources deliver exactly once.
    pub once: bool,
    trace: Mutex<Vec<String>>,
    began: Instant,
}

/// What workers may be set to.
pub const PROTOCOLS: [GroupProtocol; 3] = [GroupProtocol::Sessioned, GroupProtocol::Compatible, GroupProtocol::Eager];

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody asks for loggers here.
struct NoLoggers;

impl Loggers for NoLoggers {
    fn all(&self) -> BTreeMap<String, LoggerLevel> {
        BTreeMap::new()
    }

    fn get(&self, _: &str) -> Option<LoggerLevel> {
        None
    }

    fn check(&self, level: &str) -> Result<(), NoLevel> {
        Err(NoLevel(level.to_owned()))
    }

    fn set(&self, _: &str, level: &str) -> Result<Vec<String>, NoLevel> {
        Err(NoLevel(level.to_owned()))
    }
}

impl World {
    /// A world without workers.
    pub async fn new(seed: u64, protocol: Option<GroupProtocol>, once: bool) -> Arc<World> {
        let broker = Local::memory(Settings::default()).unwrap();
        let log = async |name: &str, partitions| {
            broker.compacted_log(&topic(name, partitions, &[("cleanup.policy", "compact")])).await.unwrap()
        };
        let (configs, offsets, statuses) = (log("configs", 1).await, log("offsets", 5).await, log("status", 5).await);
        broker.create_topic(&topic(TOPIC, 1, &[])).await.unwrap();
        Arc::new(World {
            broker,
            floor: SharedFloor::default(),
            fate: Fate::default(),
            lives: Mutex::default(),
            configs,
            groups: WorkerGroups::default(),
            offsets,
            statuses,
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            protocol,
            once,
            trace: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// A number below another.
    pub fn below(&self, bound: u64) -> u64 {
        locked(&self.random).u64(0..bound)
    }

    /// Notes what happened.
    pub fn note(&self, what: impl AsRef<str>) {
        let line = format!("{:>7} ms  {}", self.began.elapsed().as_millis(), what.as_ref());
        if std::env::var_os("SIMULATION_LIVE").is_some() {
            println!("{line}");
        }
        locked(&self.trace).push(line);
    }

    /// What happened.
    pub fn trace(&self) -> Vec<String> {
        locked(&self.trace).clone()
    }

    /// Starts a worker. One that had this number is gone.
    pub async fn start(self: &Arc<World>, number: u32) {
        let link = Link::new(self.random.clone());
        let protocol = self.protocol.unwrap_or_else(|| PROTOCOLS[self.below(PROTOCOLS.len() as u64) as usize]);
        let url = format!("http://worker-{number}:8083/");
        let worker_id = format!("worker-{number}:8083");
        let timings = Timings {
            session: SESSION,
            heartbeat: Duration::from_secs(3),
            retry: Duration::from_millis(100),
            rebalance: REBALANCE,
        };
        let cancel = CancellationToken::new();
        let leaving = CancellationToken::new();
        let inner = self.groups.coordinator("workers", SESSION, REBALANCE);
        let coordinator = Arc::new(Far { inner, link: link.clone() });
        let (member, running) = membership(coordinator, timings, Arc::default(), leaving.clone());
        let session = member.session.clone();
        let far = |log: &Arc<dyn CompactedLog>| -> Arc<dyn CompactedLog> {
            let log = Arc::new(FarLog { inner: log.clone(), link: link.clone() });
            Arc::new(SessionLog::new(log, session.clone(), SESSION / 2))
        };
        let (configs, offsets, statuses) = (far(&self.configs), far(&self.offsets), far(&self.statuses));
        let mut registry = Registry::default();
        let counter = Counter::new(number, session.clone(), link.clone(), self.floor.clone(), self.fate.clone());
        registry.add(Arc::new(counter), true).unwrap();
        let plugins = Arc::new(RwLock::new(registry));
        let (store, reader) = StatusStore::open(&*statuses, &worker_id).await.unwrap();
        let store = Arc::new(store);
        let view = View {
            state: Arc::default(),
            statuses: store.clone(),
            plugins: plugins.clone(),
            signs: Arc::default(),
            loggers: Arc::new(NoLoggers),
            stages: Stages::default(),
            reachable: watch::Sender::default(),
        };
        let broker = Arc::new(Mortal::new(self.broker.clone(), link.clone()));
        let peers = Arc::new(Neighbours { world: Arc::downgrade(self), link: link.clone(), number });
        let (requests, queue) = mpsc::channel(64);
        let builder = Arc::new(Builder {
            settings: Arc::new(settings(self.once)),
            plugins,
            converters: Arc::new(Plain),
            broker: broker.clone(),
            offsets: OffsetStore::open(offsets).await.unwrap(),
            own_offsets: Default::default(),
            preflight: Some(Preflight::new("workers".into(), &requests, peers.clone(), view.clone())),
            data: tokio::runtime::Handle::current(),
            statuses: store.clone(),
            tasks: Arc::default(),
            group: None,
            session: Some(session.clone()),
            providers: Arc::new(self.fate.clone()),
            secrets: Secrets::default(),
            held: Held::default(),
            auto_restart: AutoRestart::default(),
            redrives: Redrives::default(),
        });
        let group = GroupSettings {
            url: url.clone(),
            protocol,
            max_delay: DELAY,
            sync_timeout: Duration::from_secs(3),
            unsync_backoff: Duration::from_secs(5),
        };
        let mut configs = ConfigStore::open(configs).await.unwrap();
        if self.once {
            configs = configs.with_pen(LeadersPen::new(
                broker.clone(),
                "configs",
                fencing::leaders_id("workers"),
                SESSION / 3,
            ));
        }
        let herder =
            Distributed::new(builder.clone(), view.clone(), configs, (member, peers), group, queue, cancel.clone());
        let mut runs = JoinSet::new();
        runs.spawn(running);
        let writing = CancellationToken::new();
        runs.spawn(store.clone().follow(reader));
        runs.spawn(store.write_to(statuses, writing.clone()));
        let (world, gone) = (self.clone(), leaving);
        runs.spawn(async move {
            let ended = herder.run().await;
            world.note(format!("worker {number} ended: {ended:?}"));
            writing.cancel();
            gone.cancel();
        });
        let herder = Herder::new(requests, view, builder);
        runs.spawn(make_anew(herder.clone(), cancel.clone()));
        runs.spawn(restart_failed(herder.clone(), worker_id, cancel.clone()));
        locked(&self.lives).insert(number, Life { number, url, link, herder, broker, cancel, runs });
        self.note(format!("worker {number} starts, {protocol:?}"));
    }

    /// A worker is gone from one moment to the next.
    pub fn kill(&self, number: u32) {
        if let Some(life) = locked(&self.lives).remove(&number) {
            life.link.set(State::Silent); // what it spawned and nobody drops never does anything again
            life.broker.end();
            locked(&self.floor).end(number);
            self.note(format!("worker {number} is killed"));
        }
    }

    /// A worker is told to stop, and does.
    pub async fn stop(&self, number: u32) {
        let Some(mut life) = locked(&self.lives).remove(&number) else { return };
        self.note(format!("worker {number} is told to stop"));
        life.link.set(State::Up);
        life.link.lag(false);
        life.cancel.cancel();
        // It follows statuses for ever.
        for _ in 0..5 {
            let ended = tokio::time::timeout(Duration::from_secs(60), life.runs.join_next()).await;
            if ended.is_err() {
                locked(&self.floor).violations.push(format!("worker {number} does not stop"));
            }
        }
        locked(&self.floor).end(number);
    }

    /// The numbers of workers.
    pub fn numbers(&self) -> Vec<u32> {
        locked(&self.lives).keys().copied().collect()
    }

    fn handle(&self, is: impl Fn(&Life) -> bool) -> Option<(u32, Herder)> {
        let lives = locked(&self.lives);
        lives.values().find(|life| is(life) && life.link.is_up()).map(|life| (life.number, life.herder.clone()))
    }

    /// A client asks a worker, and goes where it is sent.
    pub async fn ask<T>(
        &self,
        number: u32,
        what: &str,
        request: impl Fn(weir_core::herder::Answer<T>) -> Request,
    ) -> Result<T, HerderError> {
        let mut asked = self.handle(|life| life.number == number);
        for _ in 0..3 {
            let Some((who, herder)) = &asked else { break };
            let answer = tokio::time::timeout(Duration::from_secs(30), herder.ask(&request)).await;
            let Ok(Err(HerderError::Elsewhere(Some(url)))) = answer else {
                if answer.is_err() && self.handle(|life| life.number == *who && life.link.is_swift()).is_some() {
                    locked(&self.floor).violations.push(format!("{what} by worker {number}: no answer in time"));
                }
                let answer = answer.unwrap_or(Err(HerderError::Failed("no answer in time".into())));
                let said = answer.as_ref().map(|_| "done").map_err(ToString::to_string);
                self.note(format!("{what} by worker {number}: {said:?}"));
                return answer;
            };
            asked = self.handle(|life| life.url == url);
        }
        self.note(format!("{what} by worker {number}: nobody does it"));
        Err(HerderError::Elsewhere(None))
    }
}

fn settings(once: bool) -> WorkerSettings {
    let mut entries = vec![
        // Nobody is asked there.
        ("bootstrap.servers", if once { "nowhere:9092" } else { "local:memory" }),
        ("key.converter", "Plain"),
        ("value.converter", "Plain"),
        ("offset.flush.interval.ms", "2000"),
    ];
    if !once {
        return WorkerSettings::parse(&config(&entries)).unwrap();
    }
    entries.extend([
        ("group.id", "workers"),
        ("config.storage.topic", "configs"),
        ("offset.storage.topic", "offsets"),
        ("status.storage.topic", "status"),
        ("exactly.once.source.support", "enabled"),
    ]);
    WorkerSettings::parse_distributed(&config(&entries)).unwrap()
}

fn config(entries: &[(&str, &str)]) -> Config {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The other workers, as one of them sees them.
struct Neighbours {
    world: Weak<World>,
    link: Link,
    number: u32,
}

#[async_trait]
impl Peers for Neighbours {
    async fn submit_tasks(
        &self,
        leader: &str,
        connector: &str,
        configs: &[Config],
        key: Option<&SessionKey>,
    ) -> Result<(), String> {
        self.link.pass().await;
        let world = self.world.upgrade().ok_or("the world is gone")?;
        let (_, herder) = world.handle(|life| life.url == leader).ok_or("the leader does not answer")?;
        // As the leader's REST does it: by what the group has agreed on, with the key that it knows.
        if herder.view.signs.load(Ordering::Relaxed) && herder.view.state().session_key() != key {
            world.note(format!("worker {} is turned away with tasks of {connector}", self.number));
            return Err("it is not signed with the group's key".into());
        }
        world.note(format!("worker {} submits {} tasks of {connector}", self.number, configs.len()));
        let (name, configs) = (connector.to_owned(), configs.to_vec());
        let done = herder.ask(|answer| Request::Tasks { name, configs, answer });
        let done = tokio::time::timeout(Duration::from_secs(30), done).await.map_err(|_| "no answer in time")?;
        done.map_err(|error| error.to_string())
    }

    async fn fence(&self, leader: &str, connector: &str, _: Option<&SessionKey>) -> Result<(), String> {
        self.link.pass().await;
        let world = self.world.upgrade().ok_or("the world is gone")?;
        let (_, herder) = world.handle(|life| life.url == leader).ok_or("the leader does not answer")?;
        let name = connector.to_owned();
        let done = herder.ask(|answer| Request::Fence { name, answer });
        let done = tokio::time::timeout(Duration::from_secs(30), done).await.map_err(|_| "no answer in time")?;
        done.map_err(|error| error.to_string())
    }

    fn new_key(&self) -> Result<SessionKey, String> {
        let world = self.world.upgrade().ok_or("the world is gone")?;
        world.note(format!("worker {} makes a key", self.number));
        let created = world.began.elapsed().as_millis() as i64;
        Ok(SessionKey { key: vec![self.number as u8; 32], algorithm: "HmacSHA256".into(), created })
    }

    fn is_current(&self, key: &SessionKey) -> bool {
        let now = self.world.upgrade().map_or(0, |world| world.began.elapsed().as_millis() as i64);
        now < key.created + KEY_TTL.as_millis() as i64
    }
}

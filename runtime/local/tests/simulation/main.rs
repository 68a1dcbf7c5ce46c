//! Workers of a group over the in-memory engine, under a paused clock: what clients ask and fate does is drawn from a
//! seed. A seed that fails is printed with its trace, and replays to the same.
//!
//! `SIMULATION_SEED=n` runs one seed and prints its trace; `SIMULATION_SEEDS=n` that many.

mod guests;
mod keeper;
mod links;
mod mortal;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_core::herder::{ClusterState, Put, Request};
use weir_core::model::{Config, Subscription, TaskId};
use weir_core::port::{Broker, ClientSettings, Consumer, ConsumerPolled};
use weir_core::store::{ConfigStore, OffsetStore, State as Said, TargetState};

use crate::links::State;
use crate::world::{DELAY, PROTOCOLS, World};

const STEPS: u64 = 25;
/// What connectors are called; the last is the sink.
const NAMES: [&str; 4] = ["a", "b", "c", SINK];
const SINK: &str = "s";
/// Seeds in `make test`.
const SEEDS: u64 = 500;
/// How often it is looked who runs what.
const LOOK: Duration = Duration::from_millis(100);
/// In which every counter that runs has counted on.
const COUNT: Duration = Duration::from_secs(5);
/// In which a sink that runs has kept what was there before.
const CATCH_UP: Duration = Duration::from_secs(60);
/// By when everything has to be at rest once nothing happens any more.
const REST: Duration = Duration::from_secs(180);

fn config(name: &str, tasks: u64) -> Config {
    let class = match name == SINK {
        true => [("connector.class", keeper::CLASS), ("topics", guests::TOPIC)],
        false => [("connector.class", guests::CLASS), ("topic", guests::TOPIC)],
    };
    let entries = [("name", name), ("tasks.max", "5")].into_iter().chain(class);
    let mut config: Config = entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    config.insert("tasks".into(), tasks.to_string());
    config
}

/// One thing that a client does or that happens to a worker.
async fn step(world: &Arc<World>, next_worker: &mut u32) {
    let numbers = world.numbers();
    let number = numbers[world.below(numbers.len() as u64) as usize];
    let name = NAMES[world.below(NAMES.len() as u64) as usize].to_owned();
    let link = |state| {
        if let Some(life) = world.lives.lock().unwrap().get(&number) {
            life.link.set(state);
            world.note(format!("worker {number}'s link is {state:?}"));
        }
    };
    let target = async |target: TargetState| {
        let request = |answer| Request::Target { name: name.clone(), target, answer };
        _ = world.ask(number, &format!("{target:?} {name}"), request).await;
    };
    match world.below(24) {
        0..=4 => {
            let tasks = 1 + world.below(4);
            let put =
                Put { config: config(&name, tasks), target: None, replace: true, ceilings: None, made_from: None };
            let request = |answer| Request::Put { put: put.clone(), answer };
            _ = world.ask(number, &format!("{name} with {tasks} tasks"), request).await;
        }
        5 => {
            let request = |answer| Request::Delete { name: name.clone(), answer };
            _ = world.ask(number, &format!("delete {name}"), request).await;
        }
        6 => target(TargetState::Paused).await,
        7 => target(TargetState::Stopped).await,
        8..=9 => target(TargetState::Started).await,
        10 => {
            let request = |answer| Request::RestartConnector { name: name.clone(), answer };
            _ = world.ask(number, &format!("restart {name}"), request).await;
        }
        11 => {
            let id = TaskId { connector: name.clone(), index: world.below(3) as u32 };
            let request = |answer| Request::RestartTask { id: id.clone(), answer };
            _ = world.ask(number, &format!("restart {id}"), request).await;
        }
        12..=13 if numbers.len() < 5 => {
            world.start(*next_worker).await;
            *next_worker += 1;
        }
        14 if numbers.len() > 1 => world.kill(number),
        15 if numbers.len() > 1 => world.stop(number).await,
        16 => link(State::Silent),
        17 => link(State::Refusing),
        18..=19 => link(State::Slow),
        20..=21 => {
            if let Some(life) = world.lives.lock().unwrap().get(&number) {
                let lags = world.below(3) > 0;
                life.link.lag(lags);
                world.note(format!("worker {number} lags: {lags}"));
            }
        }
        _ => link(State::Up),
    }
}

/// The state that the config topic tells anybody who reads it.
async fn truth(world: &World) -> ClusterState {
    let mut state = ClusterState::default();
    let mut configs = ConfigStore::open(world.configs.clone()).await.unwrap();
    for record in configs.read_to_end().await.unwrap() {
        state.apply(record);
    }
    state
}

/// What tasks say that they failed with.
fn failures(world: &World) -> Vec<String> {
    let lives = world.lives.lock().unwrap();
    let Some(life) = lives.values().next() else { return Vec::new() };
    let statuses = &life.herder.view.statuses;
    let all = NAMES.iter().flat_map(|name| statuses.tasks(name));
    all.filter_map(|(id, status)| Some(format!("{id}: {}", status.trace?))).collect()
}

/// What is not as it should be at rest.
async fn amiss(world: &World) -> Option<String> {
    let state = truth(world).await;
    let mut expected = BTreeSet::new();
    let mut tasks = BTreeMap::new();
    let mut connectors = BTreeMap::new();
    for (name, connector) in state.connectors() {
        connectors.insert(name, connector.target);
        let count: usize = connector.config["tasks"].parse().unwrap();
        if connector.target == TargetState::Stopped {
            if !connector.tasks.is_empty() {
                return Some(format!("{name} is stopped and has tasks"));
            }
            continue;
        }
        // A paused connector makes no tasks; it keeps those that it has.
        if connector.target == TargetState::Started && connector.tasks.len() != count {
            return Some(format!("{name} has {} tasks, not {count}", connector.tasks.len()));
        }
        if connector.target == TargetState::Started {
            expected.insert(name.clone());
        }
        for index in 0..connector.tasks.len() as u32 {
            expected.insert(format!("{name}|task-{index}"));
            tasks.insert(TaskId { connector: name.clone(), index }, connector.target);
        }
    }
    let floor = world.floor.lock().unwrap();
    let running: BTreeSet<String> = floor.running().into_iter().map(str::to_owned).collect();
    if running != expected {
        let (more, less) = (running.difference(&expected), expected.difference(&running));
        let (more, less) = (Vec::from_iter(more), Vec::from_iter(less));
        let failed = failures(world).join("; ");
        return Some(format!("runs too much: {more:?}; not enough: {less:?}; failed: {failed}"));
    }
    if let Some(what) = running.iter().find(|what| floor.owners(what).len() != 1) {
        return Some(format!("{what} runs {:?}", floor.owners(what)));
    }
    for life in world.lives.lock().unwrap().values() {
        let key = life.herder.view.state().session_key().cloned();
        if key.as_ref() != state.session_key() {
            return Some(format!("worker {} knows of {key:?}, not of {:?}", life.number, state.session_key()));
        }
        for (name, target) in &connectors {
            let should = match target {
                TargetState::Started => Said::Running,
                TargetState::Paused => Said::Paused,
                TargetState::Stopped => Said::Stopped,
            };
            let said = life.herder.view.statuses.connector(name).map(|status| status.state);
            if said != Some(should) {
                return Some(format!("worker {} says {said:?} of {name}, which is {target:?}", life.number));
            }
        }
        for (id, target) in &tasks {
            let owner = floor.owners(&format!("{}|task-{}", id.connector, id.index))[0];
            let should = if *target == TargetState::Paused { Said::Paused } else { Said::Running };
            let status = life.herder.view.statuses.of_task(id);
            let said = status.as_ref().map(|status| (status.state, status.worker_id.clone()));
            if said != Some((should, format!("worker-{owner}:8083"))) {
                return Some(format!("worker {} says {said:?} of {id}, which worker {owner} runs", life.number));
            }
        }
        let names = life.herder.view.connectors();
        if names != Vec::from_iter(state.connectors().keys().cloned()) {
            return Some(format!("worker {} knows of {names:?}", life.number));
        }
        if let Some(name) =
            NAMES.iter().find(|name| state.get(name).is_none() && life.herder.view.statuses.connector(name).is_some())
        {
            return Some(format!("worker {} has a state of {name}, which is gone", life.number));
        }
    }
    None
}

/// Whether every counter that is to run counts on.
async fn stands_still(world: &World) -> Option<String> {
    let state = truth(world).await;
    let counted = || world.floor.lock().unwrap().counted.clone();
    let before = counted();
    tokio::time::sleep(COUNT).await;
    let after = counted();
    let started = state.connectors().iter().filter(|(_, connector)| connector.target == TargetState::Started);
    let counts = started.filter(|(name, _)| *name != SINK);
    let mut tasks = counts
        .flat_map(|(name, connector)| (0..connector.tasks.len()).map(move |index| format!("{name}|task-{index}")));
    let stands = tasks.find(|task| after.get(task) <= before.get(task))?;
    Some(format!("{stands} runs and has not counted on from {:?}", before.get(&stands)))
}

/// Whether the sink, if it is to run, comes to keep all that is in the topic by now.
async fn lags_behind(world: &World) -> Option<String> {
    if truth(world).await.get(SINK).is_none_or(|sink| sink.target != TargetState::Started) {
        return None;
    }
    let written = written(world).await;
    let kept = || (0..written).filter(|offset| world.floor.lock().unwrap().kept.contains(offset)).count() as i64;
    for _ in 0..CATCH_UP.as_secs() {
        if kept() == written {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Some(format!("the sink runs and has kept {} of {written}", kept()))
}

/// What the sink has committed though it has not kept it.
async fn unkept(world: &World) -> Option<String> {
    let committed = world.broker.group_offsets(&format!("connect-{SINK}")).await.unwrap();
    let end = committed.first().map_or(0, |position| position.offset);
    let floor = world.floor.lock().unwrap();
    let unkept = (0..end).find(|offset| !floor.kept.contains(offset))?;
    Some(format!("the sink has committed {end} and has not kept {unkept}"))
}

/// What the offsets topic says of each counter.
async fn stored(world: &World) -> BTreeMap<String, u64> {
    let offsets = OffsetStore::open(world.offsets.clone()).await.unwrap();
    let mut stored = BTreeMap::new();
    for name in ["a", "b", "c"] {
        for (partition, offset) in offsets.all(name).await.unwrap() {
            let counter = partition.trim_start_matches("{\"counter\":\"").trim_end_matches("\"}").to_owned();
            stored.insert(counter, offset.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap());
        }
    }
    stored
}

/// A consumer of the topic in a group of its own.
async fn consumer(world: &World, group: &str, from: &str) -> Box<dyn Consumer> {
    let settings = ClientSettings::from([("group.id".into(), group.into()), ("auto.offset.reset".into(), from.into())]);
    let subscription = Subscription::Topics([guests::TOPIC.to_owned()].into());
    world.broker.consumer(&subscription, &settings).await.unwrap()
}

/// How many records are in the topic.
async fn written(world: &World) -> i64 {
    let mut consumer = consumer(world, "ends", "latest").await;
    loop {
        if let ConsumerPolled::Assigned(positions) = consumer.poll(Duration::from_secs(1), 1 << 20).await.unwrap() {
            consumer.close().await.unwrap();
            return positions[0].offset;
        }
    }
}

/// Whether a counter left a number out, or has stored that it came further than the topic shows: what was acknowledged
/// and committed must not be lost.
async fn gaps(world: &World) -> Vec<String> {
    let mut consumer = consumer(world, "checks", "earliest").await;
    let (mut counts, mut gaps, mut assigned) = (BTreeMap::new(), Vec::new(), false);
    loop {
        match consumer.poll(Duration::from_secs(1), 1 << 20).await.unwrap() {
            ConsumerPolled::Records(records) => {
                for row in 0..records.rows {
                    let text = String::from_utf8(records.value.get(row).unwrap().to_vec()).unwrap();
                    let (counter, number) = text.split_once(' ').unwrap();
                    let number: u64 = number.parse().unwrap();
                    let reached = counts.entry(counter.to_owned()).or_insert(0);
                    if number > *reached + 1 {
                        gaps.push(format!("{counter} goes from {reached} to {number}"));
                    }
                    *reached = number.max(*reached);
                }
            }
            ConsumerPolled::Assigned(_) => assigned = true,
            ConsumerPolled::Nothing if assigned => break,
            _ => {}
        }
    }
    let mut last = BTreeMap::new();
    for entry in world.offsets.reader().await.unwrap().read_to_end().await.unwrap() {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
        let (counter, offset) = (text(entry.record.key), text(entry.record.value));
        let number: u64 = offset.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap();
        let before = last.insert(counter.clone(), number).unwrap_or(0);
        if before > number {
            gaps.push(format!("the stored offset of {counter} goes back from {before} to {number}"));
        }
    }
    for (counter, number) in stored(world).await {
        let reached = counts.get(&counter).copied().unwrap_or(0);
        if reached < number {
            gaps.push(format!("{counter} has stored {number}, and the topic ends with {reached}"));
        }
    }
    if counts.is_empty() && !world.floor.lock().unwrap().counted.is_empty() {
        gaps.push("nothing that was counted is in the topic".to_owned());
    }
    gaps
}

async fn live(seed: u64) -> (Vec<String>, Vec<String>) {
    // Every fourth group is one in which each worker is set to a protocol of its own.
    let world = World::new(seed, PROTOCOLS.get((seed % 4) as usize).copied()).await;
    let looking = tokio::spawn({
        let world = world.clone();
        async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let found = world.floor.lock().unwrap().look();
                found.into_iter().for_each(|found| world.note(found));
            }
        }
    });
    let mut next_worker = 3;
    for number in 1..next_worker {
        world.start(number).await;
    }
    for _ in 0..STEPS {
        tokio::time::sleep(Duration::from_millis(50 + world.below(6_000))).await;
        step(&world, &mut next_worker).await;
    }
    for life in world.lives.lock().unwrap().values() {
        life.link.set(State::Up);
        life.link.lag(false);
    }
    world.note("faults end");
    // What was slow comes by then.
    tokio::time::sleep(links::SLOW).await;
    let rest = tokio::time::Instant::now() + REST + DELAY;
    let mut wrong = amiss(&world).await;
    while wrong.is_some() && tokio::time::Instant::now() < rest {
        tokio::time::sleep(Duration::from_secs(1)).await;
        wrong = amiss(&world).await;
    }
    if wrong.is_none() {
        wrong = stands_still(&world).await;
    }
    if wrong.is_none() {
        wrong = lags_behind(&world).await;
    }
    world.note(format!("at rest: {wrong:?}"));
    looking.abort();
    for number in world.numbers() {
        world.stop(number).await;
    }
    let mut violations = world.floor.lock().unwrap().violations.clone();
    violations.extend(wrong);
    violations.extend(gaps(&world).await);
    violations.extend(unkept(&world).await);
    (world.trace(), violations)
}

fn run(seed: u64) -> (Vec<String>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(live(seed))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_read_what_the_others_go_by_leaves_them_and_comes_back_once_it_can() {
    let world = World::new(1, Some(PROTOCOLS[0])).await;
    for number in [1, 2] {
        world.start(number).await;
    }
    let put = async |name: &str| {
        let put = Put { config: config(name, 3), target: None, replace: true, ceilings: None, made_from: None };
        world.ask(1, name, |answer| Request::Put { put: put.clone(), answer }).await.unwrap();
    };
    let until = async |what: &str, holds: &dyn Fn() -> bool| {
        for _ in 0..REST.as_secs() {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{what}:\n{}", world.trace().join("\n"));
    };
    let owners = |name: &str| {
        let floor = world.floor.lock().unwrap();
        (0..3).flat_map(|index| floor.owners(&format!("{name}|task-{index}"))).collect::<Vec<_>>()
    };
    let shared = |owners: &[u32], all: usize| owners.len() == all && owners.contains(&1) && owners.contains(&2);
    put("a").await;
    until("each has a share", &|| shared(&owners("a"), 3)).await;
    let lag = |lags| world.lives.lock().unwrap()[&2].link.lag(lags);
    lag(true);
    put("b").await;
    until("the other runs all", &|| [owners("a"), owners("b")] == [[1; 3], [1; 3]]).await;
    // As long as it cannot read, it does not come back, and costs nobody a round.
    tokio::time::sleep(REST).await;
    assert_eq!([owners("a"), owners("b")], [[1; 3], [1; 3]]);
    lag(false);
    until("it has its share again", &|| shared(&[owners("a"), owners("b")].concat(), 6)).await;
    assert_eq!(world.floor.lock().unwrap().violations, Vec::<String>::new());
    for number in [1, 2] {
        world.stop(number).await;
    }
}

#[test]
fn groups_of_workers_run_everything_once_and_lose_nothing_whatever_happens() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let (trace, violations) = run(seed);
        trace.iter().for_each(|line| println!("{line}"));
        assert_eq!(violations, Vec::<String>::new(), "seed {seed}");
        return;
    }
    let seeds = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..2).map(|half| scope.spawn(move || (half..seeds).step_by(2).for_each(check))).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

fn check(seed: u64) {
    let (trace, violations) = run(seed);
    assert!(
        violations.is_empty(),
        "seed {seed}: {violations:#?}\nSIMULATION_SEED={seed} replays this:\n{}",
        trace.join("\n")
    );
    let (again, _) = run(seed);
    let differs = trace.iter().zip(&again).find(|(a, b)| a != b);
    assert!(trace == again, "seed {seed} is not the same when run again: {differs:?}");
}

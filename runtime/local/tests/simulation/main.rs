//! Workers of a group over the in-memory engine, under a paused clock: what clients ask and fate does is drawn from a
//! seed. A seed that fails is printed with its trace, and replays to the same.
//!
//! `SIMULATION_SEED=n` runs one seed and prints its trace; `SIMULATION_SEEDS=n` that many.

mod at_rest;
mod fate;
mod guests;
mod keeper;
mod links;
mod mortal;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_core::herder::{Put, Request};
use weir_core::model::{Config, Subscription, TaskId};
use weir_core::port::{Broker, ClientSettings, Consumer, ConsumerPolled};
use weir_core::store::{OffsetStore, TargetState};

use crate::at_rest::{amiss, lags_behind, stands_still};
use crate::links::State;
use crate::world::{DELAY, PROTOCOLS, World};

const STEPS: u64 = 28;
/// What connectors are called; the last is the sink.
const NAMES: [&str; 4] = ["a", "b", "c", SINK];
const SINK: &str = "s";
/// Seeds in `make test`.
const SEEDS: u64 = 500;
/// How often it is looked who runs what.
const LOOK: Duration = Duration::from_millis(100);
/// By when everything has to be at rest once nothing happens any more.
const REST: Duration = Duration::from_secs(180);

/// What becomes of what has failed: it stays so, or is started again, without end or once.
const RESTARTS: [&[(&str, &str)]; 3] = [
    &[],
    &[("auto.restart", "true"), ("auto.restart.max.attempts", "1000")],
    &[("auto.restart", "true"), ("auto.restart.max.attempts", "1")],
];

fn config(name: &str, tasks: u64, more: &[(&str, &str)]) -> Config {
    let class = match name == SINK {
        true => [("connector.class", keeper::CLASS), ("topics", guests::TOPIC)],
        false => [("connector.class", guests::CLASS), ("topic", guests::TOPIC)],
    };
    let entries = [("name", name), ("tasks.max", "5")].into_iter().chain(class).chain(more.iter().copied());
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
    match world.below(30) {
        0..=4 => {
            let tasks = 1 + world.below(4);
            let mut more = RESTARTS[world.below(3) as usize].to_vec();
            more.extend((world.below(2) == 0).then_some((fate::MARK, fate::VARIABLE)));
            let config = config(&name, tasks, &more);
            let put = Put { config, target: None, replace: true, ceilings: None, made_from: None };
            let request = |answer| Request::Put { put: put.clone(), answer };
            _ = world.ask(number, &format!("{name} with {tasks} tasks and {more:?}"), request).await;
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
        22..=24 => {
            let task = world.below(4);
            let what = if task == 3 { name } else { format!("{name}|task-{task}") };
            world.note(format!("{what} is to fail"));
            world.fate.fail(&what);
        }
        25 => {
            world.fate.change();
            world.note("variables stand for something else");
        }
        26 => {
            let out_of_reach = world.below(2) == 0;
            world.fate.hide(out_of_reach);
            world.note(format!("variables are out of reach: {out_of_reach}"));
        }
        _ => link(State::Up),
    }
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
                    if number > *reached + 1 || (world.once && number <= *reached) {
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

/// Where it stands what the variable stands for, which is for nobody to read.
async fn told_secrets(world: &World) -> Vec<String> {
    let mut told = Vec::new();
    for log in [&world.configs, &world.offsets, &world.statuses] {
        for entry in log.reader().await.unwrap().read_to_end().await.unwrap() {
            let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
            told.push(format!("{}: {}", text(entry.record.key), text(entry.record.value)));
        }
    }
    told.extend(world.trace());
    told.retain(|text| text.contains(fate::SECRET));
    told
}

async fn live(seed: u64) -> (Vec<String>, Vec<String>) {
    // Every fourth group is one in which each worker is set to a protocol of its own; in every third, sources deliver
    // exactly once.
    let world = World::new(seed, PROTOCOLS.get((seed % 4) as usize).copied(), seed % 3 == 2).await;
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
    world.fate.hide(false);
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
    violations.extend(told_secrets(&world).await);
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
    let world = World::new(1, Some(PROTOCOLS[0]), false).await;
    for number in [1, 2] {
        world.start(number).await;
    }
    let put = async |name: &str| {
        let put = Put { config: config(name, 3, &[]), target: None, replace: true, ceilings: None, made_from: None };
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

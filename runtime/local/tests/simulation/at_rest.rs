//! What has to hold once nothing happens any more: who runs what, what workers say of it, and what of it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use weir_core::herder::{ClusterState, ConnectorRecord};
use weir_core::model::{Config, TaskId};
use weir_core::store::{ConfigStore, State as Said, Status, TargetState};

use crate::fate::{self, MARK};
use crate::world::World;
use crate::{NAMES, SINK, written};

/// In which every counter that runs has counted on.
const COUNT: Duration = Duration::from_secs(5);
/// In which a sink that runs has kept what was there before.
const CATCH_UP: Duration = Duration::from_secs(60);

/// The state that the config topic tells anybody who reads it.
async fn truth(world: &World) -> ClusterState {
    let mut state = ClusterState::default();
    let mut configs = ConfigStore::open(world.configs.clone()).await.unwrap();
    for record in configs.read_to_end().await.unwrap() {
        state.apply(record);
    }
    state
}

/// What has failed, by fate, and nobody is to start again.
#[derive(Default)]
struct Fallen {
    connectors: BTreeSet<String>,
    tasks: BTreeSet<TaskId>,
}

/// Whether that is how something may be left: one of the configurations that it may have been started with has no more
/// tries for it.
fn may_stay(status: &Status, configs: &[&Config]) -> bool {
    let trace = status.trace.as_deref().unwrap_or_default();
    let no_more_tries = |config: &&Config| match config.get("auto.restart.max.attempts").map(String::as_str) {
        None => true,
        Some(attempts) => attempts == "1" && trace.contains("auto.restart: given up after 1 attempt"),
    };
    let waits = trace.contains("auto.restart: attempt ");
    // As with Connect: whose transaction cannot be committed, or whose older tasks cannot be fenced in time.
    let by_links = ["Failed to flush offsets and/or records", "performing zombie fencing"];
    let expected = fate::is_by_fate(trace) || by_links.iter().any(|said| trace.contains(said));
    status.state == Said::Failed && expected && !waits && configs.iter().any(no_more_tries)
}

impl Fallen {
    /// As the first worker says it of what it, or another one that lives, has run.
    fn of(world: &World, state: &ClusterState) -> Fallen {
        let (mut fallen, lives) = (Fallen::default(), world.lives.lock().unwrap());
        let Some(first) = lives.values().next() else { return fallen };
        let statuses = &first.herder.view.statuses;
        let lives_on = |status: &Status| lives.keys().any(|number| status.worker_id == format!("worker-{number}:8083"));
        for (name, connector) in state.connectors() {
            let ConnectorRecord { config, applied, .. } = connector;
            let stays = |status: &Status, configs: &[&Config]| lives_on(status) && may_stay(status, configs);
            if statuses.connector(name).is_some_and(|status| stays(&status, &[config])) {
                fallen.connectors.insert(name.clone());
            }
            // A paused connector makes no new tasks, so theirs may be any that it had since it was paused.
            let any = Config::new();
            let between = if connector.target == TargetState::Paused { &any } else { config };
            let all = [config, applied.as_ref().unwrap_or(config), between];
            let tasks = statuses.tasks(name).into_iter().filter(|(_, status)| stays(status, &all));
            fallen.tasks.extend(tasks.map(|(id, _)| id));
        }
        fallen
    }
}

/// What everybody says that has failed.
fn failures(world: &World) -> Vec<String> {
    let lives = world.lives.lock().unwrap();
    let Some(life) = lives.values().next() else { return Vec::new() };
    let statuses = &life.herder.view.statuses;
    let connectors = NAMES.iter().filter_map(|name| Some(((*name).to_owned(), statuses.connector(name)?)));
    let tasks = NAMES.iter().flat_map(|name| statuses.tasks(name)).map(|(id, status)| (id.to_string(), status));
    connectors.chain(tasks).filter_map(|(what, status)| Some(format!("{what}: {}", status.trace?))).collect()
}

/// What is not as it should be at rest.
pub async fn amiss(world: &World) -> Option<String> {
    let state = truth(world).await;
    let fallen = Fallen::of(world, &state);
    let mut expected = BTreeMap::new();
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
        // A paused connector makes no tasks, nor does one that has failed; it keeps those that it has.
        if connector.target == TargetState::Started && !fallen.connectors.contains(name) {
            if connector.tasks.len() != count {
                return Some(format!("{name} has {} tasks, not {count}", connector.tasks.len()));
            }
            expected.insert(name.clone(), connector.config.get(MARK));
        }
        for (index, config) in (0..).zip(&connector.tasks) {
            let id = TaskId { connector: name.clone(), index };
            if !fallen.tasks.contains(&id) {
                expected.insert(format!("{name}|task-{index}"), config.get(MARK));
            }
            tasks.insert(id, connector.target);
        }
    }
    let floor = world.floor.lock().unwrap();
    let running: BTreeSet<String> = floor.running().into_iter().map(str::to_owned).collect();
    if !running.iter().eq(expected.keys()) {
        let more: Vec<_> = running.iter().filter(|what| !expected.contains_key(*what)).collect();
        let less: Vec<_> = expected.keys().filter(|what| !running.contains(*what)).collect();
        let failed = failures(world).join("; ");
        return Some(format!("runs too much: {more:?}; not enough: {less:?}; failed: {failed}"));
    }
    if let Some(what) = running.iter().find(|what| floor.owners(what).len() != 1) {
        return Some(format!("{what} runs {:?}", floor.owners(what)));
    }
    for (what, mark) in expected {
        // As it is stored: nobody but who made it sees what it stands for.
        if mark.is_some_and(|mark| mark != fate::VARIABLE) {
            return Some(format!("{what} is stored with {mark:?}"));
        }
        let should = mark.map(|_| world.fate.value());
        if floor.marks(&what) != [should.clone()] {
            return Some(format!("{what} was made out of {:?}, not {should:?}", floor.marks(&what)));
        }
    }
    for life in world.lives.lock().unwrap().values() {
        let key = life.herder.view.state().session_key().cloned();
        if key.as_ref() != state.session_key() {
            return Some(format!("worker {} knows of {key:?}, not of {:?}", life.number, state.session_key()));
        }
        for (name, target) in &connectors {
            let should = match target {
                TargetState::Stopped => Said::Stopped,
                _ if fallen.connectors.contains(*name) => Said::Failed,
                TargetState::Started => Said::Running,
                TargetState::Paused => Said::Paused,
            };
            let said = life.herder.view.statuses.connector(name).map(|status| status.state);
            if said != Some(should) {
                return Some(format!("worker {} says {said:?} of {name}, which is {target:?}", life.number));
            }
        }
        for (id, target) in &tasks {
            let status = life.herder.view.statuses.of_task(id);
            if fallen.tasks.contains(id) {
                if status.as_ref().map(|status| status.state) != Some(Said::Failed) {
                    return Some(format!("worker {} says {status:?} of {id}, which has failed", life.number));
                }
                continue;
            }
            let owner = floor.owners(&format!("{}|task-{}", id.connector, id.index))[0];
            let should = if *target == TargetState::Paused { Said::Paused } else { Said::Running };
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

/// Whether every counter that runs counts on.
pub async fn stands_still(world: &World) -> Option<String> {
    let state = truth(world).await;
    let counted = || world.floor.lock().unwrap().counted.clone();
    let before = counted();
    tokio::time::sleep(COUNT).await;
    let after = counted();
    let started = state.connectors().iter().filter(|(_, connector)| connector.target == TargetState::Started);
    let names: BTreeSet<&str> = started.map(|(name, _)| name.as_str()).filter(|name| *name != SINK).collect();
    let floor = world.floor.lock().unwrap();
    let all = floor.running().into_iter().filter_map(|what| Some((what, what.split_once("|task-")?.0)));
    let mut tasks = all.filter(|(_, name)| names.contains(name)).map(|(task, _)| task);
    let stands = tasks.find(|task| after.get(*task) <= before.get(*task))?;
    Some(format!("{stands} runs and has not counted on from {:?}", before.get(stands)))
}

/// Whether the sink, if it is to run and a task of it has not failed, comes to keep all that is in the topic by now.
pub async fn lags_behind(world: &World) -> Option<String> {
    let runs = |what: &str| what.starts_with(&format!("{SINK}|task-"));
    let started = truth(world).await.get(SINK).is_some_and(|sink| sink.target == TargetState::Started);
    if !started || !world.floor.lock().unwrap().running().into_iter().any(runs) {
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

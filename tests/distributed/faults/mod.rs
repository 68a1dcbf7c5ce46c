//! Faults that a group survives, on a real Kafka: what each of them leaves is held against what clients were told, what
//! stands in topics, and what workers have open.

mod broker;
mod cut;
mod frozen;
mod leader;
mod many;
mod old;
pub mod topics;
mod trial;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::harness::polling::{Repeated, holds_within, wait};
use weir_tests::harness::worker::open_files;

use super::{Group, answered, append, runs};

/// What all of these groups are set to: consumers of sinks are missed as soon as workers are.
const QUICK: &str = "consumer.session.timeout.ms=6000\nconsumer.heartbeat.interval.ms=500\n\
                     task.shutdown.graceful.timeout.ms=2000\n";

fn sink(group: &Group) -> Value {
    json!({
        "connector.class": "FileStreamSink",
        "file": out(group).display().to_string(),
        "topics": format!("{}-lines", group.name),
    })
}

fn out(group: &Group) -> PathBuf {
    group.file("out.txt")
}

/// The lines that arrived, and how often each.
fn arrived(out: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(out).unwrap_or_default();
    let mut arrived = BTreeMap::new();
    // The last one may not be whole.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        *arrived.entry(line.to_owned()).or_insert(0) += 1;
    }
    arrived
}

/// A group with sources of one task each, named `source-0` and so on, and a sink for all of them.
fn with_sources_and_a_sink(mut group: Group, workers: usize, sources: usize) -> (Group, Vec<String>) {
    group.begin(workers);
    let mut names: Vec<String> = (0..sources).map(|number| format!("source-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let source = group.source(number);
        group.insist(number % workers, name, &source);
    }
    group.until_running(&names, 1);
    let topic = format!("{}-lines", group.name);
    // A consumer looks for topics that are missing every five minutes.
    topics::make(&group.bootstrap, &topic);
    let sink = sink(&group);
    group.insist(0, "sink", &sink);
    names.push("sink".into());
    group.until_running(&names, 1);
    (group, names)
}

/// Lines that are written to the files of sources all the while.
struct Feed {
    rounds: Arc<AtomicUsize>,
    writes: Repeated,
    sources: usize,
    out: PathBuf,
}

impl Feed {
    fn start(group: &Group, sources: usize) -> Feed {
        let rounds = Arc::new(AtomicUsize::new(0));
        let files: Vec<PathBuf> = (0..sources).map(|number| group.file(&format!("in-{number}.txt"))).collect();
        let round = rounds.clone();
        let writes = Repeated::every(Duration::from_millis(20), move || {
            let now = round.load(Ordering::Relaxed);
            files.iter().enumerate().for_each(|(number, file)| append(file, &[line(number, now)]));
            round.store(now + 1, Ordering::Release);
            true
        });
        Feed { rounds, writes, sources, out: out(group) }
    }

    /// The first round that is not written yet.
    fn round(&self) -> usize {
        self.rounds.load(Ordering::Acquire)
    }

    /// Whether all lines of these rounds have arrived.
    fn is_there(&self, rounds: std::ops::Range<usize>) -> bool {
        all_there(&self.out, self.sources, rounds)
    }

    /// Ends, and waits until every line has arrived.
    fn end(self) {
        let Feed { rounds, writes, sources, out } = self;
        writes.end();
        wait("every line", || all_there(&out, sources, 0..rounds.load(Ordering::Acquire)));
    }
}

fn all_there(out: &Path, sources: usize, rounds: std::ops::Range<usize>) -> bool {
    let arrived = arrived(out);
    (0..sources).all(|number| rounds.clone().all(|round| arrived.contains_key(&line(number, round))))
}

fn line(source: usize, round: usize) -> String {
    format!("line {round} of {source}")
}

impl Group {
    /// Where the worker that leads answers REST, as every worker that lives says it.
    pub fn leader(&self) -> usize {
        let mut led = None;
        wait("the workers to agree on who leads", || {
            let logs = self.workers.iter().flatten().map(|member| member.worker.log());
            let said: BTreeSet<Option<String>> = logs.map(|log| last_said(&log, "leader=")).collect();
            if let (1, Some(Some(url))) = (said.len(), said.first()) {
                let leads = |member: &super::Member| member.url == url.trim_end_matches('/');
                led = self.workers.iter().position(|member| member.as_ref().is_some_and(leads));
            }
            led.is_some()
        });
        led.expect("it was waited for")
    }

    /// Makes a connector, or changes it, by a worker that may be between two rounds, or may not know yet that the leader
    /// is gone.
    fn insist(&self, by: usize, name: &str, config: &Value) {
        wait(&format!("{name} to be made"), || {
            let answer = self.put(by, name, config);
            assert!(matches!(answer.status, 200 | 201 | 409 | 500), "{answer:?}");
            matches!(answer.status, 200 | 201)
        });
    }

    /// The number of the worker that is known to others as this.
    fn number_of(&self, worker_id: &str) -> usize {
        let is = |member: &super::Member| member.url.trim_start_matches("http://") == worker_id;
        self.workers.iter().position(|member| member.as_ref().is_some_and(is)).expect("a worker that lives")
    }

    /// The workers that have a file open: each of them runs the task whose file it is.
    fn holders(&self, file: &Path) -> BTreeSet<usize> {
        let live = self.workers.iter().enumerate().filter_map(|(at, member)| Some((at, member.as_ref()?)));
        live.filter(|(_, member)| open_files(member.worker.id()).iter().any(|open| open == file))
            .map(|(at, _)| at)
            .collect()
    }

    /// Waits until everybody says that all of it runs, each once, and those who have the files of sources and of the
    /// sink open are those who are said to.
    fn until_each_runs_once(&mut self, names: &[String]) {
        self.until_running(names, 1);
        let (ids, mut wrong) = (self.ids(), None);
        let once = holds_within(Duration::from_secs(30), || {
            wrong = names.iter().find_map(|name| self.amiss(name, &ids));
            wrong.is_none()
        });
        assert!(once, "{wrong:?}\n{}", self.told());
    }

    /// What there is to understand a failure by.
    pub fn told(&self) -> String {
        let said = topics::entries(self, "status").into_iter().map(|entry| {
            let text = |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            format!("{} {} {}\n", entry.timestamp, text(entry.record.key), text(entry.record.value))
        });
        let logs = self.workers.iter().flatten().map(|member| format!("{}:\n{}\n", member.url, member.worker.log()));
        said.chain(logs).collect()
    }

    fn amiss(&self, name: &str, ids: &BTreeSet<String>) -> Option<String> {
        let file = match name.strip_prefix("source-") {
            Some(number) => self.file(&format!("in-{number}.txt")),
            None => out(self),
        };
        let said = match runs(&self.urls()[0], name, 1, ids) {
            Ok(owners) => BTreeSet::from([self.number_of(&owners[1])]),
            Err(status) => return Some(status),
        };
        let held = self.holders(&file);
        (held != said).then(|| format!("{name} is said to run on {said:?}, and {held:?} have its file open"))
    }

    /// Waits until what runs is spread over all.
    fn until_shared(&mut self, names: &[String]) {
        let ids = self.ids();
        self.until("a share for everybody", |urls| {
            let all = names.iter().map(|name| runs(&urls[0], name, 1, &ids)).collect::<Result<Vec<_>, _>>();
            all.is_ok_and(|owners| owners.concat().into_iter().collect::<BTreeSet<_>>() == ids)
        });
    }
}

/// What stands behind the last `name` in a log.
pub fn last_said(log: &str, name: &str) -> Option<String> {
    let (_, rest) = log.rsplit_once(name)?;
    rest.split_whitespace().next().map(|said| said.trim_matches('"').to_owned())
}

/// The generation that a worker joined last; -1 for none.
fn generation(log: &str) -> i64 {
    last_said(log, "generation=").and_then(|said| said.parse().ok()).unwrap_or(-1)
}

/// Notes two workers that have one file open at the same time.
struct Doubles {
    seen: Arc<Mutex<Vec<String>>>,
    /// Process ids by number.
    workers: Arc<Mutex<BTreeMap<usize, u32>>>,
    looks: Repeated,
}

impl Doubles {
    fn watch(group: &Group, sources: usize) -> Doubles {
        let mut files: BTreeSet<PathBuf> = (0..sources).map(|at| group.file(&format!("in-{at}.txt"))).collect();
        files.insert(out(group));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let workers: Arc<Mutex<BTreeMap<usize, u32>>> = Arc::default();
        let (note, live, began) = (seen.clone(), workers.clone(), Instant::now());
        let looks = Repeated::every(Duration::from_millis(20), move || {
            // Held, so that nobody who is overlooked is looked at any more.
            let live = live.lock().unwrap();
            let look = || -> BTreeSet<(PathBuf, usize)> {
                let open = |(&at, &id): (&usize, &u32)| open_files(id).into_iter().map(move |file| (file, at));
                live.iter().flat_map(open).filter(|(file, _)| files.contains(file)).collect()
            };
            // Workers are looked at one after another, and a file may be handed over in between: only who has it open
            // before and after counts.
            let first = look();
            if files.iter().any(|file| first.iter().filter(|(held, _)| held == file).count() > 1) {
                let second = look();
                for file in &files {
                    let of = |(held, at): &(PathBuf, usize)| (held == file).then_some(*at);
                    let by: BTreeSet<usize> = first.intersection(&second).filter_map(of).collect();
                    if by.len() > 1 {
                        let after = began.elapsed();
                        note.lock().unwrap().push(format!("{} by {by:?} after {after:?}", file.display()));
                    }
                }
            }
            true
        });
        let doubles = Doubles { seen, workers, looks };
        (0..group.workers.len()).for_each(|at| doubles.look_at(group, at));
        doubles
    }

    fn look_at(&self, group: &Group, at: usize) {
        if let Some(member) = &group.workers[at] {
            self.workers.lock().unwrap().insert(at, member.worker.id());
        }
    }

    fn overlook(&self, at: usize) {
        self.workers.lock().unwrap().remove(&at);
    }

    /// Ends; fails the test if any file was open twice.
    fn end(self, group: &Group) {
        self.looks.end();
        let seen = self.seen.lock().unwrap();
        assert!(seen.is_empty(), "open on two workers at once: {seen:#?}\n{}", group.told());
    }
}

//! Sources that deliver exactly once, while workers are killed, stopped beyond their session and given other tasks:
//! whoever reads only what is committed finds every record once, and as many as the stored offsets say.

use std::time::{Duration, Instant};

use weir_tests::harness::kafka::Kafka;
use weir_tests::harness::polling::{holds_within, wait};

use super::faults::topics;
use super::*;

/// Source partitions of each connector.
const PARTITIONS: u64 = 6;

/// A number of the environment's, for `make soak`.
fn of_environment(name: &str, or_else: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(or_else)
}

/// The connectors, and what their configurations have beside the usual.
fn connectors(group: &Group) -> BTreeMap<String, Value> {
    let own = format!("{}-own", group.name);
    let all = [
        ("polls", json!({"tasks.max": "2"})),
        (
            "intervals",
            json!({"transaction.boundary": "interval", "transaction.boundary.interval.ms": "300",
                             "offsets.storage.topic": own, "tasks.max": "3"}),
        ),
        ("ends", json!({"transaction.boundary": "connector", "ends": "true"})),
    ];
    let whole = |(name, more): (&str, Value)| {
        let mut config = json!({
            "connector.class": "test.RangeSource",
            "exactly.once.support": "required",
            "topic": format!("{}-{name}", group.name),
            "partitions": PARTITIONS.to_string(),
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (name.to_owned(), config)
    };
    all.map(whole).into()
}

/// What makes workers deliver exactly once, with a source that counts.
fn enabled(guests: &tempfile::TempDir) -> String {
    std::fs::write(guests.path().join("echo.wasm"), weir_tests::harness::guest("guest_echo")).unwrap();
    let path = guests.path().display();
    format!("exactly.once.source.support=enabled\nplugin.path={path}\ntask.shutdown.graceful.timeout.ms=2000\n")
}

/// How many numbers each source partition has by its stored offset.
fn counts(url: &str, name: &str) -> BTreeMap<u64, u64> {
    let offsets = answered("GET", &format!("{url}/connectors/{name}/offsets"), None).json();
    let count = |one: &Value| Some((one["partition"]["range"].as_u64()?, one["offset"]["n"].as_u64()?));
    offsets["offsets"].as_array().into_iter().flatten().filter_map(count).collect()
}

impl Group {
    fn tasks(&self, url: &str, name: &str) -> usize {
        answered("GET", &format!("{url}/connectors/{name}/tasks"), None).json().as_array().map_or(0, Vec::len)
    }

    /// Waits until every connector has stored more offsets in all of its partitions than it had.
    fn until_it_goes_on(&self, names: &[String]) {
        let urls = self.urls();
        let before: Vec<BTreeMap<u64, u64>> = names.iter().map(|name| counts(&urls[0], name)).collect();
        let mut amiss = String::new();
        let goes_on = holds_within(Duration::from_secs(150), || {
            names.iter().zip(&before).all(|(name, before)| {
                let now = counts(&urls[0], name);
                let on = (0..PARTITIONS).all(|one| now.get(&one) > before.get(&one));
                amiss = format!("{name}: {before:?}, now {now:?}; {}", status(&urls[0], name));
                on
            })
        });
        assert!(goes_on, "{amiss}\n{}", self.told());
    }
}

/// One of the faults, at a random worker or at the broker.
fn strike(
    (group, broker): (&mut Group, Option<&mut Kafka>),
    random: &mut fastrand::Rng,
    number: u64,
    all: &BTreeMap<String, Value>,
) -> String {
    let at = random.usize(0..group.workers.len());
    let names = &all.keys().cloned().collect::<Vec<_>>();
    match (number % 5, broker) {
        // In the middle of transactions, as a rule.
        (4, Some(broker)) => {
            broker.stop();
            broker.restart();
            "the broker was killed".to_owned()
        }
        // A worker that comes back beyond its session: others have taken its tasks over.
        (2, _) => {
            let zombie = group.workers[at].take().unwrap();
            zombie.worker.freeze();
            let rest = group.urls();
            wait("others to run all", || {
                names.iter().all(|name| runs(&rest[0], name, group.tasks(&rest[0], name), &group.ids()).is_ok())
            });
            zombie.worker.thaw();
            group.workers[at] = Some(zombie);
            format!("worker {at} was stopped beyond its session")
        }
        // Other task sets, and a worker is killed while they come about.
        (3, _) => {
            for (name, mut config) in all.clone() {
                let tasks = random.u32(1..=4);
                config["tasks.max"] = json!(tasks.to_string());
                wait("another task set", || matches!(group.put((at + 1) % 3, &name, &config).status, 200 | 201));
            }
            // A moment that is drawn: each look takes some milliseconds.
            let url = group.urls()[(at + 1) % 3].clone();
            (0..random.usize(0..40)).for_each(|_| drop(status(&url, "polls")));
            group.kill(at);
            group.start(at);
            format!("worker {at} was killed under new task sets")
        }
        _ => {
            group.kill(at);
            let taken_over = random.bool();
            if taken_over {
                group.until_it_goes_on(names);
            }
            group.start(at);
            format!("worker {at} was killed, and was back {}", if taken_over { "late" } else { "at once" })
        }
    }
}

/// Has connectors count while workers and the broker are killed, and answers what stands in the topic of each in the end:
/// how many numbers each partition has by its stored offset, and how often each value is there.
fn count_through(
    group: &mut Group,
    mut broker: Option<&mut Kafka>,
    all: &BTreeMap<String, Value>,
    (kills, seed): (u64, u64),
    isolation: &str,
) -> Vec<(BTreeMap<u64, u64>, BTreeMap<String, usize>)> {
    println!("WEIR_SEED={seed} draws the same");
    let mut random = fastrand::Rng::with_seed(seed);
    for config in all.values() {
        topics::make(&group.bootstrap, config["topic"].as_str().unwrap());
    }
    group.begin(3);
    let names: Vec<String> = all.keys().cloned().collect();
    for (name, config) in all {
        let made = group.put(1, name, config);
        assert_eq!(made.status, 201, "{}", made.json());
    }
    group.until_it_goes_on(&names);
    let began = Instant::now();
    let (mut number, mut killed) = (0, 0);
    while killed < kills {
        let (url, more) = (group.urls()[0].clone(), random.u64(0..1_000));
        let before = counts(&url, &names[0])[&0];
        wait("a moment that is drawn", || counts(&url, &names[0]).get(&0) >= Some(&(before + more)));
        let what = strike((group, broker.as_deref_mut()), &mut random, number, all);
        println!("{number} after {:?}: {what}", began.elapsed());
        group.until_it_goes_on(&names);
        number += 1;
        killed += u64::from(what.contains("killed"));
    }
    let url = group.urls()[0].clone();
    for name in &names {
        wait("it to stop", || answered("PUT", &format!("{url}/connectors/{name}/stop"), None).status == 204);
        group.until("no tasks", |urls| status(&urls[0], name)["tasks"] == json!([]));
    }
    let outcome = |name: &String| {
        let topic = all[name]["topic"].as_str().unwrap();
        let (counted, values) = (counts(&url, name), topics::values(&group.bootstrap, topic, isolation));
        let sum = values.values().sum::<usize>();
        let written = topics::values(&group.bootstrap, topic, "read_uncommitted").values().sum::<usize>();
        println!("{name}: {sum} records for whoever reads {isolation}, of {written}; {counted:?}");
        assert!(counted.len() as u64 == PARTITIONS && sum > 0);
        (counted, values)
    };
    let outcomes = names.iter().map(outcome).collect();
    for member in group.workers.drain(..).flatten() {
        assert!(member.worker.stop());
    }
    outcomes
}

fn expected(counted: &BTreeMap<u64, u64>) -> BTreeSet<String> {
    counted.iter().flat_map(|(one, count)| (0..*count).map(move |n| format!("{one}-{n}"))).collect()
}

#[test]
fn every_record_is_there_once_for_whoever_reads_what_is_committed_whatever_is_killed() {
    let drawn = (of_environment("WEIR_KILLS", 8), of_environment("WEIR_SEED", 7));
    let guests = tempfile::tempdir().unwrap();
    let mut broker = Kafka::start(&[]);
    // With WEIR_BROKER the broker is killed, too. What a task's end leaves open in the offsets holds others up until its
    // time is over and the broker has looked, which it does every ten seconds.
    let with_broker = std::env::var_os("WEIR_BROKER").is_some();
    let sooner = if with_broker { "producer.transaction.timeout.ms=10000\n" } else { "" };
    let mut group = Group::on(&broker.bootstrap(), "once", &format!("{}{sooner}", enabled(&guests)));
    let all = connectors(&group);
    let killed = with_broker.then_some(&mut broker);
    for (counted, values) in count_through(&mut group, killed, &all, drawn, "read_committed") {
        let expected = expected(&counted);
        let wrong: Vec<_> =
            values.iter().filter(|(value, times)| **times != 1 || !expected.contains(*value)).take(20).collect();
        let lost: Vec<_> = expected.iter().filter(|value| !values.contains_key(*value)).take(20).collect();
        assert!(wrong.is_empty() && lost.is_empty(), "more than once or not to be there {wrong:?}, lost {lost:?}");
    }
}

#[test]
fn every_record_is_there_at_least_once_whatever_is_killed() {
    let drawn = (of_environment("WEIR_KILLS", 5), of_environment("WEIR_SEED", 11));
    let guests = tempfile::tempdir().unwrap();
    let mut broker = Kafka::start(&[]);
    let more = enabled(&guests).replace("exactly.once.source.support=enabled", "exactly.once.source.support=preparing");
    let mut group = Group::on(&broker.bootstrap(), "least", &more);
    let mut all = connectors(&group);
    all.remove("ends");
    for config in all.values_mut() {
        config["exactly.once.support"] = json!("requested");
    }
    for (counted, values) in count_through(&mut group, Some(&mut broker), &all, drawn, "read_uncommitted") {
        let lost: Vec<_> =
            expected(&counted).into_iter().filter(|value| !values.contains_key(value)).take(20).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
    }
}

/// The counts in records that say how many tasks may write.
fn fenced(group: &Group, name: &str) -> Vec<String> {
    let key = format!("tasks-fencing-{name}").into_bytes();
    let of_name = topics::entries(group, "config").into_iter().filter(|entry| entry.record.key.as_ref() == Some(&key));
    of_name.map(|entry| String::from_utf8(entry.record.value.unwrap_or_default()).unwrap()).collect()
}

#[test]
fn older_tasks_are_fenced_once_for_each_task_set_and_offsets_are_altered_behind_that() {
    // Of an older protocol, in which anybody may ask what only workers ask.
    let guests = tempfile::tempdir().unwrap();
    let more = format!("{}connect.protocol=compatible\n", enabled(&guests));
    let mut group = Group::on(&kafka::shared().bootstrap(), "fenced", &more);
    group.begin(1);
    let url = group.urls()[0].clone();
    let (mut config, topic) = (connectors(&group)["polls"].clone(), format!("{}-polls", group.name));
    topics::make(&group.bootstrap, &topic);
    assert_eq!(group.put(0, "polls", &config).status, 201);
    group.until_it_goes_on(&["polls".to_owned()]);
    assert_eq!(fenced(&group, "polls"), [r#"{"task-count":2}"#], "once for both");
    let fence = |name: &str| answered("PUT", &format!("{url}/connectors/{name}/fence"), None);
    assert_eq!(fence("polls").status, 204, "there is nothing to do");
    assert_eq!(fenced(&group, "polls").len(), 1);
    assert_eq!(
        (fence("none").status, fence("none").json()["message"].clone()),
        (404, json!("Connector none not found"))
    );
    let sink = json!({"connector.class": "FileStreamSink", "topics": topic, "file": group.file("out.txt")});
    assert_eq!(group.put(0, "sink", &sink).status, 201);
    let refused = fence("sink");
    assert_eq!(
        (refused.status, refused.json()["message"].clone()),
        (400, json!("Connector sink is not a source connector"))
    );
    config["tasks.max"] = json!("3");
    assert_eq!(group.put(0, "polls", &config).status, 200);
    group.until("three tasks", |urls| {
        runs(&urls[0], "polls", 3, &BTreeSet::from([urls[0].trim_start_matches("http://").to_owned()])).is_ok()
    });
    group.until_it_goes_on(&["polls".to_owned()]);
    assert_eq!(fenced(&group, "polls")[1..], [r#"{"task-count":3}"#]);
    assert_eq!(answered("PUT", &format!("{url}/connectors/polls/stop"), None).status, 204);
    group.until("no tasks", |urls| status(&urls[0], "polls")["tasks"] == json!([]));
    let altered = json!({"offsets": [{"partition": {"range": 0}, "offset": {"n": 1_000_000}}]});
    let answer = answered("PATCH", &format!("{url}/connectors/polls/offsets"), Some(&altered));
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(fenced(&group, "polls")[2..], [r#"{"task-count":0}"#]);
    assert_eq!(counts(&url, "polls")[&0], 1_000_000);
    assert_eq!(answered("PUT", &format!("{url}/connectors/polls/resume"), None).status, 202);
    group.until("it to go on from there", |_| counts(&url, "polls")[&0] > 1_000_000);
    assert_eq!(answered("PUT", &format!("{url}/connectors/polls/stop"), None).status, 204);
    group.until("no tasks", |urls| status(&urls[0], "polls")["tasks"] == json!([]));
    assert!(topics::values(&group.bootstrap, &topic, "read_committed").contains_key("0-1000000"));
}

#[test]
fn what_cannot_be_had_of_exactly_once_delivery_is_refused_with_the_reason() {
    let guests = tempfile::tempdir().unwrap();
    let messages = |group: &Group, config: &Value| -> Vec<String> {
        let url = &group.urls()[0];
        let class = config["connector.class"].as_str().unwrap();
        let path = format!("{url}/connector-plugins/{class}/config/validate");
        let checked = answered("PUT", &path, Some(config)).json();
        let all = checked["configs"].as_array().cloned().unwrap_or_default();
        let errors = all.iter().flat_map(|one| one["value"]["errors"].as_array().cloned().unwrap_or_default());
        errors.filter_map(|error| error.as_str().map(str::to_owned)).collect()
    };
    let file = |group: &Group| {
        json!({"name": "x", "connector.class": "FileStreamSource", "topic": "t", "tasks.max": "1",
                                     "file": group.file("in.txt"), "exactly.once.support": "required"})
    };
    let mut group = Group::on(&kafka::shared().bootstrap(), "once-not", "");
    group.begin(1);
    let config = file(&group);
    assert_eq!(messages(&group, &config), ["This worker does not have exactly-once source support enabled."]);
    let mut group = Group::on(&kafka::shared().bootstrap(), "once-refused", &enabled(&guests));
    group.begin(1);
    let mut config = file(&group);
    assert_eq!(messages(&group, &config), Vec::<String>::new());
    config["transaction.boundary"] = json!("connector");
    let said = messages(&group, &config);
    assert!(
        said.len() == 1 && said[0].starts_with("The connector does not support connector-defined transaction bound"),
        "{said:?}"
    );
    config.as_object_mut().unwrap().remove("file");
    config["transaction.boundary"] = json!("poll");
    let said = messages(&group, &config);
    let first = said.first().map(String::as_str).unwrap_or_default();
    assert!(first.starts_with("An unexpected error occurred during validation: file: Invalid value"), "{said:?}");
}

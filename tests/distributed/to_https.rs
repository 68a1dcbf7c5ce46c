//! A group whose workers go over from http to https, one after the other.

use std::time::Duration;

use weir_core::port::LogEntry;
use weir_tests::harness::certificates::{Authority, Certified, request_over_tls};
use weir_tests::harness::polling::{holds_within, wait};

use super::faults::{last_said, topics};
use super::*;

/// How long what a worker ran waits for it to come back, and how old the key becomes with which workers sign.
const TIMES: &str = "scheduled.rebalance.max.delay.ms=8000\ninter.worker.key.ttl.ms=1000\n";

/// Where a worker answers REST.
struct Place {
    address: String,
    secure: bool,
}

/// Whom everybody trusts, and what all workers and the test show.
struct Trust {
    authority: Authority,
    own: Certified,
}

impl Trust {
    fn ask(&self, place: &Place, method: &str, path: &str, body: &str) -> Answer {
        let Place { address, secure } = place;
        if !secure {
            let body = (!body.is_empty()).then_some(("application/json", body.as_bytes()));
            return request(method, &format!("http://{address}{path}"), body);
        }
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        request_over_tls(&self.authority, Some(&self.own), address, &text).unwrap_or_else(|_| Answer::parse(""))
    }

    /// Starts a worker of the group, over http or https, and waits until it has joined.
    fn start(&self, group: &mut Group, at: usize, secure: bool) -> Place {
        let scheme = if secure { "https" } else { "http" };
        let all = group.more.clone();
        group.more += &format!("listeners={scheme}://127.0.0.1:0\n");
        group.launch(at);
        group.more = all;
        let worker = &mut group.workers[at].as_mut().unwrap().worker;
        let (log, mut address) = (worker.log_file(), String::new());
        worker.until("REST", || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let Some((_, rest)) = said.rsplit_once("address=") else { return false };
            address = rest.lines().next().unwrap_or_default().to_owned();
            let place = Place { address: address.clone(), secure };
            self.ask(&place, "GET", "/health", "").status == 200
        });
        Place { address, secure }
    }
}

/// The number of the worker that leads, as each of them was told last.
fn leading(group: &Group, places: &[Place]) -> usize {
    let told = |member: &Option<Member>| {
        let log = std::fs::read_to_string(member.as_ref().expect("it runs").worker.log_file()).unwrap_or_default();
        let leader = last_said(&log, "leader=")?;
        places.iter().position(|place| leader == format!("http://{}/", place.address))
    };
    let mut all = Vec::new();
    wait("all to know who leads", || {
        all = group.workers.iter().map(told).collect();
        all[0].is_some() && all.iter().all(|leader| *leader == all[0])
    });
    all[0].expect("it was waited for")
}

/// What was said of each task so far: how often, and by whom last.
fn said(group: &Group) -> BTreeMap<String, (usize, String)> {
    let mut said: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for entry in topics::entries(group, "status") {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
        let key = text(entry.record.key);
        if let Some(task) = key.strip_prefix("status-task-") {
            let status: Value = serde_json::from_str(&text(entry.record.value)).unwrap_or_default();
            let of_task = said.entry(task.to_owned()).or_default();
            *of_task = (of_task.0 + 1, status["worker_id"].as_str().unwrap_or_default().to_owned());
        }
    }
    said
}

#[test]
fn workers_go_over_to_https_one_by_one_while_the_others_tasks_run_on_and_requests_are_sent_on() {
    let authority = Authority::default();
    let own = authority.certify(&["127.0.0.1"]);
    let mut group = Group::on(&kafka::shared().bootstrap(), "to-https", "");
    let (keys, vouches) = (own.write(group.file("rest.pem")), authority.write(group.dir.path()));
    // What https needs stands in everybody's file before the first of them speaks it.
    group.more = format!(
        "{TIMES}ssl.client.auth=required\nssl.keystore.type=PEM\nssl.keystore.location={}\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        keys.display(),
        vouches.display()
    );
    let trust = Trust { authority, own };
    let mut places: Vec<Place> = (0..3)
        .map(|at| {
            group.workers.push(None);
            trust.start(&mut group, at, false)
        })
        .collect();
    let names: Vec<String> = (0..6).map(|number| format!("source-{number}")).collect();
    let insist = |places: &[Place], by: usize, method: &str, path: &str, body: &str, expected: &[u16]| {
        let mut answered = None;
        let done = holds_within(Duration::from_secs(60), || {
            let answer = trust.ask(&places[by], method, path, body);
            let done = expected.contains(&answer.status);
            // Workers may be between two rounds.
            let early = matches!(answer.status, 409 | 503);
            answered = Some(answer);
            done || !early
        });
        let answer = answered.expect("it was asked");
        assert!(done && expected.contains(&answer.status), "{method} {path} by {by}: {answer:?}");
    };
    let run = |places: &[Place]| {
        let ids: BTreeSet<&str> = places.iter().map(|place| place.address.as_str()).collect();
        let mut amiss = String::new();
        let all_run = holds_within(Duration::from_secs(60), || {
            let all = places.iter().flat_map(|place| names.iter().map(move |name| (place, name)));
            let runs = |(place, name): (&Place, &String)| {
                let status = trust.ask(place, "GET", &format!("/connectors/{name}/status"), "").json();
                let parts = [&status["connector"], &status["tasks"][0]];
                let good = |part: &&Value| {
                    part["state"] == "RUNNING" && ids.contains(part["worker_id"].as_str().unwrap_or_default())
                };
                amiss = status.to_string();
                parts.iter().all(good)
            };
            all.into_iter().all(runs)
        });
        assert!(all_run, "{amiss}");
    };
    // By everybody: a change for the leader, which the owner of the connector follows with its tasks; and restarts, which
    // are their owners'.
    let mut round = 0;
    let mut all_is_sent_on = |group: &Group, places: &[Place]| {
        for by in 0..3 {
            round += 1;
            for (number, name) in names.iter().enumerate() {
                let mut config = group.source(number);
                config["batch.size"] = json!((100 + round).to_string());
                insist(places, by, "PUT", &format!("/connectors/{name}/config"), &config.to_string(), &[200, 201]);
                let stored = || {
                    let tasks = trust.ask(&places[by], "GET", &format!("/connectors/{name}/tasks"), "").json();
                    tasks[0]["config"]["batch.size"] == config["batch.size"]
                };
                wait("its tasks to be stored", stored);
            }
            run(places);
            for name in &names {
                insist(places, by, "POST", &format!("/connectors/{name}/restart"), "", &[204]);
                insist(places, by, "POST", &format!("/connectors/{name}/tasks/0/restart"), "", &[204]);
            }
            run(places);
        }
    };
    all_is_sent_on(&group, &places);
    // Who leads after a leader knows of no worker to wait for, with Connect too: it may move tasks of others if the worker
    // that led comes back behind its first round. So who leads is last.
    let leader = leading(&group, &places);
    for at in (0..3).filter(|at| *at != leader).chain([leader]) {
        assert!(at == leader || leading(&group, &places) == leader, "who leads goes on leading");
        let before = said(&group);
        let Member { worker, .. } = group.workers[at].take().unwrap();
        assert!(worker.stop(), "it ends well");
        let left = std::mem::replace(&mut places[at], trust.start(&mut group, at, true)).address;
        run(&places);
        let after = said(&group);
        if at == leader {
            all_is_sent_on(&group, &places);
            continue;
        }
        let others = before.iter().filter(|(_, (_, worker))| *worker != left);
        assert!(others.clone().count() >= 3, "{before:?}");
        for (task, said) in others {
            assert_eq!(&after[task], said, "{task}, which {at} did not run, was stopped");
        }
        all_is_sent_on(&group, &places);
    }
    let of_key = |entry: &LogEntry| entry.record.key.as_deref() == Some(b"session-key");
    let keys = topics::entries(&group, "config").into_iter().filter(of_key).map(|entry| entry.record.value);
    let keys: BTreeSet<Option<Vec<u8>>> = keys.collect();
    assert!(keys.len() > 1, "the workers have gone over to another key, too: {}", keys.len());
    for member in group.workers.into_iter().flatten() {
        assert!(member.worker.stop());
    }
}

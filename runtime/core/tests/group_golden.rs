//! Group membership against what Apache Connect 4.3.1's own classes made of the same: see golden/README.md.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use weir_core::herder::group_codec::{decode_assignment, decode_state, encode_assignment, encode_state};
use weir_core::herder::{IncrementalAssignor, Told};
use weir_core::model::{Assignment, GroupProtocol, MemberState, TaskId, Work};

fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn task(text: &Value) -> TaskId {
    let (connector, index) = text.as_str().unwrap().rsplit_once('-').unwrap();
    TaskId { connector: connector.to_owned(), index: index.parse().unwrap() }
}

fn work(json: &Value) -> Work {
    let list = |name: &str| json[name].as_array().unwrap().iter();
    Work {
        connectors: list("connectors").map(|name| name.as_str().unwrap().to_owned()).collect(),
        tasks: list("tasks").map(task).collect(),
    }
}

fn works(json: &Value) -> BTreeMap<String, Work> {
    json.as_object().unwrap().iter().map(|(member, json)| (member.clone(), work(json))).collect()
}

fn configured(json: &Value) -> Work {
    let mut work = Work::default();
    for (connector, count) in json.as_object().unwrap() {
        let task = |index| TaskId { connector: connector.clone(), index };
        work.tasks.extend((0..count.as_u64().unwrap() as u32).map(task));
        work.connectors.insert(connector.clone());
    }
    work
}

#[test]
fn every_round_of_a_hundred_histories_is_decided_as_apaches_assignor_decides_it() {
    let mut rounds = 0;
    for (seed, history) in lines(include_str!("golden/assignor_rounds.jsonl")).enumerate() {
        let number = |json: &Value| json.as_i64().unwrap();
        let mut assignor = IncrementalAssignor::new(Duration::from_millis(number(&history["max_delay"]) as u64));
        for (at, round) in history["rounds"].as_array().unwrap().iter().enumerate() {
            let made = assignor.assign(
                Duration::from_millis(number(&round["now"]) as u64),
                &configured(&round["configured"]),
                number(&round["completed"]) as i32,
                number(&round["generation"]) as i32,
                &works(&round["members"]),
            );
            let (assigned, revoked) = (works(&round["assigned"]), works(&round["revoked"]));
            for (member, Told { assigned: starts, revoked: stops, .. }) in &made.members {
                assert_eq!(starts, &assigned[member], "history {seed}, round {at}: {member} starts");
                assert_eq!(stops, &revoked[member], "history {seed}, round {at}: {member} stops");
            }
            assert_eq!(made.members.len(), assigned.len());
            assert_eq!(made.delay.as_millis() as i64, number(&round["delay"]), "history {seed}, round {at}: delay");
            rounds += 1;
        }
    }
    assert_eq!(rounds, 1_000);
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// An assignment and a member that holds it, each with Apache's bytes of it.
type Case = (GroupProtocol, Assignment, MemberState, Vec<u8>, Vec<u8>);

fn cases() -> Vec<Case> {
    let of_version = [GroupProtocol::Eager, GroupProtocol::Compatible, GroupProtocol::Sessioned];
    let case = |json: Value| {
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let assignment = Assignment {
            leader: text("leader"),
            leader_url: text("url"),
            offset: 42,
            mismatch: json["error"] == 1,
            assigned: work(&json["assigned"]),
            revoked: work(&json["revoked"]),
            delay: Duration::from_millis(json["delay"].as_u64().unwrap()),
        };
        let protocol = of_version[json["version"].as_u64().unwrap() as usize];
        let held = protocol > GroupProtocol::Eager && json["held"] == true;
        let runs = if held { assignment.assigned.clone() } else { Work::default() };
        let state = MemberState { url: text("url"), offset: 7, runs };
        (protocol, assignment, state, bytes(&json["assignment"]), bytes(&json["metadata"]))
    };
    lines(include_str!("golden/group_bytes.jsonl")).map(case).collect()
}

#[test]
fn apaches_bytes_are_read_and_ours_say_the_same() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    for (protocol, assignment, state, assignment_bytes, state_bytes) in cases {
        assert_eq!(decode_assignment(&assignment_bytes).unwrap(), assignment);
        assert_eq!(decode_state(&state_bytes).unwrap(), state);
        // Apache's order of connectors is that of a hash table, so only the length is the same where there are several.
        let ours = encode_assignment(&assignment, protocol);
        assert_eq!((ours.len(), decode_assignment(&ours).unwrap()), (assignment_bytes.len(), assignment.clone()));
        let ours = encode_state(&state, protocol, Some(&assignment));
        assert_eq!(decode_state(&ours).unwrap(), state);
        if assignment.assigned.is_empty() {
            assert_eq!(encode_assignment(&assignment, protocol), assignment_bytes);
            assert_eq!(encode_state(&state, protocol, Some(&assignment)), state_bytes);
        }
    }
}

#[test]
fn bytes_cut_short_or_turned_round_are_refused_and_never_more() {
    for (_, _, _, assignment, state) in cases() {
        for end in 0..assignment.len() {
            assert!(decode_assignment(&assignment[..end]).is_err(), "{end} of {}", assignment.len());
        }
        for end in 0..state.len() {
            assert!(decode_state(&state[..end]).is_err(), "{end} of {}", state.len());
        }
        for at in 0..assignment.len() {
            for value in [0x00, 0x7f, 0x80, 0xff] {
                let mut turned = assignment.clone();
                turned[at] = value;
                let _ = decode_assignment(&turned);
                let _ = decode_state(&turned);
            }
        }
    }
}

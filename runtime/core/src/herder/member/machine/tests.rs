//! Every sequence of events that a member may meet.

use std::collections::HashMap;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn timings() -> Timings {
    Timings { session: 10_000 * MS, heartbeat: 3_000 * MS, retry: 100 * MS, rebalance: 60_000 * MS }
}

fn m1(generation: i32) -> MemberId {
    MemberId { member: "m1".into(), generation }
}

fn joined(generation: i32, leader: &str) -> Event {
    Event::Joined(Ok(Joined {
        member: "m1".into(),
        generation,
        protocol: "sessioned".into(),
        leader: leader.into(),
        members: vec![("m1".into(), vec![1])],
    }))
}

fn stable() -> Member {
    let (mut member, _) = Member::new(timings(), Duration::ZERO);
    member.on(Duration::ZERO, Event::Found(Ok(())));
    member.on(Duration::ZERO, Event::Prepared);
    member.on(Duration::ZERO, joined(1, "m2"));
    member.on(Duration::ZERO, Event::Synced(Ok(vec![7])));
    assert!(member.is_stable());
    member
}

#[test]
fn a_follower_finds_prepares_joins_and_syncs() {
    let (mut member, first) = Member::new(timings(), Duration::ZERO);
    assert_eq!(first, [Effect::Find]);
    assert_eq!(member.on(MS, Event::Found(Ok(()))), [Effect::Prepare]);
    assert_eq!(member.on(MS, Event::Prepared), [Effect::Join(String::new())]);
    let again = member.on(MS, Event::Joined(Err(Refused::IdRequired("m1".into()))));
    assert_eq!(again, [Effect::Join("m1".into())]);
    let sync = Effect::Sync { id: m1(4), assignments: vec![] };
    assert_eq!(member.on(MS, joined(4, "m2")), [Effect::Enter("sessioned".into()), sync]);
    let assigned = Effect::Assigned { id: m1(4), protocol: "sessioned".into(), assignment: vec![9] };
    assert_eq!(member.on(MS, Event::Synced(Ok(vec![9]))), [assigned]);
}

#[test]
fn a_leader_decides_before_it_syncs_and_beats_meanwhile() {
    let (mut member, _) = Member::new(timings(), Duration::ZERO);
    member.on(MS, Event::Found(Ok(())));
    member.on(MS, Event::Prepared);
    let decide = member.on(MS, joined(2, "m1"));
    assert!(matches!(&decide[..], [Effect::Enter(_), Effect::Decide { id, .. }] if *id == m1(2)), "{decide:?}");
    assert_eq!(member.wake_at(), Some(3_001 * MS));
    let beat = Effect::Beat(m1(2));
    assert_eq!(member.on(3_001 * MS, Event::Tick), [beat]);
    let assignments = vec![("m1".to_owned(), vec![1])];
    let sync = Effect::Sync { id: m1(2), assignments: assignments.clone() };
    let decided = |generation| Event::Decided { generation, assignments: assignments.clone() };
    assert_eq!(member.on(3_002 * MS, decided(1)), [], "of a round that is over");
    assert_eq!(member.on(3_002 * MS, decided(2)), [sync]);
}

#[test]
fn a_rebalance_keeps_what_runs_and_an_expulsion_does_not() {
    let mut member = stable();
    member.on(3_000 * MS, Event::Tick);
    assert_eq!(member.on(3_001 * MS, Event::Beaten(Err(Refused::Rebalancing))), [Effect::Prepare]);
    let mut member = stable();
    member.on(3_000 * MS, Event::Tick);
    let effects = member.on(3_001 * MS, Event::Beaten(Err(Refused::Expelled)));
    assert_eq!(effects, [Effect::GiveUp, Effect::Prepare]);
    assert_eq!(member.on(3_002 * MS, Event::Prepared), [Effect::Join(String::new())]);
    let effects = member.on(3_003 * MS, Event::Joined(Err(Refused::Expelled)));
    assert_eq!((effects, member.wake_at()), (vec![], Some(3_103 * MS)));
    assert_eq!(member.on(3_103 * MS, Event::Tick), [Effect::Prepare], "it asks anew what it runs");
}

#[test]
fn a_member_put_out_while_it_prepares_prepares_again() {
    let mut member = stable();
    assert_eq!(member.on(MS, Event::Rejoin), [Effect::Prepare]);
    member.on(3_000 * MS, Event::Tick);
    let effects = member.on(3_001 * MS, Event::Beaten(Err(Refused::Expelled)));
    assert_eq!(effects, [Effect::GiveUp, Effect::Prepare]);
}

#[test]
fn a_coordinator_that_is_away_for_a_heartbeat_costs_what_runs_and_one_that_is_back_sooner_does_not() {
    let lose = |member: &mut Member| {
        member.on(3_000 * MS, Event::Tick);
        assert_eq!(member.on(4_000 * MS, Event::Beaten(Err(Refused::NoCoordinator))), [Effect::Find]);
        member.on(4_001 * MS, Event::Found(Err(Refused::NoCoordinator)));
    };
    let mut member = stable();
    lose(&mut member);
    assert_eq!(member.on(4_101 * MS, Event::Tick), [Effect::Find]);
    assert_eq!(member.on(4_102 * MS, Event::Found(Ok(()))), []);
    assert_eq!(member.session_until(), Some(10_000 * MS), "nobody has said that it is a member");
    assert_eq!(member.wake_at(), Some(4_102 * MS));
    assert!(member.on(4_102 * MS, Event::Tick).contains(&Effect::Beat(m1(1))));
    member.on(4_103 * MS, Event::Beaten(Ok(())));
    assert_eq!(member.session_until(), Some(14_102 * MS));

    let mut member = stable();
    lose(&mut member);
    assert_eq!(member.on(7_000 * MS, Event::Tick), [Effect::GiveUp, Effect::Find]);
    assert_eq!(member.on(7_001 * MS, Event::Found(Ok(()))), [Effect::Prepare], "it says that it runs nothing");
}

#[test]
fn an_answer_that_was_long_on_its_way_does_not_make_a_member_of_one_that_was_put_out_meanwhile() {
    let mut member = stable();
    assert_eq!(member.on(3_000 * MS, Event::Tick), [Effect::Beat(m1(1))]);
    // The process was stopped; what had come by then is read first.
    assert_eq!(member.on(30_000 * MS, Event::Beaten(Ok(()))), []);
    assert_eq!(member.session_until(), Some(13_000 * MS));
    assert_eq!(member.on(30_000 * MS, Event::Tick), [Effect::GiveUp, Effect::Prepare, Effect::Beat(m1(1))]);
    let effects = member.on(30_001 * MS, Event::Beaten(Err(Refused::Expelled)));
    assert_eq!(effects, [Effect::Prepare], "it says anew that it runs nothing");

    let mut member = stable();
    member.on(MS, Event::Rejoin);
    member.on(2 * MS, Event::Prepared);
    assert!(matches!(member.on(30_000 * MS, joined(2, "m2"))[..], [Effect::Enter(_), Effect::Sync { .. }]));
    assert_eq!(member.session_until(), Some(10_002 * MS));
    member.on(30_001 * MS, Event::Synced(Ok(vec![7])));
    assert_eq!(member.session_until(), Some(40_000 * MS));
}

#[test]
fn what_runs_is_given_up_when_the_session_has_lapsed_though_answers_come_late() {
    let mut member = stable();
    assert_eq!(member.on(3_000 * MS, Event::Tick), [Effect::Beat(m1(1))]);
    assert_eq!(member.on(9_900 * MS, Event::Beaten(Ok(()))), []);
    assert_eq!(member.on(9_900 * MS, Event::Tick), [Effect::Beat(m1(1))]);
    assert_eq!((member.session_until(), member.wake_at()), (Some(13_000 * MS), Some(13_000 * MS)));
    assert_eq!(member.on(13_000 * MS, Event::Tick), [Effect::GiveUp, Effect::Prepare]);
}

#[test]
fn a_join_that_waits_for_others_costs_nothing_as_long_as_beats_are_answered() {
    let mut member = stable();
    member.on(MS, Event::Rejoin);
    member.on(2 * MS, Event::Prepared);
    for beat in 1..10 {
        let now = 3_000 * beat * MS;
        assert_eq!(member.wake_at(), Some(now));
        assert_eq!(member.on(now, Event::Tick), [Effect::Beat(m1(1))]);
        assert_eq!(member.on(now + MS, Event::Beaten(Err(Refused::Rebalancing))), []);
        assert_eq!(member.session_until(), Some(now + 10_000 * MS));
    }
    assert_eq!(member.on(30_000 * MS, Event::Tick), [Effect::Beat(m1(1))]);
    assert_eq!(member.on(30_001 * MS, Event::Beaten(Err(Refused::Expelled))), [], "its join is answered, too");
    assert!(matches!(member.on(30_002 * MS, joined(2, "m2"))[..], [Effect::Enter(_), Effect::Sync { .. }]));
    // The join was sent long ago.
    assert_eq!((member.session_until(), member.on(30_002 * MS, Event::Tick)), (Some(37_000 * MS), vec![]));

    let mut member = stable();
    member.on(MS, Event::Rejoin);
    member.on(2 * MS, Event::Prepared);
    assert_eq!(member.on(3_000 * MS, Event::Tick), [Effect::Beat(m1(1))]);
    assert_eq!(member.on(10_002 * MS, Event::Tick), [Effect::Find, Effect::GiveUp], "nobody answers any more");
}

#[test]
fn what_is_given_up_while_a_join_is_out_is_said_with_the_next() {
    let mut member = stable();
    member.on(MS, Event::Rejoin);
    member.on(2 * MS, Event::Prepared);
    member.on(3_000 * MS, Event::Tick);
    member.on(9_000 * MS, Event::Beaten(Err(Refused::Rebalancing)));
    member.on(9_000 * MS, Event::Tick);
    assert_eq!(member.on(13_000 * MS, Event::Tick), [Effect::GiveUp]);
    member.on(13_001 * MS, joined(2, "m2"));
    let effects = member.on(13_002 * MS, Event::Synced(Ok(vec![7])));
    assert!(matches!(effects[..], [Effect::Assigned { .. }, Effect::Prepare]), "{effects:?}");
}

#[test]
fn a_round_that_it_does_not_get_into_in_time_costs_what_runs_though_beats_are_answered() {
    let mut member = stable();
    member.on(3_000 * MS, Event::Tick);
    assert_eq!(member.on(3_001 * MS, Event::Beaten(Err(Refused::Rebalancing))), [Effect::Prepare]);
    let mut now = 6_000 * MS;
    while now < 60_000 * MS {
        assert_eq!(member.on(now, Event::Tick), [Effect::Beat(m1(1))]);
        assert_eq!(member.on(now + MS, Event::Beaten(Err(Refused::Rebalancing))), []);
        assert!(member.session_until() <= Some(60_000 * MS), "the round may have begun right after the last answer");
        now += 3_000 * MS;
    }
    assert_eq!(member.on(60_000 * MS, Event::Tick), [Effect::GiveUp, Effect::Beat(m1(1))]);
}

#[test]
fn a_session_without_an_answer_costs_what_runs_at_once() {
    let mut member = stable();
    member.on(3_000 * MS, Event::Tick);
    assert_eq!(member.session_until(), Some(10_000 * MS));
    assert_eq!(member.on(10_000 * MS, Event::Tick), [Effect::Find, Effect::GiveUp]);
    assert_eq!(member.on(10_001 * MS, Event::Found(Ok(()))), [Effect::Prepare]);
}

#[test]
fn a_member_that_steps_out_gives_up_what_runs_and_joins_anew_once_it_is_wanted_and_has_left() {
    let mut member = stable();
    assert_eq!(member.on(MS, Event::StepOut), [Effect::StepOut("m1".into()), Effect::GiveUp]);
    assert_eq!((member.session_until(), member.wake_at()), (None, None));
    assert_eq!(member.on(2 * MS, Event::StepOut), [], "it is out");
    assert_eq!(member.on(3 * MS, Event::Rejoin), [], "the coordinator has not heard that it leaves");
    assert_eq!(member.on(4 * MS, Event::Left), [Effect::Find]);
    assert_eq!(member.on(5 * MS, Event::Found(Ok(()))), [Effect::Prepare]);
    assert_eq!(member.on(6 * MS, Event::Prepared), [Effect::Join(String::new())]);

    let mut member = stable();
    member.on(MS, Event::StepOut);
    assert_eq!((member.on(2 * MS, Event::Left), member.wake_at()), (vec![], None), "it waits for the herder");
    assert_eq!(member.on(3 * MS, Event::Rejoin), [Effect::Find]);

    let (mut member, _) = Member::new(timings(), Duration::ZERO);
    assert_eq!(member.on(MS, Event::StepOut), [Effect::StepOut(String::new())], "there is nothing to leave");
    assert_eq!(member.on(2 * MS, Event::Leave), []);
}

/// Every sequence of seven events out of 23, from a fresh member and from a stable one: a member never hangs without a
/// wake-up or an answer outstanding, never beats or syncs outside a generation, never holds on to what it ran once it
/// was expelled.
#[test]
fn no_sequence_of_events_leaves_a_member_stuck_or_talking_out_of_turn() {
    let refusals = [Refused::Loading, Refused::NoCoordinator, Refused::Expelled, Refused::Rebalancing];
    let mut events = vec![Event::Tick, Event::Found(Ok(())), Event::Prepared, joined(5, "m1"), joined(6, "m2")];
    events.extend([
        Event::Decided { generation: 5, assignments: vec![] },
        Event::Synced(Ok(vec![])),
        Event::Beaten(Ok(())),
        Event::Rejoin,
        Event::StepOut,
        Event::Left,
    ]);
    events.push(Event::Found(Err(Refused::NoCoordinator)));
    events.push(Event::Joined(Err(Refused::IdRequired("m1".into()))));
    events.extend(refusals.iter().map(|refused| Event::Joined(Err(refused.clone()))));
    events.extend(refusals.iter().map(|refused| Event::Synced(Err(refused.clone()))));
    events.extend(refusals.iter().map(|refused| Event::Beaten(Err(refused.clone()))));
    let mut layer = HashMap::new();
    for start in [Member::new(timings(), Duration::ZERO).0, stable()] {
        layer.insert(format!("{start:?}"), start);
    }
    for depth in 1..=7 {
        let mut next = HashMap::new();
        for member in layer.values() {
            for event in &events {
                let mut after = member.clone();
                let now = member.wake_at().unwrap_or(Duration::from_secs(depth));
                let effects = after.on(now, event.clone());
                check(&after, member.generation, &effects, event);
                next.insert(format!("{after:?}"), after);
            }
        }
        layer = next;
    }
    assert!(layer.len() > 100, "{} states", layer.len());
}

fn check(member: &Member, generation: i32, effects: &[Effect], event: &Event) {
    for effect in effects {
        match effect {
            Effect::Beat(id) | Effect::Sync { id, .. } => assert!(id.generation >= 0),
            Effect::GiveUp => assert!(!member.holds),
            _ => {}
        }
    }
    if generation >= 0 && member.generation < 0 {
        assert!(!member.holds, "expelled by {event:?}, it still holds");
    }
    let waits_for_an_answer = matches!(
        member.phase,
        Phase::Seeking { asking: true, .. }
            | Phase::Joining
            | Phase::Preparing
            | Phase::Deciding { .. }
            | Phase::Syncing { .. }
    );
    // Once it has left, the herder has the next word.
    let waits_for_nothing = matches!(member.phase, Phase::Gone | Phase::Out { .. });
    assert!(
        !matches!(member.phase, Phase::Out { left: true } if member.rejoin),
        "it does not come back after {event:?}"
    );
    assert!(
        waits_for_an_answer || waits_for_nothing || member.wake_at().is_some(),
        "stuck in {member:?} after {event:?}"
    );
}

//! SIGSTOP of a worker beyond its session, then SIGCONT: a zombie for a moment, which must not be heard of (design.md §6).

use weir_tests::harness::kafka;

use super::trial::Trial;
use super::*;

/// Stops a worker until the others run all, and for a while longer. What came meanwhile is the others' alone: the
/// rounds that have to stand in the topic once. (It is not to send what it reads now of its own.)
fn freeze(group: &mut Group, names: &[String], trial: &mut Trial, at: usize) -> std::ops::Range<usize> {
    trial.leave_out(group, at);
    let zombie = group.workers[at].take().unwrap();
    zombie.worker.freeze();
    let joined = generation(&zombie.worker.log());
    group.until_each_runs_once(names);
    let from = trial.feed.round();
    wait("lines without it", || trial.feed.is_there(from..from + 50));
    let (to, mut reached) = (trial.feed.round(), topics::committed(group));
    zombie.worker.thaw();
    wait("it to join again", || {
        let committed = topics::committed(group);
        assert!(committed >= reached, "the sink's offset goes back from {reached} to {committed}");
        reached = committed;
        generation(&zombie.worker.log()) > joined
    });
    group.workers[at] = Some(zombie);
    trial.look_at(group, at);
    group.until_shared(names);
    group.until_each_runs_once(names);
    from..to
}

#[test]
fn workers_that_were_stopped_beyond_their_session_write_nothing_before_they_have_joined_again() {
    let group = Group::on(&kafka::shared().bootstrap(), "frozen", QUICK);
    let (mut group, names) = with_sources_and_a_sink(group, 3, 6);
    let mut trial = Trial::begin(&group, 6, true);
    // The one that runs the sink, and with seven tasks for three a source at least; then the leader.
    let owners = runs(&group.urls()[0], "sink", 1, &group.ids()).unwrap();
    let at = group.number_of(&owners[1]);
    let first = freeze(&mut group, &names, &mut trial, at);
    let led = group.leader();
    let second = freeze(&mut group, &names, &mut trial, led);
    assert_ne!(group.leader(), led, "who comes back does not take over");
    trial.end(&group, &[first, second]);
}

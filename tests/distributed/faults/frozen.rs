//! SIGSTOP of a worker beyond its session, then SIGCONT: a zombie for a moment, which must not be heard of (design.md §6).

use weir_tests::harness::kafka;

use super::watch::Watch;
use super::*;

#[test]
fn a_worker_that_was_stopped_beyond_its_session_writes_nothing_before_it_has_joined_again() {
    let group = Group::on(&kafka::shared().bootstrap(), "frozen", QUICK);
    let (mut group, names) = with_sources_and_a_sink(group, 3, 6);
    let mut watch = Watch::over(&group.urls(), "sink", true);
    let (doubles, feed) = (Doubles::watch(&group, 6), Feed::start(&group, 6));
    wait("lines", || feed.is_there(0..20));

    // The one that runs the sink, and with seven tasks for three a source at least.
    let owners = runs(&group.urls()[0], "sink", 1, &group.ids()).unwrap();
    let at = group.number_of(&owners[1]);
    let zombie = group.workers[at].take().unwrap();
    watch.leave_out(&zombie.url);
    doubles.leave_out(at);
    zombie.worker.freeze();
    let joined = generation(&zombie.worker.log());
    group.until_each_runs_once(&names);
    let from = feed.round();
    wait("lines without it", || feed.is_there(from..from + 50));
    let (to, mut reached) = (feed.round(), topics::committed(&group));
    zombie.worker.thaw();
    wait("it to join again", || {
        let committed = topics::committed(&group);
        assert!(committed >= reached, "the sink's offset goes back from {reached} to {committed}");
        reached = committed;
        generation(&zombie.worker.log()) > joined
    });
    watch.ask(&zombie.url);
    group.workers[at] = Some(zombie);
    doubles.look_at(&group, at);
    group.until_shared(&names);
    group.until_each_runs_once(&names);
    feed.end();
    watch.end();
    doubles.end();
    topics::nobody_speaks_for_others(&group);
    topics::no_offset_goes_back(&group);
    // What came while it was stopped is the others' alone. (It is not to send what it reads now of its own.)
    let sent = topics::lines(&group);
    for (number, round) in (0..6).flat_map(|number| (from..to).map(move |round| (number, round))) {
        assert_eq!(sent[&line(number, round)], 1, "round {round} of {number}, of {from}..{to}");
    }
}

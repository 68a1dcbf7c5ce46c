//! kill -9 of the worker that leads.

use weir_tests::harness::kafka;

use super::trial::Trial;
use super::*;

#[test]
fn a_leader_that_is_killed_is_followed_by_another_and_nothing_is_lost() {
    let group = Group::on(&kafka::shared().bootstrap(), "leader", QUICK);
    let (mut group, mut names) = with_sources_and_a_sink(group, 3, 4);
    let mut trial = Trial::begin(&group, 4, true);
    let led = group.leader();
    trial.leave_out(&group, led);
    group.kill(led);
    group.until_each_runs_once(&names);
    let follows = group.leader();
    assert_ne!(follows, led);
    // What only a leader does goes through, by whomever it is asked.
    for (by, number) in (0..3).filter(|by| *by != led).zip(4..) {
        let name = format!("source-{number}");
        let source = group.source(number);
        group.insist(by, &name, &source);
        names.push(name);
    }
    group.until_each_runs_once(&names);
    group.start(led);
    trial.look_at(&group, led);
    group.until_shared(&names);
    group.until_each_runs_once(&names);
    assert_eq!(group.leader(), follows, "who comes back does not take over");
    trial.end(&group, &[]);
}

//! A cut between one worker and the broker: the worker lives and answers, and must find out by itself that it is alone.

use weir_tests::harness::kafka::Kafka;
use weir_tests::harness::proxy::Proxy;

use super::super::Member;
use super::trial::Trial;
use super::*;

/// Cuts a worker off until the others run all, and it has stopped what it ran. What came meanwhile is the others' alone:
/// the rounds that have to stand in the topic once.
fn cut(group: &mut Group, names: &[String], trial: &Trial, at: usize, proxy: &Proxy) -> std::ops::Range<usize> {
    proxy.cut();
    let alone = group.workers[at].take().unwrap();
    group.until_each_runs_once(names);
    let from = trial.feed.round();
    wait("lines without it", || trial.feed.is_there(from..from + 50));
    let own: BTreeSet<PathBuf> = (0..6).map(|number| group.file(&format!("in-{number}.txt"))).collect();
    wait("it to stop its tasks", || {
        let open = open_files(alone.worker.id());
        !open.iter().any(|file| own.contains(file) || *file == out(group))
    });
    let to = trial.feed.round();
    proxy.join();
    group.workers[at] = Some(alone);
    group.until_shared(names);
    group.until_each_runs_once(names);
    from..to
}

#[test]
fn workers_that_are_cut_off_from_the_broker_stop_what_others_take_over_and_come_back() {
    let proxy = Proxy::new();
    let kafka = Kafka::start_behind(proxy.port(), &[]);
    proxy.lead_to(kafka.behind());
    let more = format!("{QUICK}scheduled.rebalance.max.delay.ms=4000\n");
    let mut group = Group::on(&kafka.bootstrap(), "cut", &more);
    group.other_ways.insert(2, format!("127.0.0.1:{}", proxy.port()));
    // It comes last, so it does not lead.
    let (mut group, names) = with_sources_and_a_sink(group, 2, 6);
    group.workers.push(None);
    group.start(2);
    group.until_shared(&names);
    group.until_each_runs_once(&names);
    let mut trial = Trial::begin(&group, 6, true);
    let first = cut(&mut group, &names, &trial, 2, &proxy);
    while let led @ 0..2 = group.leader() {
        trial.leave_out(&group, led);
        let Member { worker, .. } = group.workers[led].take().unwrap();
        assert!(worker.stop(), "it ends well");
        group.start(led);
        trial.look_at(&group, led);
        group.until_shared(&names);
        group.until_each_runs_once(&names);
    }
    // Whoever leads after it knows of no delay, so what it ran is begun elsewhere while its tasks still stop. (They send
    // nothing any more, as the lines show.)
    trial.overlook(2);
    let second = cut(&mut group, &names, &trial, 2, &proxy);
    assert_ne!(group.leader(), 2, "who comes back does not take over");
    trial.end(&group, &[first, second]);
}

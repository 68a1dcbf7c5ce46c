//! A cut between one worker and the broker: the worker lives and answers, and must find out by itself that it is alone.

use weir_tests::harness::kafka::Kafka;
use weir_tests::harness::proxy::Proxy;

use super::watch::Watch;
use super::*;

#[test]
fn a_worker_that_is_cut_off_from_the_broker_stops_what_others_take_over_and_comes_back() {
    let proxy = Proxy::new();
    let kafka = Kafka::start_behind(proxy.port(), &[]);
    proxy.lead_to(kafka.behind());
    let more = format!("{QUICK}scheduled.rebalance.max.delay.ms=4000\n");
    let mut group = Group::on(&kafka.bootstrap(), "cut", &more);
    group.other_ways.insert(2, format!("127.0.0.1:{}", proxy.port()));
    // The one that is to be cut off comes last, so it does not lead.
    let (mut group, names) = with_sources_and_a_sink(group, 2, 6);
    group.workers.push(None);
    group.start(2);
    group.until_shared(&names);
    group.until_each_runs_once(&names);
    let watch = Watch::over(&group.urls(), "sink", true);
    let (doubles, feed) = (Doubles::watch(&group, 6), Feed::start(&group, 6));
    wait("lines", || feed.is_there(0..20));

    proxy.cut();
    let alone = group.workers[2].take().unwrap();
    group.until_each_runs_once(&names);
    let from = feed.round();
    wait("lines without it", || feed.is_there(from..from + 50));
    let own: BTreeSet<PathBuf> = (0..6).map(|number| group.file(&format!("in-{number}.txt"))).collect();
    wait("it to stop its tasks", || {
        let open = open_files(alone.worker.id());
        !open.iter().any(|file| own.contains(file) || *file == out(&group))
    });
    let to = feed.round();
    proxy.join();
    group.workers[2] = Some(alone);
    group.until_shared(&names);
    group.until_each_runs_once(&names);
    feed.end();
    watch.end();
    doubles.end();
    topics::nobody_speaks_for_others(&group);
    topics::no_offset_goes_back(&group);
    let sent = topics::lines(&group);
    for (number, round) in (0..6).flat_map(|number| (from..to).map(move |round| (number, round))) {
        assert_eq!(sent[&line(number, round)], 1, "round {round} of {number}, of {from}..{to}");
    }
}

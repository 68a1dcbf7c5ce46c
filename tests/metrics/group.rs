//! What three workers of a group say of their rounds, and of a connector whose tasks are spread over them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use weir_tests::harness::make_topic;
use weir_tests::harness::polling::wait;

use super::served::{Served, samples};

fn number(text: &str, name: &str) -> f64 {
    samples(text, name).first().map_or(f64::NAN, |(_, number)| number.parse().unwrap())
}

const REBALANCE: &str = "kafka_connect_connect_worker_rebalance_metrics";
const COORDINATOR: &str = "kafka_connect_connect_coordinator_metrics";

#[test]
fn workers_of_a_group_count_their_rounds_and_show_what_is_theirs_alone() {
    let name = format!("rounds-{}", std::process::id());
    let mut group: Vec<Served> = vec![Served::join(&name, "")];
    make_topic(&group[0].topic("lines"), 3);
    let sink = json!({"connector.class": "FileStreamSink", "file": group[0].file("out.txt"),
        "topics": group[0].topic("lines"), "tasks.max": "3"});
    group[0].make("snk", &sink);
    let spread = |workers: &[Served], whole: usize| {
        let texts: Vec<String> = workers.iter().map(Served::text).collect();
        let of =
            |name: &str| texts.iter().map(|text| number(text, &format!("{COORDINATOR}_{name}"))).collect::<Vec<_>>();
        let (connectors, tasks) = (of("assigned_connectors"), of("assigned_tasks"));
        let settled = texts.iter().all(|text| number(text, &format!("{REBALANCE}_rebalancing")) == 0.0);
        settled
            && connectors.iter().sum::<f64>() == 1.0
            && tasks.iter().sum::<f64>() == whole as f64
            && tasks.iter().filter(|own| **own > 0.0).count() == workers.len().min(whole)
    };
    wait("one worker to have it all", || spread(&group, 3));
    let rounds = |worker: &Served| number(&worker.text(), &format!("{REBALANCE}_completed_rebalances_total"));
    let before = rounds(&group[0]);
    for _ in 0..2 {
        group.push(Served::join(&name, ""));
    }
    wait("a task for each", || spread(&group, 3));
    assert!(rounds(&group[0]) > before, "those who came had a round each, or one together");
    let texts: Vec<String> = group.iter().map(Served::text).collect();
    let same = |name: &str| -> BTreeSet<String> {
        texts.iter().flat_map(|text| samples(text, name).into_iter().map(|(labels, _)| labels.to_owned())).collect()
    };
    assert_eq!(same(&format!("{REBALANCE}_leader_name_info")).len(), 1, "they have one leader");
    let epochs: BTreeSet<u64> = texts.iter().map(|text| number(text, &format!("{REBALANCE}_epoch")) as u64).collect();
    assert_eq!(epochs.len(), 1, "and are in one generation");
    for text in &texts {
        assert!(number(text, &format!("{REBALANCE}_rebalance_max_time_ms")) >= 0.0, "{text}");
        let since = number(text, &format!("{REBALANCE}_time_since_last_rebalance_ms"));
        assert!(since >= 0.0 && since.is_finite(), "{since}");
        let [total, bare] = ["", "_total"].map(|end| number(text, &format!("{REBALANCE}_completed_rebalances{end}")));
        assert_eq!(total, bare);
    }
    // A connector is one worker's to show, a task its own worker's.
    let owners = |name: &str| texts.iter().map(|text| samples(text, name).len()).collect::<Vec<_>>();
    assert_eq!(owners("kafka_connect_connector_metrics_status_info").iter().sum::<usize>(), 1);
    assert_eq!(owners("kafka_connect_connector_task_metrics_status_info"), [1, 1, 1]);
    // Whoever is asked tells of all of them.
    for worker in &group {
        let metrics = super::served::of(&worker.url, "snk");
        let ids: Vec<&Value> = metrics["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
        assert_eq!((ids, &metrics["unreachable"]), (vec![&json!(0), &json!(1), &json!(2)], &json!([])), "{metrics}");
        assert_eq!(metrics["workers"].as_array().unwrap().len(), 3);
        assert_eq!(metrics["connector"]["metrics"]["connector-metrics"]["status"], "running");
    }
    // One is lost: what it ran is shown by others, and by nobody in between.
    let lost = group.pop().unwrap();
    assert!(lost.worker.stop());
    wait("what it ran to be shown elsewhere", || spread_of_two(&group));
    for worker in group {
        assert!(worker.worker.stop());
    }
}

/// Whether two workers show three tasks.
fn spread_of_two(workers: &[Served]) -> bool {
    let shown = |worker: &Served| {
        samples(&worker.text(), "kafka_connect_connector_task_metrics_status_info")
            .iter()
            .filter(|(labels, _)| labels.contains("status=\"running\""))
            .count()
    };
    workers.iter().map(shown).sum::<usize>() == 3
}

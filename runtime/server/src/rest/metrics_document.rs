//! Pure. A connector's metrics as JSON, by Connect's own groups and attributes.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use weir_core::observe::{BOUNDS, Observed, Sample, Value};

/// What the groups are that belong to a connector and not to one of its tasks on one worker.
const OF_CONNECTOR: &str = "connector-metrics";
/// Where metrics stand that are not Connect's.
const WEIRS: &str = "weir";

/// A number; null where it is none, as of an average of nothing.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn durations(observed: &Observed) -> Json {
    let bounds = BOUNDS.iter().map(|micros| (*micros as f64 / 1e6).to_string());
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let buckets: Map<String, Json> = bounds.zip(observed.buckets).map(|(bound, count)| (bound, json!(count))).collect();
    json!({"count": observed.count(), "sum": number(observed.sum), "buckets": buckets})
}

/// Puts a value where a path leads.
fn put(document: &mut Map<String, Json>, path: &[&str], value: Json) {
    match path {
        [] => {}
        [last] => drop(document.insert((*last).to_owned(), value)),
        [first, rest @ ..] => {
            let inner = document.entry(*first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// The metrics of one worker's part of a connector.
pub fn of_worker(name: &str, worker_id: &str, samples: &[Sample]) -> Json {
    let (mut connector, mut here, mut tasks) = (Map::new(), Map::new(), BTreeMap::<u64, Map<String, Json>>::new());
    for sample in samples {
        let value = match &sample.value {
            Value::Number(value) => number(*value),
            Value::Text(text) => json!(&**text),
            Value::Durations(observed) => durations(observed),
        };
        let group = if sample.metric.group.is_empty() { WEIRS } else { sample.metric.group };
        // The same once more, in a form that is Prometheus' alone.
        if group == WEIRS && sample.metric.attribute.starts_with("kafka_") {
            continue;
        }
        let label = |wanted: &str| sample.labels.iter().find(|(label, _)| *label == wanted).map(|(_, value)| &**value);
        let task = label("task").and_then(|task| task.parse().ok());
        let more = sample.labels.iter().filter(|(label, _)| !matches!(*label, "connector" | "task" | "tenant"));
        let more: Vec<&str> = more.map(|(_, value)| &**value).collect();
        let own: Vec<&str> = sample.own.iter().map(|(_, value)| &**value).collect();
        // What is of a part of the task stands below the part's name, what is of a partition below its attribute.
        let path = match &sample.value {
            Value::Text(_) => [vec![group], more, vec![sample.metric.attribute]].concat(),
            _ => [vec![group, sample.metric.attribute], more, own].concat(),
        };
        match task {
            Some(task) => put(tasks.entry(task).or_default(), &path, value),
            None if sample.metric.group == OF_CONNECTOR || group == WEIRS => put(&mut connector, &path, value),
            None => put(&mut here, &path, value),
        }
    }
    let part = |metrics: Map<String, Json>| json!({"worker_id": worker_id, "metrics": metrics});
    let mut document = json!({"name": name, "connector": Json::Null, "workers": [], "tasks": [], "unreachable": []});
    if connector.contains_key(OF_CONNECTOR) {
        document["connector"] = part(connector);
    }
    if !here.is_empty() {
        document["workers"] = json!([part(here)]);
    }
    let task = |(id, metrics)| json!({"id": id, "worker_id": worker_id, "metrics": metrics});
    document["tasks"] = tasks.into_iter().map(task).collect();
    document
}

/// Adds what another worker answers of the same connector.
pub fn join(document: &mut Json, mut other: Json) {
    if !other["connector"].is_null() {
        document["connector"] = other["connector"].take();
    }
    for (list, key) in [("workers", "worker_id"), ("tasks", "id")] {
        let (Json::Array(own), Json::Array(more)) = (document[list].take(), other[list].take()) else { continue };
        let mut all = [own, more].concat();
        all.sort_by(|one, other| {
            let key = |part: &Json| (part[key].as_u64(), part[key].as_str().map(str::to_owned));
            key(one).cmp(&key(other))
        });
        document[list] = Json::Array(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::observe::{Samples, labels, table};

    fn document(worker_id: &str, task: &str) -> Json {
        let mut samples = Samples::default();
        let of_task = labels([("connector", "c"), ("task", task)]);
        samples.number(&of_task, &table::SINK_READ_TOTAL, 7.0);
        samples.number(&of_task, &table::TASK_BATCH_SIZE_AVG, f64::NAN);
        samples.text(&of_task, &table::TASK_STATUS, "running");
        let step = labels([("connector", "c"), ("task", task), ("transform", "cast")]);
        samples.text(&step, &table::STEP_CLASS, "Cast");
        samples.number_of(&of_task, &table::GUEST_CALLS, ("call", "put".into()), 3.0);
        let partition = labels([("connector", "c"), ("task", task), ("topic", "t"), ("partition", "0")]);
        samples.number(&partition, &table::CONSUMER_LAG, 4.0);
        samples.number(&labels([("connector", "c")]), &table::WORKER_CONNECTOR_TOTAL_TASK_COUNT, 1.0);
        if task == "1" {
            samples.text(&labels([("connector", "c")]), &table::CONNECTOR_STATUS, "running");
            samples.number_of(&labels([("connector", "c")]), &table::CONNECTOR, ("status", "running".into()), 1.0);
        }
        of_worker("c", worker_id, &samples.0)
    }

    #[test]
    fn tasks_of_several_workers_are_put_together() {
        let mut whole = document("w2:1", "1");
        join(&mut whole, document("w1:1", "0"));
        let task = |id: u64, worker: &str| {
            json!({"id": id, "worker_id": worker, "metrics": {
                "sink-task-metrics": {"sink-record-read-total": 7},
                "connector-task-metrics": {"batch-size-avg": null, "status": "running"},
                "connector-transform-metrics": {"cast": {"transform-class": "Cast"}},
                "weir": {"weir_task_guest_calls_total": {"put": 3}, "weir_task_consumer_lag_records": {"t": {"0": 4}}},
            }})
        };
        let here = |worker: &str| json!({"worker_id": worker, "metrics": {"connect-worker-metrics": {"connector-total-task-count": 1}}});
        let expected = json!({
            "name": "c",
            "connector": {"worker_id": "w2:1", "metrics": {"connector-metrics": {"status": "running"}}},
            "workers": [here("w1:1"), here("w2:1")],
            "tasks": [task(0, "w1:1"), task(1, "w2:1")],
            "unreachable": [],
        });
        assert_eq!(whole, expected);
    }
}

//! Internal topics that have grown for years: a worker that starts reads all of it, soon, and goes by what counts.

use weir_tests::harness::kafka;

use super::*;

/// Records of each topic.
const RECORDS: usize = 4_000;
/// By when a worker has to be ready, on a machine that does other things, too.
const READY: Duration = Duration::from_secs(15);

#[test]
fn a_worker_reads_thousands_of_internal_records_soon_and_goes_by_the_last_of_each() {
    let mut group = Group::on(&kafka::shared().bootstrap(), "old", QUICK);
    group.begin(1);
    let source = group.source(0);
    group.insist(0, "source-0", &source);
    group.until_running(&["source-0".to_owned()], 1);
    let super::super::Member { worker, .. } = group.workers[0].take().unwrap();
    assert!(worker.stop());

    // A thousand connectors that came and went, and thousands of versions of one that is there.
    let gone = (0..RECORDS / 4).flat_map(|number| {
        let (key, target) = (format!("connector-gone-{number}"), format!("target-state-gone-{number}"));
        let config = json!({"properties": {"name": format!("gone-{number}"), "connector.class": "FileStreamSource"}});
        [(key.clone(), Some(config.to_string())), (key, None), (target, None)]
    });
    let mut late = group.source(1);
    late["name"] = json!("late");
    let versions = (0..RECORDS).map(|version| {
        late["batch.size"] = json!((version + 1).to_string());
        ("connector-late".to_owned(), Some(json!({"properties": late}).to_string()))
    });
    let records: Vec<_> = gone.chain(versions).collect();
    topics::write(&group, "config", &records);
    // The last one counts: where the second line begins.
    append(&group.file("in-0.txt"), &["line 0 of 0".to_owned(), "line 1 of 0".to_owned()]);
    let key = json!(["source-0", {"filename": group.file("in-0.txt").display().to_string()}]).to_string();
    let offset = |position: usize| Some(json!({"position": position}).to_string());
    let mut offsets: Vec<_> = (0..RECORDS).map(|at| (key.clone(), offset(at + 100))).collect();
    offsets.push((key, offset("line 0 of 0\n".len())));
    topics::write(&group, "offset", &offsets);
    let word =
        |at: usize| json!({"state": "RUNNING", "trace": null, "worker_id": format!("gone:{at}"), "generation": 1});
    let said: Vec<_> = (0..RECORDS)
        .flat_map(|at| {
            let key = format!("status-task-gone-{}-0", at % 1_000);
            [(key.clone(), Some(word(at).to_string())), (key, None)]
        })
        .collect();
    topics::write(&group, "status", &said);

    let began = Instant::now();
    group.start(0);
    assert!(began.elapsed() < READY, "it took {:?}", began.elapsed());
    let names = ["source-0".to_owned(), "late".to_owned()];
    group.until_running(&names, 1);
    let url = group.urls()[0].clone();
    let ask = |path: &str| answered("GET", &format!("{url}/connectors{path}"), None).json();
    let there: BTreeSet<String> =
        ask("").as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect();
    assert_eq!(there, names.into());
    assert_eq!(ask("/late/config")["batch.size"], json!(RECORDS.to_string()));
    topics::make(&group.bootstrap, &format!("{}-lines", group.name));
    let sink = sink(&group);
    group.insist(0, "sink", &sink);
    let out = out(&group);
    wait("the second line", || arrived(&out).contains_key("line 1 of 0"));
    assert_eq!(arrived(&out).len(), 1, "what was committed does not come again");
}

//! What probes are told of a worker that is in its group and gets to no request.

use weir_tests::harness::kafka::Kafka;

use super::*;

#[test]
fn a_worker_that_writes_in_vain_is_unhealthy_and_says_what_it_is_at() {
    let mut kafka = Kafka::start(&[]);
    // It takes itself for a member for longer than a probe waits.
    let patient = "session.timeout.ms=60000\nheartbeat.interval.ms=20000\n";
    let mut group = Group::on(&kafka.bootstrap(), "unhealthy", patient);
    group.begin(1);
    assert_eq!(group.put(0, "source", &group.source(0)).status, 201);
    group.until_running(&["source".to_owned()], 1);
    let url = group.urls()[0].clone();
    let ask = |method: &str, path: &str| answered(method, &format!("{url}{path}"), None);
    assert_eq!(ask("GET", "/health").status, 200);
    kafka.stop();
    std::thread::scope(|scope| {
        let paused = scope.spawn(|| ask("PUT", "/connectors/source/pause"));
        let mut health = ask("GET", "/health");
        group.until("the herder to write", |_| {
            health = ask("GET", "/health");
            health.status != 200
        });
        let told = health.json();
        assert_eq!((health.status, &told["status"]), (500, &json!("unhealthy")), "{health:?}");
        let says = "Worker was unable to handle this request and may be unable to handle other requests. The worker is \
                    currently writing the PAUSED target stage for connector source to the config topic, which began at 20";
        assert!(told["message"].as_str().unwrap().starts_with(says), "{health:?}");
        // What is not the herder's to answer is answered all the while.
        assert_eq!(ask("GET", "/connectors/source/status").status, 200);
        group.kill(0);
        assert_eq!(paused.join().unwrap().status, 0, "nobody answered it");
    });
}

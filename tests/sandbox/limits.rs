//! Limits: each ends the one call that passes it, and the fault names its key, the limit and what was used.

use weir_core::settings::{MEMORY_BYTES_LEAST, WorkerSettings};

use super::*;

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_limit() {
    let fault = poll_of("loop", "", Grants::default()).await;
    let Fault::Limited { call: "poll", limit: Limit::Cpu { key, limit, used } } = fault else { panic!("{fault:?}") };
    assert_eq!((key, limit), ("task.call.cpu.max.ms", Duration::from_millis(300)));
    assert!(used >= limit && used < limit * 3, "{used:?}");
}

#[tokio::test]
async fn a_dawdler_ends_at_its_deadline_without_using_cpu() {
    let fault = poll_of("dawdle", "", Grants::default()).await;
    let Fault::Limited { limit: Limit::Deadline { key, limit, used, .. }, .. } = &fault else { panic!("{fault:?}") };
    assert_eq!((*key, *limit), ("task.poll.timeout.ms", Duration::from_secs(2)));
    assert!(used >= limit);
    assert!(fault.to_string().contains("task.poll.timeout.ms allows 2000 ms"), "{fault}");
}

#[test]
fn the_readme_says_of_every_limit_what_its_key_and_its_default_are() {
    // Without `..`: one that is added has to be said as well.
    let Limits {
        memory_bytes,
        stack_bytes,
        core_instances,
        tables,
        memories,
        call_cpu,
        cpu_nanos_per_second,
        cpu_weight,
        start,
        poll_beyond,
        put,
        other,
        http_requests,
        http_response_bytes,
        log_lines_per_second,
        log_line_bytes,
    } = Limits::default();
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let number = |number: usize| match number {
        1000.. => format!("{},{:03}", number / 1000, number % 1000),
        _ => number.to_string(),
    };
    let millis = |time: Duration| number(time.as_millis() as usize);
    let least = format!("`task.memory.max.bytes`, at least {}", mebibytes(MEMORY_BYTES_LEAST));
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    for (keys, default) in [
        (least.as_str(), mebibytes(memory_bytes)),
        ("`task.stack.max.bytes`", mebibytes(stack_bytes as u64)),
        (
            "`task.core.instances.max`, `task.tables.max`, `task.memories.max`",
            format!("{core_instances}, {tables}, {memories}"),
        ),
        ("`task.call.cpu.max.ms`", millis(call_cpu)),
        ("`task.cpu.max.cores`", cpu_nanos_per_second.map_or("none".into(), |nanos| nanos.to_string())),
        ("`task.cpu.weight`", number(cpu_weight as usize)),
        ("`task.start.timeout.ms`", millis(start)),
        ("`task.poll.timeout.ms`", millis(poll_beyond)),
        ("`task.put.timeout.ms`", millis(put)),
        ("`task.call.timeout.ms`", millis(other)),
        ("`task.http.requests.max`", number(http_requests)),
        ("`task.http.response.max.bytes`", mebibytes(http_response_bytes)),
        ("`task.log.lines.per.second`", number(log_lines_per_second as usize)),
        ("`task.log.line.max.bytes`", number(log_line_bytes)),
    ] {
        assert!(readme.contains(&format!(" | {keys} | {default} |")), "{keys} | {default}");
        for key in keys.split('`').filter(|part| part.starts_with("task.")) {
            let wrong = WorkerSettings::parse(&config(&[(key, "no number")])).unwrap_err();
            assert!(wrong.iter().any(|problem| problem.key == key), "{key} is read");
        }
    }
}

#[tokio::test]
async fn stock_plugins_are_content_with_the_least_memory_that_a_worker_may_be_given() {
    let plugins = plugins(Limits { memory_bytes: MEMORY_BYTES_LEAST, ..Limits::default() });
    for stock in ["weir_file", "weir_transforms"] {
        assert!(!component(&plugins, stock).await.classes().is_empty());
    }
}

#[tokio::test]
async fn a_hoarder_ends_at_its_memory_limit() {
    let fault = poll_of("hoard", "", Grants::default()).await;
    let Fault::Limited { limit: Limit::Memory { key, limit, asked }, .. } = fault else { panic!("{fault:?}") };
    assert_eq!((key, limit), ("task.memory.max.bytes", 16 << 20));
    assert!(asked > limit && asked < limit + (4 << 20), "{asked}");
}

#[tokio::test]
async fn deep_recursion_ends_at_its_stack_limit() {
    for stack_bytes in [64 << 10, 1 << 20] {
        let limits = Limits { stack_bytes, ..tight() };
        let plugins = plugins(limits.clone());
        let component = component(&plugins, "guest_hostile").await;
        let given = context("test.HostileSource", &[("behaviour", "recurse")], &limits);
        let mut task = component.source_task(given).await.unwrap();
        task.start().await.unwrap();
        let fault = task.poll(Duration::ZERO, BATCH).await.unwrap_err();
        let text = format!("poll used up its stack, task.stack.max.bytes allows {stack_bytes} bytes");
        assert_eq!(fault.to_string(), text);
    }
}

#[tokio::test]
async fn an_instance_of_too_many_parts_is_not_made_and_the_fault_says_how_many_it_has() {
    let plugins = plugins(tight());
    let component = component(&plugins, "guest_hostile").await;
    for (limits, key, what) in [
        (Limits { core_instances: 1, ..tight() }, "task.core.instances.max", "core instances"),
        (Limits { tables: 0, ..tight() }, "task.tables.max", "tables"),
        (Limits { memories: 0, ..tight() }, "task.memories.max", "memories"),
    ] {
        let fault = component.source_task(context("test.HostileSource", &[], &limits)).await.err().unwrap();
        let Fault::Limited { call: "instantiate", limit: Limit::Count { key: named, limit, asked, .. } } = &fault
        else {
            panic!("{key}: {fault:?}")
        };
        assert_eq!((*named, *asked), (key, limit + 1));
        assert!(fault.to_string().contains(&format!("needs {asked} {what} or more, {key} allows {limit}")), "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_more_than_its_instance_may_have_names_the_limit() {
    let plugins = plugins(tight());
    let liar = component(&plugins, "guest_liar").await;
    // Less than the limit inside the guest, more than it on the host.
    let given = context("test.LiarSource", &[("lie", "countless header names")], &tight());
    let mut task = liar.source_task(given).await.unwrap();
    task.start().await.unwrap();
    let fault = task.poll(Duration::ZERO, BATCH).await.unwrap_err();
    assert!(
        matches!(fault, Fault::Limited { call: "poll", limit: Limit::Answer { limit: 0x100_0000, .. } }),
        "{fault:?}"
    );
    assert!(fault.to_string().contains("task.memory.max.bytes"), "{fault}");
}

#[tokio::test]
async fn a_task_shows_the_memory_of_all_its_instances_as_long_as_they_live() {
    let plugins = plugins(tight());
    let hostile = component(&plugins, "guest_hostile").await;
    let given = context("test.HostileSource", &[("behaviour", "trap")], &tight());
    let meter = given.meter.clone();
    let shown = || meter.memory_bytes.load(std::sync::atomic::Ordering::Relaxed);
    let mut task = hostile.source_task(given.clone()).await.unwrap();
    task.start().await.unwrap();
    let alone = shown();
    let chain = component(&plugins, "guest_echo").await.transformations(given).await.unwrap();
    let together = shown();
    assert!(alone > 0 && together > alone, "{alone} {together}");
    task.poll(Duration::ZERO, BATCH).await.unwrap_err();
    assert_eq!(shown(), together - alone, "an instance that has trapped is gone");
    drop(chain);
    assert_eq!(shown(), 0);
    assert_eq!(meter.memory_peak_bytes.load(std::sync::atomic::Ordering::Relaxed), together);
}

#[tokio::test]
async fn a_log_flood_is_cut_and_counted_and_the_guest_lives_on() {
    let plugins = plugins(tight());
    let component = component(&plugins, "guest_hostile").await;
    let given = context(
        "test.HostileSource",
        &[("behaviour", "flood")],
        &Limits { call_cpu: Duration::from_secs(10), ..tight() },
    );
    let meter = given.meter.clone();
    let mut task = component.source_task(given).await.unwrap();
    task.start().await.unwrap();
    assert_eq!(task.poll(Duration::from_secs(20), BATCH).await.unwrap().records.rows, 1);
    assert!(meter.log_lines_dropped.load(std::sync::atomic::Ordering::Relaxed) > 90_000);
}

#[tokio::test]
async fn every_blocked_call_ends_at_the_deadline_of_its_kind() {
    let [start, put, other] = [200, 300, 400].map(Duration::from_millis);
    let (plugins, limits) = (plugins(tight()), Limits { start, put, other, ..tight() });
    let hostile = component(&plugins, "guest_hostile").await;
    let given = |class, call| context(class, &[("behaviour", "dawdle"), ("call", call)], &limits);
    let mut starting = hostile.source_task(given("test.HostileSource", "start")).await.unwrap();
    let mut stopping = hostile.source_task(given("test.HostileSource", "stop")).await.unwrap();
    let mut putting = hostile.sink_task(given("test.HostileSink", "put")).await.unwrap();
    stopping.start().await.unwrap();
    putting.start().await.unwrap();
    for (outcome, called, setting, allowed) in [
        (starting.start().await, "start", "task.start.timeout.ms", start),
        (stopping.stop().await, "stop", "task.call.timeout.ms", other),
        (putting.put(&SinkRecords::default()).await.map(drop), "put", "task.put.timeout.ms", put),
    ] {
        let Err(Fault::Limited { call, limit: Limit::Deadline { key, limit, used, .. } }) = outcome else {
            panic!("{called}")
        };
        assert_eq!((call, key, limit), (called, setting, allowed));
        assert!(used >= limit, "{used:?}");
    }
}

/// A server that answers every request with a body of so many bytes, and keeps its connections.
fn serving(bytes: usize) -> (Endpoint, std::thread::JoinHandle<()>, Arc<std::sync::atomic::AtomicBool>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = over.clone();
    let server = std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            if seen.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            // All of it: whose answer is there before its request has ended is told that its connection was reset.
            let (mut asked, mut buffer) = (String::new(), [0; 4096]);
            while !asked.ends_with(if asked.contains("chunked") { "0\r\n\r\n" } else { "\r\n\r\n" }) {
                let count = connection.read(&mut buffer).unwrap();
                assert!(count > 0, "{asked}");
                asked.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
            // Whoever is not let read on hangs up.
            let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&vec![b'x'; bytes]));
            kept.push(connection);
        }
    });
    (Endpoint { host: "127.0.0.1".into(), port }, server, over)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_http_are_bounded_in_length_and_in_number() {
    let limits = Limits { http_requests: 3, http_response_bytes: 100_000, ..tight() };
    let plugins = plugins(limits.clone());
    let component = component(&plugins, "guest_hostile").await;
    for (behaviour, bytes, expected, hit) in [
        ("download", 100_000, "downloaded 100000 bytes", None),
        ("download", 100_001, "could not download", Some("task.http.response.max.bytes")),
        ("requests", 10, "3 requests at a time, then", Some("task.http.requests.max")),
    ] {
        let (endpoint, server, over) = serving(bytes);
        let url = format!("http://{endpoint}/");
        let entries = [("behaviour", behaviour), ("path", url.as_str())];
        let grants = Arc::new(Grants { endpoints: vec![endpoint.clone()], ..Grants::default() });
        let given = Context { grants, ..context("test.HostileSource", &entries, &limits) };
        let meter = given.meter.clone();
        let mut task = component.source_task(given).await.unwrap();
        task.start().await.unwrap();
        let said = task.poll(Duration::ZERO, BATCH).await.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        assert_eq!(meter.limit_hits.all().into_keys().next().as_deref(), hit, "{behaviour} {bytes}");
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(std::net::TcpStream::connect(("127.0.0.1", endpoint.port)));
        server.join().unwrap();
    }
}

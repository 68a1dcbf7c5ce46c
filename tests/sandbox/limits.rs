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
        start,
        poll_beyond,
        put,
        other,
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
        ("`task.start.timeout.ms`", millis(start)),
        ("`task.poll.timeout.ms`", millis(poll_beyond)),
        ("`task.put.timeout.ms`", millis(put)),
        ("`task.call.timeout.ms`", millis(other)),
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

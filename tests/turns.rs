//! Turns: who wants more CPU than there is gets its share, who has a cap no more than that, and who wants little waits
//! for nobody. CPU time is what the thread's clock says, so that a machine that does other things changes no share.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use weir_core::model::{Fault, Limit, Limits};
use weir_core::observe::GuestMeter;
use weir_core::port::Context;
use weir_tests::harness::polling::holds_within;
use weir_tests::harness::{BATCH, component, context, plugins};
use weir_wasm::WasmPlugins;

/// One test at a time: each takes all cores.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long enough for a share to show.
const WHILE: Duration = Duration::from_secs(2);

/// Starts a task that computes without end; answers what it uses.
async fn spin(plugins: &WasmPlugins, spinning: &mut JoinSet<()>, owner: &str, limits: &Limits) -> Arc<GuestMeter> {
    let component = component(plugins, "guest_hostile").await;
    let (tenant, _) = owner.split_once('~').unwrap_or_default();
    let given = Context {
        owner: owner.into(),
        tenant: tenant.into(),
        ..context("test.HostileSource", &[("behaviour", "loop")], limits)
    };
    let meter = given.meter.clone();
    let mut task = component.source_task(given).await.unwrap();
    task.start().await.unwrap();
    spinning.spawn(async move { _ = task.poll(Duration::ZERO, BATCH).await });
    meter
}

fn used(meter: &GuestMeter) -> f64 {
    meter.cpu_nanos.load(Ordering::Relaxed) as f64 / 1e9
}

/// What each has used within a while from now on, in seconds.
fn shares(meters: &[Arc<GuestMeter>]) -> Vec<f64> {
    let before: Vec<f64> = meters.iter().map(|meter| used(meter)).collect();
    holds_within(WHILE, || false);
    meters.iter().zip(before).map(|(meter, before)| used(meter) - before).collect()
}

fn patient() -> Limits {
    Limits { call_cpu: Duration::from_secs(600), poll_beyond: Duration::from_secs(600), ..Limits::default() }
}

/// As many threads as a worker has.
fn runtime() -> tokio::runtime::Runtime {
    let cores = std::thread::available_parallelism().unwrap().get();
    tokio::runtime::Builder::new_multi_thread().worker_threads(cores + 1).enable_all().build().unwrap()
}

#[test]
fn a_cap_slows_a_task_that_spins() {
    let _alone = alone();
    runtime().block_on(async {
        let (plugins, mut spinning) = (plugins(patient()), JoinSet::new());
        let capped = Limits { cpu_nanos_per_second: Some(100_000_000), ..patient() };
        let meter = spin(&plugins, &mut spinning, "capped|task-0", &capped).await;
        let share = shares(std::slice::from_ref(&meter))[0] / WHILE.as_secs_f64();
        // A turn more or less at either end.
        assert!(share > 0.05 && share < 0.125, "{share} of a core");
        assert!(meter.admissions.load(Ordering::Relaxed) > 10, "it waited, and that shows");
    });
}

#[test]
fn a_task_that_spins_under_a_cap_fails_at_its_cpu_limit_in_the_end() {
    let _alone = alone();
    runtime().block_on(async {
        let plugins = plugins(patient());
        let component = component(&plugins, "guest_hostile").await;
        let limits =
            Limits { cpu_nanos_per_second: Some(200_000_000), call_cpu: Duration::from_millis(200), ..patient() };
        let given = context("test.HostileSource", &[("behaviour", "loop")], &limits);
        let mut task = component.source_task(given).await.unwrap();
        task.start().await.unwrap();
        let began = Instant::now();
        let fault = task.poll(Duration::ZERO, BATCH).await.unwrap_err();
        let Fault::Limited { limit: Limit::Cpu { used, .. }, .. } = fault else { panic!("{fault:?}") };
        assert!(used < Duration::from_millis(400) && began.elapsed() > Duration::from_millis(700), "{used:?}");
    });
}

#[test]
fn a_tenant_with_many_tasks_gets_no_more_than_one_with_few() {
    let _alone = alone();
    runtime().block_on(async {
        let (plugins, mut spinning) = (plugins(patient()), JoinSet::new());
        let cores = std::thread::available_parallelism().unwrap().get();
        let mut meters = Vec::new();
        // Enough that either could use all cores alone.
        for (tenant, tasks) in [("few", cores), ("many", 4 * cores)] {
            for task in 0..tasks {
                meters.push(spin(&plugins, &mut spinning, &format!("{tenant}~c|task-{task}"), &patient()).await);
            }
        }
        let shares = shares(&meters);
        let (few, many): (f64, f64) = (shares[..cores].iter().sum(), shares[cores..].iter().sum());
        assert!((few / (few + many) - 0.5).abs() < 0.1, "{few} and {many}");
        let (most, least) =
            shares[cores..].iter().fold((0.0, f64::MAX), |(most, least), share| (share.max(most), share.min(least)));
        assert!(most < 2.0 * least, "tasks of one tenant share equally: {shares:?}");
    });
}

#[test]
fn weights_divide_what_a_tenant_has() {
    let _alone = alone();
    runtime().block_on(async {
        let (plugins, mut spinning) = (plugins(patient()), JoinSet::new());
        let cores = std::thread::available_parallelism().unwrap().get();
        let mut meters = Vec::new();
        for task in 0..2 * cores {
            let limits = Limits { cpu_weight: if task < cores { 300 } else { 100 }, ..patient() };
            meters.push(spin(&plugins, &mut spinning, &format!("c|task-{task}"), &limits).await);
        }
        let shares = shares(&meters);
        let (heavy, light): (f64, f64) = (shares[..cores].iter().sum(), shares[cores..].iter().sum());
        assert!((heavy / (heavy + light) - 0.75).abs() < 0.1, "{heavy} and {light}");
    });
}

#[test]
fn who_wants_little_does_not_wait_for_those_who_spin() {
    let _alone = alone();
    runtime().block_on(async {
        let (plugins, mut spinning) = (plugins(patient()), JoinSet::new());
        let cores = std::thread::available_parallelism().unwrap().get();
        let component = component(&plugins, "guest_hostile").await;
        let mut neighbour = component.source_task(context("test.HostileSource", &[], &patient())).await.unwrap();
        neighbour.start().await.unwrap();
        for task in 0..4 * cores {
            spin(&plugins, &mut spinning, &format!("spins|task-{task}"), &patient()).await;
        }
        let mut waits = Vec::new();
        for _ in 0..200 {
            let began = Instant::now();
            neighbour.poll(Duration::ZERO, BATCH).await.unwrap();
            waits.push(began.elapsed());
            tokio::task::yield_now().await;
        }
        waits.sort();
        // In turns of ten milliseconds after all others it were more than eighty.
        assert!(waits[100] < Duration::from_millis(8), "{:?} at the median, {:?} at most", waits[100], waits[199]);
    });
}

//! GET /metrics.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rustix::time::{ClockId, clock_gettime};

use weir_core::herder::samples;
use weir_core::observe::{Sample, table};

use super::error::Error;
use super::{AppSlot, started, text};

/// GET /metrics, in Prometheus' text format 0.0.4
pub async fn metrics(State(app): State<AppSlot>) -> Result<Response, Error> {
    let herder = &started(&app)?.herder;
    let mut samples = samples(&herder.view, &herder.builder);
    samples.extend(of_process());
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    samples.push(Sample { metric: &table::BUILD, labels: version, value: 1.0 });
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text::prometheus(&samples)).into_response())
}

/// What the system says of this process; less where it does not say it.
fn of_process() -> Vec<Sample> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (stat, statm) = (read("/proc/self/stat"), read("/proc/self/statm"));
    // Behind the name, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok().map(|ticks| ticks / CLOCK_TICKS);
    let cpu = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    // Not of /proc/uptime, which a unit's ProcSubset=pid hides.
    let up = clock_gettime(ClockId::Boottime);
    let up = up.tv_sec as f64 + up.tv_nsec as f64 / 1e9;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|since| since.as_secs_f64());
    let start = ticks(19).zip(now.ok()).map(|(start, now)| (now - up + start).floor());
    let values = [
        (&table::PROCESS_CPU, cpu),
        (&table::PROCESS_MEMORY, pages.map(|pages| pages * PAGE_BYTES)),
        (&table::PROCESS_START, start),
    ];
    values.into_iter().filter_map(|(metric, value)| Some(Sample { metric, labels: vec![], value: value? })).collect()
}

/// Linux shows clock ticks of a hundredth of a second whatever its own clock does.
const CLOCK_TICKS: f64 = 100.0;
/// The page size of every machine that weir is built for.
const PAGE_BYTES: f64 = 4096.0;

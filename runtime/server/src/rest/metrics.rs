//! GET /metrics, and a connector's metrics as JSON.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value as Json, json};

use weir_core::herder::samples;
use weir_core::observe::{Sample, Samples, labels, table};

use super::error::Error;
use super::exposition::{Format, exposition};
use super::forward::sent_on;
use super::media::read_body;
use super::metrics_document::{join, of_worker};
use super::query::{Parameters, first};
use super::{App, AppSlot, path_segment, started};
use crate::CONNECT_VERSION;

/// How long other workers may take to say what they know.
const PATIENCE: Duration = Duration::from_secs(5);

/// GET /metrics, in Prometheus' text format 0.0.4 or in OpenMetrics, as the scraper says that it accepts
pub async fn metrics(State(slot): State<AppSlot>, headers: HeaderMap) -> Result<Response, Error> {
    let app = started(&slot)?.clone();
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accepted.collect::<Vec<_>>().join(","));
    // Of a thousand tasks it takes as long as a heartbeat should not wait.
    let written = tokio::task::spawn_blocking(move || everything(&app, format)).await;
    let text = written.map_err(|error| Error::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let kind = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "Accept")];
    Ok((kind, text).into_response())
}

fn everything(app: &App, format: Format) -> String {
    let builder = &app.herder.builder;
    let mut samples = samples(&app.herder.view, builder, None);
    of_process(&mut samples);
    of_app(app, &mut samples);
    counts(app, &mut samples);
    exposition(&samples.0, builder.settings.metrics.naming, format)
}

/// How many metrics there are (the group `kafka-metrics-count`), of the worker's client in its group and of all; each
/// among what it counts.
fn counts(app: &App, samples: &mut Samples) {
    if let Some(client) = member(app) {
        let of_client =
            |sample: &&Sample| sample.labels.iter().any(|(name, id)| (*name, &**id) == ("client-id", client));
        let count = samples.0.iter().filter(of_client).count() + 1;
        samples.number(&labels([("client-id", client)]), &table::REGISTRY_COUNT, count as f64);
    }
    samples.number(&labels([]), &table::REGISTRY_COUNT, (samples.0.len() + 1) as f64);
}

/// Who else is asked for what it knows of a connector.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Nobody.
    Nobody,
    /// Those whose addresses this worker has from its group.
    Known,
    /// The same; where they are not all, the leader in this worker's stead.
    Anybody,
}

/// GET /connectors/{name}/metrics: what every worker of the group knows of the connector. With `forward=true` the leader is
/// not asked in this worker's stead, with `forward=false` nobody is.
pub async fn of_connector(
    State(slot): State<AppSlot>,
    Path(name): Path<String>,
    Query(query): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let app = started(&slot)?;
    let view = &app.herder.view;
    if view.info(&name).is_none() {
        return Err(Error::not_found(format!("Connector {name} not found")));
    }
    let ask = match first(&query, "forward") {
        None => Ask::Anybody,
        Some(told) if told.eq_ignore_ascii_case("true") => Ask::Known,
        Some(_) => Ask::Nobody,
    };
    let own = view.statuses.worker_id();
    let mut document = of_worker(&name, own, &samples(view, &app.herder.builder, Some(&name)).0);
    let Some(status) = view.status(&name).filter(|_| ask != Ask::Nobody) else {
        return Ok(axum::Json(document).into_response());
    };
    let owners = status.tasks.into_iter().map(|(_, task)| task.worker_id).chain([status.connector.worker_id]);
    let others: BTreeSet<String> = owners.filter(|owner| owner != own).collect();
    let reachable = view.reachable.borrow().clone();
    let url_of = |worker_id: &str| {
        let leads_there =
            |url: &&String| url.split_once("://").is_some_and(|(_, rest)| rest.trim_end_matches('/') == worker_id);
        reachable.iter().find(leads_there)
    };
    // Only the leader has all addresses; none is made out of what statuses say, for the asker's password goes with the question.
    if ask == Ask::Anybody && others.iter().any(|other| url_of(other).is_none()) {
        for leader in reachable.iter().filter(|url| url_of(own) != Some(url)) {
            if let Some(whole) = said_at(app, leader, &name, "true", &headers).await {
                return Ok(axum::Json(whole).into_response());
            }
        }
    }
    let asked = others.iter().map(async |other| match url_of(other) {
        Some(url) => said_at(app, url, &name, "false", &headers).await,
        None => None,
    });
    let mut silent = Vec::new();
    for (other, answer) in others.iter().zip(join_all(asked).await) {
        match answer {
            Some(answer) => join(&mut document, answer),
            None => silent.push(other),
        }
    }
    document["unreachable"] = json!(silent);
    Ok(axum::Json(document).into_response())
}

/// What a worker says of a connector at an address; nothing where it does not answer.
async fn said_at(app: &App, url: &str, name: &str, forward: &str, headers: &HeaderMap) -> Option<Json> {
    let client = app.client.as_ref()?;
    let url = format!("{}/connectors/{}/metrics?forward={forward}", url.trim_end_matches('/'), path_segment(name));
    let asked = sent_on(client, Method::GET, &url, headers, Vec::new());
    let answer = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let said: Json = serde_json::from_slice(&read_body(answer.into_body()).await.ok()?).ok()?;
    let whole = said.is_object() && ["workers", "tasks"].iter().all(|list| said[list].is_array());
    whole.then_some(said)
}

/// The worker's client in its group, where it has one.
fn member(app: &App) -> Option<&str> {
    app.herder.builder.group.as_ref().map(|(_, client)| &*client.id)
}

/// What is served, and since when.
fn of_app(app: &App, samples: &mut Samples) {
    let since = app.began_ms.to_string();
    // Without a group it has the name that a client would have.
    let client = member(app).map_or_else(|| format!("connect-{}", app.herder.view.statuses.worker_id()), str::to_owned);
    let member = member(app).map(|client| labels([("client-id", client)]));
    for of in std::iter::once(labels([])).chain(member) {
        samples.text(&of, &table::APP_VERSION, CONNECT_VERSION);
        samples.text(&of, &table::APP_COMMIT_ID, app.commit);
        samples.number(&of, &table::APP_START_TIME_MS, app.began_ms as f64);
    }
    let whole = labels([
        ("client-id", &client),
        ("version", CONNECT_VERSION),
        ("commit-id", app.commit),
        ("start-time-ms", &since),
    ]);
    samples.number(&whole, &table::APP, 1.0);
    samples.number(&whole, &table::APP_INFO, 1.0);
    samples.number(&labels([("version", env!("CARGO_PKG_VERSION"))]), &table::BUILD, 1.0);
}

/// What the system says of this process; less where it does not say it.
fn of_process(samples: &mut Samples) {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (stat, statm) = (read("/proc/self/stat"), read("/proc/self/statm"));
    // Behind the name, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok().map(|ticks| ticks / CLOCK_TICKS);
    let cpu = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    let pages = |at: usize| statm.split(' ').nth(at).and_then(|pages| pages.parse::<f64>().ok());
    // Not of /proc/uptime, which a unit's ProcSubset=pid hides.
    let up = clock_gettime(ClockId::Boottime);
    let up = up.tv_sec as f64 + up.tv_nsec as f64 / 1e9;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|since| since.as_secs_f64());
    let start = ticks(19).zip(now.ok()).map(|(start, now)| (now - up + start).floor());
    // The listing itself has one open.
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count().saturating_sub(1)) as f64);
    let values = [
        (&table::PROCESS_CPU, cpu),
        (&table::PROCESS_VIRTUAL, pages(0).map(|pages| pages * PAGE_BYTES)),
        (&table::PROCESS_MEMORY, pages(1).map(|pages| pages * PAGE_BYTES)),
        (&table::PROCESS_START, start),
        (&table::PROCESS_FDS, files),
        (&table::PROCESS_FDS_MOST, getrlimit(Resource::Nofile).current.map(|most| most as f64)),
    ];
    let none = labels([]);
    for (metric, value) in values {
        if let Some(value) = value {
            samples.number(&none, metric, value);
        }
    }
}

/// Linux shows clock ticks of a hundredth of a second whatever its own clock does.
const CLOCK_TICKS: f64 = 100.0;
/// The page size of every machine that weir is built for.
const PAGE_BYTES: f64 = 4096.0;

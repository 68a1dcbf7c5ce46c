//! examples/monitoring: Prometheus takes its files, its alerts fire when they should, and what its dashboard and published
//! ones ask for is there on workers that run.

mod files;
mod prometheus;
mod published;
mod queries;
mod workers;

use std::path::{Path, PathBuf};

/// Where the files are that operators take.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("examples/monitoring/{name}: {error}"))
}

/// weir's own dashboard.
fn dashboard() -> serde_json::Value {
    serde_json::from_str(&text("weir-dashboard.json")).expect("a dashboard is JSON")
}

/// The panels of the dashboard, those of rows that are closed included; no rows.
fn panels(dashboard: &serde_json::Value) -> Vec<serde_json::Value> {
    let own = dashboard["panels"].as_array().cloned().unwrap_or_default();
    own.into_iter().flat_map(|panel| if panel["type"] == "row" { panels(&panel) } else { vec![panel] }).collect()
}

//! Source task instances.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use weir_core::model::{Acknowledgements, Boundary, BoundaryKind, Fault, Polled, Records, TimestampType};
use weir_core::port::SourceTask;
use weir_data::{Lie, check_positions};

use crate::batch::{check, lift_cells, lift_column, lift_headers, lift_tables};
use crate::bindings::exports::weir::connect::source_task as wit;
use crate::instance::{Live, call, lower_config};
use crate::schema_table::SchemaTable;

pub(crate) struct Task(pub Live<wit::Guest>);

#[async_trait]
impl SourceTask for Task {
    async fn start(&mut self) -> Result<(), Fault> {
        let (class, config) = (self.0.class.clone(), self.0.config.clone());
        let config = lower_config(&config);
        call!(self.0, "start", self.0.start(), call_start(&class, &config))
    }

    async fn poll(&mut self, max_wait: Duration, max_bytes: usize) -> Result<Polled, Fault> {
        let millis = max_wait.as_millis() as u64;
        self.0.schemas.begin_call();
        let forgotten = self.0.schemas.news().forgotten;
        let polled = call!(self.0, "poll", self.0.waiting(max_wait), call_poll(millis, max_bytes as u64, &forgotten))?;
        let polled = lift(polled, &mut self.0.schemas).map_err(|what| self.0.guest.lied("poll", what))?;
        self.0.guest.meter.out_of.add(polled.records.rows, polled.records.bytes());
        Ok(polled)
    }

    async fn acknowledged(&mut self, rows: &Acknowledgements) -> Result<(), Fault> {
        let topics: Vec<&str> = rows.topics.iter().map(|topic| &**topic).collect();
        let acknowledgements = wit::Acknowledgements {
            row_id: &rows.row_id,
            topics: &topics,
            topic: &rows.topic,
            partition: &rows.partition,
            offset: &rows.offset,
        };
        call!(self.0, "acknowledged", self.0.other(), call_acknowledged(acknowledgements))
    }

    async fn committed(&mut self) -> Result<(), Fault> {
        call!(self.0, "committed", self.0.other(), call_committed())
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        call!(self.0, "stop", self.0.other(), call_stop())
    }
}

fn lift(polled: wit::Polled, schemas: &mut SchemaTable) -> Result<Polled, Lie> {
    let batch = polled.batch;
    schemas.learn(batch.define)?;
    let rows = batch.rows as usize;
    if batch.row_id.len() != rows {
        return Err(Lie(format!("row numbers: {} for {rows} rows", batch.row_id.len())));
    }
    let timestamp_type = if batch.timestamp.is_empty() { TimestampType::None } else { TimestampType::CreateTime };
    let polled = Polled {
        records: Records {
            rows,
            tables: lift_tables(batch.tables, schemas)?,
            topic: batch.topic,
            partition: batch.partition,
            offset: Vec::new(),
            timestamp: batch.timestamp,
            timestamp_type,
            key: lift_cells(batch.key),
            value: lift_cells(batch.value),
            headers: lift_headers(batch.headers),
        },
        source_partitions: batch.source_partitions.into_iter().map(Arc::from).collect(),
        source_partition: batch.source_partition,
        source_offset: lift_column(batch.source_offset),
        row_id: batch.row_id,
        boundaries: polled.boundaries.into_iter().map(boundary).collect(),
    };
    check(&polled.records)?;
    check_positions(&polled.source_partition, rows, polled.source_partitions.len(), "source partitions")?;
    polled.source_offset.check(rows, "source offsets")?;
    let rising = polled.boundaries.windows(2).all(|pair| pair[0].row < pair[1].row);
    if !rising || polled.boundaries.last().is_some_and(|last| last.row as usize >= rows) {
        return Err(Lie("boundaries: not by rising row within the batch".into()));
    }
    Ok(polled)
}

fn boundary(boundary: wit::Boundary) -> Boundary {
    let kind = match boundary.kind {
        wit::BoundaryKind::Commit => BoundaryKind::Commit,
        wit::BoundaryKind::Abort => BoundaryKind::Abort,
    };
    Boundary { row: boundary.row, kind }
}

//! Sink task instances.

use std::time::Duration;

use async_trait::async_trait;
use weir_core::model::{Fault, Position, RowFault, TimestampType, TopicPartition};
use weir_core::port::{SinkDelivery, SinkRecords, SinkRetry, SinkTask};
use weir_data::{Lie, select_positions};

use crate::batch::{LoweredTables, cells, headers};
use crate::bindings::exports::weir::connect::sink_task as wit;
use crate::bindings::weir::connect::positions::{PositionParam, TopicPartitionParam};
use crate::bindings::weir::connect::schemas::News;
use crate::call::fault;
use crate::instance::{Live, call, lower_config};
use crate::pieces::{piece, pieces};

pub(crate) struct Task(pub Live<wit::Guest>);

fn lower_positions(positions: &[Position]) -> Vec<PositionParam<'_>> {
    positions
        .iter()
        .map(|p| PositionParam { topic: &p.partition.topic, partition: p.partition.partition, offset: p.offset })
        .collect()
}

#[async_trait]
impl SinkTask for Task {
    async fn start(&mut self) -> Result<(), Fault> {
        let (class, config) = (self.0.class.clone(), self.0.config.clone());
        let config = lower_config(&config);
        call!(self.0, "start", self.0.start(), call_start(&class, &config))
    }

    async fn open(&mut self, partitions: &[Position]) -> Result<(), Fault> {
        let partitions = lower_positions(partitions);
        call!(self.0, "open", self.0.other(), call_open(&partitions))
    }

    async fn put(&mut self, batch: &SinkRecords) -> Result<SinkDelivery, Fault> {
        let Some(pieces) = pieces(&batch.records) else { return self.put_whole(batch).await };
        let mut delivery = SinkDelivery::default();
        for rows in pieces {
            let original = batch.original.as_ref();
            let original =
                original.map(|(topic, partition)| (select_positions(topic, &rows), select_positions(partition, &rows)));
            let of_piece = self.put_whole(&SinkRecords { records: piece(&batch.records, &rows), original }).await?;
            let at = |row: u32| rows[row as usize];
            delivery.faults.extend(of_piece.faults.into_iter().map(|fault| RowFault { row: at(fault.row), ..fault }));
            if let Some(retry) = of_piece.retry {
                delivery.retry = Some(SinkRetry { from: at(retry.from), ..retry });
                break;
            }
        }
        Ok(delivery)
    }

    async fn pre_commit(&mut self, positions: &[Position]) -> Result<Vec<Position>, Fault> {
        let positions = lower_positions(positions);
        let answer = call!(self.0, "pre-commit", self.0.put(), call_pre_commit(&positions))?;
        Ok(answer
            .into_iter()
            .map(|p| Position {
                partition: TopicPartition { topic: p.topic.into(), partition: p.partition },
                offset: p.offset,
            })
            .collect())
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), Fault> {
        let partitions: Vec<TopicPartitionParam> =
            partitions.iter().map(|p| TopicPartitionParam { topic: &p.topic, partition: p.partition }).collect();
        call!(self.0, "close", self.0.other(), call_close(&partitions))
    }

    async fn stop(&mut self) -> Result<(), Fault> {
        call!(self.0, "stop", self.0.other(), call_stop())
    }
}

impl Task {
    /// Delivers records of not too many schemas.
    async fn put_whole(&mut self, batch: &SinkRecords) -> Result<SinkDelivery, Fault> {
        let records = &batch.records;
        self.0.schemas.begin_call();
        let tables = LoweredTables::new(&records.tables, &mut self.0.schemas);
        let news = self.0.schemas.news();
        let deadline = self.0.put();
        let (exports, guest) = (&self.0.exports, &mut self.0.guest);
        let lists = news.lists();
        let nodes = lists.nodes();
        let define = nodes.params();
        let lowered = wit::SinkBatch {
            rows: records.rows as u32,
            news: News { define: &define, forget: &news.forget, forgotten: &news.forgotten },
            tables: tables.param(),
            topic: &records.topic,
            partition: &records.partition,
            offset: &records.offset,
            original: batch.original.as_ref().map(|(topic, partition)| wit::Origin { topic, partition }),
            timestamp: &records.timestamp,
            timestamp_type: match records.timestamp_type {
                TimestampType::None => wit::TimestampType::None,
                TimestampType::CreateTime => wit::TimestampType::CreateTime,
                TimestampType::LogAppendTime => wit::TimestampType::LogAppendTime,
            },
            key: cells(&records.key),
            value: cells(&records.value),
            headers: headers(&records.headers),
        };
        let delivery = guest
            .call("put", deadline, |mut store| async move {
                let delivery = exports.call_put(&mut store, lowered).await;
                (store, delivery)
            })
            .await?
            .map_err(fault)?;
        self.0.guest.meter.into.add(records.rows, records.bytes());
        lift(delivery, records.rows).map_err(|what| self.0.guest.lied("put", what))
    }
}

fn lift(delivery: wit::Delivery, rows: usize) -> Result<SinkDelivery, Lie> {
    let inside = |row: u32| (row as usize) < rows;
    let rising = delivery.faults.windows(2).all(|pair| pair[0].row < pair[1].row);
    if !rising || delivery.faults.last().is_some_and(|last| !inside(last.row)) {
        return Err(Lie("failed rows: not by rising row within the batch".into()));
    }
    if let Some(retry) = &delivery.retry {
        if !inside(retry.from) {
            return Err(Lie(format!("retry from row {} of {rows}", retry.from)));
        }
        if delivery.faults.last().is_some_and(|last| last.row >= retry.from) {
            return Err(Lie(format!("a row is both failed and to be offered again from row {}", retry.from)));
        }
    }
    Ok(SinkDelivery {
        faults: delivery
            .faults
            .into_iter()
            .map(|failed| RowFault { row: failed.row, step: 0, fault: fault(failed.error) })
            .collect(),
        retry: delivery.retry.map(|retry| SinkRetry {
            from: retry.from,
            after: retry.after_ms.map(Duration::from_millis),
            reason: retry.reason,
        }),
    })
}

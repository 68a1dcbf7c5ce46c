//! Instances for chain steps: only what a segment reads crosses, and what comes back is checked row by row.

use async_trait::async_trait;
use wasmtime::Store;
use weir_core::model::{Config, Fault, Parts, Problem, Records, RowFault, StepParts, TimestampType};
use weir_core::port::{ChainSegment, Transformations, Transformed};
use weir_core::process::interleave;
use weir_data::Lie;

use crate::batch::{LoweredTables, cells, check_text, headers, lift_cells, lift_headers, lift_tables};
use crate::bindings::exports::weir::connect::transformations as wit;
use crate::bindings::weir::connect::schemas::News;
use crate::call::{fault, problem};
use crate::instance::{Live, call, lower_config};
use crate::pieces::{piece, pieces};
use crate::schema_table::SchemaTable;
use crate::state::GuestState;

pub(crate) struct Chain {
    live: Live<wit::Guest>,
    /// What each segment touches, all steps together.
    segments: Vec<(StepParts, usize)>,
}

impl Chain {
    pub fn new(live: Live<wit::Guest>) -> Chain {
        Chain { live, segments: Vec::new() }
    }
}

fn parts(parts: wit::Parts) -> Parts {
    Parts {
        key: parts.contains(wit::Parts::KEY),
        value: parts.contains(wit::Parts::VALUE),
        headers: parts.contains(wit::Parts::HEADERS),
        topic: parts.contains(wit::Parts::TOPIC),
        partition: parts.contains(wit::Parts::PARTITION),
        timestamp: parts.contains(wit::Parts::TIMESTAMP),
        offset: parts.contains(wit::Parts::OFFSET),
    }
}

#[async_trait]
impl Transformations for Chain {
    async fn validate(&mut self, class: &str, config: &Config) -> Result<Vec<Problem>, Fault> {
        let (config, exports, deadline) = (lower_config(config), &self.live.exports, self.live.other());
        let validate = async |mut store: Store<GuestState>| {
            let problems = exports.call_validate(&mut store, class, &config).await;
            (store, problems)
        };
        let problems = self.live.guest.call("validate", deadline, validate).await?;
        Ok(problems.into_iter().map(problem).collect())
    }

    async fn configure(&mut self, segment: u32, steps: &ChainSegment) -> Result<Vec<StepParts>, Fault> {
        let configs: Vec<_> = steps.iter().map(|step| lower_config(&step.config)).collect();
        let guards: Vec<_> = steps.iter().map(|s| s.guard.as_ref().map(|g| lower_config(&g.config))).collect();
        let lowered: Vec<wit::Step> = steps
            .iter()
            .enumerate()
            .map(|(at, step)| wit::Step {
                class: &step.class,
                config: &configs[at],
                guard: step.guard.as_ref().zip(guards[at].as_ref()).map(|(guard, config)| wit::Guard {
                    class: &guard.class,
                    config,
                    negate: guard.negate,
                }),
            })
            .collect();
        let answer = call!(self.live, "configure", self.live.start(), call_configure(segment, &lowered))?;
        if answer.len() != steps.len() || segment as usize != self.segments.len() {
            let what = format!("parts of {} steps for {} steps", answer.len(), steps.len());
            return Err(self.live.guest.lied("configure", what));
        }
        let touched: Vec<StepParts> =
            answer.iter().map(|step| StepParts { reads: parts(step.reads), writes: parts(step.writes) }).collect();
        let all = touched.iter().fold(StepParts::default(), |all, step| StepParts {
            reads: all.reads.or(step.reads),
            writes: all.writes.or(step.writes),
        });
        self.segments.push((all, steps.len()));
        Ok(touched)
    }

    async fn apply(&mut self, segment: u32, records: Records) -> Result<Transformed, Fault> {
        let Some(pieces) = pieces(&records) else { return self.apply_whole(segment, records).await };
        let (mut whole, mut rows, mut failed) = (Records::default(), Vec::new(), Vec::new());
        for of in pieces {
            let transformed = self.apply_whole(segment, piece(&records, &of)).await?;
            let at = |row: u32| of[row as usize];
            failed.extend(transformed.failed.into_iter().map(|fault| RowFault { row: at(fault.row), ..fault }));
            let kept = transformed.kept.map_or_else(|| of.clone(), |kept| kept.into_iter().map(at).collect());
            (whole, rows) = interleave(&whole, &rows, &transformed.records, &kept);
        }
        let kept = (rows.len() < records.rows).then_some(rows);
        Ok(Transformed { records: whole, kept, failed })
    }
}

impl Chain {
    /// Runs records of not too many schemas through a segment.
    async fn apply_whole(&mut self, segment: u32, records: Records) -> Result<Transformed, Fault> {
        let Some(&(touched, steps)) = self.segments.get(segment as usize) else {
            return Err(Fault::Fatal(format!("segment {segment} is not configured")));
        };
        let reads = touched.reads;
        self.live.schemas.begin_call();
        let tables = LoweredTables::of_parts(&records.tables, reads, &mut self.live.schemas);
        let news = self.live.schemas.news();
        let deadline = self.live.put();
        let (exports, guest) = (&self.live.exports, &mut self.live.guest);
        let lists = news.lists();
        let nodes = lists.nodes();
        let define = nodes.params();
        let input = wit::Input {
            rows: records.rows as u32,
            news: News { define: &define, forget: &news.forget, forgotten: &news.forgotten },
            tables: tables.param(),
            topic: reads.topic.then_some(&records.topic),
            partition: reads.partition.then_some(&records.partition),
            timestamp: reads.timestamp.then_some(&records.timestamp),
            offset: reads.offset.then_some(&records.offset),
            key: reads.key.then(|| cells(&records.key)),
            value: reads.value.then(|| cells(&records.value)),
            headers: reads.headers.then(|| headers(&records.headers)),
        };
        let output = guest
            .call("apply", deadline, |mut store| async move {
                let output = exports.call_apply(&mut store, segment, input).await;
                (store, output)
            })
            .await?
            .map_err(fault)?;
        let meter = &self.live.guest.meter;
        meter.into.add(records.rows, crossing(&records, reads));
        let writes = touched.writes;
        let lifted = lift(output, records, writes, steps, &mut self.live.schemas);
        let transformed = lifted.map_err(|what| self.live.guest.lied("apply", what))?;
        meter.out_of.add(transformed.records.rows, crossing(&transformed.records, writes));
        Ok(transformed)
    }
}

/// The bytes of the parts of records that cross.
fn crossing(records: &Records, parts: Parts) -> usize {
    let of = |crosses: bool, bytes: usize| if crosses { bytes } else { 0 };
    of(parts.topic, records.topic.len() * 4)
        + of(parts.partition, records.partition.len() * 4)
        + of(parts.offset, records.offset.len() * 8)
        + of(parts.timestamp, records.timestamp.len() * 8)
        + of(parts.key, records.key.bytes())
        + of(parts.value, records.value.bytes())
        + of(parts.headers, records.headers.bytes())
}

fn lift(
    output: wit::Output,
    came: Records,
    writes: Parts,
    steps: usize,
    schemas: &mut SchemaTable,
) -> Result<Transformed, Lie> {
    schemas.learn(output.define)?;
    let rows = came.rows;
    check_rows(output.kept.as_deref(), &output.failed, rows, steps)?;
    let wrote = Parts {
        key: output.key.is_some(),
        value: output.value.is_some(),
        headers: output.headers.is_some(),
        topic: output.topic.is_some(),
        partition: output.partition.is_some(),
        timestamp: output.timestamp.is_some(),
        offset: false,
    };
    if wrote.or(writes) != writes {
        return Err(Lie(format!("it changed parts that its steps do not declare to write: {wrote:?} of {writes:?}")));
    }
    let mut records = match &output.kept {
        Some(kept) => came.select(kept),
        None => came,
    };
    let changed = Changed {
        topic: output.topic,
        partition: output.partition,
        timestamp: output.timestamp,
        key: output.key.map(lift_cells),
        value: output.value.map(lift_cells),
        headers: output.headers.map(lift_headers),
    };
    changed.put_into(&mut records, lift_tables(output.tables, schemas)?)?;
    let failed = output
        .failed
        .into_iter()
        .map(|failed| RowFault { row: failed.row, step: failed.step, fault: fault(failed.error) })
        .collect();
    Ok(Transformed { records, kept: output.kept, failed })
}

/// Each input row at most once among kept and failed, each list by rising row.
fn check_rows(kept: Option<&[u32]>, failed: &[wit::RowFault], rows: usize, steps: usize) -> Result<(), Lie> {
    let rising_kept = kept.is_none_or(|kept| kept.windows(2).all(|pair| pair[0] < pair[1]));
    let rising_failed = failed.windows(2).all(|pair| pair[0].row < pair[1].row);
    if !rising_kept || !rising_failed {
        return Err(Lie("rows are duplicated or out of order".into()));
    }
    let last = kept.and_then(|kept| kept.last().copied()).max(failed.last().map(|failed| failed.row));
    if last.is_some_and(|last| last as usize >= rows) {
        return Err(Lie(format!("it answers row {} of {rows}", last.unwrap_or_default())));
    }
    if failed.iter().any(|failed| failed.step as usize >= steps) {
        return Err(Lie("a row failed in a step that there is not".into()));
    }
    let twice = match kept {
        None => !failed.is_empty(),
        Some(kept) => failed.iter().any(|failed| kept.binary_search(&failed.row).is_ok()),
    };
    if twice { Err(Lie("a row is both kept and failed".into())) } else { Ok(()) }
}

/// Parts that came back changed.
struct Changed {
    topic: Option<Vec<u32>>,
    partition: Option<Vec<u32>>,
    timestamp: Option<Vec<i64>>,
    key: Option<weir_data::Cells>,
    value: Option<weir_data::Cells>,
    headers: Option<weir_data::Headers>,
}

impl Changed {
    /// Checks parts and replaces those of the records by them. Unchanged parts keep their tables, so the guest's entries go behind them, and
    /// the guest's positions move by as much.
    fn put_into(self, records: &mut Records, tables: weir_core::model::BatchTables) -> Result<(), Lie> {
        let rows = records.rows;
        if let Some(topic) = self.topic {
            weir_data::check_positions(&topic, rows, tables.topics.len(), "topics")?;
            records.topic = topic;
            records.tables.topics = tables.topics;
        }
        if let Some(partition) = self.partition {
            weir_data::check_positions(&partition, rows, tables.partitions.len(), "partitions")?;
            records.partition = partition;
            records.tables.partitions = tables.partitions;
        }
        if let Some(timestamp) = self.timestamp {
            if !timestamp.is_empty() && timestamp.len() != rows {
                return Err(Lie(format!("timestamps: {} for {rows} rows", timestamp.len())));
            }
            if records.timestamp_type == TimestampType::None {
                records.timestamp_type = TimestampType::CreateTime;
            }
            records.timestamp = timestamp;
        }
        let shift = records.tables.schemas.len() as u32;
        let mut changed_cells = false;
        let mut moved = |mut cells: weir_data::Cells, rows: usize, what: &str| {
            cells.check(rows, tables.schemas.len(), what)?;
            check_text(&cells, &tables.schemas, what)?;
            if shift > 0 {
                weir_data::check_positions(&cells.schema, rows, tables.schemas.len(), what)?;
                match cells.schema.is_empty() {
                    true => cells.schema = vec![shift; rows],
                    false => cells.schema.iter_mut().for_each(|position| *position += shift),
                }
            }
            changed_cells = true;
            Ok::<_, Lie>(cells)
        };
        if let Some(key) = self.key {
            records.key = moved(key, rows, "keys")?;
        }
        if let Some(value) = self.value {
            records.value = moved(value, rows, "values")?;
        }
        if let Some(mut headers) = self.headers {
            headers.check(rows, tables.header_names.len(), tables.schemas.len())?;
            let count = headers.name.len();
            headers.value = moved(headers.value, count, "header values")?;
            records.headers = headers;
            records.tables.header_names = tables.header_names;
        }
        if changed_cells {
            records.tables.schemas.extend(tables.schemas);
        }
        Ok(())
    }
}

//! What guests may call: log, metrics, stored offsets, errant rows, wishes.

use tokio_util::sync::CancellationToken;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use weir_core::model::{Fault, TopicPartition};
use weir_core::port::Wish;

use crate::bindings::weir::connect::{context, errant_records, errors, log, metrics, offsets};
use crate::files::Files;
use crate::sockets::Lookup;
use crate::state::GuestState;

/// Partitions that one `read` of offsets may ask for.
const PARTITIONS_MAX: usize = 10_000;
/// Partitions that one wish may name. Wishes wait on the host's side until the task's call has ended.
const WISHED_MAX: usize = 1_000;
/// Longest name of a topic, as Kafka has it.
const TOPIC_MAX: usize = 249;

/// Everything that a guest may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::bindings::filesystem::types::add_to_linker::<GuestState, Files>(&mut linker, GuestState::files)?;
    wasmtime_wasi::p2::bindings::filesystem::preopens::add_to_linker::<GuestState, Files>(
        &mut linker,
        GuestState::files,
    )?;
    wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::add_to_linker::<GuestState, Lookup>(
        &mut linker,
        GuestState::lookup,
    )?;
    linker.allow_shadowing(false);
    log::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    metrics::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    offsets::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    errant_records::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    context::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl log::Host for GuestState {
    async fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(self.log.enabled(level))
    }

    async fn write(&mut self, level: log::Level, line: String) -> wasmtime::Result<()> {
        self.log.write(level, &line);
        Ok(())
    }
}

impl metrics::Host for GuestState {
    async fn add(&mut self, counter: String, amount: u64) -> wasmtime::Result<()> {
        let taken = self.context.meter.own.add(&counter, amount);
        self.note_metric(taken, &counter);
        Ok(())
    }

    async fn set(&mut self, gauge: String, value: f64) -> wasmtime::Result<()> {
        let taken = self.context.meter.own.set(&gauge, value);
        self.note_metric(taken, &gauge);
        Ok(())
    }
}

impl offsets::Host for GuestState {
    async fn read(&mut self, partitions: Vec<String>) -> wasmtime::Result<Result<Vec<Option<String>>, errors::Error>> {
        let Some(reader) = self.context.offsets.clone() else {
            return Ok(Err(errors::Error::Fatal("only a source may read source offsets".into())));
        };
        if partitions.len() > PARTITIONS_MAX {
            let asked = partitions.len();
            let message = format!("{asked} partitions were asked for at once, at most {PARTITIONS_MAX} may be");
            return Ok(Err(errors::Error::Fatal(message)));
        }
        Ok(reader.read(partitions).await.map_err(error))
    }
}

fn error(fault: Fault) -> errors::Error {
    match fault {
        Fault::Retriable(reason) => errors::Error::Retriable(reason),
        Fault::Data(reason) => errors::Error::Data(reason),
        fault => errors::Error::Fatal(fault.to_string()),
    }
}

impl errant_records::Host for GuestState {
    async fn enabled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context.errants.is_some())
    }

    async fn report(&mut self, rows: Vec<errant_records::ErrantRow>) -> wasmtime::Result<Result<(), errors::Error>> {
        let Some(reporter) = self.context.errants.clone() else {
            let message = "this task has no errant-record reporter: set errors.log.enable or a dead letter queue";
            return Ok(Err(errors::Error::Fatal(message.into())));
        };
        for row in rows {
            let partition = TopicPartition { topic: row.topic.into(), partition: row.partition };
            if let Err(fault) = reporter.report(partition, row.offset, row.reason).await {
                return Ok(Err(error(fault)));
            }
        }
        Ok(Ok(()))
    }
}

/// A list of a wish, as far as it is one that can be kept: partitions of topics that there may be.
fn kept<'a, T>(list: &'a [T], topic: impl Fn(&T) -> &str + 'a) -> Result<impl Iterator<Item = &'a T>, String> {
    if list.len() > WISHED_MAX {
        return Err(format!("it names {} partitions, at most {WISHED_MAX} may be", list.len()));
    }
    Ok(list.iter().filter(move |item| topic(item).len() <= TOPIC_MAX))
}

fn partitions(list: &[context::TopicPartition]) -> Result<Vec<TopicPartition>, String> {
    let partition =
        |p: &context::TopicPartition| TopicPartition { topic: p.topic.as_str().into(), partition: p.partition };
    Ok(kept(list, |p| &p.topic)?.map(partition).collect())
}

struct Stopping(CancellationToken);

#[wasmtime_wasi::async_trait]
impl Pollable for Stopping {
    async fn ready(&mut self) {
        self.0.cancelled().await;
    }
}

impl GuestState {
    fn note_metric(&mut self, taken: bool, name: &str) {
        if !taken && !std::mem::replace(&mut self.metric_refused, true) {
            let most = weir_core::observe::OwnMetrics::MOST;
            let line = format!(
                "metric {name:?} is not kept: names are [a-z][a-z0-9_]* without an end like _total or _count, at most {most}, each a \
                 counter or a gauge"
            );
            self.log.write(log::Level::Warn, &line);
        }
    }

    fn wish(&self, wish: Result<Wish, String>) {
        let Some(wishes) = &self.context.wishes else { return };
        let sent = wish.and_then(|wish| wishes.try_send(wish).map_err(|_| "too many are waiting".to_owned()));
        if let Err(reason) = sent {
            self.log.write(log::Level::Warn, &format!("a request to the worker was dropped: {reason}"));
        }
    }
}

impl context::Host for GuestState {
    async fn pause(&mut self, list: Vec<context::TopicPartition>) -> wasmtime::Result<()> {
        self.wish(partitions(&list).map(Wish::Pause));
        Ok(())
    }

    async fn resume(&mut self, list: Vec<context::TopicPartition>) -> wasmtime::Result<()> {
        self.wish(partitions(&list).map(Wish::Resume));
        Ok(())
    }

    async fn rewind(&mut self, list: Vec<context::Position>) -> wasmtime::Result<()> {
        let position = |p: &context::Position| weir_core::model::Position {
            partition: TopicPartition { topic: p.topic.as_str().into(), partition: p.partition },
            offset: p.offset,
        };
        self.wish(kept(&list, |p| &p.topic).map(|list| Wish::Rewind(list.map(position).collect())));
        Ok(())
    }

    async fn request_commit(&mut self) -> wasmtime::Result<()> {
        self.wish(Ok(Wish::Commit));
        Ok(())
    }

    async fn request_reconfiguration(&mut self) -> wasmtime::Result<()> {
        self.wish(Ok(Wish::Reconfigure));
        Ok(())
    }

    async fn stopping(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let stopping = self.table.push(Stopping(self.context.stopping.clone()))?;
        subscribe(&mut self.table, stopping)
    }
}

//! The component: every answer is right but for the one lie. What it answers as a sink stands in `sink`.

use std::cell::RefCell;

use weir_sdk::bindings::plugin::exports::weir::connect::plugin;
use weir_sdk::bindings::source::exports::weir::connect::{source_connector, source_task};
use weir_sdk::bindings::transformation::exports::weir::connect::transformations;
use weir_sdk::bindings::words::weir::connect::columns::{Cells, Column, Headers, Tables};
use weir_sdk::bindings::words::weir::connect::connectors::{AlteredOffset, Config, Support};
use weir_sdk::bindings::words::weir::connect::errors::{Error, Problem};
use weir_sdk::bindings::words::weir::connect::schemas::{Definition, Node, Schema, SchemaRef, SchemaType};

pub(crate) struct Liar;

thread_local! {
    pub(crate) static LIE: RefCell<String> = RefCell::default();
}

pub(crate) fn told(config: &Config) -> String {
    config.iter().find(|(key, _)| key == "lie").map(|(_, lie)| lie.clone()).unwrap_or_default()
}

fn class(name: &str, kind: plugin::ClassKind) -> plugin::Class {
    plugin::Class {
        name: name.into(),
        aliases: vec![],
        kind,
        version: "1.0.0".into(),
        documentation: "Breaks the contract as it is told.".into(),
        config: vec![],
        wants: plugin::OptionalCalls::empty(),
        encoding: plugin::Encoding::Cbor,
    }
}

impl plugin::Guest for Liar {
    fn describe() -> Vec<plugin::Class> {
        let sink = plugin::Class {
            wants: plugin::OptionalCalls::PRE_COMMIT,
            ..class("test.LiarSink", plugin::ClassKind::Sink)
        };
        vec![
            class("test.LiarSource", plugin::ClassKind::Source),
            sink,
            class("test.Liar", plugin::ClassKind::Transformation),
        ]
    }

    fn recommend(_: String, _: Vec<(String, String)>) -> Vec<plugin::Recommendation> {
        vec![]
    }
}

impl source_connector::Guest for Liar {
    fn validate(_: String, _: Config) -> Vec<Problem> {
        vec![]
    }

    fn start(_: String, config: Config) -> Result<(), Error> {
        LIE.set(told(&config));
        Ok(())
    }

    fn task_configs(max_tasks: u32) -> Result<Vec<Config>, Error> {
        let mut count = max_tasks as usize;
        if LIE.with_borrow(|lie| lie == "countless tasks") {
            count = 100_000;
        }
        Ok(vec![vec![]; count])
    }

    fn watch(_: u64) -> Result<bool, Error> {
        Ok(false)
    }

    fn alter_offsets(_: String, _: Config, _: Vec<AlteredOffset>) -> Result<bool, Error> {
        Ok(false)
    }

    fn exactly_once_support(_: String, _: Config) -> Support {
        Support::Unknown
    }

    fn can_define_boundaries(_: String, _: Config) -> Support {
        Support::Unknown
    }

    fn stop() -> Result<(), Error> {
        Ok(())
    }
}

fn node(kind: SchemaType) -> Node {
    Node { type_: kind, optional: false, name: None, version: None, doc: None, parameters: vec![], default: None }
}

fn column(cells: &[&[u8]]) -> Column {
    let mut column = Column { ends: vec![], data: vec![], absent: vec![] };
    for cell in cells {
        column.data.extend_from_slice(cell);
        column.ends.push(column.data.len() as u32);
    }
    column
}

fn nulls() -> Cells {
    Cells { column: column(&[]), schema: vec![] }
}

fn no_headers() -> Headers {
    Headers { ends: vec![], name: vec![], value: nulls() }
}

impl source_task::Guest for Liar {
    fn start(_: String, config: Config) -> Result<(), Error> {
        LIE.set(told(&config));
        Ok(())
    }

    fn poll(_: u64, _: u64, _: Vec<u32>) -> Result<source_task::Polled, Error> {
        let string = Definition { id: 0, schema: Schema { nodes: vec![node(SchemaType::String)] } };
        let mut batch = source_task::SourceBatch {
            rows: 2,
            define: vec![string],
            tables: Tables {
                topics: vec!["topic".into()],
                partitions: vec![None],
                header_names: vec![],
                schemas: vec![SchemaRef::Guest(0)],
            },
            source_partitions: vec!["{}".into()],
            source_partition: vec![],
            source_offset: column(&[b"{}", b"{}"]),
            row_id: vec![0, 1],
            topic: vec![],
            partition: vec![],
            timestamp: vec![],
            key: nulls(),
            value: Cells { column: column(&[b"one", b"two"]), schema: vec![] },
            headers: no_headers(),
        };
        let mut boundaries = vec![];
        let value = &mut batch.value;
        match LIE.with_borrow(String::clone).as_str() {
            "" => {}
            "rows" => batch.rows = 3,
            "countless rows" => batch.rows = u32::MAX,
            "topic" => batch.topic = vec![0, 1],
            "no topic" => batch.tables.topics.clear(),
            "partition" => batch.partition = vec![7, 0],
            "source partition" => batch.source_partition = vec![0, 9],
            "source offset" => batch.source_offset.ends[1] = 99,
            "row ids" => batch.row_id.truncate(1),
            "timestamps" => batch.timestamp = vec![1],
            "ends fall" => value.column.ends = vec![3, 2],
            "ends past the data" => value.column.ends[1] = 7,
            "ends before the data's end" => value.column.ends[1] = 5,
            "null with bytes" => value.column.absent = vec![1],
            "null past the last row" => value.column.absent = vec![4],
            "schema position" => value.schema = vec![0, 1],
            "schema never defined" => batch.tables.schemas = vec![SchemaRef::Guest(7)],
            "schema of the host" => batch.tables.schemas = vec![SchemaRef::Host(7)],
            "schema that holds itself" => batch.define[0].schema.nodes = vec![node(SchemaType::Array(0))],
            "schema without nodes" => batch.define[0].schema.nodes.clear(),
            "schema twice" => batch.define.push(batch.define[0].clone()),
            "countless schemas" => {
                batch.define = (0..2_000)
                    .map(|id| Definition { id, schema: Schema { nodes: vec![node(SchemaType::String)] } })
                    .collect()
            }
            "countless header names" => batch.tables.header_names = vec![String::new(); 720_000],
            "text that is not UTF-8" => value.column.data[0] = 0xff,
            "headers" => batch.headers.ends = vec![1, 1],
            "boundary" => boundaries.push(source_task::Boundary { row: 2, kind: source_task::BoundaryKind::Commit }),
            other => return Err(Error::Fatal(format!("{other:?} is no lie that there is"))),
        }
        Ok(source_task::Polled { batch, boundaries })
    }

    fn acknowledged(_: source_task::Acknowledgements) -> Result<(), Error> {
        Ok(())
    }

    fn committed() -> Result<(), Error> {
        Ok(())
    }

    fn stop() -> Result<(), Error> {
        Ok(())
    }
}

impl transformations::Guest for Liar {
    fn validate(_: String, _: Config) -> Vec<Problem> {
        vec![]
    }

    fn configure(_: u32, steps: Vec<transformations::Step>) -> Result<Vec<transformations::StepParts>, Error> {
        LIE.set(told(&steps[0].config));
        let parts = transformations::StepParts {
            reads: transformations::Parts::VALUE | transformations::Parts::TOPIC,
            writes: transformations::Parts::VALUE | transformations::Parts::TOPIC,
        };
        let count = if LIE.with_borrow(|lie| lie == "parts of other steps") { 2 } else { steps.len() };
        Ok(vec![parts; count])
    }

    fn apply(_: u32, input: transformations::Input) -> Result<transformations::Output, Error> {
        let fault = |row| transformations::RowFault { row, step: 0, error: Error::Data("no".into()) };
        let mut output = transformations::Output {
            kept: Some(vec![0, 1]),
            failed: vec![],
            define: vec![],
            tables: Tables { topics: vec!["t".into()], partitions: vec![], header_names: vec![], schemas: vec![] },
            topic: None,
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: None,
        };
        let free = |cells: &[&[u8]]| Cells { column: column(cells), schema: vec![] };
        match LIE.with_borrow(String::clone).as_str() {
            "" => {}
            "row twice" => output.kept = Some(vec![0, 0]),
            "rows out of order" => output.kept = Some(vec![1, 0]),
            "row that was not there" => output.kept = Some(vec![0, input.rows]),
            "row kept and failed" => output.failed = vec![fault(1)],
            "all kept and one failed" => (output.kept, output.failed) = (None, vec![fault(1)]),
            "failed rows out of order" => (output.kept, output.failed) = (Some(vec![]), vec![fault(1), fault(0)]),
            "failed step" => {
                output.kept = Some(vec![0]);
                output.failed = vec![transformations::RowFault { step: 9, ..fault(1) }];
            }
            "part not declared" => output.key = Some(free(&[b"\x01", b"\x02"])),
            "topic" => output.topic = Some(vec![0, 3]),
            "cells" => output.value = Some(free(&[b"\x01"])),
            "schema" => output.value = Some(free(&[b"\x01", b"\x02"])),
            other => return Err(Error::Fatal(format!("{other:?} is no lie that there is"))),
        }
        Ok(output)
    }
}

weir_sdk::__export_plugin!(Liar with_types_in weir_sdk::bindings::plugin);
weir_sdk::__export_source!(Liar with_types_in weir_sdk::bindings::source);
weir_sdk::__export_transformation!(Liar with_types_in weir_sdk::bindings::transformation);

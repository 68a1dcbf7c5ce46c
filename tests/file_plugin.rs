//! The file plugin in its sandbox: a source that follows a file through growth, truncation and rotation, and a sink
//! that appends, each seeing nothing but its granted name.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tempfile::TempDir;
use weir_core::model::{
    Fault, Grants, Limits, PathAccess, PathGrant, Position, Records, SchemaHandle, TimestampType, TopicPartition,
};
use weir_core::port::{Component, Context, OffsetReader, SinkRecords, SinkTask, SourceTask};
use weir_data::{Cells, Column, Node, Schema, Type};
use weir_tests::harness::{BATCH, component, context, plugins};

/// How long something may take to be noticed.
const SOON: Duration = Duration::from_secs(20);

/// Stored offsets: one for every partition.
struct Stored(&'static str);

#[async_trait]
impl OffsetReader for Stored {
    async fn read(&self, partitions: Vec<String>) -> Result<Vec<Option<String>>, Fault> {
        Ok(partitions.iter().map(|_| Some(self.0.to_owned())).collect())
    }
}

async fn file_plugin() -> Arc<dyn Component> {
    component(&plugins(Limits::default()), "weir_file").await
}

fn granted(context: Context, path: &Path, access: PathAccess) -> Context {
    let grants =
        Grants { paths: vec![PathGrant { path: path.to_owned(), access, ceiling: None }], ..Grants::default() };
    Context { grants: Arc::new(grants), ..context }
}

/// A source task of a file, and what it has brought.
struct Source {
    task: Box<dyn SourceTask>,
    lines: Vec<(String, String)>,
}

impl Source {
    async fn start(path: &Path, entries: &[(&str, &str)], stored: &'static str) -> Source {
        let entries = [&[("file", path.to_str().unwrap()), ("topic", "lines")], entries].concat();
        let plain = context("FileStreamSource", &entries, &Limits::default());
        let context = Context { offsets: Some(Arc::new(Stored(stored))), ..granted(plain, path, PathAccess::Read) };
        let mut task = file_plugin().await.source_task(context).await.unwrap();
        task.start().await.unwrap();
        Source { task, lines: Vec::new() }
    }

    async fn poll(&mut self) -> usize {
        let polled = self.task.poll(Duration::from_millis(10), BATCH).await.unwrap();
        for row in 0..polled.records.rows {
            let text = |column: &Column| String::from_utf8(column.get(row).unwrap().to_vec()).unwrap();
            self.lines.push((text(&polled.records.value.column), text(&polled.source_offset)));
        }
        polled.records.rows
    }

    /// Polls until there are so many lines more, and answers them with their positions.
    async fn bring(&mut self, lines: usize) -> Vec<(String, u64)> {
        let began = Instant::now();
        while self.lines.len() < lines {
            assert!(began.elapsed() < SOON, "{lines} lines were to come, there are {:?}", self.lines);
            if self.poll().await == 0 {
                tokio::task::yield_now().await;
            }
        }
        let position = |offset: &str| offset.strip_prefix(r#"{"position":"#)?.strip_suffix('}')?.parse().ok();
        self.lines.drain(..).map(|(line, offset)| (line, position(&offset).expect("an offset of a file"))).collect()
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.txt");
    (folder, file)
}

fn lines(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(line, position)| (line.to_string(), *position)).collect()
}

#[tokio::test]
async fn a_file_is_waited_for_and_followed_while_it_grows() {
    let (_folder, file) = folder();
    let mut source = Source::start(&file, &[], "{}").await;
    assert_eq!(source.poll().await, 0);
    append(&file, "one\ntwo\r\nthr");
    assert_eq!(source.bring(2).await, lines(&[("one", 4), ("two", 9)]));
    assert_eq!(source.poll().await, 0);
    append(&file, "ee\n");
    assert_eq!(source.bring(1).await, lines(&[("three", 15)]));
}

#[tokio::test]
async fn reading_goes_on_at_the_stored_position_in_batches_of_the_asked_size() {
    let (_folder, file) = folder();
    append(&file, "one\ntwo\nthree\nfour\n");
    let mut source = Source::start(&file, &[("batch.size", "1")], r#"{"position":4}"#).await;
    assert_eq!(source.poll().await, 1);
    assert_eq!(source.bring(3).await, lines(&[("two", 8), ("three", 14), ("four", 19)]));
}

#[tokio::test]
async fn a_batch_ends_at_the_bytes_that_are_asked_for_and_has_at_least_one_line() {
    let (_folder, file) = folder();
    append(&file, &format!("{}\n", "x".repeat(99)).repeat(50));
    let mut source = Source::start(&file, &[], "{}").await;
    let mut rows = async |bytes| source.task.poll(Duration::ZERO, bytes).await.unwrap().records.rows;
    assert_eq!((rows(0).await, rows(1000).await), (1, 7));
    assert_eq!(rows(BATCH).await, 42);
}

#[tokio::test]
async fn a_line_of_many_megabytes_comes_whole_and_one_that_does_not_fit_names_the_limit() {
    let (_folder, file) = folder();
    let long = "x".repeat(15 << 20);
    append(&file, &format!("{long}\nshort\n"));
    let mut source = Source::start(&file, &[], "{}").await;
    let brought = source.bring(2).await;
    assert!(brought[0].0 == long && brought[1].0 == "short");
    append(&file, &"x".repeat(40 << 20));
    let fault = loop {
        if let Err(fault) = source.task.poll(Duration::ZERO, BATCH).await {
            break fault.to_string();
        }
    };
    assert!(fault.contains("task.memory.max.bytes"), "{fault}");
}

#[tokio::test]
async fn a_truncated_file_is_read_from_its_beginning() {
    let (_folder, file) = folder();
    append(&file, "one\ntwo\n");
    let mut source = Source::start(&file, &[], "{}").await;
    source.bring(2).await;
    fs::write(&file, "1\n").unwrap();
    assert_eq!(source.bring(1).await, lines(&[("1", 2)]));
}

#[tokio::test]
async fn a_rotated_file_is_finished_before_the_new_one_begins() {
    let (folder, file) = folder();
    append(&file, "one\n");
    let mut source = Source::start(&file, &[], "{}").await;
    source.bring(1).await;
    fs::rename(&file, folder.path().join("lines.1")).unwrap();
    append(&folder.path().join("lines.1"), "late\nunfinished");
    append(&file, "first of the new\n");
    assert_eq!(source.bring(3).await, lines(&[("late", 9), ("unfinished", 0), ("first of the new", 17)]));
    append(&file, "second\n");
    assert_eq!(source.bring(1).await, lines(&[("second", 24)]));
}

#[tokio::test]
async fn nothing_but_the_granted_name_is_read() {
    let (folder, file) = folder();
    append(&folder.path().join("secret"), "secret\n");
    std::os::unix::fs::symlink(folder.path().join("secret"), &file).unwrap();
    let mut source = Source::start(&file, &[], "{}").await;
    let fault = source.task.poll(Duration::ZERO, BATCH).await.unwrap_err();
    assert!(matches!(fault, Fault::Fatal(_)) && fault.to_string().contains("link"), "{fault:?}");
}

async fn sink(path: &Path) -> Result<Box<dyn SinkTask>, Fault> {
    let plain = context("FileStreamSink", &[("file", path.to_str().unwrap())], &Limits::default());
    let mut task = file_plugin().await.sink_task(granted(plain, path, PathAccess::Write)).await?;
    task.start().await?;
    Ok(task)
}

fn records(values: &[&str]) -> SinkRecords {
    let mut column = Column::default();
    values.iter().for_each(|value| column.push(value.as_bytes()));
    let mut records = Records { rows: values.len(), value: Cells { column, schema: vec![] }, ..Records::default() };
    records.tables.topics.push("lines".into());
    records.tables.partitions.push(Some(0));
    records.tables.schemas.push(Some(SchemaHandle::new(Schema::of(Node::new(Type::String)))));
    records.offset = (0..values.len() as i64).collect();
    records.timestamp_type = TimestampType::None;
    SinkRecords { records, original: None }
}

#[tokio::test]
async fn records_are_appended_as_lines_and_committed() {
    let (_folder, file) = folder();
    append(&file, "before\n");
    let mut task = sink(&file).await.unwrap();
    let delivery = task.put(&records(&["one", "two"])).await.unwrap();
    assert!(delivery.faults.is_empty() && delivery.retry.is_none());
    assert_eq!(fs::read_to_string(&file).unwrap(), "before\none\ntwo\n");
    let position = Position { partition: TopicPartition { topic: "lines".into(), partition: 0 }, offset: 2 };
    assert_eq!(task.pre_commit(std::slice::from_ref(&position)).await.unwrap(), [position]);
    task.stop().await.unwrap();
}

#[tokio::test]
async fn more_than_one_piece_is_appended_in_order() {
    let (_folder, file) = folder();
    let mut task = sink(&file).await.unwrap();
    let values: Vec<String> = (0..3000).map(|row| format!("{row:0>100}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let long = "x".repeat(200_000);
    task.put(&records(&values)).await.unwrap();
    task.put(&records(&[&long])).await.unwrap();
    let expected = values.iter().map(|value| format!("{value}\n")).collect::<String>() + &long + "\n";
    assert!(fs::read_to_string(&file).unwrap() == expected);
}

#[tokio::test]
async fn a_sink_whose_file_was_moved_away_makes_it_anew() {
    let (folder, file) = folder();
    let mut task = sink(&file).await.unwrap();
    task.put(&records(&["one"])).await.unwrap();
    fs::rename(&file, folder.path().join("lines.1")).unwrap();
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < SOON, "the file was not made anew");
        task.put(&records(&["more"])).await.unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "more\n");
    assert!(fs::read_to_string(folder.path().join("lines.1")).unwrap().starts_with("one\n"));
}

#[tokio::test]
async fn a_full_disk_offers_the_rows_again_with_its_reason() {
    let mut task = sink(Path::new("/dev/full")).await.unwrap();
    let delivery = task.put(&records(&["one"])).await.unwrap();
    let retry = delivery.retry.expect("a retry");
    assert_eq!(retry.from, 0);
    assert!(retry.reason.contains("/dev/full") && retry.reason.contains("space"), "{}", retry.reason);
}

#[tokio::test]
async fn a_sink_on_a_device_has_nothing_to_bring_to_a_disk() {
    let mut task = sink(Path::new("/dev/null")).await.unwrap();
    task.put(&records(&["one"])).await.unwrap();
    assert_eq!(task.pre_commit(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_sink_whose_folder_is_gone_offers_the_rows_again_with_its_reason() {
    let (folder, _) = folder();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let mut task = sink(&below.join("lines.txt")).await.unwrap();
    task.put(&records(&["one"])).await.unwrap();
    fs::remove_dir_all(&below).unwrap();
    let began = Instant::now();
    let fault = loop {
        match task.put(&records(&["two"])).await {
            Err(fault) => break fault,
            Ok(_) => assert!(began.elapsed() < SOON, "it was not noticed"),
        }
    };
    assert!(matches!(&fault, Fault::Retriable(reason) if reason.contains("lines.txt")), "{fault:?}");
}

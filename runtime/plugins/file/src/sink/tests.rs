//! The sink over real files, natively.

use std::fs;
use std::rc::Rc;

use weir_sdk::{Node, Type};

use super::*;

fn start(file: &str) -> Result<FileSinkTask> {
    FileSinkTask::start(Config::new([("file", file)]))
}

fn batch(values: &[Data]) -> SinkBatch {
    SinkBatch::of_values("lines", 0, 0, values).unwrap()
}

fn texts(values: &[&str]) -> SinkBatch {
    batch(&values.iter().map(|value| Data::text(*value)).collect::<Vec<_>>())
}

#[test]
fn values_are_appended_as_java_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.txt");
    fs::write(&file, "before\n").unwrap();
    let mut task = start(file.to_str().unwrap()).unwrap();
    let schema = Rc::new(Schema::record([("a", Schema::of(Node::new(Type::Int32)))]));
    let map = Value::Map(vec![("a".into(), Value::from(1)), ("b".into(), Value::from(true))]);
    let values = [
        Data::text("text"),
        Data::null(),
        Data::free(map),
        Data::under(&schema, Value::Struct(vec![Value::from(1)])),
        Data::free(Value::Array(vec![Value::from(1), Value::from(2)])),
        Data::free(0.5),
        Data::text("two\nlines"),
    ];
    task.put(&batch(&values)).unwrap();
    let expected = "before\ntext\nnull\n{a=1, b=true}\nStruct{a=1}\n[1, 2]\n0.5\ntwo\nlines\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    task.pre_commit(Vec::new()).unwrap();
    task.put(&texts(&[])).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn a_file_that_cannot_be_made_fails_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/out.txt");
    let Err(Error::Fatal(reason)) = start(path.to_str().unwrap()) else { panic!("it started") };
    assert!(reason.starts_with("Couldn't find or create file '"), "{reason}");
}

#[test]
fn a_full_disk_is_retried_from_the_row_that_did_not_fit() {
    let mut task = start("/dev/full").unwrap();
    for _ in 0..2 {
        let delivery = format!("{:?}", task.put(&texts(&["one", "two"])).unwrap());
        assert!(delivery.contains("from: 0") && delivery.contains("Error while trying to write to file /dev/full"));
    }
    assert!(task.torn.is_empty());
}

/// A file that takes no bytes, and whose bytes cannot be brought to the disk either.
fn refusing(path: &std::path::Path) -> Output {
    use std::os::unix::fs::OpenOptionsExt;
    const O_PATH: i32 = 0o10_000_000;
    let file = fs::OpenOptions::new().read(true).custom_flags(O_PATH).open(path).unwrap();
    Output { appender: Appender::File(file), size: 4, begun: 0, broken: false }
}

#[test]
fn what_was_written_before_a_failure_is_committed_only_once_it_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.txt");
    let mut task = start(file.to_str().unwrap()).unwrap();
    task.put(&texts(&["one"])).unwrap();
    task.output = Some(refusing(&file));
    let delivery = format!("{:?}", task.put(&texts(&["two"])).unwrap());
    assert!(delivery.contains("from: 0"), "{delivery}");
    for _ in 0..2 {
        let error = task.pre_commit(Vec::new()).unwrap_err();
        assert!(error.to_string().ends_with("restart to write again what was lost"), "{error}");
        assert!(matches!(task.put(&texts(&["two"])), Err(Error::Fatal(_))), "and no second try makes it good");
    }
}

#[test]
fn what_a_file_that_was_moved_away_holds_must_be_on_the_disk_before_the_next_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.txt");
    let mut task = start(file.to_str().unwrap()).unwrap();
    task.put(&texts(&["one"])).unwrap();
    task.output = Some(refusing(&file));
    fs::remove_file(&file).unwrap();
    task.look_at = Instant::now();
    assert!(matches!(task.put(&texts(&["two"])), Err(Error::Fatal(_))));
    assert!(task.pre_commit(Vec::new()).is_err());
}

#[test]
fn what_has_no_disk_need_not_be_brought_there() {
    let mut task = start("/dev/null").unwrap();
    task.put(&texts(&["one"])).unwrap();
    assert_eq!(task.pre_commit(Vec::new()).unwrap().len(), 0);
}

#[test]
fn a_folder_that_is_gone_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("below/out.txt");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let mut task = start(file.to_str().unwrap()).unwrap();
    task.put(&texts(&["one"])).unwrap();
    fs::rename(file.parent().unwrap(), folder.path().join("elsewhere")).unwrap();
    task.look_at = Instant::now();
    let Err(Error::Retriable(reason)) = task.put(&texts(&["two"])) else { panic!("it was written") };
    assert!(reason.contains("Error while trying to write to file"), "{reason}");
    fs::create_dir(file.parent().unwrap()).unwrap();
    task.put(&texts(&["two"])).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
    assert_eq!(fs::read_to_string(folder.path().join("elsewhere/out.txt")).unwrap(), "one\n");
}

#[test]
fn a_line_that_was_torn_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.txt");
    let mut task = start(file.to_str().unwrap()).unwrap();
    // As a disk that was full after three bytes leaves it.
    fs::write(&file, "one\ntw").unwrap();
    (task.torn, task.output) = (b"tw".to_vec(), None);
    task.put(&texts(&["two", "three"])).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\nthree\n");
    (task.torn, task.output) = (b"th".to_vec(), None);
    fs::write(&file, "one\ntwo\nth").unwrap();
    task.put(&texts(&["other"])).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\nth\nother\n");
}

#[test]
fn a_file_that_was_moved_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.txt");
    let mut task = start(file.to_str().unwrap()).unwrap();
    task.put(&texts(&["one"])).unwrap();
    fs::rename(&file, folder.path().join("out.1")).unwrap();
    task.look_at = Instant::now();
    task.put(&texts(&["two"])).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("out.1")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
}

#[test]
fn every_task_appends_to_the_same_file() {
    let config = Config::new([("file", "f")]);
    assert_eq!(FileSink::start(config.clone()).unwrap().task_configs(2).unwrap(), [config.clone(), config]);
}

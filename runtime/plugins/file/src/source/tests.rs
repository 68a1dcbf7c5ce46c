//! The source over real files, natively.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use tempfile::TempDir;

use super::*;

struct Followed {
    folder: TempDir,
    task: FileSourceTask,
}

impl Followed {
    /// A task for a file that is not there yet.
    fn start(entries: &[(&str, &str)], position: u64) -> Followed {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines.txt");
        let entries = [&[("file", file.to_str().unwrap()), ("topic", "lines")], entries].concat();
        let config = Config::new(entries).with_defaults(&FileSource::class());
        Followed { task: FileSourceTask::reading_from(&config, position).unwrap(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn poll(&mut self) -> Vec<(String, u64)> {
        let mut batch = SourceBatch::default();
        self.task.poll(Duration::ZERO, &mut batch).unwrap();
        let rows = batch.rows().map(|row| {
            let partition = format!(r#"{{"filename":"{}"}}"#, self.folder.path().join("lines.txt").display());
            assert_eq!((row.source_partition, row.topic), (partition.as_str(), "lines"));
            assert!(row.key.is_none() && row.timestamp.is_some_and(|timestamp| timestamp > 1_700_000_000_000));
            (row.value.unwrap().as_text().unwrap().to_owned(), position::stored(row.source_offset).unwrap())
        });
        rows.collect()
    }

    /// What comes once another file under the name is noticed.
    fn await_lines(&mut self) -> Vec<(String, u64)> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let lines = self.poll();
            if !lines.is_empty() {
                return lines;
            }
            assert!(Instant::now() < deadline, "nothing came");
        }
    }
}

fn lines(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(line, position)| (line.to_string(), *position)).collect()
}

#[test]
fn a_file_is_waited_for_and_its_lines_come_once_they_are_complete() {
    let mut file = Followed::start(&[], 0);
    assert_eq!(file.poll(), []);
    for (written, expected) in [
        ("one\ntw", &[("one", 4)][..]),
        ("", &[]),
        ("o\n", &[("two", 8)]),
        ("three\r", &[]),
        ("\nfour\r", &[("three", 15)]),
        ("five\n\n", &[("four", 20), ("five", 25), ("", 26)]),
    ] {
        file.append("lines.txt", written);
        assert_eq!(file.poll(), lines(expected), "{written:?}");
        assert_eq!(file.poll(), []);
    }
}

#[test]
fn every_line_is_delivered_with_the_smallest_batches() {
    let mut file = Followed::start(&[("batch.size", "1")], 0);
    file.append("lines.txt", "a\nb\nc\n");
    assert_eq!(file.poll(), lines(&[("a", 2)]));
    assert_eq!(file.poll(), lines(&[("b", 4)]));
    assert_eq!(file.poll(), lines(&[("c", 6)]));
    assert_eq!(file.poll(), []);
}

#[test]
fn a_batch_ends_at_its_size_in_records_or_in_bytes() {
    let mut file = Followed::start(&[], 0);
    let text: String = (0..5_000).map(|line| format!("{line}\n")).collect();
    file.append("lines.txt", &text);
    let sizes: Vec<usize> = (0..4).map(|_| file.poll().len()).collect();
    assert_eq!(sizes, [2_000, 2_000, 1_000, 0]);
    let mut file = Followed::start(&[], 0);
    let long = "x".repeat(400_000);
    (0..5).for_each(|_| file.append("lines.txt", format!("{long}\n")));
    let sizes: Vec<usize> = (0..3).map(|_| file.poll().len()).collect();
    assert_eq!(sizes, [3, 2, 0]);
}

#[test]
fn reading_goes_on_at_the_stored_position() {
    let mut file = Followed::start(&[], 4);
    file.append("lines.txt", "one\ntwo\n");
    assert_eq!(file.poll(), lines(&[("two", 8)]));
}

#[test]
fn a_stored_position_behind_the_end_means_another_file() {
    let mut file = Followed::start(&[], 400);
    file.append("lines.txt", "one\n");
    assert_eq!(file.poll(), lines(&[("one", 4)]));
}

#[test]
fn bad_bytes_are_replaced_as_in_java_and_positions_count_bytes() {
    let mut file = Followed::start(&[], 0);
    file.append("lines.txt", b"\xff\n\xe2\x82\n\xed\xa0\x80\nh\xc3\xa4\n");
    let expected = [("\u{fffd}", 2), ("\u{fffd}", 5), ("\u{fffd}", 9), ("hä", 13)];
    assert_eq!(file.poll(), lines(&expected));
}

#[test]
fn text_of_another_encoding_and_null_characters_come_as_they_would_in_java() {
    let mut file = Followed::start(&[], 0);
    // UTF-16 with its mark: bytes that are not UTF-8 are replaced, null characters are characters.
    file.append("lines.txt", b"\xff\xfea\0\n\0\0b\0\r\n");
    assert_eq!(file.poll(), lines(&[("\u{fffd}\u{fffd}a\0", 5), ("\0\0b\0", 11)]));
    file.append("lines.txt", "\u{feff}mark\n");
    assert_eq!(file.poll(), lines(&[("\u{feff}mark", 19)]));
}

#[test]
fn a_file_that_takes_the_name_between_two_polls_is_read_whole_whatever_its_size() {
    for text in ["x\n", "new 1\n", "a much longer line than before\n"] {
        let mut file = Followed::start(&[], 0);
        file.append("lines.txt", "old 1\n");
        assert_eq!(file.poll(), lines(&[("old 1", 6)]));
        fs::write(file.path("next"), text).unwrap();
        fs::rename(file.path("next"), file.path("lines.txt")).unwrap();
        assert_eq!(file.await_lines(), lines(&[(text.trim_end(), text.len() as u64)]));
    }
}

#[test]
fn a_truncated_file_begins_anew_without_what_was_unfinished() {
    let mut file = Followed::start(&[], 0);
    file.append("lines.txt", "one\ntwo\nunfinished");
    assert_eq!(file.poll(), lines(&[("one", 4), ("two", 8)]));
    fs::write(file.path("lines.txt"), "1\n").unwrap();
    assert_eq!(file.poll(), lines(&[("1", 2)]));
    fs::write(file.path("lines.txt"), "").unwrap();
    assert_eq!(file.poll(), []);
    file.append("lines.txt", "again\n");
    assert_eq!(file.poll(), lines(&[("again", 6)]));
}

#[test]
fn a_rotated_file_is_finished_first_however_late_its_writer_moves_on() {
    let mut file = Followed::start(&[], 0);
    file.append("lines.txt", "one\n");
    assert_eq!(file.poll(), lines(&[("one", 4)]));
    fs::rename(file.path("lines.txt"), file.path("lines.1")).unwrap();
    file.append("lines.1", "two\n");
    assert_eq!(file.poll(), lines(&[("two", 8)]));
    // Whoever rotates makes the new file at once; whoever writes still has the old one.
    file.append("lines.txt", "");
    file.append("lines.1", "three\n");
    assert_eq!(file.poll(), lines(&[("three", 14)]));
    file.append("lines.1", "four\n");
    file.append("lines.txt", "new\n");
    assert_eq!(file.await_lines(), lines(&[("four", 19)]));
    assert_eq!(file.await_lines(), lines(&[("new", 4)]));
}

#[test]
fn the_last_line_of_a_rotated_file_needs_no_end_and_leads_to_the_new_file() {
    for (last, expected) in [("two", "two"), ("two\r", "two"), ("\r", "")] {
        let mut file = Followed::start(&[], 0);
        file.append("lines.txt", format!("one\n{last}"));
        assert_eq!(file.poll(), lines(&[("one", 4)]));
        fs::rename(file.path("lines.txt"), file.path("lines.1")).unwrap();
        assert_eq!(file.poll(), [], "it may go on while no other file is there");
        file.append("lines.txt", "new\n");
        assert_eq!(file.await_lines(), lines(&[(expected, 0), ("new", 4)]));
    }
}

#[test]
fn a_file_that_was_removed_and_made_anew_is_read_from_its_beginning() {
    let mut file = Followed::start(&[], 0);
    file.append("lines.txt", "one\n");
    assert_eq!(file.poll(), lines(&[("one", 4)]));
    fs::remove_file(file.path("lines.txt")).unwrap();
    assert_eq!(file.poll(), []);
    file.append("lines.txt", "a longer first line\n");
    assert_eq!(file.await_lines(), lines(&[("a longer first line", 20)]));
}

#[test]
fn lines_that_were_read_come_before_a_failure() {
    let mut file = Followed::start(&[], 0);
    fs::create_dir(file.path("lines.txt")).unwrap();
    let error = file.task.poll(Duration::ZERO, &mut SourceBatch::default()).unwrap_err();
    assert!(matches!(error, Error::Fatal(_)), "{error:?}");
    assert!(error.to_string().contains("lines.txt"), "{error}");
}

#[test]
fn one_task_does_it_all_and_only_files_are_exactly_once() {
    let config = |file: &str| Config::new([("file", file), ("topic", "lines")]);
    assert_eq!(FileSource::start(config("f")).unwrap().task_configs(7).unwrap(), [config("f")]);
    assert!(matches!(FileSource::exactly_once_support(&config("f")), Support::Supported));
    assert!(matches!(FileSource::exactly_once_support(&config("")), Support::Unsupported));
    let offsets = [(r#"{"filename":"f"}"#.to_owned(), Some(r#"{"position":3}"#.to_owned()))];
    assert_eq!(FileSource::alter_offsets(&config("f"), &offsets), Ok(true));
    assert!(FileSource::alter_offsets(&config(""), &offsets).is_err());
}

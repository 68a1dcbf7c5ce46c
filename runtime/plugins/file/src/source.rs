//! The source: one task that makes a record of every line of a file, or of standard input.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_data::java_text;
use weir_sdk::Support;
use weir_sdk::prelude::*;

use crate::disk::Stdin;
use crate::follow::Follower;
use crate::lines::Lines;
use crate::position;

/// The path in a configuration; none for standard input or output.
pub fn path(config: &Config) -> Option<&str> {
    config.get("file").filter(|file| !file.is_empty())
}

/// Connect's FileStreamSource.
pub struct FileSource(Config);

impl SourceConnector for FileSource {
    type Task = FileSourceTask;

    fn class() -> Class {
        Class::new("weir.file.Source", crate::KAFKA)
            .alias("FileStreamSource")
            .alias("FileStreamSourceConnector")
            .alias("org.apache.kafka.connect.file.FileStreamSourceConnector")
            .doc("Writes every line of a file to a topic, and follows the file while it grows.")
            .key(
                Key::text("file")
                    .optional()
                    .importance(Importance::High)
                    .doc("Source filename. If not specified, the standard input will be used")
                    .path_or_stdio(Access::Read),
            )
            .key(Key::text("topic").non_empty().importance(Importance::High).doc("The topic to publish data to"))
            .key(
                Key::int("batch.size")
                    .default(2000)
                    .importance(Importance::Low)
                    .doc("The maximum number of records the source task can read from the file each time it is polled"),
            )
            .wants_alter_offsets()
    }

    fn start(config: Config) -> Result<Self> {
        weir_sdk::info!("Starting file source connector reading from {}", path(&config).unwrap_or("standard input"));
        Ok(FileSource(config))
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
        // Only one input stream makes sense.
        Ok(vec![self.0.clone()])
    }

    fn alter_offsets(config: &Config, offsets: &[(String, Option<String>)]) -> Result<bool> {
        position::check_altered(path(config), offsets)?;
        // Whether the file reaches as far is for the task to see when it starts.
        Ok(true)
    }

    fn exactly_once_support(config: &Config) -> Support {
        // Of standard input, no offsets are kept.
        if path(config).is_some() { Support::Supported } else { Support::Unsupported }
    }
}

enum Input {
    File(Follower),
    Stdin(Stdin, Lines),
}

/// Reads lines.
pub struct FileSourceTask {
    input: Input,
    topic: String,
    partition: String,
    batch_size: usize,
    offset: Vec<u8>,
    replaced: Vec<u8>,
}

impl SourceTask for FileSourceTask {
    fn start(config: Config) -> Result<Self> {
        let stored = match path(&config) {
            None => None,
            Some(path) => weir_sdk::offsets(&[position::partition(Some(path))])?.pop().flatten(),
        };
        FileSourceTask::reading_from(&config, stored.as_deref().map_or(Ok(0), position::stored)?)
    }

    fn poll(&mut self, _max_wait: Duration, batch: &mut SourceBatch) -> Result<()> {
        // Nothing waits here: the host asks again, less and less often.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        loop {
            if self.take_lines(now, batch) {
                return Ok(());
            }
            match self.read_on() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // Lines that were taken are delivered; what fails is found again by the next poll.
                Err(_) if !batch.is_empty() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl FileSourceTask {
    fn reading_from(config: &Config, position: u64) -> Result<FileSourceTask> {
        let input = match path(config) {
            None => Input::Stdin(Stdin::open(), Lines::default()),
            Some(path) => {
                weir_sdk::debug!("Reading {path} from {position} on");
                Input::File(Follower::new(path, position).map_err(|error| unreadable(Some(path), &error))?)
            }
        };
        Ok(FileSourceTask {
            input,
            topic: config.text("topic")?.to_owned(),
            partition: position::partition(config.get("file")),
            batch_size: config.parse::<i32>("batch.size")?.max(1) as usize,
            offset: Vec::new(),
            replaced: Vec::new(),
        })
    }

    /// Takes the lines that were read; answers whether the batch is full.
    fn take_lines(&mut self, now: i64, batch: &mut SourceBatch) -> bool {
        let mut texts = batch.texts(&self.partition, &self.topic, Some(now));
        while texts.len() < self.batch_size && !texts.is_full() {
            let (line, position) = match &mut self.input {
                Input::File(file) => match file.take() {
                    Some((line, position)) => (line, Some(position)),
                    None => return false,
                },
                Input::Stdin(_, lines) => match lines.take() {
                    Some((line, _)) => (line, None),
                    None => return false,
                },
            };
            self.offset.clear();
            position::append(position, &mut self.offset);
            let offset = std::str::from_utf8(&self.offset).expect("digits and names are UTF-8");
            let text = std::str::from_utf8(line).unwrap_or_else(|_| {
                self.replaced.clear();
                java_text::replaced(line, &mut self.replaced);
                std::str::from_utf8(&self.replaced).expect("what is not UTF-8 was replaced")
            });
            texts.push(offset, text);
        }
        true
    }

    /// Reads on, after every line that was read is taken; answers whether there may be another line.
    fn read_on(&mut self) -> Result<bool> {
        match &mut self.input {
            Input::File(file) => file.read_on().map_err(|error| unreadable(Some(file.path()), &error)),
            Input::Stdin(stdin, lines) => match stdin.read().map_err(|error| unreadable(None, &error))? {
                Some(bytes) if bytes.is_empty() => Ok(false),
                Some(bytes) => {
                    lines.push(&bytes);
                    Ok(true)
                }
                None => {
                    let more = lines.pending() > 0 && !lines.ended();
                    lines.end();
                    Ok(more)
                }
            },
        }
    }
}

/// What to do about a file that cannot be read: one that is no file or is forbidden needs a person.
fn unreadable(path: Option<&str>, error: &std::io::Error) -> Error {
    let reason = format!(
        "Error while trying to read {}: {error}",
        path.map_or("standard input".into(), |path| format!("file {path}"))
    );
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::Other => Error::Fatal(reason),
        _ => Error::Retriable(reason),
    }
}

#[cfg(test)]
mod tests;

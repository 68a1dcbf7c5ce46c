//! The sink: every record's value as a line at the end of a file, or on standard output.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use weir_sdk::prelude::*;

use crate::disk::{Appender, Identity, PIECE, Place};
use crate::rendered::Rendered;
use crate::source::path;

/// How long another file may be under the name before that is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Connect's FileStreamSink.
pub struct FileSink(Config);

impl SinkConnector for FileSink {
    type Task = FileSinkTask;

    fn class() -> Class {
        Class::new("weir.file.Sink", crate::KAFKA)
            .alias("FileStreamSink")
            .alias("FileStreamSinkConnector")
            .alias("org.apache.kafka.connect.file.FileStreamSinkConnector")
            .doc("Appends the value of every record to a file, one line each.")
            .key(
                Key::text("file")
                    .optional()
                    .importance(Importance::High)
                    .doc("Destination filename. If not specified, the standard output will be used")
                    .path_or_stdio(Access::Write),
            )
            .wants_alter_offsets()
            .wants_pre_commit()
    }

    fn start(config: Config) -> Result<Self> {
        weir_sdk::info!("Starting file sink connector writing to {}", path(&config).unwrap_or("standard output"));
        Ok(FileSink(config))
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone(); max_tasks as usize])
    }

    fn alter_offsets(_config: &Config, _offsets: &[(String, Option<String>)]) -> Result<bool> {
        // No offsets are kept outside of Kafka, so any may be altered.
        Ok(true)
    }
}

/// An open file.
struct Output {
    appender: Appender,
    /// How large it should be.
    size: u64,
}

/// What could not be written.
struct BrokenOff {
    /// Bytes that were.
    written: usize,
    error: std::io::Error,
}

impl Output {
    fn write(&mut self, rendered: &Rendered) -> std::result::Result<(), BrokenOff> {
        let mut written = rendered.begin();
        while written < rendered.len() {
            let piece = rendered.piece(written, PIECE);
            if let Err(error) = self.appender.append(piece) {
                let size = self.appender.size().unwrap_or(self.size);
                // More than the piece is the work of others.
                let arrived = size.checked_sub(self.size).filter(|&arrived| arrived <= piece.len() as u64);
                return Err(BrokenOff { written: written + arrived.unwrap_or(0) as usize, error });
            }
            written += piece.len();
            self.size += piece.len() as u64;
        }
        Ok(())
    }
}

/// Writes lines.
pub struct FileSinkTask {
    /// None for standard output.
    file: Option<(String, Place)>,
    output: Option<Output>,
    /// What `output` is, or was.
    identity: Option<Identity>,
    rendered: Rendered,
    /// What of a line was written before writing broke off.
    torn: Vec<u8>,
    look_at: Instant,
}

impl SinkTask for FileSinkTask {
    fn start(config: Config) -> Result<Self> {
        FileSinkTask::open_first(path(&config)).map_err(|error| {
            let path = path(&config).unwrap_or_default();
            Error::fatal(format!("Couldn't find or create file '{path}' for FileStreamSinkTask: {error}"))
        })
    }

    fn put(&mut self, batch: &SinkBatch) -> Result<Delivery> {
        if batch.is_empty() {
            return Ok(Delivery::all());
        }
        if let Err(error) = self.make_ready() {
            return Ok(Delivery::all().retry_from(0, None, self.unwritable(&error)));
        }
        let faults = self.render(batch);
        let written = match &mut self.output {
            Some(output) => output.write(&self.rendered),
            None => Ok(()),
        };
        let Err(broken) = written else {
            self.torn.clear();
            return Ok(failed(faults, batch.len()));
        };
        let (row, torn) = self.rendered.broken_off(broken.written);
        if broken.written > 0 {
            self.torn = torn.to_vec();
        }
        self.output = None;
        Ok(failed(faults, row).retry_from(row, None, self.unwritable(&broken.error)))
    }

    fn pre_commit(&mut self, positions: Vec<Position>) -> Result<Vec<Position>> {
        let synced = self.output.as_mut().map_or(Ok(()), |output| output.appender.sync());
        // What the disk refused is not offered to it again by a second try, but by the records that are not committed.
        synced.map_err(|error| {
            Error::fatal(format!("{}; restart to write again what was lost", self.unwritable(&error)))
        })?;
        Ok(positions)
    }
}

fn failed(faults: Vec<(usize, Error)>, before: usize) -> Delivery {
    let faults = faults.into_iter().filter(|(row, _)| *row < before);
    faults.fold(Delivery::all(), |delivery, (row, error)| delivery.failed(row, error))
}

impl FileSinkTask {
    fn open_first(path: Option<&str>) -> std::io::Result<FileSinkTask> {
        let mut task = FileSinkTask {
            file: path.map(|path| Ok::<_, std::io::Error>((path.to_owned(), Place::new(path)?))).transpose()?,
            output: None,
            identity: None,
            rendered: Rendered::default(),
            torn: Vec::new(),
            look_at: Instant::now(),
        };
        task.make_ready()?;
        Ok(task)
    }

    /// Opens the file: at first, after a failure, and when another is under its name or none.
    fn make_ready(&mut self) -> std::io::Result<()> {
        let Some((path, place)) = &self.file else {
            self.output.get_or_insert_with(|| Output { appender: Appender::stdout(), size: 0 });
            return Ok(());
        };
        let now = Instant::now();
        if self.output.is_some() {
            if now < self.look_at {
                return Ok(());
            }
            match place.identity() {
                Ok(identity) if Some(identity) == self.identity => {
                    self.look_at = now + LOOK_EVERY;
                    return Ok(());
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(_) => weir_sdk::info!("File {path} was replaced: writing to the new one"),
                Err(_) => weir_sdk::info!("File {path} was moved or removed: making it anew"),
            }
            if let Some(output) = &mut self.output {
                output.appender.sync()?;
            }
            self.output = None;
        }
        let appender = place.append()?;
        let (identity, size) = (appender.identity()?, appender.size()?);
        if identity != self.identity {
            self.identity = identity;
            self.torn.clear();
        }
        self.output = Some(Output { appender, size });
        self.look_at = now + LOOK_EVERY;
        Ok(())
    }

    /// Renders the lines of a batch; answers the rows that have none.
    fn render(&mut self, batch: &SinkBatch) -> Vec<(usize, Error)> {
        let mut faults = Vec::new();
        self.rendered.clear();
        for record in batch.iter() {
            let printed = match record.value() {
                Some(value) => value.java_text(self.rendered.line()),
                None => {
                    self.rendered.line().extend_from_slice(b"null");
                    Ok(())
                }
            };
            match printed {
                Ok(()) => self.rendered.end_line(),
                Err(error) => {
                    self.rendered.end_without_line();
                    faults.push((record.row(), error));
                }
            }
        }
        self.rendered.take_up(&self.torn);
        faults
    }

    fn unwritable(&self, error: &std::io::Error) -> String {
        let name = self.file.as_ref().map_or("standard output".into(), |(path, _)| format!("file {path}"));
        format!("Error while trying to write to {name}: {error}")
    }
}

#[cfg(test)]
mod tests;

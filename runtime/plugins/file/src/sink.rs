//! The sink: every record's value as a line at the end of a file, or on standard output.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use weir_sdk::prelude::*;

use crate::disk::{APPENDED, Appender, Identity, Place};
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
    /// How large it is, with all that was written and without what is being written.
    size: u64,
    /// Bytes that are being written.
    begun: usize,
    /// Whether a write has failed: it is opened anew, once what it took is on the disk.
    broken: bool,
}

/// What could not be written.
struct BrokenOff {
    /// Bytes that were.
    written: usize,
    error: std::io::Error,
}

impl Output {
    /// Writes lines on from a place in whole pieces, while the next are rendered; answers how far.
    fn write_on(&mut self, rendered: &Rendered, mut from: usize) -> std::result::Result<usize, BrokenOff> {
        while rendered.len() - from >= APPENDED {
            from = self.write_piece(rendered, from)?;
        }
        Ok(from)
    }

    /// Writes lines from a place to their end, and waits until they are written.
    fn write_all(&mut self, rendered: &Rendered, mut from: usize) -> std::result::Result<(), BrokenOff> {
        while from < rendered.len() {
            from = self.write_piece(rendered, from)?;
        }
        self.appender.finish().map_err(|error| self.broken_off(from, 0, error))?;
        self.count();
        Ok(())
    }

    fn write_piece(&mut self, rendered: &Rendered, from: usize) -> std::result::Result<usize, BrokenOff> {
        let piece = rendered.piece(from, APPENDED);
        self.appender.begin(piece).map_err(|error| self.broken_off(from, piece.len(), error))?;
        self.count();
        self.begun = piece.len();
        Ok(from + piece.len())
    }

    /// What was begun is written.
    fn count(&mut self) {
        self.size += std::mem::take(&mut self.begun) as u64;
    }

    /// Writing failed in what was begun before `from`, or in the `next` bytes from there. Some of it may have arrived.
    fn broken_off(&self, from: usize, next: usize, error: std::io::Error) -> BrokenOff {
        let size = self.appender.size().unwrap_or(self.size);
        // More than that is the work of others.
        let arrived = size.checked_sub(self.size).filter(|&arrived| arrived <= (self.begun + next) as u64);
        BrokenOff { written: from - self.begun + arrived.unwrap_or(0) as usize, error }
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
    /// What the disk did not take of lines that were written. It is told once, and a second try would say that all is
    /// well: so from then on nothing is, until a restart writes again what is not committed.
    lost: Option<String>,
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
        self.make_ready()?;
        let mut faults = Vec::new();
        let written = self.write(batch, &mut faults);
        let Err(broken) = written else {
            self.torn.clear();
            return Ok(failed(faults, batch.len()));
        };
        let (row, torn) = self.rendered.broken_off(broken.written);
        if broken.written > 0 {
            self.torn = torn.to_vec();
        }
        self.output.iter_mut().for_each(|output| output.broken = true);
        Ok(failed(faults, row).retry_from(row, None, self.unwritable(&broken.error)))
    }

    fn pre_commit(&mut self, positions: Vec<Position>) -> Result<Vec<Position>> {
        self.sync()?;
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
            lost: None,
        };
        task.open()?;
        Ok(task)
    }

    /// Opens the file, which is made where it is missing.
    fn open(&mut self) -> std::io::Result<()> {
        let (appender, size) = match &self.file {
            None => (Appender::stdout(), 0),
            Some((_, place)) => {
                let appender = place.append()?;
                let (identity, size) = (appender.identity()?, appender.size()?);
                if identity != self.identity {
                    self.identity = identity;
                    self.torn.clear();
                }
                (appender, size)
            }
        };
        self.output = Some(Output { appender, size, begun: 0, broken: false });
        self.look_at = Instant::now() + LOOK_EVERY;
        Ok(())
    }

    /// Opens the file anew after a failure, and when another is under its name or none.
    fn make_ready(&mut self) -> Result<()> {
        let usable = self.is_in_place().map_err(|error| Error::retriable(self.unwritable(&error)))?;
        if usable && self.lost.is_none() {
            return Ok(());
        }
        self.sync()?;
        self.output = None;
        self.open().map_err(|error| Error::retriable(self.unwritable(&error)))
    }

    /// Whether what is open can be written to, and is what is under the name.
    fn is_in_place(&mut self) -> std::io::Result<bool> {
        let now = Instant::now();
        match (&self.output, &self.file) {
            (None | Some(Output { broken: true, .. }), _) => return Ok(false),
            (Some(_), Some((path, place))) if now >= self.look_at => match place.identity() {
                Ok(identity) if Some(identity) == self.identity => {}
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(_) => {
                    weir_sdk::info!("File {path} was replaced: writing to the new one");
                    return Ok(false);
                }
                Err(_) => {
                    weir_sdk::info!("File {path} was moved or removed: making it anew");
                    return Ok(false);
                }
            },
            (Some(_), _) => return Ok(true),
        }
        self.look_at = now + LOOK_EVERY;
        Ok(true)
    }

    /// Brings what was written to the disk.
    fn sync(&mut self) -> Result<()> {
        if let (None, Some(output)) = (&self.lost, &mut self.output)
            && let Err(error) = output.appender.sync()
        {
            self.lost = Some(format!("{}; restart to write again what was lost", self.unwritable(&error)));
        }
        self.lost.as_ref().map_or(Ok(()), |lost| Err(Error::fatal(lost)))
    }

    /// Writes the lines of a batch; `faults` are the rows that have none.
    fn write(&mut self, batch: &SinkBatch, faults: &mut Vec<(usize, Error)>) -> std::result::Result<(), BrokenOff> {
        let FileSinkTask { rendered, torn, output: Some(output), .. } = self else { return Ok(()) };
        rendered.clear();
        let mut written = 0;
        for record in batch.iter() {
            let printed = match record.value() {
                Some(value) => value.java_text(rendered.line()),
                None => {
                    rendered.line().extend_from_slice(b"null");
                    Ok(())
                }
            };
            match printed {
                Ok(()) => rendered.end_line(),
                Err(error) => {
                    rendered.end_without_line();
                    faults.push((record.row(), error));
                }
            }
            // Where an earlier write broke off, it is seen only at the end how to go on.
            if torn.is_empty() {
                written = output.write_on(rendered, written)?;
            }
        }
        rendered.take_up(torn);
        output.write_all(rendered, written.max(rendered.begin()))
    }

    fn unwritable(&self, error: &std::io::Error) -> String {
        let name = self.file.as_ref().map_or("standard output".into(), |(path, _)| format!("file {path}"));
        format!("Error while trying to write to {name}: {error}")
    }
}

#[cfg(test)]
mod tests;

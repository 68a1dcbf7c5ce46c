//! Source offsets of a standalone worker on Kafka: a log over the file that Connect keeps them in
//! (`offset.storage.file.filename`), rewritten whole at each append as Connect does.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use weir_core::port::{CompactedLog, LogEntry, LogReader, LogRecord, StoreError};
use weir_core::store::{decode_offset_file, encode_offset_file};

/// Keys with the number of their last append, and their values.
type Content = BTreeMap<Vec<u8>, (i64, Option<Vec<u8>>)>;

/// The file as a log.
pub struct OffsetFile {
    file: PathBuf,
    content: Arc<Mutex<Content>>,
    /// The number of the next append.
    end: Arc<watch::Sender<i64>>,
    /// One append at a time, to its end on disk even when nobody waits for it any more.
    appending: Arc<tokio::sync::Mutex<()>>,
}

fn unusable(file: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Unusable(format!("offset.storage.file.filename: {}: {reason}", file.display()))
}

impl OffsetFile {
    /// Reads the file; one that is missing has no offsets.
    pub fn open(file: &Path) -> Result<OffsetFile, StoreError> {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unusable(file, error)),
        };
        let entries = decode_offset_file(&bytes).map_err(|error| {
            unusable(file, format!("{error}: this is no offsets file of Connect. Name another or move it away"))
        })?;
        // What cannot be written must not be found out by the first commit.
        beside(file).map_err(|error| {
            unusable(
                file,
                format!(
                    "its folder cannot be written to: {error}. Make it, let this user write there, or name another"
                ),
            )
        })?;
        let numbered = entries.into_iter().zip(0..).map(|((key, value), number)| (key, (number, value)));
        let content: Content = numbered.collect();
        let end = content.len() as i64;
        Ok(OffsetFile {
            file: file.to_owned(),
            content: Arc::new(Mutex::new(content)),
            end: Arc::new(watch::Sender::new(end)),
            appending: Arc::default(),
        })
    }
}

/// Whether a file can be made beside the file.
fn beside(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::NamedTempFile::new_in(folder).map(drop)
}

/// Writes beside the file, then takes its place: it is never half written.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    let mut out = std::fs::File::create(&part)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    std::fs::rename(&part, file)?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(dir)?.sync_all()
}

#[async_trait::async_trait]
impl CompactedLog for OffsetFile {
    async fn append(&self, records: Vec<LogRecord>) -> Result<(), StoreError> {
        let alone = self.appending.clone().lock_owned().await;
        let (file, content, end) = (self.file.clone(), self.content.clone(), self.end.clone());
        let appended = move || {
            let mut number = *end.borrow();
            let mut next = content.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for LogRecord { key, value } in records {
                next.insert(key.unwrap_or_default(), (number, value));
                number += 1;
            }
            // Connect keeps a null value where an offset was reset; it means the same to both.
            let entries: Vec<_> = next.iter().map(|(key, (_, value))| (key.as_slice(), value.as_deref())).collect();
            replace(&file, &encode_offset_file(entries.into_iter()))?;
            *content.lock().unwrap_or_else(PoisonError::into_inner) = next;
            end.send_replace(number);
            drop(alone);
            Ok(())
        };
        let written = tokio::task::spawn_blocking(appended).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(|error| {
            let file = self.file.display();
            StoreError::Unavailable(format!("offset.storage.file.filename: {file} cannot be written: {error}"))
        })
    }

    async fn reader(&self) -> Result<Box<dyn LogReader>, StoreError> {
        Ok(Box::new(Reader { content: self.content.clone(), end: self.end.subscribe(), next: 0 }))
    }
}

struct Reader {
    content: Arc<Mutex<Content>>,
    end: watch::Receiver<i64>,
    next: i64,
}

#[async_trait::async_trait]
impl LogReader for Reader {
    async fn read_to_end(&mut self) -> Result<Vec<LogEntry>, StoreError> {
        let end = *self.end.borrow_and_update();
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let new = content.iter().filter(|(_, (number, _))| *number >= self.next);
        let entry = |(key, (number, value)): (&Vec<u8>, &(i64, Option<Vec<u8>>))| LogEntry {
            partition: 0,
            offset: *number,
            timestamp: -1,
            record: LogRecord { key: Some(key.clone()), value: value.clone() },
        };
        let mut entries: Vec<LogEntry> = new.map(entry).collect();
        entries.sort_by_key(|entry| entry.offset);
        self.next = entries.last().map_or(end, |entry| entry.offset + 1).max(end);
        Ok(entries)
    }

    async fn changed(&mut self) -> Result<(), StoreError> {
        let next = self.next;
        let gone = |_| StoreError::Unusable("the offsets file was closed".into());
        self.end.wait_for(|end| *end > next).await.map(|_| ()).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: Option<&str>) -> LogRecord {
        LogRecord { key: Some(key.into()), value: value.map(Into::into) }
    }

    async fn read(reader: &mut Box<dyn LogReader>) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let entries = reader.read_to_end().await.unwrap().into_iter();
        entries.map(|entry| (text(entry.record.key.unwrap()), entry.record.value.map(text))).collect()
    }

    #[tokio::test]
    async fn offsets_survive_in_the_file_and_the_last_one_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offsets");
        let log = OffsetFile::open(&file).unwrap();
        let mut reader = log.reader().await.unwrap();
        assert_eq!(read(&mut reader).await, []);
        log.append(vec![record("a", Some("1")), record("b", Some("2"))]).await.unwrap();
        log.append(vec![record("a", Some("3")), record("b", None)]).await.unwrap();
        reader.changed().await.unwrap();
        let expected = [("a".to_owned(), Some("3".to_owned())), ("b".to_owned(), None)];
        assert_eq!(read(&mut reader).await, expected);
        assert_eq!(read(&mut reader).await, []);
        let again = OffsetFile::open(&file).unwrap();
        assert_eq!(read(&mut again.reader().await.unwrap()).await, expected);
        assert!(!folder.path().join("offsets.part").exists());
    }

    #[test]
    fn a_file_that_is_none_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offsets");
        std::fs::write(&file, "position=7").unwrap();
        let error = OffsetFile::open(&file).err().unwrap().to_string();
        assert!(error.contains("offset.storage.file.filename") && error.contains("move it away"), "{error}");
    }
}

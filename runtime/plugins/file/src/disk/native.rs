//! Files over std.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Result, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::{Identity, PIECE};

/// A granted name, whatever is under it.
#[derive(Clone, Debug)]
pub struct Place(PathBuf);

fn identity(metadata: &Metadata) -> Identity {
    Identity(metadata.dev(), metadata.ino())
}

impl Place {
    /// The place of a path.
    pub fn new(path: &str) -> Result<Place> {
        Ok(Place(PathBuf::from(path)))
    }

    /// What is under the name now.
    pub fn identity(&self) -> Result<Identity> {
        Ok(identity(&self.0.metadata()?))
    }

    /// The size of what is under the name now.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<Reader> {
        Ok(Reader(File::open(&self.0)?))
    }

    /// Opens it for appending, and makes it where it is missing.
    pub fn append(&self) -> Result<Appender> {
        Ok(Appender::File(OpenOptions::new().append(true).create(true).open(&self.0)?))
    }
}

/// A file that is read.
#[derive(Debug)]
pub struct Reader(File);

impl Reader {
    /// What it is.
    pub fn identity(&self) -> Result<Identity> {
        Ok(identity(&self.0.metadata()?))
    }

    /// Its size.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Some bytes from a place on; none at the end.
    pub fn read(&self, from: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; PIECE];
        let length = self.0.read_at(&mut bytes, from)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Standard input.
#[derive(Debug)]
pub struct Stdin;

impl Stdin {
    /// Opens it.
    pub fn open() -> Stdin {
        Stdin
    }

    /// The next bytes, perhaps none; nothing at its end.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; PIECE];
        let length = std::io::stdin().read(&mut bytes)?;
        bytes.truncate(length);
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

/// A file that is appended to, or standard output.
#[derive(Debug)]
pub enum Appender {
    /// A file.
    File(File),
    /// Standard output.
    Stdout,
}

impl Appender {
    /// Standard output.
    pub fn stdout() -> Appender {
        Appender::Stdout
    }

    /// Appends bytes.
    pub fn begin(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Appender::File(file) => file.write_all(bytes),
            Appender::Stdout => std::io::stdout().lock().write_all(bytes),
        }
    }

    /// Waits until what was begun is written.
    pub fn finish(&mut self) -> Result<()> {
        match self {
            Appender::File(_) => Ok(()),
            Appender::Stdout => std::io::stdout().lock().flush(),
        }
    }

    /// Brings what was appended to the disk.
    pub fn sync(&mut self) -> Result<()> {
        match self {
            // Pipes and devices have no disk, and say so.
            Appender::File(file) => match file.sync_data() {
                Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
                synced => synced,
            },
            Appender::Stdout => Ok(()),
        }
    }

    /// What the file is; none for standard output.
    pub fn identity(&self) -> Result<Option<Identity>> {
        match self {
            Appender::File(file) => Ok(Some(identity(&file.metadata()?))),
            Appender::Stdout => Ok(None),
        }
    }

    /// The file's size; 0 for standard output.
    pub fn size(&self) -> Result<u64> {
        match self {
            Appender::File(file) => Ok(file.metadata()?.len()),
            Appender::Stdout => Ok(0),
        }
    }
}

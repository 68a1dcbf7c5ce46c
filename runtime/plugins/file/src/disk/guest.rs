//! Files over WASI's descriptors.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::rc::Rc;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, MetadataHashValue, OpenFlags, PathFlags, filesystem_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::{Identity, PIECE};

/// A granted name, whatever is under it.
#[derive(Clone, Debug)]
pub struct Place {
    folder: Rc<Descriptor>,
    name: String,
}

fn error(code: ErrorCode) -> Error {
    let kind = match code {
        ErrorCode::NoEntry => ErrorKind::NotFound,
        ErrorCode::Access | ErrorCode::NotPermitted => ErrorKind::PermissionDenied,
        ErrorCode::ReadOnly => ErrorKind::ReadOnlyFilesystem,
        ErrorCode::InsufficientSpace => ErrorKind::StorageFull,
        ErrorCode::Quota => ErrorKind::QuotaExceeded,
        ErrorCode::IsDirectory => ErrorKind::IsADirectory,
        ErrorCode::FileTooLarge => ErrorKind::FileTooLarge,
        ErrorCode::Unsupported => {
            return Error::other("it is a named pipe, which is not opened: use standard input or output");
        }
        ErrorCode::Loop => return Error::other("it is a symbolic link, and links are not followed"),
        _ => ErrorKind::Other,
    };
    Error::new(kind, code.message())
}

fn stream_error(failed: StreamError) -> Error {
    match failed {
        StreamError::LastOperationFailed(cause) => {
            filesystem_error_code(&cause).map_or_else(|| Error::other(cause.to_debug_string()), error)
        }
        StreamError::Closed => Error::new(ErrorKind::BrokenPipe, "it was closed"),
    }
}

fn identity(hash: MetadataHashValue) -> Identity {
    Identity(hash.lower, hash.upper)
}

impl Place {
    /// The place of a path, in the folder that was opened for it.
    pub fn new(path: &str) -> Result<Place> {
        let whole = Path::new(path);
        let folder = whole.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let name = whole.file_name().and_then(|name| name.to_str());
        let opened = get_directories();
        if opened.iter().any(|(_, opened)| Path::new(opened) == whole) {
            return Err(error(ErrorCode::IsDirectory));
        }
        match (name, opened.into_iter().find(|(_, opened)| Path::new(opened) == folder)) {
            (Some(name), Some((folder, _))) => Ok(Place { folder: Rc::new(folder), name: name.to_owned() }),
            _ => Err(Error::new(ErrorKind::PermissionDenied, "it is not opened to this task")),
        }
    }

    /// What is under the name now.
    pub fn identity(&self) -> Result<Identity> {
        self.folder.metadata_hash_at(PathFlags::empty(), &self.name).map(identity).map_err(error)
    }

    /// The size of what is under the name now.
    pub fn size(&self) -> Result<u64> {
        Ok(self.folder.stat_at(PathFlags::empty(), &self.name).map_err(error)?.size)
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<Reader> {
        let opened = self.folder.open_at(PathFlags::empty(), &self.name, OpenFlags::empty(), DescriptorFlags::READ);
        Ok(Reader(opened.map_err(error)?))
    }

    /// Opens it for appending, and makes it where it is missing.
    pub fn append(&self) -> Result<Appender> {
        let opened = self.folder.open_at(PathFlags::empty(), &self.name, OpenFlags::CREATE, DescriptorFlags::WRITE);
        let file = opened.map_err(error)?;
        let stream = file.append_via_stream().map_err(error)?;
        Ok(Appender { stream, file: Some(file) })
    }
}

/// A file that is read.
#[derive(Debug)]
pub struct Reader(Descriptor);

impl Reader {
    /// What it is.
    pub fn identity(&self) -> Result<Identity> {
        self.0.metadata_hash().map(identity).map_err(error)
    }

    /// Its size.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.stat().map_err(error)?.size)
    }

    /// Some bytes from a place on; none at the end.
    pub fn read(&self, from: u64) -> Result<Vec<u8>> {
        let (bytes, _) = self.0.read(PIECE as u64, from).map_err(error)?;
        Ok(bytes)
    }
}

/// Standard input.
#[derive(Debug)]
pub struct Stdin(InputStream);

impl Stdin {
    /// Opens it.
    pub fn open() -> Stdin {
        Stdin(wasip2::cli::stdin::get_stdin())
    }

    /// The next bytes, perhaps none; nothing at its end.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>> {
        match self.0.read(PIECE as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StreamError::Closed) => Ok(None),
            Err(failed) => Err(stream_error(failed)),
        }
    }
}

/// A file that is appended to, or standard output.
#[derive(Debug)]
pub struct Appender {
    // Before the file, which must outlive it.
    stream: OutputStream,
    file: Option<Descriptor>,
}

impl Appender {
    /// Standard output.
    pub fn stdout() -> Appender {
        Appender { stream: wasip2::cli::stdout::get_stdout(), file: None }
    }

    /// Begins to append bytes, [`super::APPENDED`] at most; what was begun before is written by then, or its failure is the
    /// answer and nothing of these is.
    pub fn begin(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.stream.check_write().map_err(stream_error)?;
            if room == 0 {
                self.stream.subscribe().block();
                continue;
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(room as usize));
            self.stream.write(piece).map_err(stream_error)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Waits until what was begun is written.
    pub fn finish(&mut self) -> Result<()> {
        self.stream.blocking_flush().map_err(stream_error)
    }

    /// Brings what was appended to the disk.
    pub fn sync(&mut self) -> Result<()> {
        match self.file.as_ref().map_or(Ok(()), Descriptor::sync_data) {
            // Pipes and devices have no disk, and say so.
            Err(ErrorCode::Invalid) => Ok(()),
            synced => synced.map_err(error),
        }
    }

    /// What the file is; none for standard output.
    pub fn identity(&self) -> Result<Option<Identity>> {
        self.file.as_ref().map(|file| file.metadata_hash().map(identity).map_err(error)).transpose()
    }

    /// The file's size; 0 for standard output.
    pub fn size(&self) -> Result<u64> {
        self.file.as_ref().map_or(Ok(0), |file| file.stat().map(|stat| stat.size).map_err(error))
    }
}

//! Appending to a granted file, in pieces of a megabyte. WASI's own stream takes 64 KiB, and each piece costs two changes of
//! thread: a disk that does not answer must not hold up whoever shares a thread with the guest.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, write};
use tokio::task::{JoinHandle, spawn_blocking};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// The most that is taken in one go.
const PIECE: usize = 1 << 20;

/// A stream to the end of a file.
pub(crate) struct Appending {
    file: Arc<File>,
    state: State,
}

enum State {
    Ready,
    Writing(JoinHandle<io::Result<()>>),
    Failed(io::Error),
    Closed,
}

impl Appending {
    /// A stream to the end of a file, wherever that is when it is written to.
    pub fn to(file: Arc<File>) -> Appending {
        Appending { file, state: State::Ready }
    }

    /// Bytes that are taken now; a failure is told once, and closes it.
    fn room(&mut self) -> StreamResult<usize> {
        match &self.state {
            State::Ready => Ok(PIECE),
            State::Writing(_) => Ok(0),
            State::Closed => Err(StreamError::Closed),
            State::Failed(_) => match mem::replace(&mut self.state, State::Closed) {
                State::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
                _ => Err(StreamError::Closed),
            },
        }
    }
}

fn append(file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match append_once(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// As WASI's own stream does it: where the end cannot be named for one write alone, as with devices, the file is told.
fn append_once(file: &File, bytes: &[u8]) -> Result<usize, Errno> {
    match pwritev2(file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND) {
        Err(Errno::NOSYS | Errno::NOTSUP) => {}
        written => return written,
    }
    let flags = fcntl_getfl(file)?;
    fcntl_setfl(file, flags | OFlags::APPEND)?;
    let written = write(file, bytes);
    fcntl_setfl(file, flags)?;
    written
}

#[async_trait]
impl OutputStream for Appending {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.room()? {
            return Err(StreamError::Trap(wasmtime::format_err!("more was written than check-write allowed")));
        }
        let file = self.file.clone();
        self.state = State::Writing(spawn_blocking(move || append(&file, &bytes)));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.room().map(drop)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.room()
    }

    async fn cancel(&mut self) {
        if let State::Writing(writing) = &mut self.state {
            writing.abort();
            let _ = writing.await;
        }
        self.state = State::Closed;
    }
}

#[async_trait]
impl Pollable for Appending {
    async fn ready(&mut self) {
        if let State::Writing(writing) = &mut self.state {
            self.state = match writing.await {
                Ok(Ok(())) => State::Ready,
                Ok(Err(error)) => State::Failed(error),
                Err(error) => State::Failed(io::Error::other(error)),
            };
        }
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        // What has begun cannot be held up any more; what waits for a thread can.
        if let State::Writing(writing) = &self.state {
            writing.abort();
        }
    }
}

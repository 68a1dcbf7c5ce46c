//! The socket in a store's directory and the frames on it: version, two lengths, JSON, bytes.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::exchange::{BODY_MAX, HEADER_MAX, VERSION};

const FILE: &str = "weir.sock";
const MAKING: &str = ".weir.sock.d";

/// A path to the directory short enough for a socket's address. What it goes through must stay open with it.
fn short(dir: &Path) -> io::Result<(PathBuf, Option<File>)> {
    // An address holds 108 bytes, the ending zero and the longest name here included.
    if dir.as_os_str().len() < 108 - 30 {
        return Ok((dir.to_path_buf(), None));
    }
    let open = File::open(dir)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), Some(open)))
}

/// Makes the socket, for this user only from its first moment. The caller holds the directory's lock, so that whatever
/// stands there is left over.
pub(crate) fn listen(dir: &Path) -> io::Result<UnixListener> {
    let (short, _open) = short(dir)?;
    let making = short.join(MAKING);
    let _ = std::fs::remove_file(making.join(FILE));
    let _ = std::fs::remove_dir(&making);
    DirBuilder::new().mode(0o700).create(&making)?;
    let listener = UnixListener::bind(making.join(FILE));
    let ready = listener.and_then(|listener| {
        std::fs::set_permissions(making.join(FILE), Permissions::from_mode(0o600))?;
        std::fs::rename(making.join(FILE), short.join(FILE))?;
        Ok(listener)
    });
    let _ = std::fs::remove_dir(&making);
    ready
}

pub(crate) async fn connect(dir: &Path) -> io::Result<UnixStream> {
    let (short, _open) = short(dir)?;
    UnixStream::connect(short.join(FILE)).await
}

pub(crate) fn remove(dir: &Path) {
    let _ = std::fs::remove_file(dir.join(FILE));
}

/// Writes a frame.
pub(crate) async fn write(stream: &mut UnixStream, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    if header.len() > HEADER_MAX || body.len() > BODY_MAX {
        let why = format!("{} bytes with a header of {}: ask for less at a time", body.len(), header.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut frame = Vec::with_capacity(9 + header.len());
    frame.push(VERSION);
    frame.extend_from_slice(&(header.len() as u32).to_le_bytes());
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&header);
    stream.write_all(&frame).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

/// Waits for a frame to begin; none when the other side has closed.
pub(crate) async fn begun(stream: &mut UnixStream) -> io::Result<Option<u8>> {
    let mut version = [0];
    let read = stream.read(&mut version).await?;
    Ok((read == 1).then_some(version[0]))
}

/// Reads the rest of a frame that has begun.
pub(crate) async fn rest<T: DeserializeOwned>(stream: &mut UnixStream, version: u8) -> io::Result<(T, Vec<u8>)> {
    let lie = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if version != VERSION {
        return Err(lie(format!("the other side speaks version {version}, this one {VERSION}")));
    }
    let header = stream.read_u32_le().await? as usize;
    let body = stream.read_u32_le().await? as usize;
    if header > HEADER_MAX || body > BODY_MAX {
        return Err(lie(format!("a frame of {header} and {body} bytes")));
    }
    let header = exactly(stream, header).await?;
    let body = exactly(stream, body).await?;
    let header = serde_json::from_slice(&header).map_err(|e| lie(format!("a header that is not understood: {e}")))?;
    Ok((header, body))
}

/// Reads as the bytes come: a length that lies costs no memory.
async fn exactly(stream: &mut UnixStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(64 << 10));
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

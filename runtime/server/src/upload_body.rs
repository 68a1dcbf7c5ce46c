//! The body of an upload, put down in a file that has no name while it comes: neither its size nor the pace of its sender
//! costs anybody else memory or time, and no end leaves anything behind.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// How long a sender may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a body is not there.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than are allowed.
    #[error("the plugin has {size} bytes, plugin.upload.max.bytes allows {limit} bytes")]
    TooLarge {
        /// How many there are, as far as that is known.
        size: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Nothing came for a while.
    #[error("the upload stood still for {} s: send it again", SILENCE.as_secs())]
    Silent,
    /// The sender went away.
    #[error("the upload broke off before its end: send it again")]
    Broken(#[source] axum::Error),
    /// The worker could not put it down.
    #[error("the upload cannot be put down in {}: {error}. Make room there", .dir.display())]
    NoRoom {
        /// Where.
        dir: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A body that has come whole.
#[derive(Debug)]
pub struct UploadBody {
    file: File,
    size: u64,
    dir: PathBuf,
}

impl UploadBody {
    /// Reads a body to its end; `length` is what its sender says of it.
    pub async fn receive(body: Body, length: Option<u64>, bytes_max: u64, dir: &Path) -> Result<UploadBody, BodyError> {
        let too_large = |size: String| BodyError::TooLarge { size, limit: bytes_max };
        if let Some(length) = length.filter(|length| *length > bytes_max) {
            return Err(too_large(length.to_string()));
        }
        let no_room = |error| BodyError::NoRoom { dir: dir.to_owned(), error };
        let place = dir.to_owned();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(place)).await;
        let mut file = File::from_std(made.map_err(std::io::Error::other).flatten().map_err(no_room)?);
        let (mut size, mut body) = (0, body.into_data_stream());
        while let Some(piece) = tokio::time::timeout(SILENCE, body.next()).await.map_err(|_| BodyError::Silent)? {
            let piece = piece.map_err(BodyError::Broken)?;
            size += piece.len() as u64;
            if size > bytes_max {
                return Err(too_large(format!("more than {bytes_max}")));
            }
            file.write_all(&piece).await.map_err(no_room)?;
        }
        file.flush().await.map_err(no_room)?;
        Ok(UploadBody { file, size, dir: dir.to_owned() })
    }

    /// All of it, in memory.
    pub async fn bytes(mut self) -> Result<Bytes, BodyError> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        let read = async {
            self.file.seek(SeekFrom::Start(0)).await?;
            self.file.read_to_end(&mut bytes).await
        };
        read.await.map_err(|error| BodyError::NoRoom { dir: self.dir, error })?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(sizes: &[usize]) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
        let pieces: Vec<Bytes> = sizes.iter().map(|size| vec![7; *size].into()).collect();
        futures::stream::iter(pieces).map(Ok)
    }

    async fn receive(body: Body, length: Option<u64>) -> Result<UploadBody, BodyError> {
        let dir = tempfile::tempdir().unwrap();
        let received = UploadBody::receive(body, length, 1000, dir.path()).await;
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has no name");
        received
    }

    #[tokio::test]
    async fn a_body_comes_back_as_it_was_sent() {
        for (sizes, whole) in [(&[][..], 0), (&[1000], 1000), (&[400, 0, 600], 1000)] {
            let received = receive(Body::from_stream(pieces(sizes)), None).await.unwrap();
            assert_eq!(received.bytes().await.unwrap(), vec![7; whole]);
        }
    }

    #[tokio::test]
    async fn too_much_is_refused_by_its_length_and_without_one() {
        let told = receive(Body::empty(), Some(1001)).await.unwrap_err().to_string();
        assert_eq!(told, "the plugin has 1001 bytes, plugin.upload.max.bytes allows 1000 bytes");
        let seen = receive(Body::from_stream(pieces(&[600, 401])), None).await.unwrap_err().to_string();
        assert_eq!(seen, "the plugin has more than 1000 bytes, plugin.upload.max.bytes allows 1000 bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_falls_silent_is_given_up() {
        let body = Body::from_stream(pieces(&[500]).chain(futures::stream::pending()));
        assert!(matches!(receive(body, None).await, Err(BodyError::Silent)));
    }

    #[tokio::test]
    async fn a_place_without_room_is_named() {
        let nowhere = Path::new("/dev/null/nowhere");
        let error = UploadBody::receive(Body::empty(), None, 1000, nowhere).await.unwrap_err();
        assert!(
            matches!(error, BodyError::NoRoom { .. }) && error.to_string().contains("/dev/null/nowhere"),
            "{error}"
        );
    }
}

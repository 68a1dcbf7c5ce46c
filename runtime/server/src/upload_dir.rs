//! Where uploads are kept on one machine: a directory of files named by the hash of their bytes, or memory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use weir_core::port::{PluginStore, StoreError};

/// Uploads in a directory (`plugin.upload.dir`). A file has its name only once it is whole and safe.
pub struct UploadDir {
    dir: PathBuf,
}

fn unavailable(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let what = format!("plugin.upload.dir: {} cannot be {what}", path.display());
    move |error| StoreError::Unavailable(format!("{what}: {error}"))
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("plugin.upload.dir: {error}"))))
}

impl UploadDir {
    /// A directory, made when it is missing. What an interrupted upload left is removed.
    pub fn open(dir: &Path) -> Result<UploadDir, StoreError> {
        std::fs::create_dir_all(dir).map_err(unavailable("made", dir))?;
        for entry in std::fs::read_dir(dir).map_err(unavailable("read", dir))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                std::fs::remove_file(&path).map_err(unavailable("removed", &path))?;
            }
        }
        Ok(UploadDir { dir: dir.to_owned() })
    }

    fn file(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{hash}.wasm"))
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait::async_trait]
impl PluginStore for UploadDir {
    async fn hashes(&self) -> Result<Vec<String>, StoreError> {
        let dir = self.dir.clone();
        blocking(move || {
            let entries = std::fs::read_dir(&dir).map_err(unavailable("read", &dir))?;
            let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned);
            Ok(entries.flatten().filter_map(name).filter(|hash| is_hash(hash)).collect())
        })
        .await
    }

    async fn get(&self, hash: &str) -> Result<Option<Bytes>, StoreError> {
        let (file, hash) = (self.file(hash), hash.to_owned());
        blocking(move || match std::fs::read(&file) {
            Ok(bytes) if hash_of(&bytes) == hash => Ok(Some(bytes.into())),
            Ok(_) => {
                tracing::warn!(file = %file.display(), "plugin.upload.dir: the file is not what its name says: left out");
                Ok(None)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable("read", &file)(error)),
        })
        .await
    }

    async fn put(&self, hash: &str, wasm: Bytes) -> Result<(), StoreError> {
        let (dir, file) = (self.dir.clone(), self.file(hash));
        blocking(move || {
            let part = file.with_extension("part");
            let written = std::fs::File::create(&part).and_then(|mut out| {
                out.write_all(&wasm)?;
                out.sync_all()
            });
            let kept = written.and_then(|()| std::fs::rename(&part, &file));
            if let Err(error) = kept {
                // Half a file is of no use to anybody; the first error is the one to tell.
                let _ = std::fs::remove_file(&part);
                return Err(unavailable("written", &file)(error));
            }
            std::fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|error| {
                // It was refused, so it must not be there after a restart.
                let _ = std::fs::remove_file(&file);
                unavailable("synced", &dir)(error)
            })
        })
        .await
    }

    async fn remove(&self, hash: &str) -> Result<(), StoreError> {
        let file = self.file(hash);
        blocking(move || match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unavailable("removed", &file)(error)),
            _ => Ok(()), // gone, or never there
        })
        .await
    }
}

/// Uploads in memory: for a worker whose topics are there too.
#[derive(Default)]
pub struct UploadMemory(Mutex<BTreeMap<String, Bytes>>);

#[async_trait::async_trait]
impl PluginStore for UploadMemory {
    async fn hashes(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect())
    }

    async fn get(&self, hash: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned())
    }

    async fn put(&self, hash: &str, wasm: Bytes) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash.to_owned(), wasm);
        Ok(())
    }

    async fn remove(&self, hash: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_plugin_is_kept_under_its_hash_and_half_an_upload_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = UploadDir::open(folder.path()).unwrap();
        let hash = hash_of(b"wasm");
        store.put(&hash, Bytes::from_static(b"wasm")).await.unwrap();
        store.put(&hash, Bytes::from_static(b"wasm")).await.unwrap();
        std::fs::write(folder.path().join("x.part"), b"half").unwrap();
        std::fs::write(folder.path().join("notes.wasm"), b"not ours").unwrap();
        let store = UploadDir::open(folder.path()).unwrap();
        assert_eq!(store.hashes().await.unwrap(), std::slice::from_ref(&hash));
        assert_eq!(store.get(&hash).await.unwrap().as_deref(), Some(&b"wasm"[..]));
        assert!(!folder.path().join("x.part").exists() && folder.path().join("notes.wasm").exists());
        store.remove(&hash).await.unwrap();
        store.remove(&hash).await.unwrap();
        assert_eq!(store.get(&hash).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_that_is_not_what_its_name_says_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = UploadDir::open(folder.path()).unwrap();
        let hash = hash_of(b"wasm");
        std::fs::write(folder.path().join(format!("{hash}.wasm")), b"wa").unwrap();
        assert_eq!(store.get(&hash).await.unwrap(), None);
    }
}

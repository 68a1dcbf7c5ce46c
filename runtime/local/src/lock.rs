//! The lock of a directory: one process has the store open, and another learns which.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use weir_core::port::BrokerError;

const FILE: &str = "weir.lock";

/// Held while a store is open. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DirLock(#[allow(dead_code, reason = "held, not read")] File);

/// Why a directory was not locked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Another process has it open.
    Taken(String),
    /// It cannot be used.
    Unusable(String),
}

impl From<Refusal> for BrokerError {
    fn from(refusal: Refusal) -> BrokerError {
        match refusal {
            Refusal::Taken(why) | Refusal::Unusable(why) => BrokerError::Rejected(why),
        }
    }
}

impl DirLock {
    /// Makes the directory where it is missing, and locks it.
    pub fn take(dir: &Path) -> Result<DirLock, Refusal> {
        let unusable = |e: std::io::Error| Refusal::Unusable(format!("{} cannot hold a store: {e}", dir.display()));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(dir.join(FILE)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.take(32).read_to_string(&mut owner);
                let owner = owner
                    .trim()
                    .parse::<u32>()
                    .map_or_else(|_| "another process".into(), |pid| format!("process {pid}"));
                return Err(Refusal::Taken(format!(
                    "{} is in use by {owner}; stop it first, give this worker a directory of its own, or use `weir topic`, which reaches the store through the worker that runs",
                    dir.display()
                )));
            }
            Err(TryLockError::Error(e)) => return Err(unusable(e)),
        }
        // A full disk must not keep the store from being read: without the pid the message is only less clear.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(DirLock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_learns_who_was_first_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        let first = DirLock::take(&deep).unwrap();
        let Err(Refusal::Taken(why)) = DirLock::take(&deep) else { panic!("taken twice") };
        assert!(why.contains(&std::process::id().to_string()) && why.contains("weir topic"), "{why}");
        drop(first);
        DirLock::take(&deep).unwrap();
    }
}

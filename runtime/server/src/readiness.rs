//! What systemd is told of the worker's state, where it asks for it (`Type=notify`, sd_notify(3)); nothing elsewhere.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The worker answers REST, and is ready to run connectors.
pub const READY: &str = "READY=1";
/// The worker has begun to stop.
pub const STOPPING: &str = "STOPPING=1";

/// The address of a socket by its name: a path, or behind an @ a name that is in no file system.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

fn send(name: &str, state: &str) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address(name)?).map(drop)
}

/// Tells a state to whom `NOTIFY_SOCKET` names.
pub fn tell(state: &str) {
    let Ok(name) = std::env::var("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&name, state) {
        tracing::warn!(%error, NOTIFY_SOCKET = name, state, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_arrives_at_a_path_and_at_a_name_in_no_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify").display().to_string();
        let hidden = format!("@weir-readiness-{}", std::process::id());
        for name in [path, hidden] {
            let socket = UnixDatagram::bind_addr(&address(&name).unwrap()).unwrap();
            send(&name, READY).unwrap();
            let mut bytes = [0; 64];
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], READY.as_bytes(), "{name}");
        }
        assert!(send(&folder.path().join("nobody").display().to_string(), READY).is_err());
    }
}

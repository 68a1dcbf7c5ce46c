//! A way between clients and a server that can be cut: nothing passes then, and nobody is told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A port that leads to another, for as long as it is there.
pub struct Proxy {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Where it leads; nowhere at first.
    to: Option<u16>,
    cut: bool,
    ended: bool,
    /// Both ends of every connection that was made since the way was last joined.
    ends: Vec<TcpStream>,
}

impl Shared {
    /// Connections that were there when the way was cut are gone, with all that was on them.
    fn hang_up(&mut self) {
        for end in self.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// A way that leads nowhere yet.
    pub fn new() -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = shared.clone();
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let mut shared = accepting.lock().unwrap_or_else(PoisonError::into_inner);
                if shared.ended {
                    return;
                }
                let far = shared.to.filter(|_| !shared.cut).and_then(|to| TcpStream::connect(("127.0.0.1", to)).ok());
                let copy = |stream: &TcpStream| stream.try_clone().expect("a socket can be held twice");
                shared.ends.push(copy(&near));
                // Over a way that is cut nobody hears that nobody is there.
                if let Some(far) = far {
                    shared.ends.push(copy(&far));
                    carry(copy(&near), copy(&far), accepting.clone());
                    carry(far, near, accepting.clone());
                } else if !shared.cut {
                    let _ = near.shutdown(Shutdown::Both);
                }
            }
        });
        Proxy { port, shared }
    }

    /// The port at which it is entered.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says where it leads.
    pub fn lead_to(&self, port: u16) {
        self.with(|shared| shared.to = Some(port));
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.with(|shared| shared.cut = true);
    }

    /// New connections pass again. Those that were there hear that they are gone.
    pub fn join(&self) {
        self.with(|shared| {
            shared.hang_up();
            shared.cut = false;
        });
    }

    fn with(&self, act: impl FnOnce(&mut Shared)) {
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for Proxy {
    fn default() -> Proxy {
        Proxy::new()
    }
}

/// Carries bytes one way until an end is gone.
fn carry(mut from: TcpStream, mut to: TcpStream, shared: Arc<Mutex<Shared>>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            if shared.lock().unwrap_or_else(PoisonError::into_inner).cut {
                // Whatever comes until the way is joined is lost, and so is that the other end has gone.
                if read == 0 {
                    return;
                }
                continue;
            }
            if read == 0 || to.write_all(&buffer[..read]).is_err() {
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
    });
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.with(|shared| {
            shared.hang_up();
            shared.ended = true;
        });
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // it looks up
    }
}

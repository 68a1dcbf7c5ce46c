//! TLS before a server that speaks none: what comes is carried there and back, and it is kept who came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, Certified};

/// A client that came: the certificate that it showed, if any, in DER; or why it was not let in.
pub type Met = Result<Option<Vec<u8>>, String>;

/// A port that speaks TLS and leads to one that does not, for as long as it is there.
pub struct TlsFront {
    /// Where it listens.
    pub address: SocketAddr,
    met: Arc<Mutex<Vec<Met>>>,
    _runtime: tokio::runtime::Runtime,
}

impl TlsFront {
    /// Stands before a server's address, known by its own certificate. Where there is somebody to vouch for clients, only
    /// those are let in.
    pub fn before(server: &str, own: &Certified, clients: Option<&Authority>) -> TlsFront {
        let acceptor = own.acceptor(clients);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let met: Arc<Mutex<Vec<Met>>> = Arc::default();
        let (server, noting) = (server.to_owned(), met.clone());
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(acceptor.clone(), near, server.clone(), noting.clone()));
            }
        });
        TlsFront { address, met, _runtime: runtime }
    }

    /// Who came so far.
    pub fn met(&self) -> Vec<Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn carry(acceptor: TlsAcceptor, near: TcpStream, server: String, met: Arc<Mutex<Vec<Met>>>) {
    let note = |who: Met| met.lock().unwrap_or_else(PoisonError::into_inner).push(who);
    match acceptor.accept(near).into_fallible().await {
        Ok(mut near) => {
            let shown = near.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            note(Ok(shown.map(|certificate| certificate.to_vec())));
            if let Ok(mut far) = TcpStream::connect(server).await {
                // Whichever end goes first, the other one is told.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        }
        Err((why, mut near)) => {
            note(Err(why.to_string()));
            // A connection that is closed with bytes unread is reset, and the client would not hear why it was not let in.
            let _ = copy(&mut near, &mut sink()).await;
        }
    }
}

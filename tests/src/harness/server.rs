//! An HTTP server of a test's own, which answers as it is told and keeps what it was sent.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::certificates::Authority;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Posted {
    /// When.
    pub at: Instant,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
    /// The status it was answered with.
    pub status: u16,
}

/// A status and a Retry-After header.
pub type Told = (u16, Option<&'static str>);

#[derive(Default)]
struct Kept {
    told: VecDeque<Told>,
    posted: Vec<Posted>,
}

type Shared = Arc<Mutex<Kept>>;

/// The server; it ends with its value.
pub struct Server {
    kept: Shared,
    /// Where it listens.
    pub address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Serves on a listener: the first requests are answered as told, all others with 200.
    pub fn on(listener: TcpListener, told: &[Told]) -> Server {
        Server::of(listener, told, |listener| listener)
    }

    /// The same over TLS, with a certificate for `name` by an authority of its own, whose certificate comes in PEM.
    pub fn secure(listener: TcpListener, name: &str, told: &[Told]) -> (Server, String) {
        let authority = Authority::default();
        let acceptor = authority.certify(&[name]).acceptor(None);
        let secured = |listener| Secured { listener, acceptor };
        (Server::of(listener, told, secured), authority.pem)
    }

    fn of<L: axum::serve::Listener<Addr: std::fmt::Debug>>(
        listener: TcpListener,
        told: &[Told],
        over: impl FnOnce(tokio::net::TcpListener) -> L + Send + 'static,
    ) -> Server {
        let kept: Shared = Arc::new(Mutex::new(Kept { told: told.iter().copied().collect(), posted: Vec::new() }));
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it can be");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let app = axum::Router::new().fallback(take).with_state(kept.clone());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(over(listener), app).await.expect("it serves");
        });
        Server { kept, address, _runtime: runtime }
    }

    /// What came so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).posted.clone()
    }
}

/// A listener whose connections are those that got through their handshake.
struct Secured {
    listener: tokio::net::TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn take(State(kept): State<Shared>, headers: HeaderMap, body: String) -> (StatusCode, HeaderMap, &'static str) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, retry_after) = kept.told.pop_front().unwrap_or((200, None));
    kept.posted.push(Posted { at: Instant::now(), headers, body, status });
    let mut answer = HeaderMap::new();
    if let Some(text) = retry_after {
        answer.insert("retry-after", text.parse().expect("a header"));
    }
    (StatusCode::from_u16(status).expect("a status"), answer, if status < 400 { "" } else { "not now, not this" })
}

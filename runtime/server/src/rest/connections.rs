//! Connections: as many as there may be, each closed when nothing comes over it, or nothing of what is sent is taken.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::request_log::Client;
use super::sparing::Sparing;

/// How many there may be; whoever comes beyond waits.
const CONNECTIONS_MAX: usize = 4_096;
/// The wait before connections are taken again after one could not be.
const AGAIN: Duration = Duration::from_millis(500);

/// How connections of a listener are answered.
#[derive(Clone)]
pub struct Service {
    /// What answers requests.
    pub router: Router,
    /// What greets first, where it is https.
    pub tls: Option<TlsAcceptor>,
    /// A connection over which no greeting, or no whole head of a request, comes within this time is closed, and so is one
    /// whose client takes nothing of its answers for as long (Jetty's idle timeout).
    pub silence: Duration,
}

/// Greetings of a listener that came to nothing.
struct Refusals {
    began: Instant,
    said: Mutex<Sparing>,
}

impl Refusals {
    fn say(&self, error: &std::io::Error) {
        // Whoever only looks whether somebody listens was refused nothing.
        let left = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
        let due = || self.said.lock().unwrap_or_else(PoisonError::into_inner).happened(self.began.elapsed());
        match if left { None } else { due() } {
            Some(unsaid) => tracing::warn!(
                %error, unsaid, "a connection over https came to nothing; others are logged at debug for a minute"
            ),
            None => tracing::debug!(%error, "a connection over https came to nothing"),
        }
    }
}

/// Serves connections until it is cancelled, and then until what was asked is answered.
pub async fn serve(listener: TcpListener, service: Service, cancel: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let refusals = Arc::new(Refusals { began: Instant::now(), said: Mutex::default() });
    let mut open = JoinSet::new();
    loop {
        let taken = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(_) = open.join_next() => continue,
            taken = take(&listener, &room) => taken,
        };
        match taken {
            Ok((stream, client, place)) => {
                let (mut service, refusals, cancel) = (service.clone(), refusals.clone(), cancel.clone());
                service.router = service.router.layer(Extension(client));
                open.spawn(async move {
                    greet(stream, service, &refusals, cancel).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken, which is tried again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn take(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Client, Result<OwnedSemaphorePermit, tokio::sync::AcquireError>)> {
    let place = room.clone().acquire_owned().await;
    let (stream, client) = listener.accept().await?;
    Ok((stream, Client(client), place))
}

async fn greet(stream: TcpStream, service: Service, refusals: &Refusals, cancel: CancellationToken) {
    // It only makes answers wait for each other.
    let _ = stream.set_nodelay(true);
    match &service.tls {
        None => answer(stream, service, cancel).await,
        Some(tls) => {
            let greeted = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                greeted = tokio::time::timeout(service.silence, tls.accept(stream)) => greeted,
            };
            match greeted {
                Ok(Ok(stream)) => answer(stream, service, cancel).await,
                Ok(Err(error)) => refusals.say(&error),
                Err(_) => {} // its sender stood still
            }
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite, service: Service, cancel: CancellationToken) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(service.silence));
    let stream = Box::pin(stream);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(service.silence);
    let mut served = pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.router)));
    tokio::select! {
        biased;
        // How a connection ended is its sender's affair.
        _ = served.as_mut() => {}
        () = cancel.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_connection_over_which_no_request_comes_is_closed_and_one_that_asks_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, cancel) = (Router::new().route("/", get(|| async { "here" })), CancellationToken::new());
        let service = Service { router, tls: None, silence: Duration::from_millis(200) };
        let served = tokio::spawn(serve(listener, service, cancel.clone()));
        for half in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(half.as_bytes()).await.unwrap();
            let mut said = String::new();
            let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut said)).await;
            closed.expect("it is closed").unwrap();
            assert_eq!(said.ends_with("here"), half.ends_with("\r\n\r\n"), "{half:?}: {said}");
        }
        cancel.cancel();
        tokio::time::timeout(Duration::from_secs(20), served).await.expect("it ends").unwrap();
    }
    #[tokio::test]
    async fn a_client_that_asks_on_and_on_and_takes_no_answer_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, cancel) =
            (Router::new().route("/", get(|| async { "x".repeat(1 << 20) })), CancellationToken::new());
        let service = Service { router, tls: None, silence: Duration::from_millis(200) };
        let served = tokio::spawn(serve(listener, service, cancel.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let closed = async {
            // Until nobody is there to take requests: their sender's own buffers fill up before.
            while stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {}
        };
        tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it is closed");
        let mut reader = TcpStream::connect(address).await.unwrap();
        reader.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let (mut taken, mut part) = (0, vec![0; 1 << 16]);
        while let Ok(read @ 1..) = reader.read(&mut part).await {
            taken += read;
        }
        assert!(taken > 1 << 20, "one that takes its answer gets all of it, not {taken} bytes");
        cancel.cancel();
        tokio::time::timeout(Duration::from_secs(20), served).await.expect("it ends").unwrap();
    }
}

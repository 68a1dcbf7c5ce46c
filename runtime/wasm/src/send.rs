//! Sends one HTTP request to addresses that were checked: connects to the first that answers, does TLS for the name that
//! was asked for, and bounds every wait. The way of wasmtime-wasi-http's default, which resolves names by itself.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::http::{Ended, Sent};

/// Waits that the guest does not bound itself; the deadline of its call is mostly sooner.
const WAIT: Duration = Duration::from_secs(600);

/// How TLS is done, and the server's name.
pub(crate) type Tls = (TlsConnector, ServerName<'static>);

/// Sends a request to one of `addresses`; with TLS when `tls` names the server. It is under way until its answer's body
/// was read or given up.
pub(crate) async fn send(
    mut request: Request<WasiBody>,
    addresses: &[SocketAddr],
    tls: Option<Tls>,
    options: Option<RequestOptions>,
    under_way: UnderWay,
) -> Sent {
    let wait = |chosen: fn(&RequestOptions) -> Option<Duration>| options.as_ref().and_then(chosen).unwrap_or(WAIT);
    let (connect, first_byte, between_bytes) =
        (wait(|o| o.connect_timeout), wait(|o| o.first_byte_timeout), wait(|o| o.between_bytes_timeout));
    let connected = tokio::time::timeout(connect, connect_to(addresses, tls)).await;
    let stream = connected.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // A request names its host in a header; a whole URI in its first line would speak to a proxy.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;

    let mut connection = Box::pin(connection);
    let mut open = true;
    let answer = {
        let mut answer = pin!(tokio::time::timeout(first_byte, sender.send_request(request)));
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer.map_err(|_| Error::ConnectionReadTimeout)??,
                ended = &mut connection, if open => {
                    ended?;
                    open = false;
                }
            }
        }
    };
    let answer: Response<WasiBody> =
        answer.map(|incoming| Bounded::new(incoming, between_bytes, under_way).boxed_unsync());
    let ended: Ended = Box::new(async move { if open { connection.await.map_err(Error::from) } else { Ok(()) } });
    Ok((answer, ended))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect_to(addresses: &[SocketAddr], tls: Option<Tls>) -> Result<Box<dyn Stream>, Error> {
    let stream = TcpStream::connect(addresses).await.map_err(Error::Connect)?;
    // A request is written in pieces, the last of which should not wait for an acknowledgement.
    stream.set_nodelay(true).map_err(Error::Connect)?;
    match tls {
        None => Ok(Box::new(stream)),
        Some((connector, name)) => Ok(Box::new(connector.connect(name, stream).await.map_err(Error::Tls)?)),
    }
}

/// A request that is under way, and what its answer may come to.
pub(crate) struct UnderWay {
    /// Its place among those of its instance.
    pub _place: OwnedSemaphorePermit,
    /// Bytes that its answer's body may still have.
    pub left: u64,
    /// What is said, and counted, when it has more.
    pub too_long: Box<dyn Fn() -> Error + Send>,
}

/// An answer's body whose next piece comes in time, and which is no longer than it may be.
struct Bounded {
    incoming: Incoming,
    wait: Duration,
    until: Pin<Box<tokio::time::Sleep>>,
    under_way: UnderWay,
}

impl Bounded {
    fn new(incoming: Incoming, wait: Duration, under_way: UnderWay) -> Bounded {
        Bounded { incoming, wait, until: Box::pin(tokio::time::sleep(wait)), under_way }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.under_way.left.checked_sub(bytes) else {
                    return Poll::Ready(Some(Err((self.under_way.too_long)())));
                };
                self.under_way.left = left;
                let until = tokio::time::Instant::now() + self.wait;
                self.until.as_mut().reset(until);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|frame| frame.map_err(Error::from))),
            Poll::Pending => self.until.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

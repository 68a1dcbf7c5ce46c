//! A connection to a broker: made, secured and logged in, then one request after another. A broker reads the next
//! request of a connection when it has answered the one before, so nothing is gained by sending two.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, lookup_host};
use tokio::time::{Instant, timeout};
use weir_core::observe::{ClientStats, Traffic};

use super::errors::{self, Trouble};
use super::frame::{ANSWER_MAX, Reader, Writer};
use super::messages::{Api, ApiVersions, Request};
use super::settings::Settings;
use super::{sasl, tls};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection on which no request is under way. While one is, whoever asks owns it, so that it goes with a call that
/// is dropped.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    peer: String,
    client: String,
    /// Key of a kind of request, least and highest version of the broker.
    versions: BTreeMap<i16, (i16, i16)>,
    correlation: i32,
    used: Instant,
    /// When the broker wants another login.
    login_over: Option<Instant>,
    counted: Counted,
}

/// What a connection counts as long as it is open.
struct Counted {
    stats: Arc<ClientStats>,
    node: Arc<Traffic>,
}

impl Counted {
    fn new(settings: &Settings, node: &str) -> Counted {
        settings.stats.created.add(1);
        Counted { stats: settings.stats.clone(), node: settings.stats.node(node) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.stats.closed.add(1);
    }
}

/// Whom a connection leads to, and whether it takes the place of one whose login is over.
#[derive(Clone, Copy)]
pub(super) struct Lead<'a> {
    pub host: &'a str,
    pub port: u16,
    /// As metrics name it.
    pub node: &'a str,
    pub again: bool,
}

impl Connection {
    /// Connects to one of the host's addresses, each in turn.
    pub(super) async fn open(settings: &Settings, lead: Lead<'_>) -> Result<Connection, Trouble> {
        let Lead { host, port, .. } = lead;
        let peer = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let late = || Trouble::Unreachable(format!("{peer} did not answer within {} ms", settings.setup.as_millis()));
        let addresses = timeout(settings.setup, lookup_host((host, port))).await.map_err(|_| late())?;
        let addresses = addresses.map_err(|e| Trouble::Unreachable(format!("{peer} has no address: {e}")))?;
        let mut trouble = Trouble::Unreachable(format!("{peer} has no address"));
        for address in addresses {
            match timeout(settings.setup, Connection::open_at(settings, lead, &peer, address)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(found)) => trouble = weightier(trouble, found),
                Err(_) => trouble = weightier(trouble, late()),
            }
        }
        Err(trouble)
    }

    async fn open_at(
        settings: &Settings,
        lead: Lead<'_>,
        peer: &str,
        address: std::net::SocketAddr,
    ) -> Result<Connection, Trouble> {
        let connect = async || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_keepalive(true)?;
            socket.set_nodelay(true)?;
            socket.connect(address).await
        };
        let socket = connect().await.map_err(|e| Trouble::Unreachable(format!("{peer} ({address}): {e}")))?;
        let (stats, began) = (&settings.stats, Instant::now());
        let counted = Counted::new(settings, lead.node);
        let secured = settings.tls.is_some() || settings.login.is_some();
        let refused = |trouble: Trouble| {
            // Who is not reached, or speaks something else, says nothing of who we are.
            if matches!(trouble, Trouble::Denied(_)) && secured {
                if lead.again { &stats.failed_relogins } else { &stats.failed_logins }.add(1);
            }
            trouble
        };
        let stream: Box<dyn Stream> = match &settings.tls {
            None => Box::new(socket),
            Some(tls) => Box::new(tls.greet(socket, lead.host, peer).await.map_err(refused)?),
        };
        let mut connection = Connection {
            stream,
            peer: peer.to_string(),
            client: settings.client.clone(),
            versions: BTreeMap::from([(Api::ApiVersions as i16, (0, 0))]),
            correlation: 0,
            used: Instant::now(),
            login_over: None,
            counted,
        };
        // With TLS 1.3 a broker refuses our certificate only here.
        let known = connection.call(&ApiVersions, settings.setup).await.map_err(refused)?;
        if known.error != errors::NONE {
            let name = errors::name(known.error);
            return Err(Trouble::NotKafka(format!("{peer} does not say what it understands: {name}")));
        }
        connection.versions = known.versions.into_iter().map(|(key, least, most)| (key, (least, most))).collect();
        if let Some(login) = &settings.login {
            let good_for = sasl::log_in(&mut connection, login, settings.setup).await.map_err(refused)?;
            // Before it is over, as in Java.
            connection.login_over = good_for.map(|good_for| Instant::now() + good_for.mul_f64(0.85));
        }
        if secured && lead.again {
            stats.relogins.add(1);
            stats.relogin_latency.record_time(began.elapsed());
        } else if secured {
            stats.logins.add(1);
            // A client is asked to log in again by no one, as Java's counts it.
            stats.logins_for_good.add(1);
        }
        Ok(connection)
    }

    /// Whether the broker wants another login.
    pub(super) fn is_login_over(&self) -> bool {
        self.login_over.is_some_and(|at| Instant::now() >= at)
    }

    /// Whom it leads to.
    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether the next request may go through: nothing says that it would not.
    pub(super) fn is_usable(&mut self, idle_max: Option<Duration>) -> bool {
        if idle_max.is_some_and(|max| self.used.elapsed() > max) || self.is_login_over() {
            return false;
        }
        // There is nothing to read but the end, or what nobody asked for.
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Asks and waits for the answer. After an error nothing more can be asked here.
    pub(super) async fn call<R: Request>(&mut self, request: &R, within: Duration) -> Result<R::Answer, Trouble> {
        let version = self.version(R::API)?;
        self.correlation = self.correlation.wrapping_add(1);
        let mut writer = Writer::new();
        writer.i16(R::API as i16);
        writer.i16(version);
        writer.i32(self.correlation);
        writer.string(&self.client);
        request.write(version, &mut writer);
        let Some(frame) = writer.finish() else {
            return Err(Trouble::Denied(format!("{:?} is larger than Kafka's protocol can say", R::API)));
        };
        let Ok(answer) = timeout(within, self.exchange(&frame)).await else {
            let (peer, api, ms) = (&self.peer, R::API, within.as_millis());
            return Err(Trouble::Unreachable(format!("{peer} did not answer {api:?} within {ms} ms")));
        };
        let answer = answer?;
        self.used = Instant::now();
        let mut reader = Reader(&answer);
        if reader.i32() != Ok(self.correlation) {
            return Err(Trouble::NotKafka(format!("{} answers what was not asked", self.peer)));
        }
        let unreadable = |_| Trouble::NotKafka(format!("{} answers {:?} with what cannot be read", self.peer, R::API));
        R::read(version, &mut reader).map_err(unreadable)
    }

    /// The highest version that both know.
    fn version(&self, api: Api) -> Result<i16, Trouble> {
        let (ours, theirs) = (api.versions(), self.versions.get(&(api as i16)));
        let (least, most) = theirs.copied().unwrap_or((0, -1));
        let version = most.min(*ours.end());
        if version >= least.max(*ours.start()) {
            return Ok(version);
        }
        Err(Trouble::Denied(format!(
            "{} understands {api:?} in versions {least} to {most}, this worker speaks {} to {}; one of them is too old",
            self.peer,
            ours.start(),
            ours.end()
        )))
    }

    async fn exchange(&mut self, frame: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut head = [0; 4];
        let Counted { stats, node } = &self.counted;
        let asked = std::time::Instant::now();
        let sent = match self.stream.write_all(frame).await {
            Ok(()) => self.stream.flush().await,
            failed => failed,
        };
        stats.io(asked);
        let bytes = frame.len() as u64;
        [&stats.traffic, node].iter().for_each(|traffic| traffic.sent(bytes));
        // Whoever hangs up while we write may have said why before.
        let heard = self.stream.read_exact(&mut head).await;
        heard.and(sent).map_err(|e| broken(&self.peer, &e))?;
        let length = i32::from_be_bytes(head);
        if !(4..=ANSWER_MAX).contains(&length) {
            return Err(Trouble::NotKafka(format!("{} {}", self.peer, no_frame(head))));
        }
        let (arrived, took) = (std::time::Instant::now(), asked.elapsed());
        // Grows with what arrives.
        let mut answer = Vec::new();
        let rest = (&mut self.stream).take(length.unsigned_abs().into()).read_to_end(&mut answer).await;
        if rest.map_err(|e| broken(&self.peer, &e))? < length.unsigned_abs() as usize {
            return Err(Trouble::Unreachable(format!("{} closed the connection amid an answer", self.peer)));
        }
        stats.io(arrived);
        let bytes = (head.len() + answer.len()) as u64;
        [&stats.traffic, node].iter().for_each(|traffic| traffic.answered(bytes, Some(took)));
        Ok(answer)
    }
}

/// Of two troubles with one server, the one that says more.
fn weightier(one: Trouble, other: Trouble) -> Trouble {
    if matches!(other, Trouble::Unreachable(_)) && !matches!(one, Trouble::Unreachable(_)) { one } else { other }
}

fn broken(peer: &str, e: &io::Error) -> Trouble {
    if let Some(trouble) = tls::refused_later(peer, e) {
        return trouble;
    }
    Trouble::Unreachable(match e.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            format!("{peer} closed the connection; it does so, too, when security.protocol is not that of its listener")
        }
        _ => format!("{peer}: {e}"),
    })
}

/// What a server speaks whose answer does not begin with a length.
fn no_frame(head: [u8; 4]) -> String {
    match head {
        [b'H', b'T', b'T', b'P'] => "speaks HTTP; bootstrap.servers needs the port of a Kafka broker".into(),
        [0x15 | 0x16, 3, ..] => "speaks TLS; set security.protocol to SSL or SASL_SSL".into(),
        _ => format!("is no Kafka broker: it announces an answer of {} bytes", i32::from_be_bytes(head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_something_else_is_told_apart() {
        for (head, word) in [(*b"HTTP", "HTTP"), ([0x15, 3, 3, 0], "TLS"), ([0x7f, 0xff, 0xff, 0xff], "2147483647")] {
            assert!(no_frame(head).contains(word), "{}", no_frame(head));
        }
    }

    #[test]
    fn what_a_server_said_weighs_more_than_one_that_is_not_there() {
        let (away, denied) = (Trouble::Unreachable("away".into()), Trouble::Denied("no".into()));
        assert_eq!(weightier(denied.clone(), away.clone()), denied);
        assert_eq!(weightier(away, denied.clone()), denied);
    }
}

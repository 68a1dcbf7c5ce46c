//! The listeners of REST: bound, each with what it serves, and the address by which other workers know this one.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use weir_core::model::{Config, Problem};
use weir_core::settings::{AdminListeners, Listener, RestSettings, Scheme};

use crate::rest::{self, AppSlot, Gate, Origins, Served, Users};
use crate::tls;
use crate::worker::lines;

/// What listens, and how others know it.
pub struct Listening {
    /// The listeners, each until it is cancelled.
    pub servers: Vec<JoinHandle<()>>,
    /// Host and port, which is what Connect calls a worker.
    pub worker_id: String,
    /// Where it answers REST, for other workers.
    pub url: String,
}

/// Listens on every listener, until it is cancelled.
pub async fn listen(
    settings: &RestSettings,
    in_group: bool,
    app: &AppSlot,
    cancel: &CancellationToken,
) -> Result<Listening, String> {
    let gate = gate(settings)?;
    let public = match &settings.admin {
        AdminListeners::AsTheRest => Served::All,
        AdminListeners::Off | AdminListeners::Own(_) => Served::AllButAdmin,
    };
    let admin: &[Listener] = match &settings.admin {
        AdminListeners::Own(own) => own,
        AdminListeners::AsTheRest | AdminListeners::Off => &[],
    };
    let kinds = [
        ("listeners", settings.listeners.as_slice(), public, &settings.tls),
        ("admin.listeners", admin, Served::Admin, &settings.admin_tls),
    ];
    let (mut servers, mut advertised) = (Vec::new(), None);
    for (key, listeners, served, ssl) in kinds {
        let tls = acceptor(key, listeners, ssl)?;
        for listener in listeners {
            let bound = bind(key, listener).await?;
            let address = bound.local_addr().map_err(|error| format!("{key}: {error}"))?;
            tracing::info!(scheme = listener.scheme.name(), ?served, %address, "REST listens");
            if served != Served::Admin && listener.scheme == settings.advertised_scheme {
                advertised.get_or_insert((listener.host.clone(), address.port()));
            }
            let tls = tls.clone().filter(|_| listener.scheme == Scheme::Https);
            let (app, gate, cancel) = (app.clone(), gate.clone(), cancel.clone());
            servers.push(tokio::spawn(async move { rest::serve(bound, tls, (served, &gate), app, cancel).await }));
        }
    }
    let address = address(settings, in_group, advertised)?;
    Ok(Listening { servers, url: format!("{}://{address}/", settings.advertised_scheme.name()), worker_id: address })
}

fn gate(settings: &RestSettings) -> Result<Arc<Gate>, String> {
    let users = settings.users.as_deref().map(Users::read).transpose()?;
    let origins = settings.cross_origin.as_ref().map(Origins::new).transpose()?;
    let headers = settings.headers.clone().into();
    Ok(Arc::new(Gate { users: users.map(Arc::new), origins: origins.map(Arc::new), headers }))
}

fn acceptor(key: &str, listeners: &[Listener], ssl: &Config) -> Result<Option<TlsAcceptor>, String> {
    if listeners.iter().all(|listener| listener.scheme == Scheme::Http) {
        return Ok(None);
    }
    let said = |problems: Vec<Problem>| {
        format!(
            "{key} cannot speak https, with settings below {key}.https. or else without a prefix:\n{}",
            lines(&problems)
        )
    };
    tls::acceptor(ssl).map(Some).map_err(said)
}

async fn bind(key: &str, listener: &Listener) -> Result<TcpListener, String> {
    let any = if listener.host.is_empty() { "::" } else { &listener.host };
    let bound = match TcpListener::bind((any, listener.port)).await {
        // A machine without IPv6.
        Err(_) if listener.host.is_empty() => TcpListener::bind(("0.0.0.0", listener.port)).await,
        bound => bound,
    };
    bound.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AddrInUse => "Free the port or name another",
            ErrorKind::PermissionDenied => "Name a port above 1023",
            _ => "Name an address of this machine, or none for all of them",
        };
        format!("{key}: {listener} cannot be listened on: {error}. {remedy}")
    })
}

/// Host and port by which others know this worker, out of the first listener that speaks what is advertised
/// (RestServer.advertisedUrl).
fn address(settings: &RestSettings, in_group: bool, first: Option<(String, u16)>) -> Result<String, String> {
    let advertised = &settings.advertised_host;
    let (host, port) = match (first, settings.advertised_port) {
        (Some(first), _) => first,
        // Something before the worker speaks it.
        (None, Some(port)) => (String::new(), port),
        (None, None) => {
            return Err(format!(
                "rest.advertised.listener={0}: no listener speaks {0}. Add one to listeners, or say rest.advertised.port",
                settings.advertised_scheme.name()
            ));
        }
    };
    let host = match advertised {
        Some(advertised) => advertised.clone(),
        None if is_everywhere(&host) && in_group => group_address()?,
        None if is_everywhere(&host) => own_address().map_or_else(|_| "127.0.0.1".to_owned(), |own| own.to_string()),
        None => host,
    };
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    Ok(format!("{host}:{}", settings.advertised_port.unwrap_or(port)))
}

/// Whether a host says that every address is listened on, so that nobody can be reached by it.
fn is_everywhere(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.is_empty() || host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

/// The address of this machine's name, which is what Connect calls a worker that listens everywhere: of IPv4 if there is
/// one.
fn own_address() -> Result<IpAddr, String> {
    let name = hostname::get().map_err(|error| format!("this machine's name is not known: {error}"))?;
    let name = name.to_string_lossy();
    let found: Vec<SocketAddr> = (&*name, 0)
        .to_socket_addrs()
        .map_err(|error| format!("this machine's name, {name}, has no address: {error}"))?
        .collect();
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    address.map(SocketAddr::ip).ok_or_else(|| format!("this machine's name, {name}, has no address"))
}

/// That of a worker whom others have to reach.
fn group_address() -> Result<String, String> {
    let remedy = "Say by which name or address the other workers reach this one: rest.advertised.host.name";
    let address = own_address().map_err(|error| format!("{error}. {remedy}"))?;
    if address.is_loopback() {
        tracing::warn!(%address, "other workers reach this one only if they run on this machine, too. {remedy}");
    }
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_come_to_an_address_that_stands_for_all() {
        for (host, everywhere) in
            [("", true), ("0.0.0.0", true), ("::", true), ("[::]", true), ("127.0.0.1", false), ("h.example", false)]
        {
            assert_eq!(is_everywhere(host), everywhere, "{host}");
        }
    }
}

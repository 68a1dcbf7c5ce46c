//! TCP to granted endpoints and nothing else: names that a grant has can be looked up, and what is connected to is
//! checked against the grants at that moment. No listening, no UDP.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{Host, HostResolveAddressStream, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, HostNetwork, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtxView};
use weir_core::model::{Endpoint, Grants, only_by_address};

use crate::bindings::weir::connect::log::Level;
use crate::log_lines::LogLines;

/// Why a guest does not get where it wants to.
pub(crate) const NOT_OPENED: &str = "its configuration opens no such endpoint";

/// Opens what is granted.
pub(crate) fn open(builder: &mut WasiCtxBuilder, grants: &Arc<Grants>, log: &LogLines) {
    if grants.endpoints.is_empty() {
        return;
    }
    let (grants, log) = (grants.clone(), log.clone());
    builder.allow_tcp(true).allow_ip_name_lookup(true).socket_addr_check(move |address, reason| match reason {
        SocketAddrUse::TcpConnect => {
            let (allowed, log) = (may_connect(&grants, address), log.clone());
            Box::pin(async move {
                let allowed = allowed.await;
                if !allowed {
                    // The guest sees a code without words.
                    log.write(Level::Warn, &format!("{address} was refused: {NOT_OPENED}"));
                }
                allowed
            })
        }
        // Only what comes before every connection: any address, any port.
        SocketAddrUse::TcpBind => {
            let implicit = address.ip().is_unspecified() && address.port() == 0;
            Box::pin(async move { implicit })
        }
        _ => Box::pin(async { false }), // listening, accepting and UDP
    });
}

fn may_connect(grants: &Grants, address: SocketAddr) -> Pin<Box<dyn Future<Output = bool> + Send + Sync>> {
    let of_port = grants.endpoints.iter().filter(|endpoint| endpoint.port == address.port());
    let of_port: Vec<Endpoint> = of_port.cloned().collect();
    Box::pin(async move {
        // Names are looked up by threads that may wait.
        let looked_up = tokio::task::spawn_blocking(move || of_port.iter().any(|endpoint| is(endpoint, address.ip())));
        looked_up.await.unwrap_or(false)
    })
}

/// Whether an address is that of an endpoint, by its text or by what its name means now.
fn is(endpoint: &Endpoint, address: IpAddr) -> bool {
    let address = address.to_canonical();
    match endpoint.host.parse::<IpAddr>() {
        Ok(named) => named.to_canonical() == address,
        Err(_) if only_by_address(address) => false,
        Err(_) => (endpoint.host.as_str(), endpoint.port)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == address)),
    }
}

/// Looks names up for one instance.
pub(crate) struct LookupView<'a> {
    wasi: WasiSocketsCtxView<'a>,
    grants: &'a Grants,
}

pub(crate) struct Lookup;

impl HasData for Lookup {
    type Data<'a> = LookupView<'a>;
}

impl<'a> LookupView<'a> {
    pub fn new(wasi: WasiSocketsCtxView<'a>, grants: &'a Grants) -> LookupView<'a> {
        LookupView { wasi, grants }
    }
}

impl Host for LookupView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        // A question to the name service says something to whoever hears it.
        if !self.grants.endpoints.iter().any(|endpoint| endpoint.host.eq_ignore_ascii_case(&name)) {
            return Err(ErrorCode::AccessDenied.into());
        }
        self.wasi.resolve_addresses(network, name)
    }
}

impl HostResolveAddressStream for LookupView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        self.wasi.resolve_next_address(stream)
    }

    fn subscribe(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        self.wasi.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        HostResolveAddressStream::drop(&mut self.wasi, stream)
    }
}

impl network::Host for LookupView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.network_error_code(error)
    }
}

impl HostNetwork for LookupView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        HostNetwork::drop(&mut self.wasi, network)
    }
}

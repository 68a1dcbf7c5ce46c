//! Requests over wasi:http, to granted endpoints only. The host resolves the name, checks the addresses and connects;
//! TLS is the host's too.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiHttpHooks};
use weir_core::model::{Endpoint, Grants, Limits, only_by_address};
use weir_core::observe::GuestMeter;
use weir_core::port::Context;

use crate::bindings::weir::connect::log::Level;
use crate::log_lines::LogLines;
use crate::send::{UnderWay, send};
use crate::sockets::NOT_OPENED;
use crate::tls::{Authorities, about_the_certificate};

type Body = wasmtime_wasi_http::WasiBody;
pub(crate) type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;
pub(crate) type Sent = Result<(http::Response<Body>, Ended), Error>;

/// Sends what is granted, within an instance's limits.
pub(crate) struct GrantedHttp {
    grants: Arc<Grants>,
    authorities: Authorities,
    log: LogLines,
    limits: Arc<Limits>,
    meter: Arc<GuestMeter>,
    places: Arc<Semaphore>,
}

impl GrantedHttp {
    pub fn new(context: &Context, authorities: Authorities, log: LogLines) -> GrantedHttp {
        let (grants, limits, meter) = (context.grants.clone(), context.limits.clone(), context.meter.clone());
        let places = Arc::new(Semaphore::new(limits.http_requests));
        GrantedHttp { grants, authorities, log, limits, meter, places }
    }

    /// A place among the requests under way, and what bounds the answer.
    fn under_way(&self) -> Option<UnderWay> {
        const REQUESTS: &str = "task.http.requests.max";
        const RESPONSE: &str = "task.http.response.max.bytes";
        let (most, longest) = (self.limits.http_requests, self.limits.http_response_bytes);
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.meter.limit_hits.count(REQUESTS);
            self.log.write(Level::Warn, &format!("a request was refused: {REQUESTS} allows {most} under way"));
            return None;
        };
        let (log, meter) = (self.log.clone(), self.meter.clone());
        let too_long = move || {
            meter.limit_hits.count(RESPONSE);
            log.write(Level::Warn, &format!("an answer was cut off: {RESPONSE} allows {longest} bytes"));
            Error::HttpResponseBodySize(Some(longest))
        };
        Some(UnderWay { _place: place, left: longest, too_long: Box::new(too_long) })
    }
}

/// Where a request wants to go.
fn endpoint(uri: &http::Uri) -> Option<Endpoint> {
    let authority = uri.authority()?;
    let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some(Endpoint { host, port: authority.port_u16().unwrap_or(default) })
}

/// The addresses of a granted endpoint that may be connected to.
async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, endpoint.port)]);
    }
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let mut addresses: Vec<SocketAddr> =
        found.map_err(|e| Error::DnsError { rcode: Some(e.to_string()), info_code: None })?.collect();
    if addresses.is_empty() {
        return Err(Error::DestinationNotFound);
    }
    addresses.retain(|address| !only_by_address(address.ip()));
    if addresses.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(addresses) }
}

impl WasiHttpHooks for GrantedHttp {
    fn send_request(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
        _: Ended,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let wanted = endpoint(request.uri());
        let granted = wanted.clone().filter(|wanted| self.grants.endpoints.contains(wanted));
        let (connector, log) = (self.authorities.connector(), self.log.clone());
        let under_way = if granted.is_some() { self.under_way() } else { None };
        Box::new(async move {
            let Some(wanted) = granted else {
                // The guest sees a code without words.
                let asked = wanted.map_or("a request without a host".to_owned(), |wanted| wanted.to_string());
                log.write(Level::Warn, &format!("{asked} was refused: {NOT_OPENED}"));
                return Err(Error::HttpRequestDenied);
            };
            let Some(under_way) = under_way else { return Err(Error::ConnectionLimitReached) };
            let addresses = resolve(&wanted).await?;
            let secure = request.uri().scheme() == Some(&Scheme::HTTPS);
            let name = secure.then(|| ServerName::try_from(wanted.host.clone())).transpose()?;
            let tls = name.map(|name| (connector, name));
            send(request, &addresses, tls, options, under_way).await.map_err(|error| match error {
                Error::Tls(error) => match about_the_certificate(&error) {
                    Some(reason) => {
                        log.write(Level::Warn, &format!("there is no TLS with {wanted}: {reason}"));
                        Error::TlsCertificateError
                    }
                    None => {
                        log.write(Level::Warn, &format!("there is no TLS with {wanted}: {error}"));
                        Error::TlsProtocolError
                    }
                },
                other => other,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_from_any_spelling_of_a_uri() {
        let read = |uri: &str| endpoint(&uri.parse().unwrap()).map(|e| e.to_string());
        assert_eq!(read("http://Example.com/x").as_deref(), Some("example.com:80"));
        assert_eq!(read("https://user@example.com").as_deref(), Some("example.com:443"));
        assert_eq!(read("http://[::1]:8080/").as_deref(), Some("[::1]:8080"));
        assert_eq!(read("/only/path"), None);
    }
}

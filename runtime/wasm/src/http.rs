//! Requests over wasi:http, to granted endpoints only. The host resolves the name, checks the addresses and connects;
//! TLS is the host's too.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use wasmtime_wasi_http::{Error, RequestOptions, WasiHttpHooks};
use weir_core::model::{Endpoint, Grants, only_by_address};

type Body = wasmtime_wasi_http::WasiBody;
type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<Body>, Ended), Error>;

/// Sends what is granted.
pub(crate) struct GrantedHttp {
    grants: Arc<Grants>,
}

impl GrantedHttp {
    pub fn new(grants: Arc<Grants>) -> GrantedHttp {
        GrantedHttp { grants }
    }
}

/// Where a request wants to go.
fn endpoint(uri: &http::Uri) -> Option<Endpoint> {
    let authority = uri.authority()?;
    let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some(Endpoint { host, port: authority.port_u16().unwrap_or(default) })
}

/// The address to connect to for a granted endpoint.
async fn resolve(endpoint: &Endpoint) -> Result<SocketAddr, Error> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, endpoint.port));
    }
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses: Vec<SocketAddr> =
        found.map_err(|e| Error::DnsError { rcode: Some(e.to_string()), info_code: None })?.collect();
    if addresses.is_empty() {
        return Err(Error::DestinationNotFound);
    }
    addresses.into_iter().find(|address| !only_by_address(address.ip())).ok_or(Error::DestinationIpProhibited)
}

impl WasiHttpHooks for GrantedHttp {
    fn send_request(
        &mut self,
        mut request: http::Request<Body>,
        options: Option<RequestOptions>,
        _: Ended,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let wanted = endpoint(request.uri()).filter(|wanted| self.grants.endpoints.contains(wanted));
        Box::new(async move {
            use http_body_util::BodyExt;
            let wanted = wanted.ok_or(Error::HttpRequestDenied)?;
            let address = resolve(&wanted).await?;
            if request.uri().scheme() != Some(&Scheme::HTTPS) {
                // The address that was checked is the one connected to; the host header has the name already.
                let mut parts = request.uri().clone().into_parts();
                let authority = Authority::try_from(address.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
                parts.authority = Some(authority);
                *request.uri_mut() = http::Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?;
            }
            let (response, ended) = wasmtime_wasi_http::default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(ended) as Ended))
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

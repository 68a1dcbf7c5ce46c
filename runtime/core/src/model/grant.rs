//! Pure. What is opened to one instance.

use core::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use super::PathAccess;

/// A path opened to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// The path as the configuration gives it, which is how the guest names it.
    pub path: PathBuf,
    /// What may be done with it.
    pub access: PathAccess,
    /// The folder out of which no link on the path may lead: the ceiling it is below; none when it needs none.
    pub ceiling: Option<PathBuf>,
}

/// An endpoint opened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Host name in lower case, or address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Endpoint {
    /// Whether it is an address that is open only where a ceiling names it: see [`only_by_address`].
    pub fn only_by_address(&self) -> bool {
        self.host.parse().is_ok_and(only_by_address)
    }
}

/// Addresses that nobody reaches by a name or a wildcard: link-local ones, among them the metadata services of clouds,
/// that of AWS over IPv6, unspecified, multicast and broadcast ones.
pub fn only_by_address(address: IpAddr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() || v6 == METADATA,
    }
}

/// Everything opened to an instance; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Paths.
    pub paths: Vec<PathGrant>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
}

/// The most that configurations may open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// `sandbox.path.ceiling`: folders; none opens no path.
    pub paths: Vec<PathBuf>,
    /// Whether paths need no ceiling: connector files that the operator gave on the command line.
    pub any_path: bool,
    /// `sandbox.endpoint.ceiling`: `host:port` with `*` for either, `*.domain` for hosts below one.
    pub endpoints: Vec<String>,
    /// Whether standard input and output may be opened.
    pub stdio: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_link_local_addresses_need_their_own_grant() {
        for address in
            ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:169.254.169.254", "fd00:ec2::254"]
        {
            assert!(only_by_address(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "10.0.0.1", "::1", "1.1.1.1"] {
            assert!(!only_by_address(address.parse().unwrap()), "{address}");
        }
    }
}

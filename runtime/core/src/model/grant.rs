//! Pure. What is opened to one instance.

use std::path::PathBuf;

use super::PathAccess;

/// A path opened to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// The path as the configuration gives it, which is how the guest names it.
    pub path: PathBuf,
    /// What may be done with it.
    pub access: PathAccess,
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

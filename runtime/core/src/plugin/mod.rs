//! Which plugins there are, which one a name means, and what a configuration opens to it.

mod grants;
mod registry;

pub use grants::{grants, is_of_converter};
pub use registry::{Conflict, Found, Registry, no_version};

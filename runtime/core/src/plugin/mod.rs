//! Which plugins there are, which one a name means, and what a configuration opens to it.

mod grants;
mod registry;

pub use grants::grants;
pub use registry::{Conflict, Found, Registry, no_version};

//! Files as this plugin needs them: read at a place, appended to, and told apart. Natively over std; in the sandbox
//! over WASI's descriptors, since std shows no identity there and cuts writes into small pieces.

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub use guest::{Appender, Place, Reader, Stdin};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Appender, Place, Reader, Stdin};

/// Tells files apart for as long as one of them is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(pub u64, pub u64);

/// The most that is read at once: what the host does in one go.
pub const PIECE: usize = 64 * 1024;

/// The most that is appended at once. The host takes four times that in one go; while it writes these, the next are made.
pub const APPENDED: usize = 256 * 1024;

//! Guests whose answers break the contract in the one way that their configuration's `lie` names. Written against the
//! bindings, since the SDK does not let anybody lie.

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod sink;

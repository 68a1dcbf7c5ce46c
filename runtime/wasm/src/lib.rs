//! Core's plugin ports over wasmtime.

//! Core's broker ports over an embedded store.

//! What whole-system tests stand on: what was built, and waiting with a deadline.

pub mod harness;

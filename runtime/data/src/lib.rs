//! Pure. Columns, schemas and CBOR cells: the form in which records stand on the host and cross into guests.
//! No dependencies; native and wasm32.

pub mod base64;
pub mod cbor;
mod cbor_copy;
mod columns;
pub mod decimal;
mod java_pattern;
pub mod java_text;
pub mod logical;
mod schema;
mod value;
mod value_codec;
pub mod values;

pub use columns::{Cells, Column, Headers, Lie, check_positions, select_positions};
pub use java_pattern::to_regex;
pub use schema::{BadSchema, Field, Node, Schema, Type, limits};
pub use value::Value;
pub use value_codec::{BadCell, decode_cell, encode_cell};

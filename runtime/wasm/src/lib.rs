//! Core's plugin ports over wasmtime: components compiled in a child process, one sandboxed instance for each task.

mod admission;
mod appending;
mod batch;
mod bindings;
mod call;
mod chain;
mod compilations;
mod compile;
mod component;
mod connector;
mod describe;
mod engine;
mod files;
#[cfg(test)]
mod fuzz;
mod host;
mod http;
mod instance;
mod log_lines;
mod pieces;
mod schema_table;
mod send;
mod sink;
mod sockets;
mod source;
mod state;
mod tls;
mod turns;

pub use compile::{CompileBounds, CompileError, Compiler, compile_stdin_to_stdout};
pub use component::WasmPlugins;
pub use engine::Engine;
pub use tls::Authorities;

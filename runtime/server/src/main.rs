//! The weir binary: knows which commit it is of, and nothing else, so that a new commit compiles this file alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_server::main(option_env!("WEIR_COMMIT").unwrap_or("unknown"))
}

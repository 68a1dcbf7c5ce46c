//! The weir binary: the command line.

mod command;
mod connector_file;
mod converters;
mod plugins;
mod standalone;
mod topic;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Command::parse().run()
}

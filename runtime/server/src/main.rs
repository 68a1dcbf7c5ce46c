//! The weir binary: the command line.

mod command;
mod connector_file;
mod converters;
mod offset_file;
mod plugins;
mod rest;
mod standalone;
mod topic;
mod upload_body;
mod upload_dir;
mod uploads;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Command::parse().run()
}

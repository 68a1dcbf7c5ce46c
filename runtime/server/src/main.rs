//! The weir binary: the command line.

mod command;
mod connector_file;
mod converters;
mod offset_file;
mod peers;
mod plugins;
mod rest;
mod topic;
mod upload_body;
mod upload_dir;
mod uploads;
mod worker;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Command::parse().run()
}

//! What `weir` can be asked on the command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use weir_core::model::Limits;
use weir_core::port::{Component, Plugins, Secrets};
use weir_wasm::{Authorities, CompileBounds, Compiler, WasmPlugins};

use crate::worker::Binary;

/// Does what the command line asks of the binary of this commit.
pub fn main(commit: &'static str) -> ExitCode {
    // clap keeps what it says of itself for as long as the program runs.
    let version: &'static str = format!("{} ({commit})", env!("CARGO_PKG_VERSION")).leak();
    let given = Command::command().version(version).get_matches();
    match Command::from_arg_matches(&given) {
        Ok(command) => command.run(commit),
        Err(error) => error.exit(),
    }
}

/// A connector runtime: Kafka Connect's control plane, every plugin a WebAssembly component in a sandbox of its own.
#[derive(clap::Parser)]
#[command(name = "weir")]
enum Command {
    /// Run a worker of its own, with the arguments of connect-standalone.sh.
    Standalone {
        /// The worker's properties.
        worker: PathBuf,
        /// Connectors to start: properties or JSON files.
        connectors: Vec<PathBuf>,
    },
    /// Run a worker of a group that meets in Kafka, with the argument of connect-distributed.sh.
    Distributed {
        /// The worker's properties.
        worker: PathBuf,
    },
    /// Work with the topics of an embedded store, while a worker runs on it or not.
    Topic(crate::topic::TopicCommand),
    /// Look at plugins without a worker.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compile a component from standard input to standard output: what the worker runs in a process of its own.
    #[command(hide = true)]
    Compile {
        /// Memory that it may have.
        memory_bytes: u64,
    },
}

/// What can be asked about plugins.
#[derive(clap::Subcommand)]
enum PluginCommand {
    /// Say what an upload of FILE would say.
    Check {
        /// A WebAssembly component.
        file: PathBuf,
    },
}

impl Command {
    fn run(self, commit: &'static str) -> ExitCode {
        let secrets = Secrets::default();
        let binary = || {
            let secrets = secrets.clone();
            let loggers = crate::logging::to_stderr(secrets.clone());
            Ok(Binary { commit, compile_cache: compile_cache()?, loggers, secrets })
        };
        match self {
            Command::Standalone { worker, connectors } => {
                let run = binary().and_then(|binary| crate::worker::standalone(&worker, &connectors, binary));
                report(run.map(|()| String::new()).map_err(|reason| secrets.hide(reason)))
            }
            Command::Distributed { worker } => {
                let run = binary().and_then(|binary| crate::worker::distributed(&worker, binary));
                report(run.map(|()| String::new()).map_err(|reason| secrets.hide(reason)))
            }
            Command::Topic(command) => report(run_once(crate::topic::run(command))),
            Command::Compile { memory_bytes } => weir_wasm::compile_stdin_to_stdout(memory_bytes),
            Command::Plugin(PluginCommand::Check { file }) => report(check(&file)),
        }
    }
}

/// Writes to standard output, to which nobody may listen any more.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn report(outcome: Result<String, String>) -> ExitCode {
    match outcome {
        Ok(text) => {
            if !text.is_empty() {
                print(&text);
            }
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("weir: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run_once<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))?.block_on(work)
}

fn check(file: &std::path::Path) -> Result<String, String> {
    let wasm = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let own = std::env::current_exe().map_err(|error| format!("where weir is: {error}"))?;
    let cache = compile_cache()?;
    let compiler = Compiler::new(own, cache, CompileBounds::default()).map_err(|error| error.to_string())?;
    let bytes_max = weir_core::settings::PLUGIN_BYTES_MAX;
    let plugins = WasmPlugins::new(compiler, Limits::default(), bytes_max, Authorities::of_the_web())
        .map_err(|error| format!("{error:#}"))?;
    let refused = |reason: String| format!("{}: refused: {reason}", file.display());
    let component = run_once(async { Ok(plugins.load(wasm.into()).await) })?;
    let component = component.map_err(|refusal| refused(refusal.to_string()))?;
    print(&described(file, &*component));
    // Stock plugins have names that nobody else may have.
    let mut registry = run_once(crate::plugins::load(&plugins, &[], bytes_max))?;
    registry.add(component, false).map_err(|conflict| refused(conflict.to_string()))?;
    Ok(format!("{}: accepted", file.display()))
}

/// What a component is, for people: a line for each class and each import.
fn described(file: &std::path::Path, component: &dyn Component) -> String {
    let mut lines = vec![format!("{}: {} bytes, sha256 {}", file.display(), component.size(), component.hash())];
    lines.push("classes:".to_owned());
    for class in component.classes() {
        let kind = format!("{:?}", class.kind).to_lowercase();
        lines.push(format!("  {kind} {} {}: {}", class.name, class.version, class.documentation));
    }
    lines.push("imports:".to_owned());
    lines.extend(component.imports().iter().map(|import| format!("  {import}")));
    lines.join("\n")
}

/// Where compiled code is kept: `$XDG_CACHE_HOME/weir/compiled`, else `~/.cache/weir/compiled`.
fn compile_cache() -> Result<PathBuf, String> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let base = base.ok_or("neither XDG_CACHE_HOME nor HOME is set: set one, compiled plugins are kept below it")?;
    Ok(base.join("weir").join("compiled"))
}

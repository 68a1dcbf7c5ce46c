//! Compiling, in a child process with an empty environment, a time limit and a memory limit; results are kept by hash.

use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::compilations::Compilations;
use crate::engine::{Engine, compiling_engine};

/// Compiled code that is kept, in bytes.
const COMPILED_MAX: u64 = 1 << 30;
/// Exit code of a compiling process that finds the component at fault.
const UNFIT: i32 = 1;
/// Exit code of one that could not do its work.
const UNABLE: i32 = 2;
/// Bytes of the check sum behind compiled code.
const SUM_BYTES: usize = 4;
/// Who began to write a file longer ago than this, without having locked it, is gone.
const UNFINISHED: Duration = Duration::from_secs(60);
/// Bytes that are summed at a time.
const PIECE: usize = 64 << 10;

/// Bounds on one compilation.
#[derive(Clone, Copy, Debug)]
pub struct CompileBounds {
    /// Wall time.
    pub time: Duration,
    /// Address space of the compiling process, in bytes.
    pub memory_bytes: u64,
}

impl Default for CompileBounds {
    fn default() -> CompileBounds {
        CompileBounds { time: Duration::from_secs(120), memory_bytes: 4 << 30 }
    }
}

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The bytes are no component that can be compiled.
    #[error("{0}")]
    Unfit(String),
    /// It took longer than allowed.
    #[error("compiling took longer than {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    /// The worker could not compile.
    #[error("{0}")]
    Unavailable(String),
}

impl From<std::io::Error> for CompileError {
    fn from(error: std::io::Error) -> CompileError {
        CompileError::Unavailable(format!("compiling a plugin: {error}"))
    }
}

/// Compiles components by running `program compile` and keeps the results in a private directory.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    cache: PathBuf,
    bounds: CompileBounds,
    /// What was done so far.
    pub(crate) done: Compilations,
}

impl Compiler {
    /// A compiler that runs `program compile` (weir itself) and keeps results in `cache`, which is made with access
    /// for its owner only and refused when others can write to it. What writers that are gone left unfinished is removed.
    pub fn new(program: PathBuf, cache: PathBuf, bounds: CompileBounds) -> std::io::Result<Compiler> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache)?;
        let meta = std::fs::metadata(&cache)?;
        let own = rustix::process::geteuid().as_raw();
        if meta.uid() != own || meta.mode() & 0o022 != 0 {
            let reason = format!(
                "{} holds compiled code and must belong to user {own} and be writable by nobody else: chmod 700 it",
                cache.display()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, reason));
        }
        remove_unfinished(&cache);
        Ok(Compiler { program, cache, bounds, done: Compilations::default() })
    }

    /// The component, compiled now or before.
    pub(crate) async fn component(
        &self,
        engine: &Engine,
        hash: &str,
        wasm: &[u8],
    ) -> Result<wasmtime::component::Component, CompileError> {
        let file = self.file(engine, hash);
        if file.exists() {
            match load(engine, &file) {
                Ok(component) => {
                    self.done.hit(hash);
                    return Ok(component);
                }
                Err(error) => tracing::warn!(file = %file.display(), %error, "compiled code is made anew"),
            }
        }
        let began = Instant::now();
        let compiled = self.run(wasm).await?;
        self.done.compiled(hash, began.elapsed());
        store(&file, &compiled).map_err(|error| {
            let dir = self.cache.display();
            CompileError::Unavailable(format!("compiled code cannot be kept in {dir}: {error}. Make room there"))
        })?;
        load(engine, &file).map_err(|error| {
            let remedy = if self.may_not_be_run() {
                let dir = self.cache.display();
                format!(
                    ". {dir} is mounted noexec, but compiled code is run from there: set XDG_CACHE_HOME to a place that is not"
                )
            } else {
                String::new()
            };
            CompileError::Unavailable(format!("compiled code does not load: {error:#}{remedy}"))
        })
    }

    fn may_not_be_run(&self) -> bool {
        let mounted = rustix::fs::statvfs(&self.cache);
        mounted.is_ok_and(|mounted| mounted.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC))
    }

    fn file(&self, engine: &Engine, hash: &str) -> PathBuf {
        self.cache.join(format!("{hash}-{}.cwasm", engine.fingerprint()))
    }

    /// Removes what is kept of a component; code that runs keeps running.
    pub(crate) fn forget(&self, engine: &Engine, hash: &str) {
        self.done.forget(hash);
        let file = self.file(engine, hash);
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %file.display(), %error, "compiled code that nobody uses stays behind");
        }
    }

    async fn run(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut child = tokio::process::Command::new(&self.program)
            .args(["compile", &self.bounds.memory_bytes.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CompileError::Unavailable(format!("{} compile: {error}", self.program.display())))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(CompileError::Unavailable("the compiling process has no pipes".into()));
        };
        let (mut compiled, mut message) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(COMPILED_MAX), stderr.take(16 << 10));
        let exchange = async {
            let write = async {
                // A compiler that refuses early closes its end: its message is what matters then.
                let _ = stdin.write_all(wasm).await;
                drop(stdin);
            };
            let ((), out, err) =
                tokio::join!(write, stdout.read_to_end(&mut compiled), stderr.read_to_end(&mut message));
            out?;
            err?;
            child.wait().await
        };
        let CompileBounds { time, memory_bytes } = self.bounds;
        let status = tokio::time::timeout(time, exchange).await.map_err(|_| CompileError::TooSlow(time))??;
        if status.success() {
            return Ok(compiled);
        }
        let message = String::from_utf8_lossy(&message).trim().to_owned();
        Err(match status.code() {
            Some(UNFIT) => CompileError::Unfit(message),
            Some(UNABLE) => CompileError::Unavailable(message),
            _ => CompileError::Unfit(format!(
                "compiling it broke the compiler, which may have {memory_bytes} bytes of memory ({status}): {message}"
            )),
        })
    }
}

#[expect(unsafe_code, reason = "compiled code is loaded")]
fn load(engine: &Engine, file: &Path) -> wasmtime::Result<wasmtime::component::Component> {
    check(file)?;
    // SAFETY: the file stands in a directory that only this user can write to, under the hash of its wasm and the
    // engine's fingerprint; it is what `store` wrote there, the output of this program's own compiler.
    unsafe { wasmtime::component::Component::deserialize_file(engine.wasmtime(), file) }
}

/// Looks whether a file is what `store` made of it: compiled code is believed every word, so a disk that forgot a bit would
/// have the worker run it.
fn check(file: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::open(file)?;
    let (mut sum, mut piece) = (crc32fast::Hasher::new(), vec![0; PIECE]);
    let mut left = file.metadata()?.len().saturating_sub(SUM_BYTES as u64);
    while left > 0 {
        let piece = &mut piece[..usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
        file.read_exact(piece)?;
        sum.update(piece);
        left -= piece.len() as u64;
    }
    let mut kept = [0; SUM_BYTES];
    file.read_exact(&mut kept)?;
    let damaged = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is damaged");
    if kept == sum.finalize().to_le_bytes() { Ok(()) } else { Err(damaged()) }
}

fn store(file: &Path, compiled: &[u8]) -> std::io::Result<()> {
    static STORED: AtomicU64 = AtomicU64::new(0);
    let number = STORED.fetch_add(1, Ordering::Relaxed);
    let unfinished = file.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = || {
        let mut options = std::fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        // Says for as long as this process lives that somebody writes it. Nothing depends on it: its time protects it, too.
        let _ = out.try_lock();
        out.write_all(compiled)?;
        // Behind the code, where nobody looks who loads it.
        out.write_all(&crc32fast::hash(compiled).to_le_bytes())?;
        out.sync_all()?;
        std::fs::rename(&unfinished, file)
    };
    written().inspect_err(|_| {
        // Half of it is of no use to anybody; the first error is the one to tell.
        let _ = std::fs::remove_file(&unfinished);
    })
}

/// Removes files that nobody is going to finish: nobody holds them, and nobody did a moment ago.
fn remove_unfinished(cache: &Path) {
    let is_left = |file: &Path| {
        let Ok(held) = std::fs::File::open(file) else { return false };
        let touched = held.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        touched.is_some_and(|ago| ago > UNFINISHED) && held.try_lock().is_ok()
    };
    for file in std::fs::read_dir(cache).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|extension| extension == "tmp") && is_left(&file) {
            // Another worker that starts may have been faster.
            let _ = std::fs::remove_file(&file);
        }
    }
}

/// What `weir compile` does: reads a component from standard input, writes compiled code to standard output, and has no
/// more memory than that. The reason of any other exit code than 0 is on standard error.
pub fn compile_stdin_to_stdout(memory_bytes: u64) -> std::process::ExitCode {
    let space = rustix::process::Resource::As;
    // Whoever started the worker may have allowed it less.
    let most = rustix::process::getrlimit(space).maximum.map_or(memory_bytes, |most| most.min(memory_bytes));
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    if let Err(error) = rustix::process::setrlimit(space, limit) {
        return ended(UNABLE, format_args!("bounding the memory of the compiling process: {error}"));
    }
    let mut wasm = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut wasm) {
        return ended(UNABLE, format_args!("reading the component: {error}"));
    }
    let compiled = match compiling_engine() {
        Ok(engine) => engine.precompile_component(&wasm),
        Err(error) => {
            return ended(UNABLE, format_args!("{error:#}"));
        }
    };
    match compiled {
        Ok(compiled) => match std::io::stdout().lock().write_all(&compiled) {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(error) => ended(UNABLE, format_args!("writing compiled code: {error}")),
        },
        Err(error) => ended(UNFIT, format_args!("{error:#}")),
    }
}

fn ended(code: i32, reason: std::fmt::Arguments<'_>) -> std::process::ExitCode {
    eprintln!("{reason}");
    std::process::ExitCode::from(code as u8)
}

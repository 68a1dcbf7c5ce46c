//! Decoders under bytes that nobody meant for them. Each crate takes this file into its tests and gives every decoder
//! of its own a function here: it is run over what is kept in `corpus/`, then over what mutations make of that.
//!
//! No fuzzing engine: those that watch which code runs need a nightly compiler, and what their stable test runs give a
//! decoder is noise that its first check refuses. What a decoder answers tells new inputs from known ones well enough.
#![allow(dead_code)]

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

#[path = "mutation.rs"]
mod mutation;

use mutation::{Mutations, Random};

/// Seconds for each decoder; `make soak` gives them minutes.
const SECONDS: &str = "WEIR_FUZZ_SECONDS";
/// The seed to begin with again.
const SEED: &str = "WEIR_FUZZ_SEED";
/// What no input may take, twice in a row: the machine may have been busy once.
const SLOW: Duration = Duration::from_secs(5);
/// From when on an input is taken to be under way for ever.
const STUCK: Duration = Duration::from_secs(60);
/// Bytes from which on an input is not mutated.
const LARGE: usize = 32 << 10;
/// Inputs that were answered in a way not seen before, and are mutated on.
const KEPT_MAX: usize = 4_000;

fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("tests/fuzz/corpus").is_dir()).expect("the clone has a corpus")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// What is kept of inputs for a decoder, by name.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(folder) = std::fs::read_dir(root().join("tests/fuzz/corpus").join(name)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), std::fs::read(&file).unwrap())).collect()
}

/// An answer without its numbers: answers that differ in nothing else are the same.
fn kind(answer: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    answer.bytes().take(300).filter(|byte| !byte.is_ascii_digit()).for_each(|byte| hasher.write_u8(byte));
    hasher.finish()
}

/// Runs a decoder over its corpus, over `seeds`, and over what becomes of both with `words` among it. The decoder
/// answers what came of it, and panics where that is wrong.
pub fn fuzz(name: &str, seeds: impl IntoIterator<Item = Vec<u8>>, words: &[&str], decoder: impl Fn(&[u8]) -> String) {
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(name));
    let budget = Duration::from_secs(number(SECONDS).unwrap_or(1));
    let mut run = Run::new(name, seed, &decoder);
    let mut pool: Vec<Vec<u8>> = vec![Vec::new()];
    let kept = corpus(name);
    pool.extend(kept.iter().map(|(_, input)| input.clone()));
    pool.extend(seeds);
    let known = pool.len();
    let mut answers = HashSet::new();
    for (at, input) in pool.iter().enumerate() {
        let file = at.checked_sub(1).and_then(|at| kept.get(at)).map(|(file, _)| file.as_str());
        answers.insert(kind(&run.once(input, file)));
    }
    // Large ones were run; made larger still, they would take the time of all others.
    pool.retain(|input| input.len() <= LARGE);
    let mut random = Random(seed);
    let mut mutations = Mutations::new(words);
    let began = Instant::now();
    while began.elapsed() < budget || run.executions < 500 {
        let input = mutations.made(&mut random, &pool);
        if answers.insert(kind(&run.once(&input, None))) && input.len() <= LARGE && pool.len() < known + KEPT_MAX {
            pool.push(input);
        }
    }
    println!(
        "fuzz {name}: {} executions from {known} inputs, {} kinds of answers, slowest {} ms for {} bytes, seed {seed}",
        run.executions,
        answers.len(),
        run.slowest.0.as_millis(),
        run.slowest.1
    );
    run.finish();
}

struct Run<'a> {
    name: &'a str,
    seed: u64,
    decoder: &'a dyn Fn(&[u8]) -> String,
    executions: u64,
    slowest: (Duration, usize),
    /// Where the input under way is found when the process dies of it.
    last: (PathBuf, File),
    begun: Arc<AtomicU64>,
    /// Ends the watch when it goes.
    _watch: mpsc::Sender<()>,
}

/// Ends the process when no input has been begun for too long: nothing else ends a decoder that goes in circles.
fn watch(name: &str, begun: Arc<AtomicU64>) -> mpsc::Sender<()> {
    let (watch, over) = mpsc::channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        loop {
            let before = begun.load(Ordering::Relaxed);
            match over.recv_timeout(STUCK) {
                Err(RecvTimeoutError::Timeout) if begun.load(Ordering::Relaxed) == before => {
                    eprintln!("fuzz {name}: it has not come back for {STUCK:?}; the input is out/fuzz/{name}.last");
                    std::process::abort();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    watch
}

impl<'a> Run<'a> {
    fn new(name: &'a str, seed: u64, decoder: &'a dyn Fn(&[u8]) -> String) -> Run<'a> {
        let folder = root().join("out/fuzz");
        std::fs::create_dir_all(&folder).expect("out can be written to");
        let last = folder.join(format!("{name}.last"));
        let file = File::create(&last).expect("out can be written to");
        let begun = Arc::new(AtomicU64::new(0));
        let watch = watch(name, begun.clone());
        let slowest = (Duration::ZERO, 0);
        Run { name, seed, decoder, executions: 0, slowest, last: (last, file), begun, _watch: watch }
    }

    fn once(&mut self, input: &[u8], file: Option<&str>) -> String {
        self.last.1.set_len(input.len() as u64).expect("out can be written to");
        self.last.1.write_all_at(input, 0).expect("out can be written to");
        self.executions += 1;
        let mut took = Duration::ZERO;
        for _ in 0..2 {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            let answer = catch_unwind(AssertUnwindSafe(|| (self.decoder)(input)));
            took = began.elapsed();
            let answer = answer.unwrap_or_else(|panic| {
                self.tell("panicked", input, file);
                resume_unwind(panic)
            });
            if took < SLOW {
                self.slowest = self.slowest.max((took, input.len()));
                return answer;
            }
        }
        self.tell("is too slow", input, file);
        panic!("{} took {took:?} for {} bytes, and at most {SLOW:?} is allowed", self.name, input.len());
    }

    fn tell(&self, what: &str, input: &[u8], file: Option<&str>) {
        let found = self.last.0.with_extension("found");
        let _ = std::fs::write(&found, input);
        let shown = input[..input.len().min(400)].escape_ascii();
        let place = file.map_or_else(|| found.display().to_string(), str::to_owned);
        eprintln!(
            "fuzz {}: it {what} at execution {} ({SEED}={}); the input is {place}; once that is mended, keep it in \
             tests/fuzz/corpus/{}: {shown}",
            self.name, self.executions, self.seed, self.name
        );
    }

    fn finish(self) {
        let _ = std::fs::remove_file(&self.last.0);
    }
}

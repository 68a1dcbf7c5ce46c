//! A file that is followed while it grows, is cut short, or is moved away for another of its name.

use std::io::{ErrorKind, Result};
use std::time::{Duration, Instant};

use crate::disk::{Identity, PIECE, Place, Reader};
use crate::lines::Lines;

/// How long another file may be under the name before that is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

struct Opened {
    file: Reader,
    identity: Identity,
    /// How much of it was read.
    read: u64,
    /// Whether the last read was full: there is probably more.
    more: bool,
    /// Whether another file that holds something was seen under the name: this one gets no more lines.
    followed: bool,
}

/// A followed file.
pub struct Follower {
    path: String,
    place: Place,
    opened: Option<Opened>,
    lines: Lines,
    /// Where the file that is opened next is read from.
    from: u64,
    look_at: Instant,
    missing: bool,
}

impl Follower {
    /// Follows the file of a path from a stored position on.
    pub fn new(path: &str, from: u64) -> Result<Follower> {
        Ok(Follower {
            path: path.to_owned(),
            place: Place::new(path)?,
            opened: None,
            lines: Lines::default(),
            from,
            look_at: Instant::now(),
            missing: false,
        })
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The next line that was read, with where to read on behind it: after the last line of a file that was moved
    /// away, that is the beginning of the file that took its place.
    #[inline]
    pub fn take(&mut self) -> Option<(&[u8], u64)> {
        let read = self.opened.as_ref().map_or(0, |opened| opened.read);
        let ended = self.lines.ended();
        let (line, left) = self.lines.take()?;
        Some((line, if ended { 0 } else { read - left as u64 }))
    }

    /// Reads on, after every line that was read is taken; answers whether there may be another line.
    pub fn read_on(&mut self) -> Result<bool> {
        loop {
            let Some(opened) = &mut self.opened else {
                if !self.open()? {
                    return Ok(false);
                }
                continue;
            };
            if !opened.more {
                let size = opened.file.size()?;
                if size < opened.read {
                    let left = self.lines.pending();
                    weir_sdk::warn!(
                        "File {} was truncated from {} to {size} bytes: reading it from its beginning{}",
                        self.path,
                        opened.read,
                        if left == 0 { "" } else { ", without the unfinished line that was its last" }
                    );
                    self.lines = Lines::default();
                    opened.read = 0;
                }
                opened.more = size > opened.read;
            }
            if opened.more {
                let bytes = opened.file.read(opened.read)?;
                opened.more = bytes.len() == PIECE;
                if !bytes.is_empty() {
                    opened.read += bytes.len() as u64;
                    self.lines.push(&bytes);
                    return Ok(true);
                }
            }
            if opened.followed {
                if !self.lines.ended() && self.lines.pending() > 0 {
                    self.lines.end();
                    return Ok(true);
                }
                weir_sdk::info!("File {} was replaced: reading the new one from its beginning", self.path);
                self.lines = Lines::default();
                (self.opened, self.from) = (None, 0);
                continue;
            }
            // What was written before the other file got its first bytes is read once more and last.
            if !self.another_is_written()? {
                return Ok(false);
            }
            self.opened.iter_mut().for_each(|opened| opened.followed = true);
        }
    }

    /// Whether another file that is not empty is under the name. While it is empty, whoever writes may still have the
    /// old one open.
    fn another_is_written(&mut self) -> Result<bool> {
        let now = Instant::now();
        let Some(opened) = self.opened.as_ref().filter(|_| now >= self.look_at) else { return Ok(false) };
        self.look_at = now + LOOK_EVERY;
        let found =
            self.place.identity().and_then(|identity| Ok(identity != opened.identity && self.place.size()? > 0));
        match found {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            found => found,
        }
    }

    /// Opens what is under the name; answers whether there is something.
    fn open(&mut self) -> Result<bool> {
        let file = match self.place.open() {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.missing, true) {
                    weir_sdk::warn!("Couldn't find file {}, waiting for it to be created", self.path);
                }
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let (identity, size) = (file.identity()?, file.size()?);
        if size < self.from {
            weir_sdk::warn!(
                "File {} has {size} bytes and was read up to {}: it was truncated or replaced, reading it from its beginning",
                self.path,
                self.from
            );
            self.from = 0;
        }
        self.missing = false;
        self.look_at = Instant::now() + LOOK_EVERY;
        self.opened = Some(Opened { file, identity, read: self.from, more: true, followed: false });
        Ok(true)
    }
}

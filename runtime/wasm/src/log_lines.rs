//! Lines that guests write, by `log` or to standard output and error: bounded in length and number, and marked with
//! whom they come from.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;
use tracing::Span;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use weir_core::model::Limits;
use weir_core::observe::GuestMeter;

use crate::bindings::weir::connect::log::Level;

struct Window {
    began: Instant,
    lines: u32,
    dropped: u64,
    /// What standard output or error has of a line that is not ended yet.
    pending: Vec<u8>,
    /// The last few lines, dropped ones included.
    last: VecDeque<String>,
}

/// How many lines a trap's trace shows.
const LAST: usize = 6;

/// The lines of one instance.
#[derive(Clone)]
pub(crate) struct LogLines {
    /// Says whose they are.
    context: Span,
    per_second: u32,
    line_bytes: usize,
    meter: Arc<GuestMeter>,
    window: Arc<Mutex<Window>>,
}

impl LogLines {
    pub fn new(owner: Arc<str>, limits: &Limits, meter: Arc<GuestMeter>) -> LogLines {
        let window = Window { began: Instant::now(), lines: 0, dropped: 0, pending: Vec::new(), last: VecDeque::new() };
        LogLines {
            context: tracing::error_span!(target: "guest", "guest", owner = %owner),
            per_second: limits.log_lines_per_second,
            line_bytes: limits.log_line_bytes,
            meter,
            window: Arc::new(Mutex::new(window)),
        }
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a level is kept at all.
    pub fn enabled(&self, level: Level) -> bool {
        match level {
            Level::Error => tracing::enabled!(target: "guest", tracing::Level::ERROR),
            Level::Warn => tracing::enabled!(target: "guest", tracing::Level::WARN),
            Level::Info => tracing::enabled!(target: "guest", tracing::Level::INFO),
            Level::Debug => tracing::enabled!(target: "guest", tracing::Level::DEBUG),
            Level::Trace => tracing::enabled!(target: "guest", tracing::Level::TRACE),
        }
    }

    pub fn write(&self, level: Level, line: &str) {
        let mut window = self.window();
        self.write_in(&mut window, level, line);
    }

    fn write_in(&self, window: &mut Window, level: Level, line: &str) {
        let line = shorten(line, self.line_bytes);
        if window.last.len() == LAST {
            window.last.pop_front();
        }
        window.last.push_back(line.clone());
        if window.began.elapsed() >= Duration::from_secs(1) {
            if window.dropped > 0 {
                let _context = self.context.enter();
                tracing::warn!(target: "guest", lines = window.dropped,
                    "log lines were dropped: more than task.log.lines.per.second");
            }
            (window.began, window.lines, window.dropped) = (Instant::now(), 0, 0);
        }
        if window.lines >= self.per_second {
            if window.dropped == 0 {
                let _context = self.context.enter();
                tracing::warn!(target: "guest", "more lines in a second than task.log.lines.per.second={}: the rest of it is \
                    dropped", self.per_second);
            }
            window.dropped += 1;
            self.meter.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        window.lines += 1;
        let _context = self.context.enter();
        match level {
            Level::Error => tracing::error!(target: "guest", "{line}"),
            Level::Warn => tracing::warn!(target: "guest", "{line}"),
            Level::Info => tracing::info!(target: "guest", "{line}"),
            Level::Debug => tracing::debug!(target: "guest", "{line}"),
            Level::Trace => tracing::trace!(target: "guest", "{line}"),
        }
    }

    /// The lines written last: what a guest says before it breaks down.
    pub fn last(&self) -> Vec<String> {
        self.window().last.iter().cloned().collect()
    }

    fn take_bytes(&self, bytes: &[u8]) {
        let mut window = self.window();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = self.line_bytes.saturating_sub(window.pending.len());
            window.pending.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&std::mem::take(&mut window.pending)).trim_end().to_owned();
                if !line.is_empty() {
                    self.write_in(&mut window, Level::Info, &line);
                }
            }
        }
    }
}

/// At most `most` bytes of a line, with control characters made visible.
fn shorten(line: &str, most: usize) -> String {
    let cut = line.floor_char_boundary(most);
    let mut text: String =
        line[..cut].chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    if cut < line.len() {
        text.push_str(" …");
    }
    text
}

impl IsTerminal for LogLines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogLines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogLines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take_bytes(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(per_second: u32, line_bytes: usize) -> (LogLines, Arc<GuestMeter>) {
        let meter = Arc::new(GuestMeter::default());
        let limits = Limits { log_lines_per_second: per_second, log_line_bytes: line_bytes, ..Limits::default() };
        (LogLines::new("test".into(), &limits, meter.clone()), meter)
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let (lines, meter) = lines(10, 100);
        (0..1000).for_each(|i| lines.write(Level::Info, &format!("line {i}")));
        assert!(meter.log_lines_dropped.load(Ordering::Relaxed) >= 980);
        assert_eq!(lines.last().last().unwrap(), "line 999");
    }

    #[test]
    fn a_line_without_end_holds_no_more_than_its_bound() {
        let (lines, _) = lines(10, 100);
        (0..1000).for_each(|_| lines.take_bytes(&[b'x'; 1000]));
        assert_eq!(lines.window().pending.len(), 100);
        lines.take_bytes(b"\n");
        assert_eq!(lines.last(), ["x".repeat(100)]);
    }

    #[test]
    fn control_characters_do_not_reach_the_log() {
        assert_eq!(shorten("a\x1b[31m\r\nb", 100), "a\u{fffd}[31m\u{fffd}\u{fffd}b");
        assert_eq!(shorten("äää", 3), "ä …");
    }
}

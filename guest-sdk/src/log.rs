//! Log lines of the task. Natively they go to standard error.

pub use crate::bindings::words::weir::connect::log::Level;

/// Whether lines of this level are kept.
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::words::weir::connect::log::enabled(level);
    #[cfg(not(target_arch = "wasm32"))]
    return level <= Level::Info;
}

/// Writes a line.
pub fn write(level: Level, line: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::words::weir::connect::log::write(level, line);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {line}");
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($arg:tt)*) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, &format!($($arg)*));
        }
    };
}

/// Writes a line that says that something failed.
#[macro_export]
macro_rules! error { ($($arg:tt)*) => { $crate::__log!(Error, $($arg)*) }; }
/// Writes a line that says that something may fail.
#[macro_export]
macro_rules! warn { ($($arg:tt)*) => { $crate::__log!(Warn, $($arg)*) }; }
/// Writes a line that says that something happened.
#[macro_export]
macro_rules! info { ($($arg:tt)*) => { $crate::__log!(Info, $($arg)*) }; }
/// Writes a line for the author.
#[macro_export]
macro_rules! debug { ($($arg:tt)*) => { $crate::__log!(Debug, $($arg)*) }; }

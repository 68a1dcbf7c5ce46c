//! Pure. What a plugin can fail with, by what has to happen next.

use std::fmt;

/// One thing wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about.
    pub key: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The same call may go through later (Connect's RetriableException).
    Retriable(String),
    /// A record cannot be processed, others can (Connect's DataException).
    Data(String),
    /// The configuration is wrong (Connect's ConfigException), every problem at once.
    Config(Vec<Problem>),
    /// Nothing more can be done (Connect's ConnectException).
    Fatal(String),
}

/// A result of a plugin.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A retriable failure.
    pub fn retriable(reason: impl fmt::Display) -> Error {
        Error::Retriable(reason.to_string())
    }

    /// A failure of one record.
    pub fn data(reason: impl fmt::Display) -> Error {
        Error::Data(reason.to_string())
    }

    /// A problem with one key.
    pub fn config(key: &str, message: impl fmt::Display) -> Error {
        Error::Config(vec![Problem { key: key.to_owned(), message: message.to_string() }])
    }

    /// A failure that ends the task.
    pub fn fatal(reason: impl fmt::Display) -> Error {
        Error::Fatal(reason.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Retriable(reason) | Error::Data(reason) | Error::Fatal(reason) => f.write_str(reason),
            Error::Config(problems) => {
                problems.iter().try_for_each(|problem| writeln!(f, "{}: {}", problem.key, problem.message))
            }
        }
    }
}

impl std::error::Error for Error {}

//! What a server's answer means for the records that were posted. Reads no clock: the time is passed in.

use std::time::{Duration, SystemTime};

/// Longest wait that a server may ask for.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// How much of an answer's body is shown.
const SHOWN: usize = 300;

/// How a post ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server answered.
    Status {
        /// Its status.
        status: u16,
        /// Its Retry-After header.
        retry_after: Option<String>,
        /// The beginning of its body.
        body: String,
    },
    /// There was no connection, or it broke, or took too long; the records may have arrived or not.
    Lost(String),
    /// The worker does not open this endpoint.
    Denied(String),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Delivered,
    /// Offer the same records again.
    Later {
        /// How long the server wants to be left alone.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Offering them again does not help.
    Never(String),
}

/// What an answer that came at `now` means.
pub fn verdict(answer: &Answer, now: SystemTime) -> Verdict {
    let (status, retry_after, body) = match answer {
        Answer::Lost(reason) => return Verdict::Later { after: None, reason: reason.clone() },
        Answer::Denied(reason) => return Verdict::Never(reason.clone()),
        Answer::Status { status, retry_after, body } => (*status, retry_after.as_deref(), body.trim()),
    };
    let mut reason = format!("the server answered {status}");
    if !body.is_empty() {
        let shown: String = body.chars().take(SHOWN).collect();
        reason = format!("{reason}: {shown}");
    }
    match status {
        200..=299 => Verdict::Delivered,
        408 | 425 | 429 | 500..=599 => Verdict::Later {
            after: retry_after.and_then(|text| wait(text, now)).map(|wait| wait.min(WAIT_MAX)),
            reason,
        },
        300..=399 => Verdict::Never(format!("{reason}. Redirects are not followed: set url to where it leads")),
        _ => Verdict::Never(reason),
    }
}

/// A Retry-After header: seconds or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, retry_after: Option<&str>) -> Verdict {
        let answer = Answer::Status { status, retry_after: retry_after.map(str::to_owned), body: String::new() };
        // 1994-11-15 08:12:30 UTC
        verdict(&answer, SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_150))
    }

    #[test]
    fn every_class_of_status_has_its_verdict() {
        for status in [200, 201, 204] {
            assert_eq!(of(status, None), Verdict::Delivered);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(of(status, None), Verdict::Later { after: None, .. }), "{status}");
        }
        for status in [301, 307, 400, 401, 403, 404, 413, 422] {
            assert!(matches!(of(status, None), Verdict::Never(_)), "{status}");
        }
        assert!(matches!(verdict(&Answer::Lost("reset".into()), SystemTime::now()), Verdict::Later { .. }));
        assert!(matches!(verdict(&Answer::Denied("no".into()), SystemTime::now()), Verdict::Never(_)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let after = |text| match of(503, Some(text)) {
            Verdict::Later { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("Tue, 15 Nov 1994 08:12:31 GMT"), Some(Duration::from_secs(1)));
        assert_eq!(after("Tue, 15 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "a date in the past");
        assert_eq!(after("99999999999"), Some(WAIT_MAX));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }
}

//! What is said of a request that took too long (Connect's StagedTimeoutException).

use std::time::SystemTime;

use jiff::Timestamp;

use weir_core::herder::Stage;

/// As Java prints an instant of whole milliseconds.
fn instant(at: SystemTime) -> String {
    let millis = Timestamp::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok());
    millis.map_or_else(|| "an unknown time".to_owned(), |millis| millis.to_string())
}

/// A stage, in Connect's words.
pub fn said(stage: &Stage) -> String {
    let (what, began) = (&stage.what, instant(stage.began));
    match stage.completed {
        None => format!("The worker is currently {what}, which began at {began}."),
        Some(completed) => format!(
            "The last operation the worker completed was {what}, which began at {began} and completed at {}.",
            instant(completed)
        ),
    }
}

/// A message, and where what the worker is at is known, that too.
pub fn with(message: &str, stage: Option<&Stage>) -> String {
    stage.map_or_else(|| message.to_owned(), |stage| format!("{message} {}", said(stage)))
}

/// What is said of a request that timed out, by its own stage while it has one, and else by the herder's.
pub fn timed_out(own: Option<Stage>, herders: Option<Stage>) -> String {
    match own.filter(|stage| stage.completed.is_none()).or(herders) {
        Some(stage) => format!("Request timed out. {}", said(&stage)),
        None => "Request timed out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_request_that_took_too_long_says_what_the_worker_was_at() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let stage = |what: &str, completed| Some(Stage { what: what.into(), began: at(1_500), completed });
        assert_eq!(timed_out(None, None), "Request timed out");
        let current = "Request timed out. The worker is currently reading, which began at 1970-01-01T00:00:01.5Z.";
        assert_eq!(timed_out(stage("validating", Some(at(3_000))), stage("reading", None)), current);
        let last = "Request timed out. The last operation the worker completed was reading, which began at \
                    1970-01-01T00:00:01.5Z and completed at 1970-01-01T00:00:03Z.";
        assert_eq!(timed_out(None, stage("reading", Some(at(3_000)))), last);
        assert!(timed_out(stage("validating", None), stage("reading", None)).contains("currently validating"));
    }
}

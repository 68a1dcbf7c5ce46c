//! Requests to a worker, as curl would send them.

use std::time::Duration;

use serde_json::Value;

/// What was answered; status 0 when nobody answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Sends a request with a body of a media type, or with none.
pub fn request(method: &str, url: &str, body: Option<(&str, &[u8])>) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(100)))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let answer = match body {
        Some((media, bytes)) => agent.run(request.header("content-type", media).body(bytes).expect("a request")),
        None => agent.run(request.body(()).expect("a request")),
    };
    match answer {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            Answer { status, text: answer.body_mut().read_to_string().unwrap_or_default() }
        }
        Err(_) => Answer { status: 0, text: String::new() },
    }
}

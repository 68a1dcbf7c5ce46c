//! A sink that posts batches of records as JSON to one URL, over wasi:http. The URL's endpoint is all that its sandbox
//! opens. What the server cannot take now is offered again; what it refuses fails the task.

mod answer;
mod json;
mod post;

use std::time::Duration;

use weir_sdk::prelude::*;

use answer::{Verdict, verdict};
use post::{Post, Web};

/// The connector: every task posts by itself.
pub struct HttpSink(Config);

impl SinkConnector for HttpSink {
    type Task = HttpTask<Web>;

    fn class() -> Class {
        Class::new("example.HttpSink", env!("CARGO_PKG_VERSION"))
            .doc("Posts batches of records as a JSON array to a URL.")
            .key(
                Key::text("url")
                    .endpoint(Endpoint::Url)
                    .importance(Importance::High)
                    .doc("Where to post to; http or https. Redirects are not followed."),
            )
            .key(
                Key::int("batch.max.records")
                    .default(500)
                    .between(1.0, 100_000.0)
                    .doc("At most so many records go into one request."),
            )
            .key(
                Key::text("content")
                    .default("records")
                    .one_of(&["records", "values"])
                    .recommended(|_| Recommended::values(["records", "values"]))
                    .doc("Whether the array holds whole records, or their values only."),
            )
            .key(
                Key::long("request.timeout.ms")
                    .default(30_000)
                    .between(1.0, 100_000.0)
                    .doc("How long to wait for a connection, and then for each part of an answer."),
            )
            .key(
                Key::password("authorization")
                    .optional()
                    .doc("The Authorization header, such as Bearer and a token; none when not set."),
            )
    }

    fn start(config: Config) -> Result<Self> {
        Ok(HttpSink(config))
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone(); max_tasks as usize])
    }
}

/// The wait after a first failed try, and what it doubles to, where the server does not say.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The task.
pub struct HttpTask<P> {
    post: P,
    url: String,
    whole: bool,
    records_max: usize,
    backoff: Duration,
}

impl<P: Post> HttpTask<P> {
    fn new(config: &Config, post: P) -> Result<Self> {
        Ok(HttpTask {
            post,
            url: config.text("url")?.to_owned(),
            whole: config.text("content")? == "records",
            records_max: config.parse::<usize>("batch.max.records")?.max(1),
            backoff: BACKOFF.0,
        })
    }
}

impl SinkTask for HttpTask<Web> {
    fn start(config: Config) -> Result<Self> {
        let timeout = Duration::from_millis(config.parse("request.timeout.ms")?);
        let web = Web::new(config.text("url")?, config.get("authorization"), timeout)?;
        HttpTask::new(&config, web)
    }

    fn put(&mut self, batch: &SinkBatch) -> Result<Delivery> {
        self.deliver(batch)
    }
}

impl<P: Post> HttpTask<P> {
    /// Posts a batch in pieces; the first that does not get through, and all after it, are to be offered again.
    fn deliver(&mut self, batch: &SinkBatch) -> Result<Delivery> {
        let records: Vec<_> = batch.iter().collect();
        for (number, piece) in records.chunks(self.records_max).enumerate() {
            let answer = self.post.post(json::body(piece, self.whole)?);
            match verdict(&answer, std::time::SystemTime::now()) {
                Verdict::Delivered => self.backoff = BACKOFF.0,
                Verdict::Later { after, reason } => {
                    let after = after.unwrap_or(self.backoff);
                    self.backoff = (self.backoff * 2).min(BACKOFF.1);
                    let reason = format!("{}: {reason}", self.url);
                    return Ok(Delivery::all().retry_from(number * self.records_max, Some(after), reason));
                }
                Verdict::Never(reason) => return Err(Error::fatal(format!("{}: {reason}", self.url))),
            }
        }
        Ok(Delivery::all())
    }
}

weir_sdk::export!(sinks: [HttpSink]);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::answer::Answer;

    /// Answers as it was told, and keeps what it was sent.
    struct Told {
        answers: VecDeque<Answer>,
        bodies: Vec<String>,
    }

    impl Post for Told {
        fn post(&mut self, body: Vec<u8>) -> Answer {
            self.bodies.push(String::from_utf8(body).unwrap());
            self.answers.pop_front().unwrap()
        }
    }

    fn task(records_max: usize, answers: Vec<Answer>) -> HttpTask<Told> {
        let entries = [("url", "http://h/x"), ("content", "values"), ("batch.max.records", &records_max.to_string())];
        let config = Config::new(entries).with_defaults(&HttpSink::class());
        HttpTask::new(&config, Told { answers: answers.into(), bodies: vec![] }).unwrap()
    }

    fn status(status: u16) -> Answer {
        Answer::Status { status, retry_after: None, body: String::new() }
    }

    fn batch(values: &[&str]) -> SinkBatch {
        let values: Vec<Data> = values.iter().map(|text| Data::text(*text)).collect();
        SinkBatch::of_values("t", 0, 0, &values).unwrap()
    }

    #[test]
    fn a_batch_goes_out_in_pieces_and_the_rest_waits_for_a_server_that_is_down() {
        let mut task = task(2, vec![status(200), status(503)]);
        let delivery = task.deliver(&batch(&["a", "b", "c", "d", "e"])).unwrap();
        assert_eq!(task.post.bodies, [r#"["a","b"]"#, r#"["c","d"]"#]);
        let retry = delivery.retry().expect("the rest is offered again");
        assert_eq!((retry.from, retry.after), (2, Some(BACKOFF.0)));
        assert_eq!(retry.reason, "http://h/x: the server answered 503");
    }

    #[test]
    fn waits_double_until_something_gets_through() {
        let mut task = task(9, vec![status(500), Answer::Lost("reset".into()), status(204), status(429)]);
        let mut wait = || task.deliver(&batch(&["a"])).unwrap().retry().and_then(|retry| retry.after);
        assert_eq!([wait(), wait()], [Some(BACKOFF.0), Some(BACKOFF.0 * 2)]);
        assert_eq!([wait(), wait()], [None, Some(BACKOFF.0)]);
    }

    #[test]
    fn what_the_server_refuses_fails_the_task_and_is_named() {
        let answer = Answer::Status { status: 422, retry_after: None, body: "no such field".into() };
        let error = task(9, vec![answer]).deliver(&batch(&["a"])).unwrap_err();
        assert_eq!(error, Error::fatal("http://h/x: the server answered 422: no such field"));
    }

    #[test]
    fn nothing_is_posted_when_nothing_came() {
        let mut task = task(9, vec![]);
        assert!(task.deliver(&batch(&[])).unwrap().retry().is_none());
    }
}

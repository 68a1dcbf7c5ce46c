//! Asks every worker all the while, as a client who must get an answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_tests::harness::polling::Repeated;

use super::super::answered;

/// The longest that anybody may have to wait for an answer: a request waits ten seconds for the end of a round before it
/// is refused, and goes over two hops at most.
const SILENCE: Duration = Duration::from_secs(25);
/// The pace of questions.
const PACE: Duration = Duration::from_millis(100);

/// What is asked of workers while faults happen.
pub struct Watch {
    shared: Arc<Mutex<Shared>>,
    asks: Vec<Repeated>,
    /// A connector that is there all the while.
    name: String,
    writes: bool,
}

#[derive(Default)]
struct Shared {
    /// The lives of workers that are asked, by URL.
    asked: BTreeMap<String, u64>,
    lives: u64,
    answers: usize,
    amiss: Vec<String>,
}

impl Watch {
    /// Begins to ask these workers, also about a connector that is there. With `writes` they are asked to write, too,
    /// which only the leader does: so the group has to have a broker.
    pub fn over(urls: &[String], name: &str, writes: bool) -> Watch {
        let mut watch = Watch { shared: Arc::default(), asks: Vec::new(), name: name.to_owned(), writes };
        urls.iter().for_each(|url| watch.ask(url));
        watch
    }

    /// Asks one more.
    pub fn ask(&mut self, url: &str) {
        let life = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.lives += 1;
            let life = shared.lives;
            shared.asked.insert(url.to_owned(), life);
            life
        };
        let mut questions = vec![
            ("GET", "/connectors".to_owned(), vec![200]),
            ("GET", format!("/connectors/{}/status", self.name), vec![200]),
            ("GET", "/connectors/none".to_owned(), vec![404]),
            ("POST", "/connectors/none/restart".to_owned(), vec![404, 409]),
        ];
        if self.writes {
            questions.push(("PUT", format!("/connectors/{}/resume", self.name), vec![202, 409]));
        }
        let (shared, url) = (self.shared.clone(), url.to_owned());
        let mut next = 0;
        self.asks.push(Repeated::every(PACE, move || {
            let is_asked = |shared: &Shared| shared.asked.get(&url) == Some(&life);
            if !is_asked(&shared.lock().unwrap_or_else(PoisonError::into_inner)) {
                return false;
            }
            let (method, path, expected) = &questions[next % questions.len()];
            next += 1;
            let began = Instant::now();
            let answer = answered(method, &format!("{url}{path}"), None);
            let took = began.elapsed();
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody answers for a worker that was killed meanwhile.
            if !is_asked(&shared) {
                return false;
            }
            shared.answers += 1;
            // As in Connect: the leader to which it was sent on may be gone, and nobody knows yet.
            let gone = answer.status == 500 && answer.text.contains("IO Error trying to forward REST request");
            if took > SILENCE || !(expected.contains(&answer.status) || gone) {
                shared.amiss.push(format!("{method} {url}{path} after {took:?}: {answer:?}"));
            }
            true
        }));
    }

    /// Asks a worker no more: it is about to be killed, or to be stopped in the middle of what it does.
    pub fn ask_no_more(&self, url: &str) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).asked.remove(url);
    }

    /// Ends; fails the test if anything was answered that should not have been, or late.
    pub fn end(self) {
        self.asks.into_iter().for_each(Repeated::end);
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(shared.amiss.is_empty(), "of {} answers: {:#?}", shared.answers, shared.amiss);
        assert!(shared.answers > 10, "only {} answers came", shared.answers);
    }
}

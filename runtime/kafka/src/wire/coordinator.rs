//! The coordinator of a worker group on Kafka.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use weir_core::model::Problem;
use weir_core::observe::ClientStats;
use weir_core::port::{ClientSettings, Coordinator, Joined, MemberId, Refused};

use super::connection::{Connection, Lead};
use super::errors::{self, Trouble, refused};
use super::messages::{Api, FindCoordinator, Heartbeat, JoinGroup, LeaveGroup, Request, SyncGroup};
use super::settings::Settings;

/// A join is answered when the round is over, for which the coordinator waits as long as the rebalance time-out says.
const JOIN_LAPSE: Duration = Duration::from_secs(5);

/// The coordinator of a group of workers, as one member speaks to it. Nothing connects before [`Coordinator::find`].
///
/// Each call takes a connection of its own for as long as it lasts, so that a heartbeat does not stand behind a sync that
/// waits for the leader, and a call that is dropped takes its connection with it. There are two at most, as a rule.
pub struct KafkaCoordinator {
    settings: Settings,
    /// Which of the servers is asked first.
    first: AtomicUsize,
    found: Mutex<Option<Arc<Found>>>,
    /// What was last said in the log; while it is the same it is not said again.
    said: Mutex<String>,
}

/// A coordinator that was found.
struct Found {
    host: String,
    port: u16,
    node: String,
    idle: Mutex<Vec<Connection>>,
    /// Whether the next connection takes the place of one whose login was over.
    login_over: AtomicBool,
    /// It is no longer the coordinator.
    over: CancellationToken,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KafkaCoordinator {
    /// A member as a worker's file describes it: `bootstrap.servers`, `group.id`, `client.id`, the time-outs of sessions,
    /// rebalances and requests, `security.protocol`, `sasl.*` and `ssl.*`. Stores of keys are read at once. Connect
    /// calls a worker without `client.id` `connect-` and its advertised host and port, which only the worker knows.
    pub fn new(worker: &ClientSettings) -> Result<KafkaCoordinator, Vec<Problem>> {
        let settings = Settings::parse(worker)?;
        let (first, found, said) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Ok(KafkaCoordinator { settings, first, found, said })
    }

    /// The member, counting in samples of this length, not of Kafka's default.
    pub fn sampled(mut self, sample: Duration) -> KafkaCoordinator {
        self.settings.stats = Arc::new(ClientStats::new(self.settings.client.clone(), sample));
        self
    }

    fn say(&self, what: &str) {
        let mut said = locked(&self.said);
        if *said == what {
            debug!("{what}");
        } else {
            warn!("{what}");
            *said = what.to_string();
        }
    }

    /// Asks one server who the coordinator is, and connects to that.
    async fn find_by(&self, index: usize) -> Result<Found, Lookup> {
        let (host, port) = &self.settings.servers[index];
        // As Java's clients name servers of which they know no id.
        let node = format!("node--{}", index + 1);
        let lead = Lead { host, port: *port, node: &node, again: false };
        let (settings, group) = (&self.settings, self.settings.group.as_str());
        let mut asked = Connection::open(settings, lead).await?;
        let answer = asked.call(&FindCoordinator { group }, settings.request).await?;
        if answer.error != errors::NONE {
            return Err(Lookup::Answered(refused(Api::FindCoordinator, answer.error, group)));
        }
        let Ok(port) = u16::try_from(answer.port) else {
            return Err(Trouble::NotKafka(format!("{} names a port that is none", asked.peer())).into());
        };
        // A coordinator has a connection of its own in Java's clients, and a number of its own for it.
        let (host, node) = (answer.host, format!("node-{}", i32::MAX.saturating_sub(answer.node)));
        let lead = Lead { host: &host, port, node: &node, again: false };
        let connection = Connection::open(settings, lead).await.map_err(|trouble| match trouble {
            Trouble::Denied(_) => Lookup::Trouble(trouble),
            // What another broker says of it may be old.
            Trouble::Unreachable(why) | Trouble::NotKafka(why) => {
                self.say(&format!("the coordinator of group {group} is not reached: {why}"));
                Lookup::Answered(Refused::NoCoordinator)
            }
        })?;
        debug!(group, coordinator = connection.peer(), "coordinator found");
        let (idle, over) = (Mutex::new(vec![connection]), CancellationToken::new());
        Ok(Found { host, port, node, idle, login_over: AtomicBool::new(false), over })
    }

    fn current(&self) -> Option<Arc<Found>> {
        locked(&self.found).clone()
    }

    /// What is asked of it elsewhere is over, too.
    fn forget(&self, found: &Arc<Found>) {
        let mut current = locked(&self.found);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, found)) {
            *current = None;
        }
        found.over.cancel();
        locked(&found.idle).clear();
    }

    /// Asks the coordinator, with what an error in its answer says.
    async fn ask<R: Request>(
        &self,
        request: &R,
        within: Duration,
        error: impl Fn(&R::Answer) -> i16 + Send + Sync,
    ) -> Result<R::Answer, Refused> {
        let Some(found) = self.current() else { return Err(Refused::NoCoordinator) };
        let answer = tokio::select! {
            biased;
            () = found.over.cancelled() => return Err(Refused::NoCoordinator),
            answer = found.ask(&self.settings, request, within) => answer,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(Trouble::Denied(why)) => return Err(Refused::Fatal(why)),
            Err(trouble) => {
                self.say(&format!("the coordinator of group {} is lost: {trouble}", self.settings.group));
                self.forget(&found);
                return Err(Refused::NoCoordinator);
            }
        };
        let code = error(&answer);
        // A join that asks for another try brings the id for it.
        if code == errors::NONE || (code == errors::MEMBER_ID_REQUIRED && R::API == Api::JoinGroup) {
            return Ok(answer);
        }
        let refused = refused(R::API, code, &self.settings.group);
        debug!(group = self.settings.group, api = ?R::API, error = errors::name(code), "refused");
        if refused == Refused::NoCoordinator {
            self.forget(&found);
        }
        Err(refused)
    }
}

/// Why a server did not lead to a coordinator.
enum Lookup {
    Trouble(Trouble),
    /// A broker that is well said so.
    Answered(Refused),
}

impl From<Trouble> for Lookup {
    fn from(trouble: Trouble) -> Lookup {
        Lookup::Trouble(trouble)
    }
}

impl Found {
    async fn ask<R: Request>(&self, settings: &Settings, request: &R, within: Duration) -> Result<R::Answer, Trouble> {
        let mut connection = match self.take_idle(settings.idle) {
            Some(connection) => connection,
            None => {
                let again = self.login_over.swap(false, Ordering::Relaxed);
                Connection::open(settings, Lead { host: &self.host, port: self.port, node: &self.node, again }).await?
            }
        };
        let answer = connection.call(request, within).await?;
        locked(&self.idle).push(connection);
        Ok(answer)
    }

    /// A connection that nobody uses; those that are of no more use are closed.
    fn take_idle(&self, idle_max: Option<Duration>) -> Option<Connection> {
        let mut idle = locked(&self.idle);
        if idle.iter().any(Connection::is_login_over) {
            self.login_over.store(true, Ordering::Relaxed);
        }
        idle.retain_mut(|connection| connection.is_usable(idle_max));
        idle.pop()
    }
}

#[async_trait]
impl Coordinator for KafkaCoordinator {
    fn client(&self) -> Arc<ClientStats> {
        self.settings.stats.clone()
    }

    async fn find(&self) -> Result<(), Refused> {
        if let Some(former) = self.current() {
            self.forget(&former);
        }
        let servers = &self.settings.servers;
        let first = self.first.load(Ordering::Relaxed);
        let (mut away, mut wrong) = (Vec::new(), None);
        for index in (0..servers.len()).map(|nth| (first + nth) % servers.len()) {
            let trouble = match self.find_by(index).await {
                Ok(found) => {
                    self.first.store(index, Ordering::Relaxed);
                    locked(&self.said).clear();
                    if let Some(former) = locked(&self.found).replace(Arc::new(found)) {
                        former.over.cancel();
                    }
                    return Ok(());
                }
                Err(Lookup::Answered(refused)) => {
                    // Next time another one is asked: this one may have heard nothing for long.
                    self.first.store((index + 1) % servers.len(), Ordering::Relaxed);
                    return Err(refused);
                }
                Err(Lookup::Trouble(trouble)) => trouble,
            };
            match trouble {
                Trouble::Unreachable(why) => away.push(why),
                Trouble::NotKafka(why) | Trouble::Denied(why) => wrong = Some(why),
            }
        }
        // A server that is not there may come back; one that answers wrongly stands in the configuration.
        if let Some(why) = wrong {
            return Err(Refused::Fatal(format!("bootstrap server {why}")));
        }
        self.say(&format!("no bootstrap server answers: {}", away.join("; ")));
        Err(Refused::NoCoordinator)
    }

    async fn join(&self, member: &str, protocols: &[(String, Vec<u8>)]) -> Result<Joined, Refused> {
        let settings = &self.settings;
        let request = JoinGroup {
            group: &settings.group,
            session_ms: millis(settings.session),
            rebalance_ms: millis(settings.rebalance),
            member,
            protocols,
        };
        let within = settings.request.max(settings.rebalance + JOIN_LAPSE);
        let joined = self.ask(&request, within, |answer| answer.error).await?;
        if joined.error == errors::MEMBER_ID_REQUIRED {
            return Err(Refused::IdRequired(joined.member));
        }
        let (member, generation, protocol) = (joined.member, joined.generation, joined.protocol);
        Ok(Joined { member, generation, protocol, leader: joined.leader, members: joined.members })
    }

    async fn sync(&self, id: &MemberId, assignments: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Refused> {
        let group = &self.settings.group;
        let request = SyncGroup { group, generation: id.generation, member: &id.member, assignments };
        Ok(self.ask(&request, self.settings.request, |answer| answer.error).await?.assignment)
    }

    async fn heartbeat(&self, id: &MemberId) -> Result<(), Refused> {
        let request = Heartbeat { group: &self.settings.group, generation: id.generation, member: &id.member };
        self.ask(&request, self.settings.request, |error| *error).await.map(drop)
    }

    async fn leave(&self, member: &str) {
        let request = LeaveGroup { group: &self.settings.group, member };
        if let Err(refused) = self.ask(&request, self.settings.request, |error| *error).await {
            debug!(group = self.settings.group, ?refused, "the coordinator takes no note that a member leaves");
        }
    }
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

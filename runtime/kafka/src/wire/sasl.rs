//! Logging in on a connection, before anything else is asked.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::connection::Connection;
use super::errors::{self, Trouble};
use super::messages::{SaslAuthenticate, SaslHandshake};
use super::scram::Scram;
use super::settings::{Login, Mechanism};

const NONCE_BYTES: usize = 24;

/// Logs in; says for how long that is good, if not for ever.
pub(super) async fn log_in(
    connection: &mut Connection,
    login: &Login,
    within: Duration,
) -> Result<Option<Duration>, Trouble> {
    let mechanism = login.mechanism.name();
    let agreed = connection.call(&SaslHandshake { mechanism }, within).await?;
    if agreed.error == errors::UNSUPPORTED_SASL_MECHANISM {
        let known = agreed.mechanisms.join(", ");
        let peer = connection.peer();
        return Err(Trouble::Denied(format!("{peer} does not know {mechanism}; set sasl.mechanism to one of {known}")));
    }
    if agreed.error == errors::ILLEGAL_SASL_STATE {
        let peer = connection.peer();
        return Err(Trouble::Denied(format!(
            "{peer} asks nobody to log in; set security.protocol without SASL, or name a listener of SASL in bootstrap.servers"
        )));
    }
    if agreed.error != errors::NONE {
        return Err(denied(connection, login, agreed.error, ""));
    }
    let mut step = Step { connection, login, within };
    let lifetime_ms = match login.mechanism {
        Mechanism::Plain => step.say(format!("\0{}\0{}", login.user, login.password)).await?.1,
        Mechanism::Scram(_, digest) => {
            let mut nonce = [0; NONCE_BYTES];
            openssl::rand::rand_bytes(&mut nonce).map_err(|e| Trouble::Denied(format!("OpenSSL: {e}")))?;
            let scram = Scram::new(digest(), &login.user, &login.password, &BASE64_STANDARD.encode(nonce));
            let (first, _) = step.say(scram.first()).await?;
            // Thousands of rounds of hashing are nothing for a thread of tokio.
            let proven = tokio::task::spawn_blocking(move || scram.prove(&first)).await;
            let proven = proven.unwrap_or_else(|e| Err(e.to_string()));
            let proof = proven.map_err(|why| step.not_spoken(&why))?;
            let (last, lifetime_ms) = step.say(proof.message.clone()).await?;
            if !proof.is_answered_by(&last) {
                let peer = step.connection.peer();
                return Err(Trouble::Denied(format!(
                    "{peer} does not know the password of {}: it is not the broker that the user belongs to",
                    login.user
                )));
            }
            lifetime_ms
        }
    };
    Ok(u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis))
}

struct Step<'a> {
    connection: &'a mut Connection,
    login: &'a Login,
    within: Duration,
}

impl Step<'_> {
    /// Says one thing and hears one, and how long the login is good if this was the last.
    async fn say(&mut self, token: String) -> Result<(String, i64), Trouble> {
        let answer = self.connection.call(&SaslAuthenticate { token: token.into_bytes() }, self.within).await?;
        if answer.error != errors::NONE {
            return Err(denied(self.connection, self.login, answer.error, &answer.message));
        }
        let heard = String::from_utf8(answer.token).map_err(|_| self.not_spoken("its message is no text"))?;
        Ok((heard, answer.lifetime_ms))
    }

    fn not_spoken(&self, why: &str) -> Trouble {
        Trouble::NotKafka(format!("{} does not speak {}: {why}", self.connection.peer(), self.login.mechanism.name()))
    }
}

fn denied(connection: &Connection, login: &Login, code: i16, said: &str) -> Trouble {
    let (peer, mechanism, user) = (connection.peer(), login.mechanism.name(), &login.user);
    let code = errors::name(code);
    let said = if said.is_empty() { &code } else { said };
    Trouble::Denied(format!(
        "{peer} refused user {user} by {mechanism} ({code}: {said}); check username and password in sasl.jaas.config, and that brokers know the user for {mechanism}"
    ))
}

//! What fuzz targets run of this protocol.

use openssl::hash::MessageDigest;

use super::frame::{Malformed, Reader};
use super::messages::*;
use super::scram::Scram;

fn with<R: Request>(asked: u8, answer: &[u8]) -> String {
    let versions = R::API.versions();
    let version = versions.start() + i16::from(asked >> 4) % (versions.end() - versions.start() + 1);
    match R::read(version, &mut Reader(answer)) {
        Ok(_) => format!("{:?} fine", R::API),
        Err(Malformed) => format!("{:?} malformed", R::API),
    }
}

/// Reads an answer to what a number stands for.
pub(crate) fn read(asked: u8, answer: &[u8]) -> String {
    match asked % 8 {
        0 => with::<ApiVersions>(asked, answer),
        1 => with::<SaslHandshake>(asked, answer),
        2 => with::<SaslAuthenticate>(asked, answer),
        3 => with::<FindCoordinator>(asked, answer),
        4 => with::<JoinGroup>(asked, answer),
        5 => with::<SyncGroup>(asked, answer),
        6 => with::<Heartbeat>(asked, answer),
        _ => with::<LeaveGroup>(asked, answer),
    }
}

/// A login as far as a server's two messages bring it.
pub(crate) fn log_in(digest: MessageDigest, first: &str, last: &str) -> String {
    let scram = Scram::new(digest, "user", "pencil", "nonce");
    match scram.prove(first) {
        Ok(proof) => format!("proven {}", proof.is_answered_by(last)),
        Err(why) => why,
    }
}

//! Pure. SCRAM (RFC 5802, RFC 7677) as Kafka speaks it: without channel binding, and names and passwords as they are
//! written, without SASLprep.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// As Java: less is not worth the name.
const ITERATIONS_MIN: usize = 4096;
/// More would keep a thread busy for seconds. Kafka itself takes 16,384.
const ITERATIONS_MAX: usize = 1_000_000;
/// `n,,`, which says that there is no channel binding.
const NO_BINDING: &str = "biws";

/// The client's side of one login.
pub(super) struct Scram {
    digest: MessageDigest,
    password: String,
    nonce: String,
    first: String,
}

/// What the client answers to the server's first message.
#[derive(Debug)]
pub(super) struct Proof {
    /// The client's last message.
    pub(super) message: String,
    /// What a server says that knows the password, too.
    signature: Vec<u8>,
}

impl Scram {
    /// A login with a nonce that was never used before; a nonce holds no comma.
    pub(super) fn new(digest: MessageDigest, user: &str, password: &str, nonce: &str) -> Scram {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        Scram { digest, password: password.into(), nonce: nonce.into(), first }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// Answers the server's first message, or says what is wrong with it. Takes some milliseconds.
    pub(super) fn prove(&self, server_first: &str) -> Result<Proof, String> {
        let mut parts = server_first.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(iterations)) = (part("r="), part("s="), part("i=")) else {
            return Err("its first message is not one of SCRAM".into());
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("it answers another login".into());
        }
        let salt = BASE64_STANDARD.decode(salt).map_err(|_| "its salt is not base64")?;
        let iterations = iterations.parse().ok().filter(|i| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(i));
        let iterations = iterations
            .ok_or(format!("it asks for fewer than {ITERATIONS_MIN} or more than {ITERATIONS_MAX} rounds"))?;
        let without_proof = format!("c={NO_BINDING},r={nonce}");
        let exchanged = format!("{},{server_first},{without_proof}", self.first);
        let (proof, signature) = self.sign(&salt, iterations, &exchanged).map_err(|e| format!("OpenSSL: {e}"))?;
        let message = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof));
        Ok(Proof { message, signature })
    }

    fn sign(&self, salt: &[u8], iterations: usize, exchanged: &str) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
        let mut salted = vec![0; self.digest.size()];
        pbkdf2_hmac(self.password.as_bytes(), salt, iterations, self.digest, &mut salted)?;
        let client_key = self.hmac(&salted, b"Client Key")?;
        let stored_key = hash(self.digest, &client_key)?;
        let client_signature = self.hmac(&stored_key, exchanged.as_bytes())?;
        let server_key = self.hmac(&salted, b"Server Key")?;
        let proof = client_key.iter().zip(client_signature).map(|(key, signature)| key ^ signature).collect();
        Ok((proof, self.hmac(&server_key, exchanged.as_bytes())?))
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(self.digest, &key)?;
        signer.sign_oneshot_to_vec(message)
    }
}

impl Proof {
    /// Whether the server's last message is that of a server that knows the password.
    pub(super) fn is_answered_by(&self, server_last: &str) -> bool {
        let said = server_last.split(',').next().and_then(|part| part.strip_prefix("v="));
        let said = said.and_then(|said| BASE64_STANDARD.decode(said).ok());
        said.is_some_and(|said| said.len() == self.signature.len() && openssl::memcmp::eq(&said, &self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_login_of_rfc_7677_goes_as_it_says() {
        let scram = Scram::new(MessageDigest::sha256(), "user", "pencil", NONCE);
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let proof = scram.prove(FIRST).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
        assert!(!proof.is_answered_by("e=other-error"));
    }

    #[test]
    fn names_are_escaped() {
        let scram = Scram::new(MessageDigest::sha512(), "a=b,c", "p", "nonce");
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=nonce");
    }

    #[test]
    fn what_a_server_should_not_say_is_refused() {
        let scram = Scram::new(MessageDigest::sha256(), "user", "pencil", NONCE);
        for said in [
            "",
            "e=unknown-user",
            "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000000000",
        ] {
            assert!(scram.prove(said).is_err(), "{said}");
        }
    }
}

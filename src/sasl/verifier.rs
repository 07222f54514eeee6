//! What is kept instead of a password (RFC 5802 section 3), how it is made and checked, and what an account that does not
//! exist has in its place.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq as _;

use crate::jid::Jid;
use crate::sasl::Failure;
use crate::store::{Verifier, Verifiers};

/// PBKDF2 rounds of every verifier that is made. RFC 7677 section 4 asks for 4,096 at least; clients pay for each round at
/// every login, so it stays in the range that a phone does not feel.
///
/// An account that does not exist shows this number too: one made with another number can be told from it.
pub const ITERATIONS: NonZeroU32 = match NonZeroU32::new(10_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// The hash under a SCRAM mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// `H(data)`.
    pub(super) fn digest(self, data: &[u8]) -> digest::Digest {
        digest::digest(
            match self {
                Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Self::Sha256 => &digest::SHA256,
            },
            data,
        )
    }

    /// A key for `HMAC(key, …)`.
    pub(super) fn key(self, key: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::Key::new(algorithm, key)
    }

    /// Bytes of its output.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The verifier for this hash.
    pub(super) fn of(self, verifiers: &Verifiers) -> &Verifier {
        match self {
            Self::Sha1 => &verifiers.sha1,
            Self::Sha256 => &verifiers.sha256,
        }
    }

    /// `Hi(password, salt, iterations)`, then the key that proves the client.
    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> hmac::Key {
        let mut salted = [0; 32];
        let salted = &mut salted[..self.length()];
        let algorithm = match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        };
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), salted);
        self.key(salted)
    }

    /// `H(ClientKey)`.
    fn stored_key(self, salted: &hmac::Key) -> digest::Digest {
        self.digest(hmac::sign(salted, b"Client Key").as_ref())
    }

    /// What is stored for a password.
    pub(super) fn verifier(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Verifier {
        let salted = self.salted(password, salt, iterations);
        Verifier {
            salt: salt.into(),
            iterations: iterations.get(),
            stored_key: self.stored_key(&salted).as_ref().into(),
            server_key: hmac::sign(&salted, b"Server Key").as_ref().into(),
        }
    }
}

/// Prepares a password with SASLprep as a stored string (RFC 4013, RFC 5802 section 2.2), before it is hashed or checked.
///
/// # Errors
/// [`Failure::MalformedRequest`] if it is empty, holds a character that SASLprep forbids, or one that Unicode 3.2 did not
/// know yet: two clients could prepare such a one differently.
pub fn prepare_password(password: &str) -> Result<Box<str>, Failure> {
    match stringprep::saslprep(password) {
        Ok(prepared) if !prepared.is_empty() => Ok(prepared.into()),
        _ => Err(Failure::MalformedRequest),
    }
}

/// Makes what is stored for a prepared password. It takes milliseconds: never on a core's loop. The salts are fresh and random.
#[must_use]
pub fn make_verifiers(
    password: &str,
    salt_sha1: &[u8; SALT_BYTES],
    salt_sha256: &[u8; SALT_BYTES],
    iterations: NonZeroU32,
) -> Verifiers {
    Verifiers {
        sha1: Hash::Sha1.verifier(password, salt_sha1, iterations),
        sha256: Hash::Sha256.verifier(password, salt_sha256, iterations),
    }
}

/// True if the prepared password is the one that `verifiers` were made of. It takes milliseconds: never on a core's loop.
#[must_use]
pub fn check_password(password: &str, verifiers: &Verifiers) -> bool {
    let Verifier { salt, iterations, stored_key, .. } = &verifiers.sha256;
    let Some(iterations) = NonZeroU32::new(*iterations) else {
        return false;
    };
    let salted = Hash::Sha256.salted(password, salt, iterations);
    Hash::Sha256.stored_key(&salted).as_ref().ct_eq(stored_key).into()
}

/// Makes verifiers for accounts that do not exist, so that asking for one looks like asking for any other.
///
/// The secret must be kept: with a new one the salts of such accounts change, and those of real ones do not.
#[derive(Clone)]
pub struct FakeSecret(hmac::Key);

impl FakeSecret {
    /// Of 32 random bytes, the same on every shard and after every start.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hash::Sha256.key(secret))
    }

    /// The verifiers of an account that does not exist: the same at every call, and no password fits.
    #[must_use]
    pub fn verifiers(&self, account: &Jid) -> Verifiers {
        Verifiers { sha1: self.verifier(account, Hash::Sha1), sha256: self.verifier(account, Hash::Sha256) }
    }

    fn verifier(&self, account: &Jid, hash: Hash) -> Verifier {
        let part = |purpose: &str, length: usize| {
            let mut context = hmac::Context::with_key(&self.0);
            // The NUL keeps the fields apart: it stands in no JID.
            for field in [purpose, if hash == Hash::Sha1 { "SHA-1" } else { "SHA-256" }, account.bare_str()] {
                context.update(field.as_bytes());
                context.update(&[0]);
            }
            Box::from(&context.sign().as_ref()[..length])
        };
        Verifier {
            salt: part("salt", SALT_BYTES),
            iterations: ITERATIONS.get(),
            stored_key: part("stored key", hash.length()),
            server_key: part("server key", hash.length()),
        }
    }
}

// Who knows the secret can tell which accounts exist.
impl std::fmt::Debug for FakeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeSecret")
    }
}

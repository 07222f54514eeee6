//! The client's half of SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), with the salted password remembered.
//!
//! Ordinary clients keep the salted password too (RFC 5802 section 5.1), and a generator that ran PBKDF2 at each login
//! would measure itself. No channel binding: `n,,`. Passwords are ASCII, which SASLprep leaves as they are.

use std::collections::HashMap;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// The hash under the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// Salted passwords by what they were made of: hash, password, salt, iterations.
#[derive(Default)]
pub(crate) struct Salted(HashMap<(Hash, String, Vec<u8>, u32), Vec<u8>>);

/// One exchange, from `client-first-message` to the server's signature.
pub(crate) struct Exchange {
    hash: Hash,
    first_bare: String,
    nonce: String,
    server_signature: Vec<u8>,
}

impl Exchange {
    /// A new exchange with a random nonce of 18 bytes.
    pub(crate) fn new(hash: Hash, user: &str) -> Result<Self, String> {
        let mut bytes = [0_u8; 18];
        SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
        Ok(Self::with_nonce(hash, user, STANDARD.encode(bytes)))
    }

    fn with_nonce(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first_bare: format!("n={user},r={nonce}"), nonce, server_signature: Vec::new() }
    }

    /// `client-first-message`, in base64.
    pub(crate) fn first(&self) -> String {
        STANDARD.encode(format!("n,,{}", self.first_bare))
    }

    /// `client-final-message` in answer to the server's first one, both in base64.
    pub(crate) fn answer(&mut self, challenge: &[u8], password: &str, salted: &mut Salted) -> Result<String, String> {
        let server_first = decode(challenge)?;
        let field = |key: &str| {
            let found = server_first.split(',').find_map(|f| f.strip_prefix(key));
            found.ok_or_else(|| format!("the challenge has no {key} ({server_first})"))
        };
        let (nonce, salt) = (field("r=")?, field("s=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the challenge does not continue our nonce".to_owned());
        }
        let salt = STANDARD.decode(salt).map_err(|_| format!("the salt is not base64: {salt}"))?;
        let iterations = field("i=")?.parse().ok().and_then(NonZeroU32::new);
        let iterations = iterations.ok_or("the challenge has no iteration count")?;
        let without_proof = format!("c=biws,r={nonce}");
        let authenticated = format!("{},{server_first},{without_proof}", self.first_bare);

        let salted = salted.get(self.hash, password, &salt, iterations);
        let client_key = self.hash.hmac(salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), &client_key);
        let signature = self.hash.hmac(stored_key.as_ref(), authenticated.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hash.hmac(salted, b"Server Key");
        self.server_signature = self.hash.hmac(&server_key, authenticated.as_bytes());
        Ok(STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof))))
    }

    /// Checks the server's signature, `server-final-message` in base64.
    pub(crate) fn verify(&self, success: &[u8]) -> Result<(), String> {
        let last = decode(success)?;
        let signature = last.split(',').find_map(|f| f.strip_prefix("v=")).and_then(|v| STANDARD.decode(v).ok());
        match signature {
            Some(found) if !found.is_empty() && found == self.server_signature => Ok(()),
            _ => Err(format!("the server does not know the password: its signature is wrong ({last})")),
        }
    }
}

impl Salted {
    fn get(&mut self, hash: Hash, password: &str, salt: &[u8], iterations: NonZeroU32) -> &[u8] {
        let key = (hash, password.to_owned(), salt.to_vec(), iterations.get());
        self.0.entry(key).or_insert_with(|| {
            let (algorithm, length) = match hash {
                Hash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
                Hash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            };
            let mut out = vec![0; length];
            pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut out);
            out
        })
    }
}

impl Hash {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }
}

fn decode(base64: &[u8]) -> Result<String, String> {
    let bytes = STANDARD.decode(base64.trim_ascii()).map_err(|e| format!("SASL data is not base64: {e}"))?;
    String::from_utf8(bytes).map_err(|_| "SASL data is not UTF-8".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Exchange, Hash, STANDARD, Salted};
    use base64::Engine as _;

    fn plays(hash: Hash, nonce: &str, server_first: &str, client_last: &str, server_last: &str) {
        let mut exchange = Exchange::with_nonce(hash, "user", nonce.to_owned());
        assert_eq!(STANDARD.decode(exchange.first()).unwrap(), format!("n,,n=user,r={nonce}").into_bytes());
        let mut salted = Salted::default();
        let answer = exchange.answer(STANDARD.encode(server_first).as_bytes(), "pencil", &mut salted).unwrap();
        assert_eq!(String::from_utf8(STANDARD.decode(answer).unwrap()).unwrap(), client_last);
        exchange.verify(STANDARD.encode(server_last).as_bytes()).unwrap();
        assert!(exchange.verify(STANDARD.encode("v=AAAA").as_bytes()).is_err());
        assert!(exchange.verify(b"").is_err());
    }

    #[test]
    fn rfc_5802_section_5() {
        plays(
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
    }

    #[test]
    fn rfc_7677_section_3() {
        plays(
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }

    #[test]
    fn a_foreign_nonce_is_refused() {
        let mut exchange = Exchange::with_nonce(Hash::Sha1, "user", "mine".to_owned());
        let challenge = STANDARD.encode("r=yours,s=QSXCR+Q6sek8bf92,i=4096");
        assert!(exchange.answer(challenge.as_bytes(), "pencil", &mut Salted::default()).is_err());
    }
}

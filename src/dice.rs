//! Unpredictable tokens from a seed: randomness is an argument, so a test replays and the program seeds from the system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// A stream of unpredictable bytes: HMAC-SHA-256 of a counter under a secret seed.
pub struct Dice {
    key: hmac::Key,
    thrown: u64,
}

impl Dice {
    /// Dice that fall as the seed says. The seed is secret and never used twice.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), thrown: 0 }
    }

    /// 32 unpredictable bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.thrown += 1;
        let tag = hmac::sign(&self.key, &self.thrown.to_be_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// 144 unpredictable bits as 24 characters that need no escaping anywhere.
    pub fn token(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(&self.bytes()[..18])
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dice")
    }
}

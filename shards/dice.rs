//! Random bytes from the operating system: seeds and secrets that the deciding side takes as arguments.

use ring::rand::{SecureRandom, SystemRandom};

/// Fresh random bytes.
///
/// # Panics
///
/// If the system has no random source: nothing that this server does is safe without one.
#[must_use]
pub(crate) fn roll<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    assert!(SystemRandom::new().fill(&mut bytes).is_ok(), "the system has no source of random bytes");
    bytes
}

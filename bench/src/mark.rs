//! What a text says of itself: the run it belongs to, who sent it, and which of his it is.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells a run's texts from those that wait from another.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    token: String,
}

impl Mark {
    /// The least length of a text in bytes: room for token, sender and number.
    pub(crate) const BYTES_MIN: usize = 48;

    /// A mark of this run, for one of its threads.
    pub(crate) fn new(thread: usize) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Self { token: format!("wb{:x}t{thread}", started & 0xffff_ffff_ffff) }
    }

    /// What no other run and no other thread of this one has: letters and digits.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Appends a text, filled up to `bytes`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, sender: usize, number: u64, bytes: usize) {
        let from = out.len();
        // Writing to a vector cannot fail.
        let _ = write!(out, "{} {sender} {number} ", self.token);
        out.resize((from + bytes).max(out.len()), b'.');
    }

    /// Sender and number of a text, if it is one of this mark.
    pub(crate) fn read(&self, text: &[u8]) -> Option<(usize, u64)> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.strip_prefix(&self.token)?.strip_prefix(' ')?.split(' ');
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;

    #[test]
    fn what_is_written_is_read() {
        let (mark, other) = (Mark::new(1), Mark::new(11));
        let mut text = Vec::new();
        mark.write(&mut text, 7, 12_345, 80);
        assert_eq!(text.len(), 80);
        assert_eq!(mark.read(&text), Some((7, 12_345)));
        assert_eq!(other.read(&text), None);
        assert_eq!(mark.read(b"hello"), None);
        assert_eq!(mark.read(&[0xff; 50]), None);
    }

    #[test]
    fn the_longest_fits() {
        let mut text = Vec::new();
        Mark::new(999).write(&mut text, 999_999, 99_999_999_999, Mark::BYTES_MIN);
        assert_eq!(text.len(), Mark::BYTES_MIN);
    }
}

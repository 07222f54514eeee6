//! The two clocks of a shard: one that never jumps, for deadlines, and one that people read, for stamps.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wattle::input::Now;

/// Reads both clocks. All shards copy one value, so that their milliseconds agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts to count.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since [`Clock::start`].
    pub(crate) fn mono_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Both clocks; a wall clock before 1970 reads as 0.
    pub(crate) fn now(&self) -> Now {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Now { mono_ms: self.mono_ms(), unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX) }
    }
}

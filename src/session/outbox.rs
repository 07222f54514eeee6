//! What a session still owes its client: written, unacknowledged, or not yet written (XEP-0198 sections 4 and 5).
//!
//! Without stream management a stanza is forgotten once it is written; with it, once the client acknowledged it.

use std::collections::VecDeque;

use crate::config::Limits;
use crate::effect::Effects;
use crate::input::Conn;
use crate::ns;
use crate::stanza::Stanza;

/// A stanza on its way to the client.
#[derive(Debug, Clone)]
pub struct Owed {
    /// The stanza.
    pub stanza: Stanza,
    /// When it was handed to the session, unix ms.
    pub at_ms: u64,
}

/// The queue is at `outbox_stanzas` or `outbox_bytes` of [`Limits`]. The stanza is in it all the same, so that what
/// ends the session finds it there.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// An `<a/>` that counts more than was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct TooHigh {
    /// What was sent.
    pub sent: u32,
}

/// The queue of one session.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Oldest first: with management the unacknowledged ones, and behind them those not yet written.
    queue: VecDeque<Owed>,
    /// How many at the front of `queue` were written on the connection of today.
    written: usize,
    bytes: usize,
    managed: bool,
    /// Stanzas acknowledged since management began, modulo 2^32.
    acknowledged: u32,
    /// An `<r/>` is under way: one is enough, its answer counts everything.
    requested: bool,
}

impl Outbox {
    /// Counting begins (XEP-0198 section 3). What was sent before does not count.
    pub fn manage(&mut self) {
        self.managed = true;
        self.acknowledged = 0;
    }

    /// True between `<enable/>` and the end of the session.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.managed
    }

    /// How many stanzas are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether it can owe so much more and stay below its bounds. One that owes nothing always can.
    #[must_use]
    pub fn has_room(&self, stanzas: usize, bytes: usize, limits: &Limits) -> bool {
        self.queue.is_empty()
            || (self.queue.len() + stanzas < limits.outbox_stanzas && self.bytes + bytes < limits.outbox_bytes)
    }

    /// Owes a stanza, and writes it if `to` can take it.
    ///
    /// # Errors
    /// [`Full`] at the bound: the session must end.
    pub fn push(&mut self, owed: Owed, to: Option<Conn>, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        if let Some(conn) = to
            && self.written == self.queue.len()
        {
            effects.send(conn, |out| owed.stanza.write_to(out));
            if !self.managed {
                return Ok(());
            }
            self.written += 1;
        }
        self.bytes += owed.stanza.weight();
        self.queue.push_back(owed);
        if self.queue.len() >= limits.outbox_stanzas || self.bytes >= limits.outbox_bytes {
            return Err(Full);
        }
        Ok(())
    }

    /// Writes what was not written yet.
    pub fn flush(&mut self, conn: Conn, effects: &mut Effects) {
        for owed in self.queue.iter().skip(self.written) {
            effects.send(conn, |out| owed.stanza.write_to(out));
        }
        if self.managed {
            self.written = self.queue.len();
        } else {
            self.queue.clear();
            self.bytes = 0;
        }
    }

    /// Asks for an acknowledgement if something waits for one and none is asked for.
    pub fn request(&mut self, conn: Conn, effects: &mut Effects) {
        if self.managed && !self.requested && self.written > 0 {
            self.requested = true;
            effects.send(conn, |out| {
                out.extend_from_slice(b"<r xmlns='");
                out.extend_from_slice(ns::SM.as_bytes());
                out.extend_from_slice(b"'/>");
            });
        }
    }

    /// The client handled `handled` stanzas in all.
    ///
    /// # Errors
    /// [`TooHigh`] if fewer were sent.
    pub fn acknowledge(&mut self, handled: u32) -> Result<(), TooHigh> {
        let news = handled.wrapping_sub(self.acknowledged) as usize;
        if news > self.written {
            return Err(TooHigh { sent: self.acknowledged.wrapping_add(self.written as u32) });
        }
        for owed in self.queue.drain(..news) {
            self.bytes -= owed.stanza.weight();
        }
        self.written -= news;
        self.acknowledged = handled;
        self.requested = false;
        if self.queue.is_empty() {
            // An idle session owns no queue memory.
            self.queue.shrink_to(0);
        }
        Ok(())
    }

    /// The connection is gone: nothing counts as written on the next one.
    pub fn disconnect(&mut self) {
        self.written = 0;
        self.requested = false;
    }

    /// On a resumed stream: forgets what the client handled and writes the rest again (XEP-0198 section 5).
    ///
    /// # Errors
    /// [`TooHigh`] if the client counts more than was ever sent.
    pub fn resume(&mut self, handled: u32) -> Result<(), TooHigh> {
        // What was queued while detached counts as sent for the check: the client cannot have it, but a count in that range
        // can come only from a stanza that was written.
        self.written = self.queue.len();
        let outcome = self.acknowledge(handled);
        self.written = 0;
        outcome
    }

    /// Whether a stanza like this is still owed.
    #[must_use]
    pub fn owes(&self, like: impl Fn(&Stanza) -> bool) -> bool {
        self.queue.iter().any(|owed| like(&owed.stanza))
    }

    /// Gives up: everything that is still owed.
    pub fn take(&mut self) -> VecDeque<Owed> {
        self.written = 0;
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}

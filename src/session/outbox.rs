//! What a session still owes its client: written, unacknowledged, or not yet written (XEP-0198 sections 4 and 5).
//!
//! Without stream management a stanza is forgotten once it is written; with it, once the client acknowledged it. A message
//! that is not stored yet is held, and what comes behind it waits with it: the order is kept, and nobody reads what a crash
//! could take back.

use std::collections::VecDeque;

use crate::config::Limits;
use crate::effect::Effects;
use crate::input::Conn;
use crate::ns;
use crate::stanza::Stanza;

/// A message that reached the account, as a session has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// Which: ascending for each account, and its place in the archive if it is stored.
    pub id: u64,
    /// It is stored, or will be.
    pub is_stored: bool,
    /// Something of it is not stored yet: nobody may read it.
    pub is_held: bool,
    /// The session has only a copy of it (XEP-0280).
    pub is_carbon: bool,
    /// In the store it waits for the account until the client has it.
    pub waits: bool,
}

/// A stanza on its way to the client.
#[derive(Debug, Clone)]
pub struct Owed {
    /// The stanza.
    pub stanza: Stanza,
    /// When it was handed to the session, unix ms.
    pub at_ms: u64,
    /// Which message of the account it is, if it is one.
    pub given: Option<Given>,
    /// Only its number is left of a stanza that was lost with the server.
    pub is_vacant: bool,
}

impl Owed {
    fn is_held(&self) -> bool {
        self.given.is_some_and(|given| given.is_held)
    }
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
    /// How many of `queue` are held, and their bytes.
    held: usize,
    held_bytes: usize,
    managed: bool,
    /// Stanzas acknowledged since management began, modulo 2^32.
    acknowledged: u32,
    /// An `<r/>` is under way: one is enough, its answer counts everything.
    requested: bool,
    /// It was stored, and the client did not come back yet. It may count stanzas of which nothing is known here, but none
    /// behind the first so many.
    restored: Option<usize>,
    /// Messages that waited in the store and were written without management: nobody was told yet.
    read: Vec<u64>,
}

/// Between the numbers of what the client may have got from a server that was lost and what came since: no client is so far
/// ahead of what is known.
pub const UNKNOWN: u32 = 1 << 24;

impl Outbox {
    /// A queue that was stored: the client had acknowledged so many, and may have got the first `written` of the queue.
    #[must_use]
    pub fn restored(acknowledged: u32, queue: VecDeque<Owed>, written: usize) -> Self {
        let bytes = queue.iter().map(|owed| owed.stanza.weight()).sum();
        Self { queue, bytes, managed: true, acknowledged, restored: Some(written), ..Self::default() }
    }

    /// Counting begins (XEP-0198 section 3). What was written before does not count.
    pub fn manage(&mut self) {
        self.managed = true;
        self.acknowledged = 0;
    }

    /// True between `<enable/>` and the end of the session.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.managed
    }

    /// Until the client comes back to a session that was stored: how many of those that are owed it may have got.
    #[must_use]
    pub fn restored_count(&self) -> Option<usize> {
        self.restored
    }

    /// How many stanzas are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many of them are not stored yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
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

    /// How many the client acknowledged, modulo 2^32.
    #[must_use]
    pub fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// The number that the client will give the newest stanza, modulo 2^32; above [`UNKNOWN`] more than what is acknowledged if
    /// nobody knows yet.
    #[must_use]
    pub fn newest_number(&self) -> u32 {
        let unknown = if self.restored.is_some() { UNKNOWN } else { 0 };
        self.acknowledged.wrapping_add(self.queue.len() as u32).wrapping_add(unknown)
    }

    /// What is owed, oldest first.
    pub fn owed(&self) -> impl DoubleEndedIterator<Item = &Owed> {
        self.queue.iter()
    }

    /// Owes a stanza, and writes it if `to` can take it and nothing is before it.
    ///
    /// # Errors
    /// [`Full`] at the bound: the session must end.
    pub fn push(&mut self, owed: Owed, to: Option<Conn>, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        if let Some(conn) = to
            && !owed.is_held()
            && self.written == self.queue.len()
        {
            effects.send(conn, |out| owed.stanza.write_to(out));
            if !self.managed {
                self.read.extend(waiting(&owed));
                return Ok(());
            }
            self.written += 1;
        }
        if owed.is_held() {
            self.held += 1;
            self.held_bytes += owed.stanza.weight();
        }
        self.bytes += owed.stanza.weight();
        self.queue.push_back(owed);
        self.check(limits)
    }

    /// What is held is not the client's doing, and bounded by what may be on its way into the store.
    fn check(&self, limits: &Limits) -> Result<(), Full> {
        let is_full = self.queue.len() - self.held >= limits.outbox_stanzas
            || self.bytes - self.held_bytes >= limits.outbox_bytes;
        if is_full { Err(Full) } else { Ok(()) }
    }

    /// Whether the message of this id is here and not stored yet.
    #[must_use]
    pub fn holds(&self, id: u64) -> bool {
        self.held > 0 && self.owes(|given| given.is_held && given.id == id)
    }

    /// The message of this id is stored, or could not be and is taken back. True if that concerned this queue.
    pub fn decide(&mut self, id: u64, is_stored: bool) -> bool {
        if self.held == 0 {
            return false;
        }
        let Self { queue, held, held_bytes, bytes, .. } = self;
        let before = *held;
        queue.retain_mut(|owed| {
            let Some(given) = owed.given.as_mut().filter(|given| given.is_held && given.id == id) else { return true };
            given.is_held = false;
            *held -= 1;
            *held_bytes -= owed.stanza.weight();
            if !is_stored {
                *bytes -= owed.stanza.weight();
            }
            is_stored
        });
        before != *held
    }

    /// Writes what may be written now, to `to` if it takes something.
    ///
    /// # Errors
    /// [`Full`] as with [`Outbox::push`].
    pub fn go_on(&mut self, to: Option<Conn>, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        if let Some(conn) = to {
            self.flush(conn, effects);
            self.request(conn, effects);
        }
        self.check(limits)
    }

    /// Writes what was not written yet, up to the first that is held.
    pub fn flush(&mut self, conn: Conn, effects: &mut Effects) {
        let ready = self.queue.iter().skip(self.written).take_while(|owed| !owed.is_held()).count();
        for owed in self.queue.iter().skip(self.written).take(ready) {
            effects.send(conn, |out| owed.stanza.write_to(out));
        }
        if self.managed {
            self.written += ready;
        } else {
            for owed in self.queue.drain(..ready) {
                self.bytes -= owed.stanza.weight();
                self.read.extend(waiting(&owed));
            }
            self.forget_room();
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

    /// The client handled `handled` stanzas in all: the messages that no longer wait in the store.
    ///
    /// # Errors
    /// [`TooHigh`] if fewer were sent.
    pub fn acknowledge(&mut self, handled: u32) -> Result<Vec<u64>, TooHigh> {
        let news = handled.wrapping_sub(self.acknowledged) as usize;
        if news > self.written {
            return Err(TooHigh { sent: self.acknowledged.wrapping_add(self.written as u32) });
        }
        let mut settled = Vec::new();
        for owed in self.queue.drain(..news) {
            self.bytes -= owed.stanza.weight();
            if owed.is_held() {
                self.held -= 1;
                self.held_bytes -= owed.stanza.weight();
            }
            settled.extend(waiting(&owed));
        }
        self.written -= news;
        self.acknowledged = handled;
        self.requested = false;
        self.forget_room();
        Ok(settled)
    }

    /// An idle session owns no queue memory.
    fn forget_room(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(0);
        }
    }

    /// The connection is gone: nothing counts as written on the next one.
    pub fn disconnect(&mut self) {
        self.written = 0;
        self.requested = false;
    }

    /// On a resumed stream: forgets what the client handled (XEP-0198 section 5); the rest is to be written again.
    ///
    /// # Errors
    /// [`TooHigh`] if the client counts more than was ever sent.
    pub fn resume(&mut self, handled: u32) -> Result<Vec<u64>, TooHigh> {
        // What was queued while detached counts as sent for the check: the client cannot have it, but a count in that range
        // can come only from a stanza that was written.
        self.written = self.restored.unwrap_or(self.queue.len());
        let news = handled.wrapping_sub(self.acknowledged);
        if self.restored.is_some() && news as usize > self.written && news < UNKNOWN {
            self.acknowledged = handled.wrapping_sub(self.written as u32);
        }
        let outcome = self.acknowledge(handled);
        self.written = 0;
        if outcome.is_ok() {
            self.restored = None;
            self.queue.retain(|owed| !owed.is_vacant);
        }
        outcome
    }

    /// Whether a stanza like this is still owed.
    #[must_use]
    pub fn owes(&self, like: impl Fn(&Given) -> bool) -> bool {
        self.queue.iter().filter_map(|owed| owed.given.as_ref()).any(like)
    }

    /// The message of this id waits in the store until the client has what it is owed of it. False if it is owed nothing.
    pub fn wait_for(&mut self, id: u64) -> bool {
        let given = self.queue.iter_mut().filter_map(|owed| owed.given.as_mut()).find(|given| given.id == id);
        given.map(|given| given.waits = true).is_some()
    }

    /// The messages that need not wait in the store any more, for they were written; without management that is all one knows.
    pub fn take_read(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.read)
    }

    /// Gives up: everything that is still owed.
    pub fn take(&mut self) -> VecDeque<Owed> {
        (self.written, self.bytes, self.held, self.held_bytes) = (0, 0, 0, 0);
        std::mem::take(&mut self.queue)
    }
}

/// The message, if it waits in the store until the client has it.
fn waiting(owed: &Owed) -> Option<u64> {
    owed.given.filter(|given| given.waits).map(|given| given.id)
}

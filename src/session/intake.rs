//! What a client sent: how much of it is done, and how much of that a crash cannot take back (XEP-0198 section 4).
//!
//! A stanza is done when everything stored for it is committed. Stanzas may be done out of order; the client hears of an
//! unbroken row of them. A client that may resume must find the number it heard also after a crash, so it hears only what is
//! durable: up to a message whose copy in the archive carries its number ([`super::trace`]), or up to a stored session. The copy
//! tells that all before it is done, so it counts only if that was so when the message went on its way: what else was open then,
//! or changed the session, may be lost although the message is not.

use std::collections::{BTreeSet, VecDeque};

/// The copy of one message in the sender's archive.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    /// See [`super::Sending::before`].
    before: u64,
    copy: u64,
    is_stored: Option<bool>,
}

/// What is to be done about an acknowledgement that the client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing, or it is under way.
    Nothing,
    /// Tell it this `h`.
    Tell(u32),
    /// Store the session first.
    Save,
}

/// Counts the stanzas of one session, from 1.
#[derive(Debug, Default)]
pub struct Intake {
    received: u64,
    /// Those before management began, which do not count for the client.
    before: u64,
    /// Not done, in order.
    open: VecDeque<u64>,
    /// Those of them that may store something which does not tell their number.
    untold: VecDeque<u64>,
    /// The newest that changed what is stored of the session.
    changed: u64,
    /// The client asked when it had sent so many.
    asked: Option<u64>,
    durable: u64,
    /// Messages whose copy tells their number, in order: those above `durable`.
    sent: VecDeque<Sent>,
    /// The newest of those ever.
    linked: u64,
    /// The client sends again what it has not heard to be done. Those up to here were received before and are not done again.
    known_upto: u64,
    /// The same beyond that and beyond what is done without a gap, as a lost server left it.
    known: BTreeSet<u64>,
}

impl Intake {
    /// As it was when the server was lost: `done` without a gap, and `known` beyond it.
    #[must_use]
    pub fn restored(before: u64, done: u64, known: BTreeSet<u64>) -> Self {
        Self { received: done, before, durable: done, linked: done, known, ..Self::default() }
    }

    /// A stanza came: its number; none if it came before. `is_untold`: it may store something which does not tell its number.
    pub fn receive(&mut self, is_untold: bool) -> Option<u64> {
        self.received += 1;
        if self.received <= self.known_upto || self.known.contains(&self.received) {
            return None;
        }
        self.open.push_back(self.received);
        if is_untold {
            self.untold.push_back(self.received);
        }
        Some(self.received)
    }

    /// Management begins: the client counts from here.
    pub fn manage(&mut self) {
        self.before = self.received;
        self.durable = self.received;
    }

    /// Stanzas that do not count for the client.
    #[must_use]
    pub fn before(&self) -> u64 {
        self.before
    }

    /// How many are not done.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The newest stanza changed what is stored of the session.
    pub fn change(&mut self) {
        self.changed = self.received;
    }

    /// A message goes on its way whose copy, of this id, will tell its number: gives the number of the one that must be known to
    /// be done for that to count.
    pub fn send(&mut self, number: u64, copy: u64) -> u64 {
        let untold = self.untold.iter().rev().find(|untold| **untold < number).copied();
        let before = self.linked.max(self.changed).max(untold.unwrap_or(0));
        self.sent.push_back(Sent { number, before, copy, is_stored: None });
        self.linked = number;
        before
    }

    /// A stanza is done, and its copy is stored, if it has one.
    pub fn complete(&mut self, number: u64, is_stored: bool) {
        if let Ok(place) = self.open.binary_search(&number) {
            self.open.remove(place);
        }
        if let Ok(place) = self.untold.binary_search(&number) {
            self.untold.remove(place);
        }
        if let Ok(place) = self.sent.binary_search_by_key(&number, |sent| sent.number) {
            self.sent[place].is_stored = Some(is_stored);
        }
        let done = self.done();
        while self.known.first().is_some_and(|known| *known <= done) {
            self.known.pop_first();
        }
        while let Some(sent) = self.sent.front().filter(|sent| sent.number <= done) {
            match sent.is_stored {
                Some(true) if sent.before <= self.durable => self.durable = self.durable.max(sent.number),
                Some(_) => {}
                None => break,
            }
            self.sent.pop_front();
        }
    }

    /// The newest stanza with nothing undone before it, also if its client is back and has not sent it again. What came before
    /// management is nothing that anybody counts.
    #[must_use]
    pub fn done(&self) -> u64 {
        let newest = self.received.max(self.known_upto);
        self.open.front().map_or(newest, |first| newest.min(first - 1)).max(self.before)
    }

    /// The same of those that the client counts as sent today.
    fn handled(&self) -> u64 {
        self.done().min(self.received)
    }

    /// What is done beyond a gap and must not be done twice.
    pub fn beyond(&self) -> impl Iterator<Item = u64> {
        let done = self.done();
        let sent = self.sent.iter().filter(|sent| sent.is_stored.is_some()).map(|sent| sent.number);
        self.known.iter().copied().chain(sent).filter(move |number| *number > done)
    }

    /// The client is back: what it may forget, modulo 2^32. It sends the rest again, and what of that is at work or done already
    /// is not done twice.
    pub fn resume(&mut self) -> u32 {
        self.known_upto = self.known_upto.max(self.received);
        self.received = self.durable;
        self.asked = None;
        self.for_client(self.received)
    }

    fn for_client(&self, number: u64) -> u32 {
        number.saturating_sub(self.before) as u32
    }

    /// The client wants an acknowledgement of what it sent so far.
    pub fn ask(&mut self) {
        self.asked = Some(self.received);
    }

    /// What the client may hear now. `must_last`: it may resume, so only what is durable counts.
    pub fn due(&mut self, must_last: bool) -> Due {
        let handled = self.handled();
        if self.asked.is_none_or(|asked| handled < asked) {
            return Due::Nothing;
        }
        if must_last && self.durable < handled {
            return Due::Save;
        }
        self.asked = None;
        Due::Tell(self.for_client(handled))
    }

    /// The session is stored as it was when `number` was done.
    pub fn saved(&mut self, number: u64) {
        self.durable = self.durable.max(number);
        while self.sent.front().is_some_and(|sent| sent.number <= number) {
            self.sent.pop_front();
        }
    }

    /// The session could not be stored: the client hears what is durable, so that it knows that the server lives.
    pub fn save_failed(&mut self) -> Option<u32> {
        self.asked.take().map(|_| self.for_client(self.durable))
    }

    /// The oldest copy that a stored session does not tell of.
    #[must_use]
    pub fn oldest_copy(&self) -> Option<u64> {
        self.sent.front().map(|sent| sent.copy)
    }
}

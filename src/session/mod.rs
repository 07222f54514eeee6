//! A session: a bound resource (RFC 6120 section 7), which may outlive its connection (XEP-0198).

mod client_state;
mod coding;
mod intake;
mod outbox;
mod snapshot;
#[cfg(test)]
mod tests;
mod trace;

pub use client_state::{ClientState, Hold};
pub use intake::{Due, Intake};

pub use outbox::{Full, Given, Outbox, Owed, TooHigh, UNKNOWN};
pub use snapshot::{Place, Snapshot};
pub use trace::{Receiving, Sending, Trace};

use crate::config::Limits;
use crate::effect::Effects;
use crate::input::{Conn, Now};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::Stanza;

/// Names a session on its shard; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Current presence of a session, as it was broadcast.
#[derive(Debug, Clone)]
pub struct CurrentPresence {
    /// With `from` stamped and without `to`.
    pub stanza: Stanza,
    /// RFC 6121 section 4.7.2.3.
    pub priority: i8,
}

/// One bound resource.
#[derive(Debug)]
pub struct Session {
    /// Its name on the shard.
    pub id: SessionId,
    /// The full JID.
    pub jid: Jid,
    /// It was bound when this stanza id was new: a message with a lower one reached it later than its time.
    pub since: u64,
    /// The connection, while there is one.
    pub conn: Option<Conn>,
    /// The writer is full: owe, do not write.
    pub congested: bool,
    /// Available, with what it said; none before initial presence and after unavailable.
    pub presence: Option<CurrentPresence>,
    /// Asked for the roster, so gets pushes (RFC 6121 section 2.1.6).
    pub wants_roster: bool,
    /// Asked for the blocklist, so gets pushes (XEP-0191).
    pub wants_blocklist: bool,
    /// Wants carbons (XEP-0280), of messages whose stanza id is above this one.
    pub carbons: Option<u64>,
    /// Gets messages for the bare JID, namely those whose stanza id is above this one.
    pub takes: Option<u64>,
    /// Whom directed presence went to (RFC 6121 section 4.6); bounded by [`crate::limits::DIRECTED_PRESENCES`].
    pub directed: Vec<Jid>,
    /// Default language of its stanzas.
    pub lang: Option<Box<str>>,
    /// XEP-0352.
    pub client_state: ClientState,
    /// What it is owed.
    pub outbox: Outbox,
    /// What the client sent, and how much of it is done.
    pub intake: Intake,
    /// Too much of it is not done: its connection is not read.
    pub is_paused: bool,
    /// What is owed waits until the session is stored: numbers that stand in the store are not those of the client, or none do.
    pub awaits_store: bool,
    /// Resumption: the token that names it, and for how long it may lie detached.
    pub resumption: Option<Resumption>,
    /// While detached: when it ends (monotonic ms).
    pub ends_ms: Option<u64>,
}

/// The client may come back to this session (XEP-0198 section 5).
#[derive(Debug, Clone)]
pub struct Resumption {
    /// Unguessable.
    pub token: Box<str>,
    /// Seconds.
    pub max_seconds: u32,
    /// Its number in the store, below 128.
    pub number: u8,
    /// A question that stores it is under way.
    pub saving: Option<Saving>,
    /// See [`crate::store::StoredSession`]: of what is stored of it, the highest number while nothing is.
    pub floor: u64,
    /// It changed since.
    pub is_dirty: bool,
    /// Its client knows of it: that it may resume, and that stanzas are counted.
    pub is_announced: bool,
    /// It asked for that again before it was told.
    pub asked_again: bool,
    /// The server was lost, and what others said meanwhile without being stored.
    pub missed: bool,
    /// What is stored of it says everything, for it was written on an orderly stop and nothing came since.
    pub is_complete: bool,
}

/// A session as it is being stored.
#[derive(Debug, Clone, Copy)]
pub struct Saving {
    /// See [`Intake::done`].
    pub done: u64,
    /// See [`Resumption::floor`].
    pub floor: u64,
}

impl Resumption {
    /// A session that becomes resumable.
    #[must_use]
    pub fn new(token: Box<str>, max_seconds: u32, number: u8) -> Self {
        Self {
            token,
            max_seconds,
            number,
            saving: None,
            floor: u64::MAX,
            is_dirty: false,
            is_announced: false,
            asked_again: false,
            missed: false,
            is_complete: false,
        }
    }
}

impl Session {
    /// A session that was just bound.
    #[must_use]
    pub fn new(id: SessionId, jid: Jid, conn: Conn, lang: Option<Box<str>>) -> Self {
        Self {
            id,
            jid,
            since: 0,
            conn: Some(conn),
            congested: false,
            presence: None,
            wants_roster: false,
            wants_blocklist: false,
            carbons: None,
            takes: None,
            directed: Vec::new(),
            lang,
            client_state: ClientState::default(),
            outbox: Outbox::default(),
            intake: Intake::default(),
            is_paused: false,
            awaits_store: false,
            resumption: None,
            ends_ms: None,
        }
    }

    /// A session without a connection, which ends at `ends_ms` unless its client comes back to it.
    #[must_use]
    pub fn detached(id: SessionId, jid: Jid, ends_ms: u64) -> Self {
        Self { conn: None, ends_ms: Some(ends_ms), ..Self::new(id, jid, Conn(0), None) }
    }

    /// True if it sent available presence.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.presence.is_some()
    }

    /// The priority, if available.
    #[must_use]
    pub fn priority(&self) -> Option<i8> {
        self.presence.as_ref().map(|presence| presence.priority)
    }

    fn writer(&self) -> Option<Conn> {
        self.conn.filter(|_| !self.congested && !self.awaits_store)
    }

    /// The session is stored, or could not be: writes what waited for that.
    pub fn go_on(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.awaits_store) {
            self.flush(effects);
        }
    }

    /// Sends a stanza to the client, now or when it can take it.
    ///
    /// # Errors
    /// [`Full`] if the client takes too little: the session must end.
    pub fn send(&mut self, stanza: Stanza, now: Now, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        self.give(stanza, None, now, limits, effects)
    }

    /// Sends a message of the account; one that is held waits for [`Session::decide`], and all that follows with it.
    ///
    /// # Errors
    /// [`Full`] as with [`Session::send`].
    pub fn give(
        &mut self,
        stanza: Stanza,
        given: Option<Given>,
        now: Now,
        limits: &Limits,
        effects: &mut Effects,
    ) -> Result<(), Full> {
        let hold = match given {
            // Its number stands in its trace, or it waits for the store: it has its place among what is owed, whatever it says
            // to people.
            Some(given) if given.is_stored || given.is_held => Hold::Send(stanza),
            _ => self.client_state.offer(stanza),
        };
        match hold {
            Hold::Held => Ok(()),
            Hold::Flush => self.release(now, limits, effects),
            Hold::Send(stanza) => {
                self.release(now, limits, effects)?;
                self.owe(Owed { stanza, at_ms: now.unix_ms, given, is_vacant: false }, limits, effects)?;
                self.request(effects);
                Ok(())
            }
        }
    }

    /// A held message is stored, or is taken back. True if the session had it.
    ///
    /// # Errors
    /// [`Full`] as with [`Session::send`].
    pub fn decide(&mut self, id: u64, is_stored: bool, limits: &Limits, effects: &mut Effects) -> Result<bool, Full> {
        if !self.outbox.decide(id, is_stored) {
            return Ok(false);
        }
        let to = self.writer();
        self.outbox.go_on(to, limits, effects).map(|()| true)
    }

    fn owe(&mut self, owed: Owed, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        let to = self.writer();
        self.outbox.push(owed, to, limits, effects)
    }

    fn request(&mut self, effects: &mut Effects) {
        if let Some(conn) = self.writer() {
            self.outbox.request(conn, effects);
        }
    }

    /// Sends what was held back for an inactive client.
    ///
    /// # Errors
    /// [`Full`] as with [`Session::send`].
    pub fn release(&mut self, now: Now, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        for stanza in self.client_state.take() {
            let owed = Owed { stanza, at_ms: now.unix_ms, given: None, is_vacant: false };
            self.owe(owed, limits, effects)?;
        }
        self.request(effects);
        Ok(())
    }

    /// The peer reads again: writes what is owed.
    pub fn drained(&mut self, effects: &mut Effects) {
        self.congested = false;
        self.flush(effects);
    }

    fn flush(&mut self, effects: &mut Effects) {
        if let Some(conn) = self.writer() {
            self.outbox.flush(conn, effects);
            self.outbox.request(conn, effects);
        }
    }

    /// The client acknowledges.
    ///
    /// # Errors
    /// [`TooHigh`] if it counts what was never sent.
    pub fn acknowledge(&mut self, handled: u32, effects: &mut Effects) -> Result<Vec<u64>, TooHigh> {
        let settled = self.outbox.acknowledge(handled)?;
        self.request(effects);
        Ok(settled)
    }

    /// Tells the client what was handled.
    pub fn write_acknowledgement(&self, handled: u32, effects: &mut Effects) {
        if let Some(conn) = self.conn {
            effects.send(conn, |out| {
                out.extend_from_slice(format!("<a xmlns='{}' h='{handled}'/>", ns::SM).as_bytes());
            });
        }
    }

    /// The connection is gone; the session stays until `ends_ms`.
    ///
    /// # Errors
    /// [`Full`] if what was held back does not fit: the session must end.
    pub fn detach(&mut self, ends_ms: u64, now: Now, limits: &Limits, effects: &mut Effects) -> Result<(), Full> {
        self.conn = None;
        self.congested = false;
        self.ends_ms = Some(ends_ms);
        self.outbox.disconnect();
        self.client_state.activate();
        self.release(now, limits, effects)
    }

    /// The client is back on `conn` and handled `handled` stanzas.
    ///
    /// # Errors
    /// [`TooHigh`] if it counts what was never sent; nothing is changed then.
    pub fn attach(&mut self, conn: Conn, handled: u32) -> Result<Vec<u64>, TooHigh> {
        let settled = self.outbox.resume(handled)?;
        self.conn = Some(conn);
        // The new connection is read.
        (self.congested, self.is_paused) = (false, false);
        self.ends_ms = None;
        // XEP-0352 section 5.1 (with 0198): a resumed client counts as active.
        self.client_state.activate();
        Ok(settled)
    }

    /// Remembers whom directed presence went to, so that they hear the end.
    pub fn remember_directed(&mut self, to: &Jid, available: bool) {
        self.directed.retain(|jid| jid != to);
        if available && self.directed.len() < crate::limits::DIRECTED_PRESENCES {
            self.directed.push(to.clone());
        }
    }
}

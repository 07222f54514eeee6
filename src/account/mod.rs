//! An account (RFC 6121): its roster, its pending requests, its blocklist and its sessions, all on its home shard.

pub mod availability;
pub mod delivery;
pub mod roster;
pub mod subscription;

use std::collections::VecDeque;

use crate::archive_id::{ArchiveIds, IdKey};
use crate::config::Config;
use crate::jid::Jid;
use crate::limits;
use crate::reading::Retraction;
use crate::session::{Full, Given, Receiving, Session, SessionId};
use crate::stanza::{IqType, Kind, Stanza};
use crate::store::{AccountKey, AccountRecord, PendingRequest, Preferences, Subscription};
use crate::turn::{Reason, Turn};
use roster::Roster;

/// An account while it is resident.
#[derive(Debug)]
pub struct Account {
    /// Its bare JID.
    pub jid: Jid,
    /// Its contacts.
    pub roster: Roster,
    /// Subscription requests that wait for its answer.
    pub requests: Vec<PendingRequest>,
    /// Whom it blocks (XEP-0191).
    pub blocked: Vec<Jid>,
    /// Its bound resources, in the order of binding.
    pub sessions: Vec<Session>,
    /// What its archive is called in the store.
    pub key: AccountKey,
    /// What its sessions call the messages in it.
    pub ids: ArchiveIds,
    /// The name of its class.
    pub class: Option<Box<str>>,
    /// The newest id in its archive.
    pub newest: u64,
    /// Messages that wait for it (XEP-0160).
    pub waiting: u32,
    /// Those of them that are not stored yet: sessions that are over gave them back before.
    pub unsure: Vec<u64>,
    /// Messages on their way into the store, to wait there.
    pub keeping: u32,
    /// While waiting messages are read for a session: live ones that came meanwhile and follow them.
    pub flush: Option<Vec<Stanza>>,
    /// Which of them a client has meanwhile.
    pub ended: Vec<u64>,
    /// Sessions that wait for a page of the archive, once for each of their queries.
    pub reading: Vec<SessionId>,
    /// Retractions whose messages are being looked for, or will be.
    pub retracting: usize,
    /// Those of the account itself that are on their way into the archive, by their ids.
    pub retractions: Vec<(u64, Retraction)>,
    /// A change was not stored: what is here is more than the next start will know.
    pub is_ahead: bool,
    /// Its last unavailable presence (XEP-0012): unix ms, and the status text.
    pub last: Option<(u64, Box<str>)>,
    /// Messages that tell of its sessions, since all of these were stored: many make the first load after a crash expensive.
    pub unsaved: u32,
    /// Ids of copies in its archive that are on their way into the store, ascending.
    pub copies: VecDeque<u64>,
    /// What of its messages is archived (XEP-0441); none while it never said.
    pub preferences: Option<Preferences>,
}

impl Account {
    /// The account that the store described.
    #[must_use]
    pub fn new(jid: Jid, record: AccountRecord, ids: IdKey) -> Self {
        Self {
            jid,
            roster: Roster::from_record(record.roster, record.roster_version, record.roster_removed_version),
            requests: record.requests,
            blocked: record.blocked,
            sessions: Vec::new(),
            key: record.key,
            ids: ids.of(record.key.0.cast_unsigned()),
            class: record.class,
            newest: record.newest,
            waiting: record.waiting,
            unsure: Vec::new(),
            keeping: 0,
            flush: None,
            ended: Vec::new(),
            reading: Vec::new(),
            retracting: 0,
            retractions: Vec::new(),
            is_ahead: false,
            last: record.last,
            unsaved: 0,
            copies: VecDeque::new(),
            preferences: record.preferences,
        }
    }

    /// A name in the archive for a message that came at `at_ms` (unix ms): above all that were given, also if the clock of
    /// the machine went backwards.
    pub fn next_id(&mut self, at_ms: u64) -> u64 {
        self.newest = (self.newest + 1).max(at_ms << 20);
        self.newest
    }

    /// The session of this name.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// The session of this name, to change it.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// The session with this resource.
    #[must_use]
    pub fn resource(&self, resource: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.jid.resource() == Some(resource))
    }

    /// The session that a stanza came from; none if it came from elsewhere.
    #[must_use]
    pub fn sender(&self, stanza: &Stanza) -> Option<SessionId> {
        let from = stanza.from.as_ref()?;
        self.sessions.iter().find(|session| session.jid == *from).map(|session| session.id)
    }

    /// Those that sent available presence.
    pub fn available(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.is_available())
    }

    /// The newest stanza of a session changed what is stored of it.
    pub fn changed(&mut self, id: SessionId, turn: &mut Turn<'_>) {
        if let Some(session) = self.session_mut(id) {
            session.intake.change();
            turn.save_session(&self.jid, id);
        }
    }

    /// Sends to one session. One that takes too little ends after this turn.
    pub fn send(&mut self, id: SessionId, stanza: Stanza, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) else { return };
        turn.counters.stanzas_out += 1;
        if session.send(stanza, turn.now, &turn.config.limits, turn.effects).is_err() {
            turn.end_session(&self.jid, id, Reason::DoesNotRead);
        }
        // After a kill its client must hear anew what others said, and not after a stop.
        let says_all = session.resumption.as_mut().is_some_and(|known| std::mem::take(&mut known.is_complete));
        if says_all || turn.is_stopping {
            turn.save_session(&self.jid, id);
        }
    }

    /// Gives a message to one session, see [`Session::give`]. What the message's trace shall say of it, if the session may be
    /// resumed.
    pub fn give(&mut self, id: SessionId, stanza: Stanza, given: Given, turn: &mut Turn<'_>) -> Option<Receiving> {
        let session = self.sessions.iter_mut().find(|session| session.id == id)?;
        turn.counters.stanzas_out += 1;
        if session.give(stanza, Some(given), turn.now, &turn.config.limits, turn.effects).is_err() {
            turn.end_session(&self.jid, id, Reason::DoesNotRead);
        }
        let resumption = session.resumption.as_ref().filter(|_| given.is_stored)?;
        let receiving = Receiving {
            session: resumption.number,
            is_carbon: given.is_carbon,
            number: session.outbox.newest_number(),
            acknowledged: session.outbox.acknowledged(),
        };
        if turn.is_stopping {
            turn.save_session(&self.jid, id);
        }
        self.traced(turn);
        Some(receiving)
    }

    /// A message tells of a session. Of an account's messages only the newest [`limits::TRACED_MESSAGES`] are read at its first
    /// load after a crash, so its sessions are stored before there are so many.
    pub fn traced(&mut self, turn: &mut Turn<'_>) {
        self.unsaved += 1;
        if self.unsaved >= limits::UNSAVED_MESSAGES {
            self.unsaved = 0;
            for session in self.sessions.iter().filter(|session| session.resumption.is_some()) {
                turn.save_session(&self.jid, session.id);
            }
        }
    }

    /// A message that was given and held is stored, or is taken back. True if a session still had it.
    pub fn decide(&mut self, id: u64, is_stored: bool, turn: &mut Turn<'_>) -> bool {
        if let Some(place) = self.unsure.iter().position(|unsure| *unsure == id) {
            self.unsure.swap_remove(place);
            self.waiting = self.waiting.saturating_sub(u32::from(!is_stored));
        }
        let mut was_held = false;
        for session in &mut self.sessions {
            if !is_stored && session.resumption.is_some() && session.outbox.holds(id) {
                // What stands behind it was stored under another number.
                session.awaits_store = true;
                turn.save_session(&self.jid, session.id);
            }
            match session.decide(id, is_stored, &turn.config.limits, turn.effects) {
                Ok(concerned) => was_held |= concerned,
                Err(Full) => {
                    was_held = true;
                    turn.after.endings.push((self.jid.clone(), session.id, Reason::DoesNotRead));
                }
            }
        }
        was_held
    }

    /// The newest id below which nothing of the archive is still on its way into the store.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.copies.front().map_or(u64::MAX, |first| first - 1)
    }

    /// Nothing of its messages is on its way into the store or out of it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.copies.is_empty() && self.keeping == 0 && self.flush.is_none()
    }

    /// Sends a copy to every session that `wants`.
    pub fn send_each(&mut self, stanza: &Stanza, wants: impl Fn(&Session) -> bool, turn: &mut Turn<'_>) {
        let ids: Vec<_> = self.sessions.iter().filter(|session| wants(session)).map(|session| session.id).collect();
        for id in ids {
            self.send(id, stanza.clone(), turn);
        }
    }

    /// Pushes an iq of the account itself to every session that `wants` it, each to its full JID.
    pub fn push(&mut self, payload: &[u8], wants: impl Fn(&Session) -> bool, turn: &mut Turn<'_>) {
        let push = Stanza::new(Kind::Iq(IqType::Set), Some(self.jid.clone()), None).with_payload(payload);
        let targets: Vec<_> = self
            .sessions
            .iter()
            .filter(|session| wants(session))
            .map(|session| (session.id, session.jid.clone()))
            .collect();
        for (id, jid) in targets {
            let mut push = push.clone().with_id(&turn.dice.token());
            push.to = Some(jid);
            self.send(id, push, turn);
        }
    }

    /// Whether this account lets `other` see its presence (subscription `from` or `both`), or is `other` itself.
    #[must_use]
    pub fn shows_presence_to(&self, other: &Jid) -> bool {
        self.jid.same_bare(other)
            || self
                .roster
                .get(other.bare_str())
                .is_some_and(|item| matches!(item.subscription, Subscription::From | Subscription::Both))
    }

    /// Whether another session may be bound.
    #[must_use]
    pub fn has_room(&self, config: &Config) -> bool {
        self.sessions.len() < config.limits.sessions
    }
}

//! Stanzas of this shard's clients that are not done: who waits for what, and who must not send more until some are.

use super::Shard;
use crate::account::Account;
use crate::effect::{Effect, Effects};
use crate::features::archive::retraction;
use crate::features::{keeping, offline};
use crate::handoff::Handoff;
use crate::input::{Conn, Now};
use crate::jid::Jid;
use crate::limits;
use crate::passage::{Cause, Done, Passage};
use crate::policy;
use crate::session::SessionId;
use crate::stanza::{IqType, Kind, MessageType, Stanza};

/// Whether a stanza may store something, or become a part of its session, without a copy that tells its number. Chat messages
/// that have no copy are not stored; answers to anybody are not, either.
fn is_untold(kind: Kind) -> bool {
    match kind {
        Kind::Presence(_) | Kind::Iq(IqType::Set) => true,
        Kind::Message(kind) => !matches!(kind, MessageType::Chat | MessageType::Error),
        Kind::Iq(_) => false,
    }
}

/// What all sessions of the shard wait for together.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Stanzas that are not done, and their bytes.
    open: usize,
    bytes: usize,
    /// Above either whoever sends another one is not read.
    most: usize,
    most_bytes: usize,
    /// Those who are not read.
    paused: Vec<(Jid, SessionId)>,
}

impl Backlog {
    /// Among `count` shards. All of them together may ask one shard's store for what all their clients sent.
    pub(super) fn new(count: u16) -> Self {
        let count = usize::from(count.max(1));
        Self {
            open: 0,
            bytes: 0,
            most: (limits::STORE_QUESTIONS / 2 / count).max(1),
            most_bytes: limits::UNSTORED_BYTES / count,
            paused: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.open > self.most || self.bytes > self.most_bytes
    }

    fn has_room(&self) -> bool {
        self.open <= self.most / 2 && self.bytes <= self.most_bytes / 2
    }
}

impl Shard {
    /// A stanza is at work now, and what travels with it. Gives what was at work before.
    pub(super) fn begin(&mut self, passage: Option<Box<Passage>>) -> Passage {
        std::mem::replace(&mut self.desk.passage, passage.map(|passage| *passage).unwrap_or_default())
    }

    /// The stanza went where it goes. A copy that nobody took along is stored alone; and if nothing else is to be done, the
    /// client's session hears of it.
    pub(super) fn end(&mut self, before: Passage, now: Now, effects: &mut Effects) {
        if let Some(copy) = self.desk.passage.copy.take() {
            keeping::keep_copy(*copy, &mut self.desk.turn(now, effects));
        }
        let passage = std::mem::replace(&mut self.desk.passage, before);
        if let Some(done) = passage.cause.and_then(Cause::release) {
            self.report(done, now, effects);
        }
    }

    fn report(&mut self, done: Done, now: Now, effects: &mut Effects) {
        if done.shard == self.index {
            self.done(&done, now, effects);
        } else {
            effects.push(Effect::Hand { to: done.shard, handoff: Handoff::Done(Box::new(done)) });
        }
    }

    /// A stanza of a session of this shard begins its way: what travels with it. None if it was done before the server was lost.
    pub(super) fn received_stanza(
        &mut self,
        conn: Conn,
        jid: &Jid,
        id: SessionId,
        stanza: &Stanza,
        effects: &mut Effects,
    ) -> Option<Box<Passage>> {
        let session = self.residences.get_mut(jid)?.session_mut(id)?;
        let number = session.intake.receive(is_untold(stanza.kind))?;
        let weight = stanza.weight();
        self.backlog.open += 1;
        self.backlog.bytes += weight;
        if !session.is_paused && (session.intake.open() >= limits::UNSTORED_STANZAS || self.backlog.is_full()) {
            session.is_paused = true;
            self.backlog.paused.push((jid.clone(), id));
            effects.push(Effect::Pause { conn });
        }
        let done =
            Done { shard: self.index, account: jid.clone(), session: id.0, number, copy: 0, is_stored: false, weight };
        Some(Box::new(Passage::of(Cause::new(done))))
    }

    /// What waits for the store, as gauges: at rest all of them are 0.
    pub(super) fn unsettled(&self) -> [(&'static str, u64); 6] {
        let sum = |of: fn(&Account) -> usize| self.residences.accounts().map(of).sum::<usize>() as u64;
        [
            ("accounts_flushing", sum(|account| usize::from(account.flush.is_some()))),
            ("copies_open", sum(|account| account.copies.len() + account.keeping as usize)),
            ("questions_open", self.asked.len() as u64),
            ("stanzas_held", sum(|account| account.sessions.iter().map(|session| session.outbox.held()).sum())),
            ("stanzas_open", self.backlog.open as u64),
            ("stanzas_undone", sum(|account| account.sessions.iter().map(|session| session.intake.open()).sum())),
        ]
    }

    /// Nothing is left to be stored for a stanza.
    pub(super) fn done(&mut self, done: &Done, now: Now, effects: &mut Effects) {
        self.backlog.open = self.backlog.open.saturating_sub(1);
        self.backlog.bytes = self.backlog.bytes.saturating_sub(done.weight);
        if let Some(account) = self.residences.get_mut(&done.account) {
            if done.copy > 0 {
                account.copies.retain(|copy| *copy != done.copy);
                let mut turn = self.desk.turn(now, effects);
                account.decide(done.copy, done.is_stored, &mut turn);
                offline::read(account, &mut turn);
                retraction::settled(account, done.copy, done.is_stored, &mut turn);
            }
            let id = SessionId(done.session);
            if let Some(session) = account.session_mut(id) {
                session.intake.complete(done.number, done.is_stored);
                if self.desk.is_stopping {
                    self.desk.turn(now, effects).save_session(&done.account, id);
                }
                policy::saving::acknowledge(account, id, &mut self.desk.turn(now, effects));
            }
        }
        if !self.backlog.paused.is_empty() {
            self.read_on(effects);
        }
    }

    /// Reads those again who may send more.
    fn read_on(&mut self, effects: &mut Effects) {
        if !self.backlog.has_room() {
            return;
        }
        let Self { backlog, residences, .. } = self;
        backlog.paused.retain(|(jid, id)| {
            let Some(session) = residences.get_mut(jid).and_then(|account| account.session_mut(*id)) else {
                return false;
            };
            if session.intake.open() > limits::UNSTORED_STANZAS / 2 {
                return true;
            }
            session.is_paused = false;
            if let Some(conn) = session.conn {
                effects.push(Effect::Resume { conn });
            }
            false
        });
    }
}

//! One turn of a shard: what it may look at, and what it leaves behind for after it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::archive_id::ArchiveIds;
use crate::config::Config;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::effect::{Effect, Effects, HashJob, Level, Note};
use crate::input::{Conn, Now};
use crate::jid::Jid;
use crate::passage::{Cause, Passage};
use crate::reading::{Reading, Retraction, RoomRetraction};
use crate::session::SessionId;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{Answer, Question};

/// Makes the payload of an iq result out of the store's answer.
pub type Finish = fn(&Stanza, Answer) -> Result<Vec<u8>, StanzaError>;

/// What happens when the store has answered.
#[derive(Debug)]
pub enum Then {
    /// Nothing. A fault is noted, and the account leaves memory with its last session, to be loaded again as it is stored.
    Saved(Jid),
    /// The iq is answered with what `finish` makes of the answer; a fault becomes `internal-server-error`.
    Iq {
        /// The request.
        request: Box<Stanza>,
        /// Makes the result.
        finish: Finish,
    },
    /// Of a message for an account all is stored that is to be, and whoever it is for gets it; or its sender hears that it is
    /// not.
    Kept(Box<Kept>),
    /// The sender's copy of a message that nobody got is stored; or its sender hears that it is not, unless it heard already
    /// that nobody got it.
    KeptCopy(Option<Arc<[u8]>>),
    /// Clients that wait for it hear that what they sent is done.
    SessionSaved {
        /// Whose.
        account: Jid,
        /// Which.
        session: SessionId,
    },
    /// Accounts with sessions that a lost server left behind become resident.
    Restored,
    /// Offline messages go to this session.
    FlushOffline {
        /// Whose they are.
        account: Jid,
        /// Who gets them.
        session: SessionId,
    },
    /// A session gets a page of its account's archive.
    Archive(Box<Reading>),
    /// A session hears where its account's archive begins and ends.
    ArchiveEnds {
        /// The request.
        request: Box<Stanza>,
        /// How the archive's ids are written.
        ids: ArchiveIds,
    },
    /// A retracted message is found in an archive, or taken out of it.
    Retraction(Box<Retraction>),
    /// A new password is stored, after which the iq is answered and other sessions end.
    PasswordChanged {
        /// The request.
        request: Box<Stanza>,
    },
    /// The account is gone, after which the iq is answered and all sessions end.
    AccountRemoved {
        /// The request.
        request: Box<Stanza>,
    },
    /// A room becomes resident, or is made.
    RoomLoaded {
        /// Which.
        room: Jid,
        /// Somebody made it by wanting to enter.
        is_new: bool,
    },
    /// A message of a room is stored, and everybody in it gets it; or its sender hears that it is not.
    RoomKept {
        /// The room.
        room: Jid,
        /// The id of the message.
        id: u64,
    },
    /// A message that somebody takes back in a room is found, or is not.
    RoomRetraction(Box<RoomRetraction>),
    /// Nothing. A fault is noted.
    RoomSaved(Jid),
    /// A login goes on.
    Credentials(Conn),
    /// An account becomes resident.
    Loaded(Jid),
}

/// A message that is being stored.
#[derive(Debug)]
pub struct Kept {
    /// For this account.
    pub account: Jid,
    /// Its id there.
    pub id: u64,
    /// It has a place there. If not, the sender's copy is all that is stored.
    pub has_place: bool,
    /// It waits for the account to come online.
    pub waits: bool,
    /// The sender's copy is stored with it.
    pub has_copy: bool,
    /// To be sent back if it fails.
    pub stanza: Stanza,
}

/// What happens when a password is hashed.
#[derive(Debug)]
pub enum Hashing {
    /// A login goes on.
    Login(Conn),
    /// The verifiers become the account's.
    ChangePassword {
        /// The request.
        request: Box<Stanza>,
    },
}

/// How a session ends that this turn decided to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its outbox is full.
    DoesNotRead,
    /// The account's password changed or the account is gone.
    NotAuthorized,
}

/// What one turn collects; kept by the shard so that a turn allocates nothing.
#[derive(Debug, Default)]
pub struct Aftermath {
    /// Stanzas that enter at route, in order.
    pub stanzas: VecDeque<Stanza>,
    /// Questions for the store, each with what it is asked for.
    pub questions: Vec<(Question, Then, Option<Cause>)>,
    /// Sessions to store, once all else is done.
    pub saves: Vec<(Jid, SessionId)>,
    /// Passwords to hash.
    pub hashes: Vec<(HashJob, Hashing, Option<Cause>)>,
    /// Sessions to end.
    pub endings: Vec<(Jid, SessionId, Reason)>,
}

/// One turn.
pub struct Turn<'a> {
    /// What time it is.
    pub now: Now,
    /// What is served, and how.
    pub config: &'a Config,
    /// For tokens.
    pub dice: &'a mut Dice,
    /// What the program shall do.
    pub effects: &'a mut Effects,
    /// What is counted.
    pub counters: &'a mut Counters,
    /// What remains to do in this turn.
    pub after: &'a mut Aftermath,
    /// What came with the stanza that this turn is about.
    pub passage: &'a mut Passage,
    /// The server stops: sessions are stored as they are now, and again with each change.
    pub is_stopping: bool,
}

impl Turn<'_> {
    /// Sends a stanza on its way: it enters at route, after this one is done.
    pub fn route(&mut self, stanza: Stanza) {
        self.after.stanzas.push_back(stanza);
    }

    /// Answers a stanza with an error, unless it is one that is never answered.
    pub fn refuse(&mut self, stanza: &Stanza, error: &StanzaError) {
        if let Some(bounce) = stanza.bounce(error) {
            self.passage.is_refused = true;
            self.route(bounce);
        }
    }

    /// The same for the stanza of this turn: its client waits until the error has reached its session, for what is acknowledged
    /// must not be lost without a word.
    pub fn send_back(&mut self, stanza: &Stanza, error: &StanzaError) {
        if let Some(bounce) = stanza.bounce(error) {
            self.passage.is_refused = true;
            self.pass_on(bounce);
        }
    }

    /// Gives the stanza of this turn up: nothing of it is stored, not its sender's copy either, so that nothing tells that it is
    /// done before its sender's session holds the error.
    pub fn give_up(&mut self, stanza: &Stanza, condition: Condition) {
        self.passage.copy = None;
        self.send_back(stanza, &condition.into());
    }

    /// Sends the stanza of this turn on: its client waits for what becomes of it.
    pub fn pass_on(&mut self, mut stanza: Stanza) {
        stanza.passage = self.take_passage();
        self.route(stanza);
    }

    /// What travels with the stanza of this turn, to travel on or to wait with it.
    pub fn take_passage(&mut self) -> Option<Box<Passage>> {
        let passage = std::mem::take(self.passage);
        (passage.cause.is_some() || passage.copy.is_some()).then(|| Box::new(passage))
    }

    /// Asks the store. Who waits for the stanza of this turn waits for the answer.
    pub fn ask(&mut self, question: Question, then: Then) {
        self.after.questions.push((question, then, self.passage.cause.clone()));
    }

    /// Stores a session that may be resumed, when this turn is done.
    pub fn save_session(&mut self, account: &Jid, session: SessionId) {
        if !self.after.saves.iter().any(|known| known.1 == session) {
            self.after.saves.push((account.clone(), session));
        }
    }

    /// Hashes a password. Who waits for the stanza of this turn waits for that.
    pub fn hash(&mut self, job: HashJob, then: Hashing) {
        self.after.hashes.push((job, then, self.passage.cause.clone()));
    }

    /// Ends a session after this stanza is done.
    pub fn end_session(&mut self, account: &Jid, session: SessionId, reason: Reason) {
        self.after.endings.push((account.clone(), session, reason));
    }

    /// Notes something for the log.
    pub fn note(&mut self, level: Level, what: &'static str, who: Option<&Jid>) {
        self.effects.push(Effect::Note(Note { level, what, detail: None, who: who.cloned(), conn: None }));
    }

    /// True if the address is of a domain that is served here.
    #[must_use]
    pub fn is_local(&self, jid: &Jid) -> bool {
        self.config.serves(jid.domain())
    }
}

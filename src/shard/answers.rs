//! What the store and the hashing answered: what waited for it goes on.

use super::Shard;
use super::residence::{Door, Visitor};
use super::timers::Timer;
use crate::account::Account;
use crate::account::delivery::{Delivery, no_account};
use crate::effect::{Effect, Effects, Level};
use crate::features::{archive, keeping, offline, registration};
use crate::home::ShardIndex;
use crate::input::{Hashed, Now, Ticket};
use crate::jid::Jid;
use crate::passage::Passage;
use crate::policy;
use crate::session::SessionId;
use crate::stanza::{Condition, Stanza};
use crate::store::{AccountRecord, Answer, Question, StoreFault};
use crate::stream::{Ending, LoginAnswer};
use crate::turn::{Hashing, Then};

/// Accounts that are listed at a time.
const LISTED: u32 = 500;

impl Shard {
    /// A stanza for an account of this shard, or one of its sessions.
    pub(super) fn deliver_home(&mut self, mut stanza: Stanza, now: Now, effects: &mut Effects) {
        let Some(to) = &stanza.to else { return };
        if self.residences.get(to).is_some() {
            let before = self.begin(stanza.passage.take());
            if let Some(account) = stanza.to.as_ref().and_then(|to| self.residences.get_mut(to)) {
                policy::incoming::take(account, stanza, &mut self.desk.turn(now, effects));
            }
            self.end(before, now, effects);
            return;
        }
        let jid = to.to_bare();
        match self.residences.knock(&jid, Visitor::Stanza(stanza)) {
            Door::Open(_) | Door::Wait => {}
            Door::Load => {
                self.load(jid, effects);
            }
            Door::Full(Visitor::Stanza(mut stanza)) => {
                self.desk.counters.dropped += 1;
                let before = self.begin(stanza.passage.take());
                self.desk.turn(now, effects).give_up(&stanza, Condition::ResourceConstraint);
                self.end(before, now, effects);
            }
            Door::Full(Visitor::Client { .. } | Visitor::Sessions) => {}
        }
    }

    /// Asks for an account that is not here.
    pub(super) fn load(&mut self, jid: Jid, effects: &mut Effects) {
        let ticket = self.asked.issue((Then::Loaded(jid.clone()), None));
        effects.push(Effect::Ask { ticket, question: Question::Account { account: jid } });
    }

    /// The server begins: accounts whose sessions an earlier one left behind become resident, so that what they wait for
    /// comes to its end.
    pub(super) fn list_sessions(&mut self, after: Option<Box<str>>, effects: &mut Effects) {
        let ticket = self.asked.issue((Then::Restored, None));
        effects.push(Effect::Ask { ticket, question: Question::ListSessions { after, limit: LISTED } });
    }

    fn sessions_listed(&mut self, accounts: Vec<Box<str>>, effects: &mut Effects) {
        if accounts.len() >= LISTED as usize {
            self.list_sessions(accounts.last().cloned(), effects);
        }
        for jid in accounts.iter().filter_map(|jid| Jid::parse(jid).ok()) {
            if ShardIndex::home(&jid, self.count) == self.index
                && let Door::Load = self.residences.knock(&jid, Visitor::Sessions)
            {
                self.load(jid, effects);
            }
        }
    }

    pub(super) fn stored(
        &mut self,
        ticket: Ticket,
        answer: Result<Answer, StoreFault>,
        now: Now,
        effects: &mut Effects,
    ) {
        let Some((then, cause)) = self.asked.redeem(ticket) else { return };
        let before = self.begin(cause.map(|cause| Box::new(Passage::of(cause))));
        self.go_on_with(then, answer, now, effects);
        self.end(before, now, effects);
    }

    fn go_on_with(&mut self, then: Then, answer: Result<Answer, StoreFault>, now: Now, effects: &mut Effects) {
        match then {
            Then::Credentials(conn) => {
                let fake = self.fake.clone();
                let answer = match &answer {
                    Ok(Answer::Credentials(verifiers)) => LoginAnswer::Credentials(verifiers.as_deref(), &fake),
                    _ => LoginAnswer::Fault,
                };
                self.answer_login(conn, answer, now, effects);
            }
            Then::RoomLoaded { room, is_new } => self.room_loaded(&room, is_new, answer, now, effects),
            Then::RoomKept { room, id } => self.room_kept(&room, id, answer, now, effects),
            Then::RoomRetraction(retraction) => self.room_found(*retraction, answer, now, effects),
            Then::RoomSaved(room) => self.room_saved(&room, answer.is_ok(), now, effects),
            Then::Loaded(jid) => self.loaded(&jid, answer, now, effects),
            Then::Saved(jid) => {
                if answer.is_err() {
                    self.distrust(&jid, now, effects);
                }
            }
            Then::Iq { request, finish } => {
                if let (Err(_), Some(from)) = (&answer, &request.from) {
                    self.distrust(&from.to_bare(), now, effects);
                }
                let mut turn = self.desk.turn(now, effects);
                let result = match answer {
                    Ok(answer) => finish(&request, answer),
                    Err(_) => Err(Condition::InternalServerError.into()),
                };
                match result {
                    Ok(payload) => turn.route(request.result(&payload)),
                    Err(error) => turn.refuse(&request, &error),
                }
            }
            Then::Kept(kept) => {
                let mut turn = self.desk.turn(now, effects);
                keeping::kept(self.residences.get_mut(&kept.account), *kept, &answer, &mut turn);
            }
            Then::KeptCopy(stanza) => {
                keeping::kept_copy(stanza.as_deref(), &answer, &mut self.desk.turn(now, effects));
            }
            Then::SessionSaved { account, session } => {
                if let Some(account) = self.residences.get_mut(&account) {
                    policy::saving::saved(account, session, answer.is_ok(), &mut self.desk.turn(now, effects));
                }
            }
            Then::Restored => match answer {
                Ok(Answer::Accounts(accounts)) => self.sessions_listed(accounts, effects),
                _ => self.desk.turn(now, effects).note(Level::Error, "stored sessions could not be listed", None),
            },
            Then::FlushOffline { account, session } => {
                if let Some(account) = self.residences.get_mut(&account) {
                    let held = offline::flush(account, session, answer, &mut self.desk.turn(now, effects));
                    for stanza in held {
                        self.deliver_home(stanza, now, effects);
                    }
                }
            }
            Then::Archive(reading) => {
                if let Some(account) = self.residences.get_mut(&reading.query.account) {
                    archive::page::go_on(account, *reading, answer, &mut self.desk.turn(now, effects));
                } else if let Some(room) = self.rooms.get_mut(&reading.query.account) {
                    let mut turn = self.desk.turn(now, effects);
                    archive::page::go_on_in_room(&room.archive(), *reading, answer, &mut turn);
                }
            }
            Then::ArchiveEnds { request, ids } => {
                archive::ends(&ids, &request, answer, &mut self.desk.turn(now, effects));
            }
            Then::Retraction(retraction) => {
                let account = self.residences.get_mut(&retraction.query.account);
                archive::retraction::go_on(account, *retraction, answer, &mut self.desk.turn(now, effects));
            }
            Then::PasswordChanged { request } => {
                let done = registration::answered(&request, answer, &mut self.desk.turn(now, effects));
                if let Some(jid) = request.from.as_ref().map(Jid::to_bare).filter(|_| done) {
                    // Whoever had the old password is out; the session that changed it stays.
                    let own = self.residences.get(&jid).and_then(|account| account.sender(&request));
                    self.kick(&jid, own, now, effects);
                }
            }
            Then::AccountRemoved { request } => {
                let done = registration::answered(&request, answer, &mut self.desk.turn(now, effects));
                if let Some(jid) = request.from.as_ref().map(Jid::to_bare).filter(|_| done) {
                    // The result must leave before the stream ends.
                    self.settle(now, effects);
                    self.remove_account(&jid, now, effects);
                }
            }
        }
    }

    /// A change of this account was not stored: its memory is ahead of the store, and leaves as soon as nobody needs it.
    fn distrust(&mut self, jid: &Jid, now: Now, effects: &mut Effects) {
        let Some(account) = self.residences.get_mut(jid) else { return };
        account.is_ahead = true;
        if account.sessions.is_empty() {
            self.residences.idle(jid);
        }
        self.desk.turn(now, effects).note(Level::Error, "a change of an account was not stored", Some(jid));
    }

    fn loaded(&mut self, jid: &Jid, answer: Result<Answer, StoreFault>, now: Now, effects: &mut Effects) {
        let (record, fault) = match answer {
            Ok(Answer::Account(record)) => (record, false),
            _ => (None, true),
        };
        let exists = record.is_some();
        let account = record.map(|record| self.move_in(jid, *record, now));
        let visitors = self.residences.loaded(jid, account);
        for visitor in visitors {
            match visitor {
                Visitor::Stanza(stanza) if exists => {
                    self.deliver_home(stanza, now, effects);
                    self.settle(now, effects);
                }
                Visitor::Stanza(mut stanza) => {
                    let before = self.begin(stanza.passage.take());
                    let mut turn = self.desk.turn(now, effects);
                    if fault {
                        turn.give_up(&stanza, Condition::InternalServerError);
                    } else if no_account(stanza.kind) == Delivery::Refuse {
                        turn.refuse(&stanza, &Condition::ServiceUnavailable.into());
                    }
                    self.end(before, now, effects);
                }
                Visitor::Sessions => {}
                Visitor::Client { conn, wish } if exists => self.wish_loaded(conn, jid, &wish, now, effects),
                Visitor::Client { conn, .. } => {
                    // The account was removed between login and bind, or the store is down.
                    let ending = if fault { Ending::Fault } else { Ending::NotAuthorized };
                    self.close(conn, ending, now, effects);
                }
            }
        }
        if self.residences.get(jid).is_some_and(|account| account.sessions.is_empty()) {
            self.residences.idle(jid);
        }
    }

    /// An account with what the store knows of it, and the sessions that an earlier server left behind.
    fn move_in(&mut self, jid: &Jid, mut record: AccountRecord, now: Now) -> Account {
        let (stored, since) = (std::mem::take(&mut record.sessions), std::mem::take(&mut record.since));
        let mut account = Account::new(jid.clone(), record, self.ids);
        let name = || {
            self.next_session += 1;
            SessionId(self.next_session)
        };
        let ends_ms = |seconds: u32| now.mono_ms + u64::from(seconds) * 1000;
        policy::restoring::restore(&mut account, &stored, &since, name, ends_ms);
        for session in &account.sessions {
            self.desk.counters.restored += 1;
            if let Some(ends_ms) = session.ends_ms {
                self.timers.set(ends_ms, Timer::Detached(jid.clone(), session.id));
            }
        }
        account
    }

    pub(super) fn hashed(&mut self, ticket: Ticket, hashed: Hashed, now: Now, effects: &mut Effects) {
        let Some((then, cause)) = self.hashing.redeem(ticket) else { return };
        let before = self.begin(cause.map(|cause| Box::new(Passage::of(cause))));
        match (then, hashed) {
            (Hashing::Login(conn), Hashed::Checked(right)) => {
                self.answer_login(conn, LoginAnswer::Checked(right), now, effects);
            }
            (Hashing::ChangePassword { request }, Hashed::Made(verifiers)) => {
                let mut turn = self.desk.turn(now, effects);
                registration::save_password(request, verifiers, &mut turn);
            }
            _ => {}
        }
        self.end(before, now, effects);
    }
}

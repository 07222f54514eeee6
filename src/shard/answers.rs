//! What the store and the hashing answered: what waited for it goes on.

use super::Shard;
use super::residence::{Door, Visitor};
use crate::account::Account;
use crate::account::delivery::{Delivery, no_account};
use crate::effect::{Effect, Effects, Level};
use crate::features::{archive, offline, registration};
use crate::input::{Hashed, Now, Ticket};
use crate::jid::Jid;
use crate::policy;
use crate::stanza::{Condition, Stanza};
use crate::store::{Answer, Question, StoreFault};
use crate::stream::{Ending, LoginAnswer};
use crate::turn::{Hashing, Then};

impl Shard {
    /// A stanza for an account of this shard, or one of its sessions.
    pub(super) fn deliver_home(&mut self, stanza: Stanza, now: Now, effects: &mut Effects) {
        let Some(to) = &stanza.to else { return };
        if let Some(account) = self.residences.get_mut(to) {
            policy::incoming::take(account, stanza, &mut self.desk.turn(now, effects));
            return;
        }
        let jid = to.to_bare();
        match self.residences.knock(&jid, Visitor::Stanza(stanza)) {
            Door::Open(_) | Door::Wait => {}
            Door::Load => {
                let ticket = self.asked.issue(Then::Loaded(jid.clone()));
                effects.push(Effect::Ask { ticket, question: Question::Account { account: jid } });
            }
            Door::Full(Visitor::Stanza(stanza)) => {
                self.desk.counters.dropped += 1;
                self.desk.turn(now, effects).refuse(&stanza, &Condition::ResourceConstraint.into());
            }
            Door::Full(Visitor::Bind { .. }) => {}
        }
    }

    pub(super) fn stored(
        &mut self,
        ticket: Ticket,
        answer: Result<Answer, StoreFault>,
        now: Now,
        effects: &mut Effects,
    ) {
        let Some(then) = self.asked.redeem(ticket) else { return };
        match then {
            Then::Credentials(conn) => {
                let fake = self.fake.clone();
                let answer = match &answer {
                    Ok(Answer::Credentials(verifiers)) => LoginAnswer::Credentials(verifiers.as_deref(), &fake),
                    _ => LoginAnswer::Fault,
                };
                self.answer_login(conn, answer, now, effects);
            }
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
            Then::KeptOffline(stanza) => {
                let mut turn = self.desk.turn(now, effects);
                let account = stanza.to.as_ref().map(Jid::to_bare).and_then(|jid| self.residences.get_mut(&jid));
                offline::kept(account, &stanza, answer, &mut turn);
            }
            Then::FlushOffline { account, session } => {
                if let Some(account) = self.residences.get_mut(&account) {
                    let mut turn = self.desk.turn(now, effects);
                    for stanza in offline::flush(account, session, answer, &mut turn) {
                        policy::incoming::take(account, stanza, &mut turn);
                    }
                }
            }
            Then::Archive(reading) => {
                if let Some(account) = self.residences.get_mut(&reading.query.account) {
                    archive::page::go_on(account, *reading, answer, &mut self.desk.turn(now, effects));
                }
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
        let account = record.map(|record| Account::new(jid.clone(), *record));
        let visitors = self.residences.loaded(jid, account);
        for visitor in visitors {
            match visitor {
                Visitor::Stanza(stanza) if exists => {
                    self.deliver_home(stanza, now, effects);
                    self.settle(now, effects);
                }
                Visitor::Stanza(stanza) => {
                    let mut turn = self.desk.turn(now, effects);
                    if fault {
                        turn.refuse(&stanza, &Condition::InternalServerError.into());
                    } else if no_account(stanza.kind) == Delivery::Refuse {
                        turn.refuse(&stanza, &Condition::ServiceUnavailable.into());
                    }
                }
                Visitor::Bind { conn, id, resource } if exists => {
                    self.bind_loaded(conn, jid, &id, resource.as_deref(), now, effects);
                }
                Visitor::Bind { conn, .. } => {
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

    pub(super) fn hashed(&mut self, ticket: Ticket, hashed: Hashed, now: Now, effects: &mut Effects) {
        match (self.hashing.redeem(ticket), hashed) {
            (Some(Hashing::Login(conn)), Hashed::Checked(right)) => {
                self.answer_login(conn, LoginAnswer::Checked(right), now, effects);
            }
            (Some(Hashing::ChangePassword { request }), Hashed::Made(verifiers)) => {
                let mut turn = self.desk.turn(now, effects);
                registration::save_password(request, verifiers, &mut turn);
            }
            _ => {}
        }
    }
}

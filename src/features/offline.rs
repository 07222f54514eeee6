//! Offline messages (XEP-0160): stored while nobody is there, handed over with a delay stamp (XEP-0203). They wait until the
//! client has them: without stream management once they are written, with it once they are acknowledged.

use super::archive::rules::archives;
use super::{Feature, delayed, keeping};
use crate::account::Account;
use crate::session::{Given, Session, SessionId};
use crate::stanza::Stanza;
use crate::store::{Answer, Archived, Question, StoreFault};
use crate::turn::{Then, Turn};

/// Messages read from the store at a time.
const BATCH: u32 = 50;

/// The table's line.
pub const FEATURE: Feature = Feature {
    document: "XEP-0160",
    title: "Best Practices for Handling Offline Messages",
    version: "1.0.1",
    server: &["msgoffline"],
    available: Some(available),
    ..Feature::NONE
};

/// A session begins to take messages, or another may take over: it gets what waits, also what is still on its way into the
/// store, for the store answers in order. One reads at a time, or two would read the same.
pub fn available(account: &mut Account, session: SessionId, turn: &mut Turn<'_>) {
    if account.flush.is_none() && account.waiting + account.keeping > 0 {
        (account.flush, account.ended) = (Some(Vec::new()), Vec::new());
        ask(account, session, 0, turn);
    }
}

fn ask(account: &Account, session: SessionId, after: u64, turn: &mut Turn<'_>) {
    let question = Question::ReadWaiting { account: account.jid.clone(), key: account.key, after, limit: BATCH };
    turn.ask(question, Then::FlushOffline { account: account.jid.clone(), session });
}

/// Hands over what the store read, and asks for more until there is no more. Then gives the live messages that came
/// meanwhile: they follow.
#[must_use]
pub fn flush(
    account: &mut Account,
    session: SessionId,
    answer: Result<Answer, StoreFault>,
    turn: &mut Turn<'_>,
) -> Vec<Stanza> {
    // After a fault they are still there, for the next one who comes.
    let Ok(Answer::Messages(messages)) = answer else { return account.flush.take().unwrap_or_default() };
    let Some(last) = messages.last().map(|message| message.id) else {
        return account.flush.take().unwrap_or_default();
    };
    if account.session(session).is_none_or(|session| session.takes.is_none()) {
        let held = account.flush.take().unwrap_or_default();
        let other = account.sessions.iter().find(|session| session.takes.is_some()).map(|session| session.id);
        let Some(other) = other else { return held };
        account.flush = Some(held);
        ask(account, other, 0, turn);
        return Vec::new();
    }
    let more = messages.len() >= BATCH as usize;
    for message in messages {
        hand_over(account, session, &message, turn);
    }
    read(account, turn);
    if more {
        ask(account, session, last, turn);
        return Vec::new();
    }
    account.flush.take().unwrap_or_default()
}

/// Gives one message to a session, unless a client has it: one that has not acknowledged it, or one that did while it was read.
/// Whoever is owed a carbon of it (XEP-0280) gets it so; but nobody else goes without for that, for a carbon that was never
/// acknowledged ends with its session.
fn hand_over(account: &mut Account, session: SessionId, message: &Archived, turn: &mut Turn<'_>) {
    let is_owed = |session: &Session| session.outbox.owes(|given| given.id == message.id && !given.is_carbon);
    if account.ended.contains(&message.id)
        || account.sessions.iter().any(is_owed)
        || account.session_mut(session).is_some_and(|session| session.outbox.wait_for(message.id))
    {
        return;
    }
    let from = Stanza::from_stored(&message.stanza).and_then(|stanza| stanza.from);
    let archived = from.is_some_and(|from| archives(account, &from, turn.config));
    if let Some(stanza) = keeping::again(account, &message.stanza, message.id, archived) {
        let stanza = delayed::stamp(stanza, account.jid.domain(), message.id >> 20);
        let given = Given { id: message.id, is_stored: true, is_held: false, is_carbon: false, waits: true };
        account.give(session, stanza, given, turn);
    }
}

/// Sessions may have written what waited, and their clients acknowledge nothing.
pub fn read(account: &mut Account, turn: &mut Turn<'_>) {
    let read = account.sessions.iter_mut().flat_map(|session| session.outbox.take_read()).collect();
    settled(account, read, turn);
}

/// A client has these messages: they wait no longer.
pub fn settled(account: &mut Account, ids: Vec<u64>, turn: &mut Turn<'_>) {
    if !ids.is_empty() {
        account.waiting = account.waiting.saturating_sub(ids.len() as u32);
        if account.flush.is_some() {
            account.ended.extend(&ids);
        }
        let question = Question::EndWaiting { account: account.jid.clone(), key: account.key, ids };
        turn.ask(question, Then::Saved(account.jid.clone()));
    }
}

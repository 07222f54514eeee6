//! Offline messages (XEP-0160): kept while nobody is there, handed over with a delay stamp (XEP-0203).

use super::{Feature, delayed};
use crate::account::Account;
use crate::session::SessionId;
use crate::stanza::{Condition, Kind, MessageType, Stanza};
use crate::store::{Answer, Entry, Keep, Question, StoreFault, Uses, peer};
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

/// Keeps a message that nobody is there to take, or drops it if nobody would miss it (section 3).
pub fn keep(account: &mut Account, stanza: Stanza, at_ms: u64, turn: &mut Turn<'_>) {
    if !is_worth_keeping(&stanza) {
        return;
    }
    if account.waiting + account.keeping >= turn.config.limits.offline_messages {
        turn.refuse(&stanza, &Condition::ServiceUnavailable.into());
        return;
    }
    let mut bytes = Vec::with_capacity(stanza.weight());
    stanza.write_to(&mut bytes);
    let peer = stanza.from.as_ref().map(peer).unwrap_or_default();
    let uses = Uses { archived: false, waits: true };
    let entry = Entry { key: account.key, id: account.next_id(at_ms), peer, uses, trace: [].into() };
    let keep = Keep { account: account.jid.clone(), stanza: bytes.into(), entries: vec![entry] };
    account.keeping += 1;
    turn.ask(Question::Keep(Box::new(keep)), Then::KeptOffline(Box::new(stanza)));
}

/// Chat states alone mean nothing later, and `no-store` (XEP-0334) says so itself.
fn is_worth_keeping(stanza: &Stanza) -> bool {
    if !matches!(stanza.kind, Kind::Message(MessageType::Chat | MessageType::Normal)) {
        return false;
    }
    let mut content = false;
    for child in stanza.children() {
        match (&*child.ns, child.name) {
            ("urn:xmpp:hints", "no-store" | "no-permanent-store") => return false,
            ("http://jabber.org/protocol/chatstates" | "urn:xmpp:hints" | "urn:xmpp:sid:0", _) | (_, "thread") => {}
            _ => content = true,
        }
    }
    content
}

/// The store kept a message, or could not.
pub fn kept(account: Option<&mut Account>, stanza: &Stanza, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    let done = matches!(answer, Ok(Answer::Done));
    if let Some(account) = account {
        account.keeping = account.keeping.saturating_sub(1);
        account.waiting += u32::from(done);
    }
    match answer {
        Ok(Answer::Done) => turn.counters.messages_offline += 1,
        Ok(_) => turn.refuse(stanza, &Condition::ServiceUnavailable.into()),
        Err(_) => turn.refuse(stanza, &Condition::InternalServerError.into()),
    }
}

/// A session begins to take messages, or another may take over: it gets what waits, also what is still on its way into the
/// store, for the store answers in order. One reads at a time, or two would read the same.
fn available(account: &mut Account, session: SessionId, turn: &mut Turn<'_>) {
    if account.flush.is_none() && account.waiting + account.keeping > 0 {
        account.waiting = 0;
        account.flush = Some(Vec::new());
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
    let Ok(Answer::Messages(messages)) = answer else {
        // They are still there, for the next one who comes.
        account.waiting += 1;
        return account.flush.take().unwrap_or_default();
    };
    if let Some(last) = messages.last().map(|message| message.id) {
        if account.session(session).is_none_or(|session| session.takes.is_none()) {
            account.waiting += 1;
            let held = account.flush.take().unwrap_or_default();
            let other = account.sessions.iter().find(|session| session.takes.is_some()).map(|session| session.id);
            let Some(other) = other else { return held };
            available(account, other, turn);
            account.flush = Some(held);
            return Vec::new();
        }
        let more = messages.len() >= BATCH as usize;
        for message in messages {
            if let Some(stanza) = Stanza::from_stored(&message.stanza) {
                let domain = account.jid.domain();
                let stanza = delayed::stamp(stanza, domain, message.id >> 20);
                account.send(session, stanza, turn);
            }
        }
        let question = Question::EndWaiting { account: account.jid.clone(), key: account.key, upto: last };
        turn.ask(question, Then::Saved(account.jid.clone()));
        if more {
            ask(account, session, last, turn);
            return Vec::new();
        }
    }
    account.flush.take().unwrap_or_default()
}

//! Presence of an account (RFC 6121 sections 3 and 4): broadcast, probes, subscriptions.

use crate::account::Account;
use crate::account::availability::Availability;
use crate::account::subscription::{self, Action, Notify, State};
use crate::features::{FEATURES, blocking, roster};
use crate::jid::Jid;
use crate::session::{CurrentPresence, SessionId};
use crate::stanza::{Condition, Kind, PresenceType, Stanza};
use crate::store::{PendingRequest, Question};
use crate::turn::{Then, Turn};

/// Presence without an address, of one of the account's sessions: it is for everybody who may see it.
pub fn announce(account: &mut Account, session: SessionId, stanza: Stanza, turn: &mut Turn<'_>) {
    match stanza.kind {
        Kind::Presence(PresenceType::Available) => available(account, session, stanza, turn),
        Kind::Presence(PresenceType::Unavailable) => unavailable(account, session, Some(stanza), turn),
        // Errors and probes to nobody mean nothing.
        _ => {}
    }
}

fn available(account: &mut Account, id: SessionId, stanza: Stanza, turn: &mut Turn<'_>) {
    let Ok(Availability { priority, .. }) = Availability::parse(&stanza.payload) else {
        turn.refuse(&stanza, &Condition::BadRequest.into());
        return;
    };
    let since = account.next_id(turn.now.unix_ms);
    account.changed(id, turn);
    let Some(session) = account.session_mut(id) else { return };
    let before = session.priority();
    let full = session.jid.clone();
    session.presence = Some(CurrentPresence { stanza: stanza.clone(), priority });
    session.takes = (priority >= 0).then(|| session.takes.unwrap_or(since));

    broadcast(account, &stanza, turn);
    if before.is_none() {
        greet(account, id, &full, turn);
    }
    // Messages for the bare JID begin to reach this session.
    if priority >= 0 && before.is_none_or(|before| before < 0) {
        for available in FEATURES.iter().filter_map(|feature| feature.available) {
            available(account, id, turn);
        }
    }
}

/// What initial presence brings besides the broadcast (RFC 6121 sections 4.2.2, 4.3.1 and 3.1.3).
pub fn greet(account: &mut Account, id: SessionId, full: &Jid, turn: &mut Turn<'_>) {
    probe(account, full, turn);
    let others: Vec<_> = account
        .available()
        .filter(|session| session.id != id)
        .filter_map(|session| session.presence.as_ref())
        .map(|presence| addressed(&presence.stanza, full))
        .collect();
    let requests: Vec<_> = account.requests.iter().filter_map(|request| Stanza::from_stored(&request.stanza)).collect();
    for stanza in others.into_iter().chain(requests) {
        account.send(id, stanza, turn);
    }
}

/// Asks all contacts that the account may see.
fn probe(account: &Account, full: &Jid, turn: &mut Turn<'_>) {
    for contact in account.roster.subscriptions() {
        turn.route(Stanza::new(Kind::Presence(PresenceType::Probe), Some(full.clone()), Some(contact.clone())));
    }
}

/// The session is not available any more; `stanza` is what it said, none if it was lost (RFC 6121 section 4.5).
pub fn unavailable(account: &mut Account, id: SessionId, stanza: Option<Stanza>, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    let full = session.jid.clone();
    let stanza = stanza.unwrap_or_else(|| Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(full), None));
    let directed = std::mem::take(&mut session.directed);
    let was_available = session.is_available();
    if was_available {
        broadcast(account, &stanza, turn);
    }
    for to in directed {
        if !was_available || !account.shows_presence_to(&to) {
            turn.route(addressed(&stanza, &to));
        }
    }
    if let Some(session) = account.session_mut(id) {
        (session.presence, session.takes) = (None, None);
        account.changed(id, turn);
    }
    if was_available && account.available().next().is_none() {
        let status = Availability::parse(&stanza.payload).ok().and_then(|read| read.status).unwrap_or_default();
        let at_ms = turn.now.unix_ms;
        account.last = Some((at_ms, status.clone()));
        let question = Question::SaveLast { account: account.jid.clone(), at_ms, status };
        turn.ask(question, Then::Saved(account.jid.clone()));
    }
}

/// To all contacts that may see the account, and to all its own available resources, the sender's included (section 4.2.2).
fn broadcast(account: &mut Account, stanza: &Stanza, turn: &mut Turn<'_>) {
    for contact in account.roster.subscribers().filter(|contact| !blocking::blocks(account, contact)) {
        turn.route(addressed(stanza, contact));
    }
    let own = addressed(stanza, &account.jid);
    account.send_each(&own, |session| session.is_available(), turn);
}

fn addressed(stanza: &Stanza, to: &Jid) -> Stanza {
    Stanza { to: Some(to.clone()), ..stanza.clone() }
}

/// A subscription stanza of one of the account's sessions (RFC 6121 section 3).
pub fn subscription_out(account: &mut Account, action: Action, mut stanza: Stanza, turn: &mut Turn<'_>) {
    let Some(contact) = stanza.to.as_ref().map(Jid::to_bare) else { return };
    if contact == account.jid {
        return;
    }
    let outcome = subscription::outbound(state(account, &contact), action);
    let known = account.roster.get(contact.as_str()).is_some();
    if outcome.push && !known && account.roster.items().len() >= turn.config.limits.roster_items {
        turn.refuse(&stanza, &Condition::NotAllowed.into());
        return;
    }
    if outcome.notify == Notify::Unavailable {
        roster::notify(account, &contact, outcome.notify, turn);
    }
    if outcome.route {
        // Section 3.1.2: both addresses bare.
        stanza.from = Some(account.jid.clone());
        stanza.to = Some(contact.clone());
        let passage = turn.passage.clone();
        turn.pass_on(stanza);
        *turn.passage = passage;
    }
    if outcome.forget_request {
        roster::forget_request(account, &contact, turn);
    }
    if outcome.push {
        roster::change_state(account, &contact, outcome.next, turn);
    }
    if outcome.notify == Notify::Current {
        roster::notify(account, &contact, outcome.notify, turn);
    }
}

/// Presence for the account itself: probes and the contact's side of subscriptions.
pub fn take(account: &mut Account, mut stanza: Stanza, turn: &mut Turn<'_>) {
    let (Kind::Presence(kind), Some(from)) = (stanza.kind, stanza.from.clone()) else { return };
    if kind == PresenceType::Probe {
        probed(account, &from, turn);
        return;
    }
    let Some(action) = Action::of(kind) else { return };
    let contact = from.to_bare();
    if contact == account.jid {
        return;
    }
    stanza.from = Some(contact.clone());
    stanza.to = Some(account.jid.clone());
    let outcome = subscription::inbound(state(account, &contact), action);
    if outcome.deliver {
        let to_all = action == Action::Subscribe;
        account.send_each(&stanza, |session| session.is_available() && (to_all || session.wants_roster), turn);
    }
    if outcome.remember_request {
        remember_request(account, &stanza, &contact, turn);
    }
    if outcome.forget_request {
        roster::forget_request(account, &contact, turn);
    }
    if outcome.push && !roster::change_state(account, &contact, outcome.next, turn) {
        turn.counters.dropped += 1;
    }
    if outcome.notify == Notify::Unavailable {
        roster::notify(account, &contact, outcome.notify, turn);
    }
    if let Some(reply) = outcome.reply {
        turn.route(Stanza::new(Kind::Presence(reply.presence()), Some(account.jid.clone()), Some(contact.clone())));
    }
    if outcome.notify == Notify::Current {
        roster::notify(account, &contact, outcome.notify, turn);
    }
}

/// RFC 6121 section 4.3.2.
fn probed(account: &mut Account, from: &Jid, turn: &mut Turn<'_>) {
    let own = Some(account.jid.clone());
    if !account.shows_presence_to(from) {
        turn.route(Stanza::new(Kind::Presence(PresenceType::Unsubscribed), own, Some(from.to_bare())));
        return;
    }
    let current: Vec<_> =
        account.available().filter_map(|session| session.presence.as_ref()).map(|presence| &presence.stanza).collect();
    if current.is_empty() {
        turn.route(Stanza::new(Kind::Presence(PresenceType::Unavailable), own, Some(from.clone())));
    }
    for stanza in current {
        turn.route(addressed(stanza, from));
    }
}

fn state(account: &Account, contact: &Jid) -> State {
    let pending_in = account.requests.iter().any(|request| request.from == *contact);
    State::of(account.roster.get(contact.as_str()), pending_in)
}

fn remember_request(account: &mut Account, stanza: &Stanza, contact: &Jid, turn: &mut Turn<'_>) {
    account.requests.retain(|request| request.from != *contact);
    if account.requests.len() >= turn.config.limits.pending_requests {
        turn.counters.dropped += 1;
        return;
    }
    let mut bytes = Vec::new();
    stanza.write_to(&mut bytes);
    let request = PendingRequest { from: contact.clone(), stanza: bytes.into() };
    account.requests.push(request.clone());
    let account = account.jid.clone();
    turn.ask(Question::SaveRequest { account: account.clone(), request }, Then::Saved(account));
}

/// The account is gone: everybody it shared a subscription with hears that it ended, so that whoever takes the name later
/// inherits nothing (XEP-0077 section 3.2).
pub fn farewell(account: &Account, turn: &mut Turn<'_>) {
    let mut say = |kind, contact: &Jid| {
        turn.route(Stanza::new(Kind::Presence(kind), Some(account.jid.clone()), Some(contact.clone())));
    };
    for item in account.roster.items() {
        let removal = subscription::removal(state(account, &item.jid));
        if removal.unsubscribe {
            say(PresenceType::Unsubscribe, &item.jid);
        }
        if removal.unsubscribed {
            say(PresenceType::Unsubscribed, &item.jid);
        }
    }
    for request in account.requests.iter().filter(|request| account.roster.get(request.from.bare_str()).is_none()) {
        say(PresenceType::Unsubscribed, &request.from);
    }
}

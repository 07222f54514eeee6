//! The roster as clients manage it (RFC 6121 section 2): get, set, remove, pushes; the list itself is in [`crate::account::roster`].

use super::{Answered, Feature, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::account::roster::{RosterAnswer, RosterChange, SetError, parse_set, push, push_removed};
use crate::account::subscription::{self, Notify, State};
use crate::jid::Jid;
use crate::ns;
use crate::session::SessionId;
use crate::stanza::{Condition, IqType, Kind, PresenceType, Stanza, StanzaError};
use crate::store::{Answer, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "RFC 6121, 2",
    title: "Roster, with versioning",
    stream: "<ver xmlns='urn:xmpp:features:rosterver'/>",
    iqs: &[
        IqHandler { namespace: ns::ROSTER, name: "query", handler: Handler::Own(query) },
        IqHandler { namespace: ns::ROSTER, name: "query", handler: Handler::Public(of_another) },
    ],
    ..Feature::NONE
};

/// Approvals that come before the request (section 3.4) are part of the subscription tables.
pub(super) const PRE_APPROVAL: Feature = Feature {
    document: "RFC 6121, 3.4",
    title: "Subscription pre-approval",
    stream: "<sub xmlns='urn:xmpp:features:pre-approval'/>",
    ..Feature::NONE
};

/// Section 2.3.3: who changes somebody else's roster is told that it is forbidden; who asks for it learns nothing.
fn of_another(_: &mut Account, stanza: &Stanza, _: &Element, _: &mut Turn<'_>) -> Answered {
    Err(match stanza.kind {
        Kind::Iq(IqType::Set) => Condition::Forbidden.into(),
        _ => Condition::ServiceUnavailable.into(),
    })
}

fn query(
    account: &mut Account,
    session: SessionId,
    stanza: &Stanza,
    request: &Element,
    turn: &mut Turn<'_>,
) -> Answered {
    if stanza.kind == Kind::Iq(IqType::Get) {
        return Ok(get(account, session, stanza, request.attr("ver"), turn));
    }
    match parse_set(request, &account.jid)? {
        RosterChange::Set { contact, name, groups } => {
            let limit = turn.config.limits.roster_items;
            let item = account.roster.set(&contact, name, groups, limit, turn.now.unix_ms).map_err(SetError::from)?;
            let (payload, item) = (push(item), Box::new(item.clone()));
            account.push(&payload, |session| session.wants_roster, turn);
            Ok(save(Question::SaveRosterItem { account: account.jid.clone(), item }, stanza, turn))
        }
        RosterChange::Remove { contact } => remove(account, &contact, stanza, turn),
    }
}

fn get(account: &mut Account, id: SessionId, stanza: &Stanza, version: Option<&str>, turn: &mut Turn<'_>) -> Reply {
    let Some(session) = account.session_mut(id) else { return Reply::Later };
    let full = session.jid.clone();
    if !std::mem::replace(&mut session.wants_roster, true) {
        account.changed(id, turn);
    }
    let changes: Vec<Vec<u8>> = match account.roster.answer(version) {
        RosterAnswer::Full(payload) => return Reply::Result(payload),
        RosterAnswer::Nothing => Vec::new(),
        RosterAnswer::Changes(items) => items.into_iter().map(push).collect(),
    };
    // Section 2.6.3: first the empty result, then the pushes.
    account.send(id, stanza.result(&[]), turn);
    for payload in changes {
        let push = Stanza::new(Kind::Iq(IqType::Set), Some(account.jid.clone()), Some(full.clone()));
        let push = push.with_id(&turn.dice.token()).with_payload(&payload);
        account.send(id, push, turn);
    }
    Reply::Later
}

fn remove(account: &mut Account, contact: &Jid, stanza: &Stanza, turn: &mut Turn<'_>) -> Answered {
    let pending_in = account.requests.iter().any(|request| request.from == *contact);
    let Some(item) = account.roster.get(contact.as_str()).cloned() else {
        return Err(SetError::ItemNotFound.into());
    };
    let removal = subscription::removal(State::of(Some(&item), pending_in));
    notify(account, contact, removal.notify, turn);
    let farewells =
        [(removal.unsubscribe, PresenceType::Unsubscribe), (removal.unsubscribed, PresenceType::Unsubscribed)];
    for (_, kind) in farewells.into_iter().filter(|(sends, _)| *sends) {
        turn.route(Stanza::new(Kind::Presence(kind), Some(account.jid.clone()), Some(contact.clone())));
    }
    if removal.forget_request {
        forget_request(account, contact, turn);
    }
    let version = account.roster.remove(contact.as_str(), turn.now.unix_ms).map_or(0, |(_, version)| version);
    account.push(&push_removed(contact.as_str(), version), |session| session.wants_roster, turn);
    let question = Question::RemoveRosterItem { account: account.jid.clone(), contact: contact.clone(), version };
    Ok(save(question, stanza, turn))
}

/// The result follows the commit.
fn save(question: Question, stanza: &Stanza, turn: &mut Turn<'_>) -> Reply {
    fn finish(_: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
        match answer {
            Answer::Done => Ok(Vec::new()),
            _ => Err(Condition::InternalServerError.into()),
        }
    }
    turn.ask(question, Then::Iq { request: Box::new(stanza.clone()), finish });
    Reply::Later
}

/// Takes over a new subscription state of a contact, saves it and pushes it. False if the roster has no room.
pub fn change_state(account: &mut Account, contact: &Jid, next: State, turn: &mut Turn<'_>) -> bool {
    let limit = turn.config.limits.roster_items;
    let Ok(item) = account.roster.set_state(contact, next, limit, turn.now.unix_ms) else { return false };
    let (payload, item) = (push(item), Box::new(item.clone()));
    account.push(&payload, |session| session.wants_roster, turn);
    let account = account.jid.clone();
    turn.ask(Question::SaveRosterItem { account: account.clone(), item }, Then::Saved(account));
    true
}

/// Shows the contact what it may now see of the account, or takes it away.
pub fn notify(account: &Account, contact: &Jid, notify: Notify, turn: &mut Turn<'_>) {
    for session in account.available() {
        let Some(presence) = &session.presence else { continue };
        match notify {
            Notify::Nothing => {}
            Notify::Current if super::blocking::blocks(account, contact) => {}
            Notify::Current => turn.route(Stanza { to: Some(contact.clone()), ..presence.stanza.clone() }),
            Notify::Unavailable => turn.route(Stanza::new(
                Kind::Presence(PresenceType::Unavailable),
                Some(session.jid.clone()),
                Some(contact.clone()),
            )),
        }
    }
}

/// Forgets what the contact asked for.
pub fn forget_request(account: &mut Account, contact: &Jid, turn: &mut Turn<'_>) {
    account.requests.retain(|request| request.from != *contact);
    let account = account.jid.clone();
    turn.ask(Question::RemoveRequest { account: account.clone(), from: contact.clone() }, Then::Saved(account));
}

impl From<SetError> for StanzaError {
    fn from(error: SetError) -> Self {
        Self::from(match error {
            SetError::BadRequest => Condition::BadRequest,
            SetError::NotAcceptable => Condition::NotAcceptable,
            SetError::NotAllowed => Condition::NotAllowed,
            SetError::ItemNotFound => Condition::ItemNotFound,
        })
    }
}

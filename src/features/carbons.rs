//! Message carbons (XEP-0280): an account's other devices see what one of them sends and gets.

use super::{Answered, Feature, Flow, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::ns;
use crate::session::{Given, Session, SessionId, Trace};
use crate::stanza::{Kind, MessageType, Stanza};
use crate::turn::Turn;
use crate::xml::Element;

const CARBONS: &str = "urn:xmpp:carbons:2";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
const FORWARD: &str = "urn:xmpp:forward:0";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0280",
    title: "Message Carbons",
    version: "1.0.1",
    server: &[CARBONS, "urn:xmpp:carbons:rules:0"],
    account: &[CARBONS, "urn:xmpp:carbons:rules:0"],
    iqs: &[
        IqHandler { namespace: CARBONS, name: "enable", handler: Handler::OwnAnywhere(enable) },
        IqHandler { namespace: CARBONS, name: "disable", handler: Handler::OwnAnywhere(disable) },
    ],
    outgoing: Some(sent),
    delivered: Some(received),
    ..Feature::NONE
};

fn enable(account: &mut Account, id: SessionId, _: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    let since = account.next_id(turn.now.unix_ms);
    Ok(switch(account, id, Some(since), turn))
}

fn disable(account: &mut Account, id: SessionId, _: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    Ok(switch(account, id, None, turn))
}

fn switch(account: &mut Account, id: SessionId, since: Option<u64>, turn: &mut Turn<'_>) -> Reply {
    if let Some(session) = account.session_mut(id) {
        session.carbons = since.map(|since| session.carbons.unwrap_or(since));
        account.changed(id, turn);
    }
    Reply::Result(Vec::new())
}

/// A session sent a message: the others see it (section 8). Nothing is taken out of the message, also not `private`.
fn sent(account: &mut Account, id: SessionId, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    let watched = account.sessions.iter().any(|session| session.carbons.is_some() && session.id != id);
    // A message to the account itself comes back to its door, where those see it who do not get it.
    let comes_back = stanza.to.as_ref().is_none_or(|to| to.same_bare(&account.jid));
    if watched && !comes_back && is_eligible(stanza, Direction::Sent) {
        // The id of the sender's copy: the others see it when it is stored.
        let stored = turn.passage.copy.as_ref().map(|copy| copy.entry.id);
        let id_here = stored.unwrap_or_else(|| account.next_id(turn.now.unix_ms));
        let is_stored = stored.is_some();
        let given = Given { id: id_here, is_stored, is_held: is_stored, is_carbon: true, waits: false };
        let mut trace = Trace::default();
        copy(account, stanza, Direction::Sent, |session| session.id != id, given, &mut trace, turn);
        if let Some(copy) = &mut turn.passage.copy {
            let mut bytes = copy.entry.trace.to_vec();
            trace.write(&mut bytes);
            copy.entry.trace = bytes.into();
        }
    }
    Flow::Continue
}

/// A message went to some sessions: those that did not get it see it (section 7).
fn received(
    account: &mut Account,
    stanza: &Stanza,
    got: &[SessionId],
    given: Given,
    trace: &mut Trace,
    turn: &mut Turn<'_>,
) {
    let sender = account.sender(stanza);
    let wants = |session: &Session| !got.contains(&session.id) && sender != Some(session.id);
    if account.sessions.iter().any(|session| session.carbons.is_some() && wants(session))
        && is_eligible(stanza, Direction::Received)
    {
        copy(account, stanza, Direction::Received, wants, Given { is_carbon: true, ..given }, trace, turn);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sent,
    Received,
}

fn copy(
    account: &mut Account,
    stanza: &Stanza,
    direction: Direction,
    wants: impl Fn(&Session) -> bool,
    given: Given,
    trace: &mut Trace,
    turn: &mut Turn<'_>,
) {
    let mut carbon = wrap(account, stanza, direction);
    let targets: Vec<_> = account
        .sessions
        .iter()
        .filter(|session| session.carbons.is_some() && wants(session))
        .map(|session| (session.id, session.jid.clone()))
        .collect();
    for (id, jid) in targets {
        carbon.to = Some(jid);
        trace.receiving.extend(account.give(id, carbon.clone(), given, turn));
    }
}

fn wrap(account: &Account, stanza: &Stanza, direction: Direction) -> Stanza {
    let direction = if direction == Direction::Sent { "sent" } else { "received" };
    let mut payload = Vec::with_capacity(stanza.weight() + 160);
    payload.extend_from_slice(format!("<{direction} xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'>").as_bytes());
    stanza.write_addressed(stanza.to.as_ref(), ns::CLIENT, &mut payload);
    payload.extend_from_slice(format!("</forwarded></{direction}>").as_bytes());
    Stanza::new(stanza.kind, Some(account.jid.clone()), None).with_payload(&payload)
}

/// The carbon of a stored message, as a session of the account had it.
#[must_use]
pub fn again(account: &Account, stanza: &Stanza) -> Stanza {
    let is_own = stanza.from.as_ref().is_some_and(|from| from.same_bare(&account.jid));
    wrap(account, stanza, if is_own { Direction::Sent } else { Direction::Received })
}

/// The rules that section 6.1 recommends.
fn is_eligible(stanza: &Stanza, direction: Direction) -> bool {
    let Kind::Message(kind @ (MessageType::Chat | MessageType::Normal)) = stanza.kind else { return false };
    let mut eligible = kind == MessageType::Chat;
    for child in stanza.children() {
        match (&*child.ns, child.name) {
            (CARBONS, "private" | "sent" | "received") | ("urn:xmpp:hints", "no-copy") => return false,
            (MUC_USER, "x") if invites(child.bytes) => return true,
            // A room sends its private messages to each of the user's occupants by itself.
            (MUC_USER, "x") if direction == Direction::Received => return false,
            ("urn:xmpp:receipts" | "http://jabber.org/protocol/chatstates" | "urn:xmpp:chat-markers:0", _)
            | ("jabber:x:conference", "x")
            | (ns::CLIENT, "body") => eligible = true,
            // Calls ring on all devices (XEP-0353 section 3).
            (namespace, _) if namespace.starts_with("urn:xmpp:jingle-message:") => eligible = true,
            _ => {}
        }
    }
    eligible
}

fn invites(muc_user: &[u8]) -> bool {
    Element::parse(muc_user, ns::CLIENT).is_ok_and(|x| x.child("invite", MUC_USER).is_some())
}

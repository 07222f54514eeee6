//! Blocking (XEP-0191): the blocklist of an account, and what it keeps out.

use super::{Answered, Feature, Flow, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::jid::Jid;
use crate::session::SessionId;
use crate::stanza::{Condition, Kind, MessageType, PresenceType, Stanza, StanzaError};
use crate::store::{Answer, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const BLOCKING: &str = "urn:xmpp:blocking";

/// The table's line.
pub const FEATURE: Feature = Feature {
    document: "XEP-0191",
    title: "Blocking Command",
    version: "1.3",
    server: &[BLOCKING],
    account: &[BLOCKING],
    iqs: &[
        IqHandler { namespace: BLOCKING, name: "blocklist", handler: Handler::Own(list) },
        IqHandler { namespace: BLOCKING, name: "block", handler: Handler::Own(block) },
        IqHandler { namespace: BLOCKING, name: "unblock", handler: Handler::Own(unblock) },
    ],
    outgoing: Some(outgoing),
    incoming: Some(incoming),
    ..Feature::NONE
};

/// Whether the account blocks this address (section 2: full JID, bare JID, domain with resource, domain).
#[must_use]
pub fn blocks(account: &Account, other: &Jid) -> bool {
    !account.blocked.is_empty()
        && !account.jid.same_bare(other)
        && account.blocked.iter().any(|blocked| {
            blocked.domain() == other.domain()
                && (blocked.local().is_none() || blocked.local() == other.local())
                && (blocked.resource().is_none() || blocked.resource() == other.resource())
        })
}

/// Section 4: the user may not write to whom they block, lest they show that they are there.
fn outgoing(account: &mut Account, session: SessionId, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    if !stanza.to.as_ref().is_some_and(|to| blocks(account, to)) {
        return Flow::Continue;
    }
    // Unavailable presence and the end of a subscription tell nothing that the contact should not know.
    if matches!(
        stanza.kind,
        Kind::Presence(PresenceType::Unavailable | PresenceType::Unsubscribe | PresenceType::Unsubscribed)
    ) {
        return Flow::Continue;
    }
    let error =
        StanzaError { extra: Some("<blocked xmlns='urn:xmpp:blocking:errors'/>"), ..Condition::NotAcceptable.into() };
    // Straight to the session: the error is in the blocked one's name, and routed it would end at the blocklist.
    if let Some(bounce) = stanza.bounce(&error) {
        account.send(session, bounce, turn);
    }
    Flow::Stop
}

/// Section 4: the blocked one hears what it would hear from an account that is not there.
fn incoming(account: &mut Account, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    if !stanza.from.as_ref().is_some_and(|from| blocks(account, from)) {
        return Flow::Continue;
    }
    match stanza.kind {
        Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Groupchat) | Kind::Iq(_) => {
            turn.refuse(stanza, &Condition::ServiceUnavailable.into());
        }
        Kind::Message(_) | Kind::Presence(_) => {}
    }
    Flow::Stop
}

fn list(account: &mut Account, id: SessionId, _: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    if let Some(session) = account.session_mut(id)
        && !std::mem::replace(&mut session.wants_blocklist, true)
    {
        account.changed(id, turn);
    }
    Ok(Reply::Result(items("blocklist", &account.blocked)))
}

fn block(account: &mut Account, _: SessionId, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let jids = read_items(request)?;
    if jids.is_empty() {
        // Section 3.3: a block without items is malformed.
        return Err(Condition::BadRequest.into());
    }
    let new: Vec<Jid> = jids.into_iter().filter(|jid| !account.blocked.contains(jid)).collect();
    if account.blocked.len() + new.len() > turn.config.limits.blocked {
        return Err(StanzaError::new(Condition::NotAcceptable, "the blocklist is full"));
    }
    // Section 3.3: they must believe that the user went offline.
    tell(account, &new, PresenceType::Unavailable, turn);
    account.blocked.extend(new.iter().cloned());
    leave_directed(account, turn);
    account.push(&items("block", &new), |session| session.wants_blocklist, turn);
    save(stanza, Question::Block { account: account.jid.clone(), jids: new }, turn)
}

fn unblock(account: &mut Account, _: SessionId, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let jids = read_items(request)?;
    let gone = if jids.is_empty() {
        std::mem::take(&mut account.blocked)
    } else {
        account.blocked.retain(|blocked| !jids.contains(blocked));
        jids.clone()
    };
    account.push(&items("unblock", &jids), |session| session.wants_blocklist, turn);
    // Section 3.4: they see the user again.
    tell(account, &gone, PresenceType::Available, turn);
    save(stanza, Question::Unblock { account: account.jid.clone(), jids }, turn)
}

/// Whom directed presence went to, and who is blocked now, sees the session go; subscribers heard it already.
fn leave_directed(account: &mut Account, turn: &mut Turn<'_>) {
    for index in 0..account.sessions.len() {
        let mut directed = std::mem::take(&mut account.sessions[index].directed);
        let full = account.sessions[index].jid.clone();
        directed.retain(|to| {
            let blocked = blocks(account, to);
            if blocked && !account.shows_presence_to(to) {
                let unavailable = Kind::Presence(PresenceType::Unavailable);
                turn.route(Stanza::new(unavailable, Some(full.clone()), Some(to.clone())));
            }
            !blocked
        });
        account.sessions[index].directed = directed;
    }
}

/// Tells those of `jids` who may see the account what they now may think of it.
fn tell(account: &Account, jids: &[Jid], kind: PresenceType, turn: &mut Turn<'_>) {
    for contact in account.roster.subscribers() {
        let covers =
            |jid: &Jid| jid.domain() == contact.domain() && (jid.local().is_none() || jid.local() == contact.local());
        if !jids.iter().any(covers) || blocks(account, contact) {
            continue;
        }
        for session in account.available() {
            let Some(presence) = &session.presence else { continue };
            let mut stanza = presence.stanza.clone();
            stanza.to = Some(contact.clone());
            if kind == PresenceType::Unavailable {
                stanza.kind = Kind::Presence(kind);
                stanza.payload = [].into();
            }
            turn.route(stanza);
        }
    }
}

fn save(stanza: &Stanza, question: Question, turn: &mut Turn<'_>) -> Answered {
    fn finish(_: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
        match answer {
            Answer::Done => Ok(Vec::new()),
            _ => Err(Condition::InternalServerError.into()),
        }
    }
    turn.ask(question, Then::Iq { request: Box::new(stanza.clone()), finish });
    Ok(Reply::Later)
}

fn read_items(request: &Element) -> Result<Vec<Jid>, StanzaError> {
    request
        .elements()
        .filter(|item| item.is("item", BLOCKING))
        .map(|item| item.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(Condition::JidMalformed.into()))
        .collect()
}

fn items(name: &str, jids: &[Jid]) -> Vec<u8> {
    let mut list = Element::new(name, BLOCKING);
    for jid in jids {
        list = list.with_child(Element::new("item", BLOCKING).with_attr("jid", jid.as_str()));
    }
    list.to_bytes(crate::ns::CLIENT)
}

//! The service that rooms belong to (XEP-0045 sections 6.1 to 6.3): what it is, which rooms there are, and how one comes to be.

use super::announce::MUC;
use super::disco::{INFO, ITEMS, identity};
use super::inviting::is_entering;
use super::settings::Settings;
use crate::config::RoomCreation;
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, PresenceType, Stanza, StanzaError};
use crate::store::{Answer, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const RSM: &str = "http://jabber.org/protocol/rsm";

/// A stanza for the service itself.
pub fn serve(stanza: &Stanza, turn: &mut Turn<'_>) {
    if !stanza.is_request() {
        if stanza.is_message() {
            turn.send_back(stanza, &Condition::ServiceUnavailable.into());
        }
        return;
    }
    let is_get = stanza.kind == Kind::Iq(IqType::Get);
    let Some(request) = stanza.first_element() else { return turn.refuse(stanza, &Condition::BadRequest.into()) };
    match (&*request.ns, &*request.name) {
        (INFO | ITEMS, "query") if request.attr("node").is_some() => {
            turn.refuse(stanza, &Condition::ItemNotFound.into());
        }
        (INFO, "query") if is_get => {
            let mut query = Element::new("query", INFO).with_child(identity("text", "Rooms"));
            let features = [
                INFO,
                ITEMS,
                MUC,
                "http://jabber.org/protocol/muc#stable_id",
                RSM,
                "urn:xmpp:occupant-id:0",
                "urn:xmpp:ping",
            ];
            for feature in features {
                query = query.with_child(Element::new("feature", INFO).with_attr("var", feature));
            }
            turn.route(stanza.result(&query.to_bytes(ns::CLIENT)));
        }
        (ITEMS, "query") if is_get => list(stanza, &request, turn),
        ("urn:xmpp:ping", "ping") if is_get => turn.route(stanza.result(&[])),
        _ => turn.refuse(stanza, &Condition::ServiceUnavailable.into()),
    }
}

/// Section 6.3, by pages of XEP-0059.
fn list(stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
    let Some(service) = stanza.to.clone() else { return };
    let set = request.child("set", RSM);
    let text = |name| set.and_then(|set| set.child(name, RSM)).map(|child| child.text().into_owned());
    if text("before").is_some() || text("index").is_some() {
        let error = StanzaError::new(Condition::FeatureNotImplemented, "rooms are listed forwards");
        return turn.refuse(stanza, &error);
    }
    let max = text("max").and_then(|max| max.parse::<u32>().ok()).unwrap_or(limits::ROOMS_LISTED);
    let question = Question::ListRooms {
        service,
        after: text("after").filter(|after| !after.is_empty()).map(Into::into),
        limit: max.clamp(1, limits::ROOMS_LISTED),
    };
    turn.ask(question, Then::Iq { request: Box::new(stanza.clone()), finish: listed });
}

/// A page of the list; one that is empty ends it.
fn listed(_: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    let Answer::Rooms(rooms) = answer else { return Err(Condition::InternalServerError.into()) };
    let mut query = Element::new("query", ITEMS);
    for room in &rooms {
        let item = Element::new("item", ITEMS).with_attr("jid", room.jid.clone()).with_attr("name", room.name.clone());
        query = query.with_child(item);
    }
    let mut page = Element::new("set", RSM);
    if let (Some(first), Some(last)) = (rooms.first(), rooms.last()) {
        page = page
            .with_child(Element::new("first", RSM).with_text(&first.jid))
            .with_child(Element::new("last", RSM).with_text(&last.jid));
    }
    Ok(query.with_child(page).to_bytes(ns::CLIENT))
}

/// The question that makes a room for whoever wants to enter one that does not exist.
///
/// # Errors
/// What the sender is told (section 10.1.1).
pub fn make(stanza: &Stanza, room: &Jid, turn: &Turn<'_>) -> Result<Question, StanzaError> {
    let not_there = || StanzaError::new(Condition::ItemNotFound, "there is no such room");
    let from = stanza.from.as_ref().ok_or(Condition::BadRequest)?;
    if stanza.kind != Kind::Presence(PresenceType::Available) || !is_entering(stanza) {
        return Err(not_there());
    }
    if stanza.to.as_ref().is_none_or(Jid::is_bare) {
        return Err(Condition::JidMalformed.into());
    }
    let config = &turn.config.rooms;
    if config.creation == RoomCreation::Nobody || !turn.is_local(from) {
        return Err(StanzaError::new(Condition::NotAllowed, "you may not make rooms here"));
    }
    Ok(Question::CreateRoom {
        room: room.clone(),
        owner: Some(from.to_bare()),
        setup: Box::new(Settings::new(config).to_setup(room.local().unwrap_or_default())),
        at_ms: turn.now.unix_ms,
        limit: config.owned,
    })
}

//! The operator in rooms: an owner of each, who is in none.
//!
//! Their requests take the way of everybody else's and so are checked, stored and told like those. They come from the room itself:
//! nobody else can be that, since clients and servers send in their own names alone.

use super::Room;
use crate::effect::AdminReply;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, Stanza};
use crate::turn::Turn;
use crate::xml::Element;

/// The namespace of what only operators ask.
pub const OPERATOR: &str = "wattle#operator";

/// The operator's request to a room.
#[must_use]
pub fn from_operator(room: &Jid, kind: IqType, id: &str, payload: &[u8]) -> Stanza {
    Stanza::new(Kind::Iq(kind), Some(room.clone()), Some(room.clone())).with_id(id).with_payload(payload)
}

/// Is this a room's answer to the operator? Then the number of the request, and what the answer holds or why it was refused.
#[must_use]
pub fn to_operator(stanza: &Stanza) -> Option<(u64, AdminReply)> {
    let Kind::Iq(kind @ (IqType::Result | IqType::Error)) = stanza.kind else { return None };
    if stanza.from != stanza.to {
        return None;
    }
    let request = stanza.id.as_deref()?.parse().ok()?;
    let answer = if kind == IqType::Result { Ok(stanza.payload.to_vec().into()) } else { Err(reason(stanza)) };
    Some((request, AdminReply::Room(answer)))
}

/// Why, in the words of the error if it has any.
fn reason(stanza: &Stanza) -> Box<str> {
    let elements = stanza.elements().unwrap_or_default();
    let error = elements.iter().find(|element| element.is("error", ns::CLIENT));
    let children = || error.into_iter().flat_map(Element::elements).filter(|child| *child.ns == *ns::STANZA_ERRORS);
    let text = children().find(|child| *child.name == *"text").map(|text| text.text().into());
    text.or_else(|| children().next().map(|condition| condition.name.clone())).unwrap_or_default()
}

impl Room {
    pub(super) fn is_operator(&self, jid: &Jid) -> bool {
        *jid == self.jid
    }

    /// Forgets what was said before a moment, which leaves the archive too; nobody who enters gets it any more.
    pub(super) fn forget_before(&mut self, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) {
        let Some(before_ms) = request.attr("before").and_then(|ms| ms.parse::<u64>().ok()) else {
            return turn.refuse(stanza, &Condition::BadRequest.into());
        };
        self.forget_said(|said| said.at_ms < before_ms);
        turn.route(stanza.result(&[]));
    }
}

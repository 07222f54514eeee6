//! vCards (XEP-0054): the owner writes, everybody reads.

use super::{Answered, Feature, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::ns;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Answer, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const VCARD: &str = "vcard-temp";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0054",
    title: "vcard-temp",
    version: "1.3.0",
    server: &[VCARD],
    account: &[VCARD],
    iqs: &[IqHandler { namespace: VCARD, name: "vCard", handler: Handler::Public(vcard) }],
    ..Feature::NONE
};

fn vcard(account: &mut Account, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let own = account.sender(stanza).is_some();
    let owner = account.jid.clone();
    let answered = Box::new(stanza.clone());
    if stanza.kind == Kind::Iq(IqType::Get) {
        turn.ask(Question::ReadVcard { account: owner }, Then::Iq { request: answered, finish: read });
        return Ok(Reply::Later);
    }
    if !own {
        return Err(Condition::Forbidden.into());
    }
    let xml = request.to_bytes(ns::CLIENT);
    if xml.len() > turn.config.limits.stored_xml_bytes {
        return Err(StanzaError::new(Condition::PolicyViolation, "the vCard is too large"));
    }
    turn.ask(Question::SaveVcard { account: owner, xml: xml.into() }, Then::Iq { request: answered, finish: saved });
    Ok(Reply::Later)
}

fn read(stanza: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    match answer {
        Answer::Xml(Some(xml)) => Ok(xml.into()),
        // Section 3.1: the owner gets an empty one, so that a client can begin to fill it.
        Answer::Xml(None) if asks_for_own(stanza) => Ok(format!("<vCard xmlns='{VCARD}'/>").into_bytes()),
        Answer::Xml(None) => Err(Condition::ItemNotFound.into()),
        _ => Err(Condition::InternalServerError.into()),
    }
}

fn asks_for_own(stanza: &Stanza) -> bool {
    match (&stanza.from, &stanza.to) {
        (Some(from), Some(to)) => from.same_bare(to),
        (_, to) => to.is_none(),
    }
}

fn saved(_: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    match answer {
        Answer::Done => Ok(Vec::new()),
        _ => Err(Condition::InternalServerError.into()),
    }
}

//! Private XML storage (XEP-0049): pieces of XML that a client keeps for itself.

use super::{Answered, Feature, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::ns;
use crate::session::SessionId;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Answer, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const PRIVATE: &str = "jabber:iq:private";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0049",
    title: "Private XML Storage",
    version: "1.2",
    server: &[PRIVATE],
    account: &[PRIVATE],
    iqs: &[IqHandler { namespace: PRIVATE, name: "query", handler: Handler::Own(query) }],
    ..Feature::NONE
};

fn query(account: &mut Account, _: SessionId, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let mut elements = request.elements();
    // Section 3: one element, in a namespace of its own.
    let (Some(element), None) = (elements.next(), elements.next()) else {
        return Err(Condition::BadRequest.into());
    };
    if *element.ns == *PRIVATE || *element.ns == *ns::CLIENT {
        return Err(StanzaError::new(Condition::NotAcceptable, "the element needs a namespace of its own"));
    }
    let (account, namespace, name) = (account.jid.clone(), element.ns.clone(), element.name.clone());
    let request = Box::new(stanza.clone());
    if stanza.kind == Kind::Iq(IqType::Get) {
        turn.ask(Question::ReadPrivate { account, namespace, name }, Then::Iq { request, finish: read });
        return Ok(Reply::Later);
    }
    let xml = element.to_bytes(PRIVATE);
    if xml.len() > turn.config.limits.stored_xml_bytes {
        return Err(StanzaError::new(Condition::PolicyViolation, "the element is too large"));
    }
    let limit = turn.config.limits.private_elements;
    let question = Question::SavePrivate { account, namespace, name, xml: xml.into(), limit };
    turn.ask(question, Then::Iq { request, finish: saved });
    Ok(Reply::Later)
}

fn read(stanza: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    match answer {
        Answer::Xml(Some(xml)) => {
            let mut payload = format!("<query xmlns='{PRIVATE}'>").into_bytes();
            payload.extend_from_slice(&xml);
            payload.extend_from_slice(b"</query>");
            Ok(payload)
        }
        // Section 3: what was never stored is answered as it was asked for.
        Answer::Xml(None) => Ok(stanza.payload.to_vec()),
        _ => Err(Condition::InternalServerError.into()),
    }
}

fn saved(_: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    match answer {
        Answer::Done => Ok(Vec::new()),
        Answer::Full => Err(StanzaError::new(Condition::ResourceConstraint, "too many elements are stored")),
        _ => Err(Condition::InternalServerError.into()),
    }
}

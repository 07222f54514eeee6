//! Reads the head of a framed stanza; the payload stays bytes.

use super::{Condition, IqType, Kind, MessageType, PresenceType, Stanza, StanzaError};
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Framed, children};

/// Why a framed element is no stanza that can be routed.
#[derive(Debug)]
pub enum ReadError {
    /// Not a message, presence or iq of the stream's namespace: `unsupported-stanza-type` (RFC 6120 section 4.9.3.24).
    NotAStanza,
    /// A stanza that the sender got wrong. It is answered with this error; addresses that could not be read are absent.
    Refused(Box<Stanza>, StanzaError),
}

impl Stanza {
    /// Reads a framed element of a stream whose content namespace is `namespace`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(framed: &Framed<'_>, namespace: &str) -> Result<Self, ReadError> {
        let tag = framed.tag();
        if tag.namespace() != namespace {
            return Err(ReadError::NotAStanza);
        }
        let kind = kind_named(tag.name()).ok_or(ReadError::NotAStanza)?;
        let mut stanza = Self::new(kind, None, None);
        let mut type_known = !matches!(stanza.kind, Kind::Iq(_));
        let mut addresses_good = true;
        for attribute in tag.attributes() {
            let value = attribute.value();
            match (attribute.prefix(), attribute.name()) {
                ("", "to") => match Jid::parse(&value) {
                    Ok(jid) => stanza.to = Some(jid),
                    Err(_) => addresses_good = false,
                },
                ("", "from") => match Jid::parse(&value) {
                    Ok(jid) => stanza.from = Some(jid),
                    Err(_) => addresses_good = false,
                },
                ("", "id") => stanza.id = Some(value.into()),
                ("", "type") => match kind_of(stanza.kind, &value) {
                    Some(kind) => (stanza.kind, type_known) = (kind, true),
                    None => type_known = false,
                },
                ("xml", "lang") => stanza.lang = Some(value.into()),
                _ => {}
            }
        }
        stanza.payload = framed.portable_payload().as_ref().into();
        if !addresses_good {
            return Err(ReadError::Refused(Box::new(stanza), Condition::JidMalformed.into()));
        }
        if !type_known {
            // An unknown type must still be answered, and an error is not: so it counts as a request here.
            if matches!(stanza.kind, Kind::Iq(_)) {
                stanza.kind = Kind::Iq(IqType::Get);
            }
            let error = StanzaError::new(Condition::BadRequest, "this type does not exist");
            return Err(ReadError::Refused(Box::new(stanza), error));
        }
        if let Kind::Iq(kind) = stanza.kind {
            // RFC 6120 section 8.2.3: an id always, and exactly one child in a request.
            let wrong = match kind {
                IqType::Get | IqType::Set => children(&stanza.payload, ns::CLIENT).count() != 1,
                IqType::Result => children(&stanza.payload, ns::CLIENT).count() > 1,
                IqType::Error => false,
            };
            if wrong || stanza.id.is_none() {
                let error = StanzaError::new(Condition::BadRequest, "an iq has an id, and a request exactly one child");
                return Err(ReadError::Refused(Box::new(stanza), error));
            }
        }
        Ok(stanza)
    }
}

/// The kind that an element's name says, with the type that holds without a `type`; an iq has none, and counts as an error
/// until its type is read.
pub(super) fn kind_named(name: &str) -> Option<Kind> {
    Some(match name {
        "message" => Kind::Message(MessageType::Normal),
        "presence" => Kind::Presence(PresenceType::Available),
        "iq" => Kind::Iq(IqType::Error),
        _ => return None,
    })
}

/// The kind with the type that `value` names.
pub(super) fn kind_of(kind: Kind, value: &str) -> Option<Kind> {
    Some(match kind {
        Kind::Message(_) => Kind::Message(match value {
            "chat" => MessageType::Chat,
            "error" => MessageType::Error,
            "groupchat" => MessageType::Groupchat,
            "headline" => MessageType::Headline,
            // RFC 6121 section 5.2.2: an unknown type is a normal message.
            _ => MessageType::Normal,
        }),
        Kind::Presence(_) => Kind::Presence(match value {
            "unavailable" => PresenceType::Unavailable,
            "subscribe" => PresenceType::Subscribe,
            "subscribed" => PresenceType::Subscribed,
            "unsubscribe" => PresenceType::Unsubscribe,
            "unsubscribed" => PresenceType::Unsubscribed,
            "probe" => PresenceType::Probe,
            "error" => PresenceType::Error,
            _ => return None,
        }),
        Kind::Iq(_) => Kind::Iq(match value {
            "get" => IqType::Get,
            "set" => IqType::Set,
            "result" => IqType::Result,
            "error" => IqType::Error,
            _ => return None,
        }),
    })
}

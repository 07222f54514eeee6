//! Writes a stanza as it goes over the wire: a fresh head, the shared payload.

use super::{IqType, Kind, MessageType, PresenceType, Stanza};
use crate::jid::Jid;
use crate::xml::escape_attr;

impl Kind {
    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }

    /// The `type` attribute; none where the default says it.
    #[must_use]
    pub fn type_name(self) -> Option<&'static str> {
        match self {
            Self::Message(MessageType::Normal) | Self::Presence(PresenceType::Available) => None,
            Self::Message(MessageType::Chat) => Some("chat"),
            Self::Message(MessageType::Groupchat) => Some("groupchat"),
            Self::Message(MessageType::Headline) => Some("headline"),
            Self::Presence(PresenceType::Unavailable) => Some("unavailable"),
            Self::Presence(PresenceType::Subscribe) => Some("subscribe"),
            Self::Presence(PresenceType::Subscribed) => Some("subscribed"),
            Self::Presence(PresenceType::Unsubscribe) => Some("unsubscribe"),
            Self::Presence(PresenceType::Unsubscribed) => Some("unsubscribed"),
            Self::Presence(PresenceType::Probe) => Some("probe"),
            Self::Iq(IqType::Get) => Some("get"),
            Self::Iq(IqType::Set) => Some("set"),
            Self::Iq(IqType::Result) => Some("result"),
            Self::Message(MessageType::Error) | Self::Presence(PresenceType::Error) | Self::Iq(IqType::Error) => {
                Some("error")
            }
        }
    }
}

impl Stanza {
    /// Appends the whole stanza, in the default namespace of the stream it goes to.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        self.write_addressed(self.to.as_ref(), "", out);
    }

    /// Appends the whole stanza with another `to`, so that a fan-out shares the payload.
    ///
    /// `namespace` is declared on the stanza unless empty: inside another element (a carbon, an archive page) the default
    /// namespace is not the stream's.
    pub fn write_addressed(&self, to: Option<&Jid>, namespace: &str, out: &mut Vec<u8>) {
        let name = self.kind.name();
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        attribute(out, "xmlns", Some(namespace).filter(|n| !n.is_empty()));
        attribute(out, "type", self.kind.type_name());
        attribute(out, "id", self.id.as_deref());
        attribute(out, "from", self.from.as_ref().map(Jid::as_str));
        attribute(out, "to", to.map(Jid::as_str));
        attribute(out, "xml:lang", self.lang.as_deref());
        if self.payload.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(&self.payload);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name.as_bytes());
        out.push(b'>');
    }

    /// Bytes that [`Stanza::write_to`] would append, roughly: what a queue counts against its bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        let jid = |jid: &Option<Jid>| jid.as_ref().map_or(0, |jid| jid.as_str().len());
        self.payload.len() + jid(&self.to) + jid(&self.from) + self.id.as_ref().map_or(0, |id| id.len()) + 64
    }
}

fn attribute(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"='");
        escape_attr(out, value);
        out.push(b'\'');
    }
}

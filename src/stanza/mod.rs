//! The stanza as it travels (RFC 6120 section 8): the start tag's attributes read, the payload as bytes that all hops share.

mod error;
pub mod form;
mod read;
mod stored;
mod write;

pub use error::{Condition, ErrorType, StanzaError};
pub use read::ReadError;

use std::sync::Arc;

use crate::jid::Jid;
use crate::passage::Passage;
use crate::xml::{Child, Element, children};
use crate::{ns, xml};

/// A message, presence or iq.
///
/// Invariant: `payload` is well-formed content whose default namespace is `jabber:client` where it declares none and whose
/// prefixes are all declared inside it, so it can be written into any stream as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    /// What it is, with its `type`.
    pub kind: Kind,
    /// Absent: for the sender's own account, or its server.
    pub to: Option<Jid>,
    /// Stamped by the server; absent only before that.
    pub from: Option<Jid>,
    /// As the sender chose it.
    pub id: Option<Box<str>>,
    /// `xml:lang`.
    pub lang: Option<Box<str>>,
    /// Everything between start and end tag.
    pub payload: Arc<[u8]>,
    /// What travels with it and is never written.
    pub passage: Option<Box<Passage>>,
}

/// The three stanzas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// RFC 6121 section 5.
    Message(MessageType),
    /// RFC 6121 section 4.
    Presence(PresenceType),
    /// RFC 6120 section 8.2.3.
    Iq(IqType),
}

/// RFC 6121 section 5.2.2; an unknown type is `Normal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageType {
    /// Part of a conversation.
    Chat,
    /// A bounce.
    Error,
    /// In a room.
    Groupchat,
    /// An alert that is not kept.
    Headline,
    /// A single message; also without a type.
    Normal,
}

/// RFC 6121 section 4.7.1; an unknown type is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PresenceType {
    /// No type.
    Available,
    /// Gone.
    Unavailable,
    /// Asks to see.
    Subscribe,
    /// Allows.
    Subscribed,
    /// Wants to see no more.
    Unsubscribe,
    /// Refuses or ends.
    Unsubscribed,
    /// A server asks for current presence.
    Probe,
    /// A bounce.
    Error,
}

/// RFC 6120 section 8.2.3; an unknown type is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IqType {
    /// Asks.
    Get,
    /// Changes.
    Set,
    /// Answers.
    Result,
    /// Refuses.
    Error,
}

impl Stanza {
    /// A stanza of the server's own making, without payload.
    #[must_use]
    pub fn new(kind: Kind, from: Option<Jid>, to: Option<Jid>) -> Self {
        Self { kind, to, from, id: None, lang: None, payload: Arc::new([]), passage: None }
    }

    /// The same with this payload.
    #[must_use]
    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.into();
        self
    }

    /// The same with this id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The result of an iq, back to who asked.
    #[must_use]
    pub fn result(&self, payload: &[u8]) -> Self {
        Self {
            kind: Kind::Iq(IqType::Result),
            to: self.from.clone(),
            from: self.to.clone(),
            id: self.id.clone(),
            lang: None,
            payload: payload.into(),
            passage: None,
        }
    }

    /// True for any type of message.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message(_))
    }

    /// True for an iq that wants an answer.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Iq(IqType::Get | IqType::Set))
    }

    /// True for `type='error'`, which is never answered (RFC 6120 section 8.3.1).
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(
            self.kind,
            Kind::Message(MessageType::Error) | Kind::Presence(PresenceType::Error) | Kind::Iq(IqType::Error)
        )
    }

    /// The direct children of the payload, without building a tree.
    pub fn children(&self) -> impl Iterator<Item = Child<'_>> {
        children(&self.payload, ns::CLIENT)
    }

    /// True if a direct child has this name and namespace.
    #[must_use]
    pub fn has_child(&self, name: &str, namespace: &str) -> bool {
        self.children().any(|child| child.name == name && child.ns == namespace)
    }

    /// The first direct child, as a tree; for an iq this is the request itself.
    #[must_use]
    pub fn first_element(&self) -> Option<Element> {
        let child = self.children().next()?;
        Element::parse(child.bytes, ns::CLIENT).ok()
    }

    /// The payload as trees.
    ///
    /// # Errors
    /// Never for a payload that passed the frame scanner.
    pub fn elements(&self) -> Result<Vec<Element>, xml::XmlError> {
        xml::parse_all(&self.payload, ns::CLIENT)
    }
}

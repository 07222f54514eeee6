//! The stanza as it travels (RFC 6120 section 8): the start tag's attributes read, the payload as bytes that all hops share.

use std::sync::Arc;

use crate::jid::Jid;

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

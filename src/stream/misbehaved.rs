//! What a peer can do wrong on its stream, one variant for each sin, and the stream error (RFC 6120 section 4.9) it gets.

use crate::ns;
use crate::xml::{XmlError, escape_text};

/// A sin that ends the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Misbehaved {
    /// The bytes are not the XML that RFC 6120 section 11 allows, or exceed a bound.
    Xml(XmlError),
    /// The stream header is in a wrong namespace.
    WrongNamespace,
    /// The stream header is not of version 1.0 or later.
    OldVersion,
    /// The stream header names a host that is not served.
    UnknownHost(Box<str>),
    /// The `from` of a stanza is not the sender's.
    ForgedFrom,
    /// A stanza or other element before the login that it needs.
    NotLoggedIn,
    /// Bytes in the clear behind `<starttls/>`: somebody may have injected them.
    PipelinedStartTls,
    /// An element that this stream does not know.
    UnknownElement,
    /// Too many wrong credentials.
    TooManyFailures,
    /// The login took longer than [`crate::limits::LOGIN_MS`].
    SlowLogin,
    /// An `<a/>` that counts more stanzas than were sent (XEP-0198 section 4).
    AcknowledgedTooMuch {
        /// What the peer says it handled.
        handled: u32,
        /// What was sent.
        sent: u32,
    },
    /// The peer does not read, and its outbox is full.
    DoesNotRead,
}

/// Why the server itself ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server stops.
    Shutdown,
    /// Another session took the resource.
    Conflict,
    /// The account was removed or its password changed.
    NotAuthorized,
    /// A fault of the server.
    Fault,
    /// A limit of the server is reached.
    Constraint,
}

impl Misbehaved {
    /// The condition of RFC 6120 section 4.9.3.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.condition(),
            Self::WrongNamespace => "invalid-namespace",
            Self::OldVersion => "unsupported-version",
            Self::UnknownHost(_) => "host-unknown",
            Self::ForgedFrom => "invalid-from",
            Self::NotLoggedIn => "not-authorized",
            Self::UnknownElement => "unsupported-stanza-type",
            Self::PipelinedStartTls | Self::TooManyFailures | Self::SlowLogin => "policy-violation",
            Self::AcknowledgedTooMuch { .. } => "undefined-condition",
            Self::DoesNotRead => "resource-constraint",
        }
    }

    /// The whole `<stream:error/>`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::TooManyFailures => Some("too many wrong credentials"),
            Self::SlowLogin => Some("login took too long"),
            _ => None,
        };
        let mut extra = Vec::new();
        if let Self::AcknowledgedTooMuch { handled, sent } = self {
            extra =
                format!("<handled-count-too-high xmlns='{}' h='{handled}' send-count='{sent}'/>", ns::SM).into_bytes();
        }
        write_error(self.condition(), text, &extra, out);
    }
}

impl Ending {
    /// The condition of RFC 6120 section 4.9.3.
    #[must_use]
    pub fn condition(self) -> &'static str {
        match self {
            Self::Shutdown => "system-shutdown",
            Self::Conflict => "conflict",
            Self::NotAuthorized => "not-authorized",
            Self::Fault => "internal-server-error",
            Self::Constraint => "resource-constraint",
        }
    }

    /// The whole `<stream:error/>`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        write_error(self.condition(), None, &[], out);
    }
}

fn write_error(condition: &str, text: Option<&str>, extra: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<stream:error><");
    out.extend_from_slice(condition.as_bytes());
    out.extend_from_slice(b" xmlns='");
    out.extend_from_slice(ns::STREAM_ERRORS.as_bytes());
    out.extend_from_slice(b"'/>");
    if let Some(text) = text {
        out.extend_from_slice(b"<text xmlns='");
        out.extend_from_slice(ns::STREAM_ERRORS.as_bytes());
        out.extend_from_slice(b"' xml:lang='en'>");
        escape_text(out, text);
        out.extend_from_slice(b"</text>");
    }
    out.extend_from_slice(extra);
    out.extend_from_slice(b"</stream:error>");
}

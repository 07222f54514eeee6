//! Stanza errors (RFC 6120 section 8.3): the peer asked wrongly, and is told so.

use super::{IqType, Kind, MessageType, PresenceType, Stanza};
use crate::ns;
use crate::store::StoreFault;
use crate::xml::escape_text;

/// The conditions of RFC 6120 section 8.3.3 that this server uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// 8.3.3.1
    BadRequest,
    /// 8.3.3.2
    Conflict,
    /// 8.3.3.3
    FeatureNotImplemented,
    /// 8.3.3.4
    Forbidden,
    /// 8.3.3.6
    InternalServerError,
    /// 8.3.3.7
    ItemNotFound,
    /// 8.3.3.8
    JidMalformed,
    /// 8.3.3.9
    NotAcceptable,
    /// 8.3.3.10
    NotAllowed,
    /// 8.3.3.11
    NotAuthorized,
    /// 8.3.3.12
    PolicyViolation,
    /// 8.3.3.15
    RegistrationRequired,
    /// 8.3.3.16
    RemoteServerNotFound,
    /// 8.3.3.18
    ResourceConstraint,
    /// 8.3.3.19
    ServiceUnavailable,
    /// 8.3.3.22
    UnexpectedRequest,
}

/// What a peer is told of a fault of ours.
impl From<StoreFault> for Condition {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Failed => Self::InternalServerError,
            StoreFault::Busy => Self::ResourceConstraint,
        }
    }
}

/// What the sender should do (RFC 6120 section 8.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry.
    Cancel,
    /// Retry after changing the data.
    Modify,
    /// Retry after waiting.
    Wait,
}

impl Condition {
    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Conflict => "conflict",
            Self::FeatureNotImplemented => "feature-not-implemented",
            Self::Forbidden => "forbidden",
            Self::InternalServerError => "internal-server-error",
            Self::ItemNotFound => "item-not-found",
            Self::JidMalformed => "jid-malformed",
            Self::NotAcceptable => "not-acceptable",
            Self::NotAllowed => "not-allowed",
            Self::NotAuthorized => "not-authorized",
            Self::PolicyViolation => "policy-violation",
            Self::RegistrationRequired => "registration-required",
            Self::RemoteServerNotFound => "remote-server-not-found",
            Self::ResourceConstraint => "resource-constraint",
            Self::ServiceUnavailable => "service-unavailable",
            Self::UnexpectedRequest => "unexpected-request",
        }
    }

    /// The type that RFC 6120 section 8.3.3 associates with the condition.
    #[must_use]
    pub fn error_type(self) -> ErrorType {
        match self {
            Self::BadRequest | Self::JidMalformed | Self::NotAcceptable | Self::PolicyViolation => ErrorType::Modify,
            Self::Forbidden | Self::NotAuthorized | Self::RegistrationRequired => ErrorType::Auth,
            Self::ResourceConstraint | Self::UnexpectedRequest => ErrorType::Wait,
            Self::Conflict
            | Self::FeatureNotImplemented
            | Self::InternalServerError
            | Self::ItemNotFound
            | Self::NotAllowed
            | Self::RemoteServerNotFound
            | Self::ServiceUnavailable => ErrorType::Cancel,
        }
    }
}

/// An error for the sender of a stanza.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StanzaError {
    /// What is wrong.
    pub condition: Condition,
    /// What the sender should do.
    pub kind: ErrorType,
    /// In English, for a developer to read.
    pub text: Option<&'static str>,
    /// An application-specific condition: one complete element.
    pub extra: Option<&'static str>,
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self { condition, kind: condition.error_type(), text: None, extra: None }
    }
}

impl StanzaError {
    /// An error with a sentence for the developer.
    #[must_use]
    pub fn new(condition: Condition, text: &'static str) -> Self {
        Self { text: Some(text), ..condition.into() }
    }

    /// The `<error/>` element.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let kind = match self.kind {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        };
        out.extend_from_slice(b"<error type='");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"'><");
        out.extend_from_slice(self.condition.name().as_bytes());
        out.extend_from_slice(b" xmlns='");
        out.extend_from_slice(ns::STANZA_ERRORS.as_bytes());
        out.extend_from_slice(b"'/>");
        if let Some(text) = self.text {
            out.extend_from_slice(b"<text xmlns='");
            out.extend_from_slice(ns::STANZA_ERRORS.as_bytes());
            out.extend_from_slice(b"' xml:lang='en'>");
            escape_text(out, text);
            out.extend_from_slice(b"</text>");
        }
        if let Some(extra) = self.extra {
            out.extend_from_slice(extra.as_bytes());
        }
        out.extend_from_slice(b"</error>");
    }
}

impl Stanza {
    /// The bounce of this stanza: addresses swapped, the payload not repeated (RFC 6120 section 8.3.1 leaves that free).
    ///
    /// None for what is never answered: errors, iq results, presence of `type='unavailable'` and so on would loop or leak.
    #[must_use]
    pub fn bounce(&self, error: &StanzaError) -> Option<Self> {
        let kind = match self.kind {
            Kind::Message(MessageType::Error)
            | Kind::Presence(PresenceType::Error)
            | Kind::Iq(IqType::Error | IqType::Result) => return None,
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        };
        let mut payload = Vec::with_capacity(160);
        error.write_to(&mut payload);
        Some(Self {
            kind,
            to: self.from.clone(),
            from: self.to.clone(),
            id: self.id.clone(),
            lang: None,
            payload: payload.into(),
            passage: None,
        })
    }
}

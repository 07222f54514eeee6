//! What a feature is: a value in the table, made of plain functions.

use crate::account::Account;
use crate::session::{Given, SessionId, Trace};
use crate::stanza::{Stanza, StanzaError};
use crate::turn::Turn;
use crate::xml::Element;

/// Looks at a stanza of one of the account's sessions.
pub type Outgoing = fn(&mut Account, SessionId, &mut Stanza, &mut Turn<'_>) -> Flow;
/// Looks at a message that went to these sessions. What it gives to others of them is the same message, and goes into its
/// trace.
pub type Delivered = fn(&mut Account, &Stanza, &[SessionId], Given, &mut Trace, &mut Turn<'_>);

/// One line of the table.
pub struct Feature {
    /// `XEP-0280`, or the clause of an RFC.
    pub document: &'static str,
    /// As the document is called.
    pub title: &'static str,
    /// The version of the document that was implemented; empty for an RFC.
    pub version: &'static str,
    /// Features in the disco#info of a served domain.
    pub server: &'static [&'static str],
    /// Features in the disco#info of an account's bare JID.
    pub account: &'static [&'static str],
    /// Complete elements for the stream features of a logged-in stream.
    pub stream: &'static str,
    /// The requests that it answers.
    pub iqs: &'static [IqHandler],
    /// A stanza leaves a session, addressed to somebody else or to nobody.
    pub outgoing: Option<Outgoing>,
    /// A stanza reaches the account, before it is known which session gets it.
    pub incoming: Option<fn(&mut Account, &mut Stanza, &mut Turn<'_>) -> Flow>,
    /// A message went to these sessions.
    pub delivered: Option<Delivered>,
    /// A session sent initial presence, or raised its priority from below zero.
    pub available: Option<fn(&mut Account, SessionId, &mut Turn<'_>)>,
}

impl Feature {
    /// A feature that does nothing yet; the table's lines say what theirs does.
    pub const NONE: Self = Self {
        document: "",
        title: "",
        version: "",
        server: &[],
        account: &[],
        stream: "",
        iqs: &[],
        outgoing: None,
        incoming: None,
        delivered: None,
        available: None,
    };
}

/// Whether a stanza goes on to the next feature.
#[derive(Debug)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends here, answered or not.
    Stop,
}

/// One kind of request.
pub struct IqHandler {
    /// Namespace of the request's only child.
    pub namespace: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Who answers, and whom.
    pub handler: Handler,
}

/// Who answers a request. The stanza's type is `get` or `set`; its `to` is absent only in requests of the account's own sessions.
#[derive(Clone, Copy)]
pub enum Handler {
    /// The account, to its own sessions alone; sent to its bare JID, or to nobody.
    Own(fn(&mut Account, SessionId, &Stanza, &Element, &mut Turn<'_>) -> Answered),
    /// The account, to its own sessions alone; sent to its domain, to its bare JID, or to nobody.
    OwnAnywhere(fn(&mut Account, SessionId, &Stanza, &Element, &mut Turn<'_>) -> Answered),
    /// The account, to anybody; the handler decides what they may know.
    Public(fn(&mut Account, &Stanza, &Element, &mut Turn<'_>) -> Answered),
    /// The domain, to anybody.
    Server(fn(&Stanza, &Element, &mut Turn<'_>) -> Answered),
}

/// What became of a request.
pub type Answered = Result<Reply, StanzaError>;

/// The answer to a request.
#[derive(Debug)]
pub enum Reply {
    /// The payload of the result.
    Result(Vec<u8>),
    /// It follows when the store or the hashing has answered.
    Later,
}

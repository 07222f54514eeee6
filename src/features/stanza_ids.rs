//! Unique and stable stanza ids (XEP-0359): whatever pretends to be an id of ours is taken out of a message, and what is
//! archived gets one.

use std::sync::LazyLock;

use memchr::memmem;

use super::{Feature, Flow, keeping};
use crate::account::Account;
use crate::jid::Jid;
use crate::session::SessionId;
use crate::stanza::Stanza;
use crate::turn::Turn;
use crate::xml::Child;

const SID: &str = "urn:xmpp:sid:0";
static STANZA_ID: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new("stanza-id"));

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0359",
    title: "Unique and Stable Stanza IDs",
    version: "0.7.0",
    account: &[SID],
    outgoing: Some(outgoing),
    incoming: Some(incoming),
    ..Feature::NONE
};

/// Section 3, rule 2: an id `by` this account that somebody else wrote is a forgery.
fn incoming(account: &mut Account, stanza: &mut Stanza, _: &mut Turn<'_>) -> Flow {
    strip(stanza, |by| by.same_bare(&account.jid));
    Flow::Continue
}

/// The same for what the account's own sessions write: nobody here shall take an id of theirs for one of ours.
fn outgoing(account: &mut Account, session: SessionId, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    strip(stanza, |by| turn.is_local(by));
    keeping::copy(account, session, stanza, turn);
    Flow::Continue
}

fn strip(stanza: &mut Stanza, ours: impl Fn(&Jid) -> bool) {
    // Names are written plainly or not at all, so most messages need no closer look.
    if !stanza.is_message() || stanza.is_error() || STANZA_ID.find(&stanza.payload).is_none() {
        return;
    }
    if stanza.children().any(|child| is_by(&child, &ours)) {
        let kept = stanza.children().filter(|child| !is_by(child, &ours)).map(|child| child.bytes);
        stanza.payload = kept.collect::<Vec<_>>().concat().into();
    }
}

/// Whether this is an id by one of those, or by nobody that can be told.
pub fn is_by(child: &Child<'_>, whose: impl Fn(&Jid) -> bool) -> bool {
    child.is("stanza-id", SID) && child.attribute("by").and_then(|by| Jid::parse(&by).ok()).is_none_or(|by| whose(&by))
}

/// Writes the id that an archived message has with this account.
pub(super) fn add(account: &Account, stanza: &mut Stanza, id: u64) {
    write(&account.jid, &account.ids.write(id), stanza);
}

/// Writes the id that a message has in the archive of an account or a room.
pub fn write(by: &Jid, id: &[u8], stanza: &mut Stanza) {
    let mut payload = Vec::with_capacity(stanza.payload.len() + 120);
    payload.extend_from_slice(&stanza.payload);
    payload.extend_from_slice(b"<stanza-id xmlns='urn:xmpp:sid:0' by='");
    crate::xml::escape_attr(&mut payload, by.as_str());
    payload.extend_from_slice(b"' id='");
    payload.extend_from_slice(id);
    payload.extend_from_slice(b"'/>");
    stanza.payload = payload.into();
}

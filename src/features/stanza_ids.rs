//! Unique and stable stanza ids (XEP-0359): whatever pretends to be an id of ours is taken out of a message.

use std::sync::LazyLock;

use memchr::memmem;

use super::{Feature, Flow};
use crate::account::Account;
use crate::jid::Jid;
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
    incoming: Some(incoming),
    ..Feature::NONE
};

/// The id that this account gave to a message.
#[must_use]
pub fn given(account: &Account, stanza: &Stanza) -> Option<u64> {
    let by_account = |child: &Child<'_>| {
        child.ns == SID && child.name == "stanza-id" && child.attribute("by").as_deref() == Some(account.jid.as_str())
    };
    let id = stanza.children().find(by_account)?.attribute("id")?;
    u64::from_str_radix(&id, 16).ok()
}

/// Section 5, rule 3 and 4: an id `by` this account that somebody else wrote is a forgery; ours takes its place.
fn incoming(account: &mut Account, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    if !stanza.is_message() || stanza.is_error() {
        return Flow::Continue;
    }
    let forged = |child: &Child<'_>| {
        child.ns == SID
            && child.name == "stanza-id"
            && child.attribute("by").and_then(|by| Jid::parse(&by).ok()).is_none_or(|by| by.same_bare(&account.jid))
    };
    let mut payload = Vec::with_capacity(stanza.payload.len() + 120);
    // Names are written plainly or not at all, so most messages need no closer look.
    if STANZA_ID.find(&stanza.payload).is_some() && stanza.children().any(|child| forged(&child)) {
        for child in stanza.children().filter(|child| !forged(child)) {
            payload.extend_from_slice(child.bytes);
        }
    } else {
        payload.extend_from_slice(&stanza.payload);
    }
    payload.extend_from_slice(b"<stanza-id xmlns='urn:xmpp:sid:0' by='");
    crate::xml::escape_attr(&mut payload, account.jid.as_str());
    payload.extend_from_slice(b"' id='");
    payload.extend_from_slice(&hex(turn.stanza_id()));
    payload.extend_from_slice(b"'/>");
    stanza.payload = payload.into();
    Flow::Continue
}

/// Sixteen digits, so that ids compare like numbers. Half the price of formatting, and every message pays it.
fn hex(id: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|place| DIGITS[(id >> (60 - 4 * place)) as usize & 0xF])
}

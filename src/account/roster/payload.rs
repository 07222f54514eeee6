//! Writing `jabber:iq:roster` (RFC 6121 sections 2.1.4 and 2.1.6): the whole roster, and pushes of one item.

use super::Roster;
use crate::ns;
use crate::store::{RosterItem, Subscription};
use crate::xml::{escape_attr, escape_text};

impl Roster {
    /// The payload of a result with the whole roster.
    #[must_use]
    pub fn full(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 96 * self.items().len());
        query(&mut out, self.version(), |out| {
            for found in self.items() {
                item(out, found);
            }
        });
        out
    }
}

/// The payload of a push of `changed`; its version is the one that the client will know then.
#[must_use]
pub fn push(changed: &RosterItem) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    query(&mut out, changed.version, |out| item(out, changed));
    out
}

/// The payload of a push that `contact` was removed at `version` (section 2.5.2).
#[must_use]
pub fn push_removed(contact: &str, version: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    query(&mut out, version, |out| {
        out.extend_from_slice(b"<item");
        attribute(out, "jid", contact);
        attribute(out, "subscription", "remove");
        out.extend_from_slice(b"/>");
    });
    out
}

fn query(out: &mut Vec<u8>, version: u64, content: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"<query");
    attribute(out, "xmlns", ns::ROSTER);
    attribute(out, "ver", &version.to_string());
    out.push(b'>');
    content(out);
    out.extend_from_slice(b"</query>");
}

fn item(out: &mut Vec<u8>, item: &RosterItem) {
    out.extend_from_slice(b"<item");
    attribute(out, "jid", item.jid.as_str());
    if let Some(name) = &item.name {
        attribute(out, "name", name);
    }
    let subscription = match item.subscription {
        Subscription::None => "none",
        Subscription::To => "to",
        Subscription::From => "from",
        Subscription::Both => "both",
    };
    attribute(out, "subscription", subscription);
    if item.ask {
        attribute(out, "ask", "subscribe");
    }
    if item.approved {
        attribute(out, "approved", "true");
    }
    if item.groups.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for group in &item.groups {
        out.extend_from_slice(b"<group>");
        escape_text(out, group);
        out.extend_from_slice(b"</group>");
    }
    out.extend_from_slice(b"</item>");
}

fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape_attr(out, value);
    out.push(b'\'');
}

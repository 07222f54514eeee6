//! What is stored: by what a message holds (XEP-0313 section 5.1, XEP-0334, XEP-0160 section 3), and by what the account
//! wants (XEP-0441).

use crate::account::Account;
use crate::config::Config;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{Kind, MessageType, Stanza};
use crate::store::ArchiveDefault;
use crate::xml::{Child, Element};

const HINTS: &str = "urn:xmpp:hints";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// Whether a one-to-one message is worth storing, whatever anybody prefers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worth {
    /// It means nothing later.
    Nothing,
    /// It may wait for its recipient and leave with it, but stay in no archive (`no-permanent-store`, XEP-0334 section 4.1).
    Passing,
    /// It belongs to the conversation.
    Keep,
}

/// Whether a message is worth storing.
///
/// What is not known to be of the moment is kept: a payload that only its recipient understands (encryption, receipts,
/// reactions, whatever comes next) is missed no less than a body.
#[must_use]
pub fn worth(stanza: &Stanza) -> Worth {
    let Kind::Message(kind) = stanza.kind else { return Worth::Nothing };
    if matches!(kind, MessageType::Error | MessageType::Groupchat) {
        return Worth::Nothing;
    }
    let (mut content, mut passing) = (false, false);
    for child in stanza.children() {
        match (&*child.ns, child.name) {
            (HINTS, "no-store") => return Worth::Nothing,
            (HINTS, "no-permanent-store") => passing = true,
            (HINTS, "store") => content = true,
            // A headline is kept only if it says so.
            _ => content |= kind != MessageType::Headline && is_content(&child),
        }
    }
    match (content, passing) {
        (false, _) => Worth::Nothing,
        (true, true) => Worth::Passing,
        (true, false) => Worth::Keep,
    }
}

/// Whether a message to a room is worth keeping, for its archive and for whoever enters.
#[must_use]
pub fn is_worth_keeping_in_a_room(stanza: &Stanza) -> bool {
    let mut content = false;
    for child in stanza.children() {
        match (&*child.ns, child.name) {
            (HINTS, "no-store" | "no-permanent-store") => return false,
            (HINTS, "store") => content = true,
            // What rooms say of occupants is in none of their messages.
            (MUC_USER, _) => {}
            _ => content |= is_content(&child),
        }
    }
    content
}

/// Whether a message that is worth storing also waits for an account that is not there.
///
/// All do but headlines, receipts and markers included: a client without an archive of its own learns from them alone that
/// its message arrived (XEP-0184 section 5), and XEP-0160 section 3 makes no exception but for chat states.
#[must_use]
pub fn waits(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Message(MessageType::Chat | MessageType::Normal))
}

/// Whether a child is something to read later, and not about the message, its way or the moment.
fn is_content(child: &Child<'_>) -> bool {
    match (&*child.ns, child.name) {
        (ns::CLIENT, "thread")
        | ("urn:xmpp:receipts", "request")
        | ("urn:xmpp:chat-markers:0", "markable")
        | (
            HINTS
            | "http://jabber.org/protocol/chatstates"
            | "http://jabber.org/protocol/pubsub#event"
            | "http://jabber.org/protocol/ibb"
            | "http://jabber.org/protocol/nick"
            | "http://jabber.org/protocol/address"
            | "jabber:x:event"
            | "jabber:x:delay"
            | "urn:xmpp:delay"
            | "urn:xmpp:rtt:0"
            | "urn:xmpp:sid:0"
            | "urn:xmpp:occupant-id:0"
            | "urn:xmpp:fallback:0"
            // From others these are forgeries, and the server's own are no messages of a conversation.
            | "urn:xmpp:carbons:2"
            | "urn:xmpp:mam:2",
            _,
        ) => false,
        (MUC_USER, _) => Element::parse(child.bytes, ns::CLIENT)
            .is_ok_and(|x| x.child("invite", MUC_USER).is_some() || x.child("decline", MUC_USER).is_some()),
        _ => true,
    }
}

/// Whether the account archives what it exchanges with `other`: the `to` of what it sends, the `from` of what it gets.
#[must_use]
pub fn archives(account: &Account, other: &Jid, config: &Config) -> bool {
    let default = match &account.preferences {
        None => config.archive.default,
        Some(preferences) if lists(&preferences.never, other) => return false,
        Some(preferences) if lists(&preferences.always, other) => return true,
        Some(preferences) => preferences.default,
    };
    match default {
        ArchiveDefault::Always => true,
        ArchiveDefault::Never => false,
        // Whoever writes to themselves is no contact, and knows themselves.
        ArchiveDefault::Roster => account.jid.same_bare(other) || account.roster.get(other.bare_str()).is_some(),
    }
}

/// XEP-0441 section 2.3: one with a resource names exactly that, one without all of its resources.
fn lists(jids: &[Jid], other: &Jid) -> bool {
    jids.iter().any(|jid| if jid.is_bare() { jid.same_bare(other) } else { jid == other })
}

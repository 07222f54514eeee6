//! Client state indication (XEP-0352): what an inactive client need not hear at once is held back and coalesced.

use crate::stanza::{Kind, MessageType, PresenceType, Stanza};

/// Held stanzas above which all are sent: a bound on memory, and nobody's radio is saved by holding more.
const HELD: usize = 256;

/// What may stand in a message beside a chat state and says nothing to people: the ids that we and the sender gave it
/// (XEP-0359), and how it is to be handled (XEP-0334).
const BESIDE_CHAT_STATES: [&str; 3] = ["http://jabber.org/protocol/chatstates", "urn:xmpp:hints", "urn:xmpp:sid:0"];

/// Whether the client looks, and what waits for it to look again.
#[derive(Debug, Default)]
pub struct ClientState {
    inactive: bool,
    /// At most one for each sender and kind, in the order of the last change.
    held: Vec<Stanza>,
}

/// What to do with a stanza for a client in its state.
#[derive(Debug)]
pub enum Hold {
    /// Send what is held, then this.
    Send(Stanza),
    /// It is held; nothing leaves.
    Held,
    /// Too much is held: send all of it.
    Flush,
}

impl ClientState {
    /// The client says that nobody looks.
    pub fn deactivate(&mut self) {
        self.inactive = true;
    }

    /// The client says that somebody looks, or begins anew; the caller sends what [`ClientState::take`] gives.
    pub fn activate(&mut self) {
        self.inactive = false;
    }

    /// True while nobody looks.
    #[must_use]
    pub fn is_inactive(&self) -> bool {
        self.inactive
    }

    /// What is held, in order.
    pub fn take(&mut self) -> Vec<Stanza> {
        std::mem::take(&mut self.held)
    }

    /// Decides about one stanza.
    pub fn offer(&mut self, stanza: Stanza) -> Hold {
        if !self.inactive || !may_wait(&stanza) {
            return Hold::Send(stanza);
        }
        self.held.retain(|held| !(held.from == stanza.from && held.is_message() == stanza.is_message()));
        self.held.push(stanza);
        if self.held.len() > HELD { Hold::Flush } else { Hold::Held }
    }
}

/// Presence that only informs, and messages that carry nothing but a chat state (XEP-0085).
fn may_wait(stanza: &Stanza) -> bool {
    match stanza.kind {
        // Presence of rooms carries joins and kicks that order matters for: those have a `muc#user` child.
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => {
            !stanza.has_child("x", "http://jabber.org/protocol/muc#user")
        }
        Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Groupchat) => {
            let mut any = false;
            stanza.children().all(|child| {
                any = true;
                BESIDE_CHAT_STATES.contains(&&*child.ns) || child.name == "thread"
            }) && any
        }
        _ => false,
    }
}

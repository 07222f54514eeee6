//! What is stored about an account: how it proves itself, whom it knows, what it wants.

use super::archive::{Preferences, Traced};
use super::session::StoredSession;
use crate::jid::Jid;

/// Names an account or a room in the store. Never given twice, so that what outlives one is never taken for another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct AccountKey(pub i64);

/// A salted SCRAM verifier for one hash (RFC 5802 section 3). The password cannot be read out of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Random, for this account and hash alone.
    pub salt: Box<[u8]>,
    /// PBKDF2 rounds.
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: Box<[u8]>,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: Box<[u8]>,
}

/// What is stored instead of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifiers {
    /// For SCRAM-SHA-1.
    pub sha1: Verifier,
    /// For SCRAM-SHA-256.
    pub sha256: Verifier,
}

// Whoever has a verifier can guess passwords offline, so no derived Debug shows one.
impl std::fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifiers")
    }
}

/// Subscription state of a roster item (RFC 6121 section 2.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Subscription {
    /// Neither sees the other.
    #[default]
    None,
    /// The user sees the contact.
    To,
    /// The contact sees the user.
    From,
    /// Both.
    Both,
}

/// A roster item (RFC 6121 section 2.1.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosterItem {
    /// The contact, usually a bare JID.
    pub jid: Jid,
    /// The name that the user gave.
    pub name: Option<Box<str>>,
    /// Who sees whom.
    pub subscription: Subscription,
    /// The user asked and the contact has not answered ("pending out").
    pub ask: bool,
    /// The contact's request is approved before it comes (section 3.4).
    pub approved: bool,
    /// In the order the client gave them.
    pub groups: Vec<Box<str>>,
    /// Roster version at which the item last changed.
    pub version: u64,
}

/// A subscription request that the user has not answered ("pending in", RFC 6121 section 3.1.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingRequest {
    /// Who asks, a bare JID.
    pub from: Jid,
    /// The whole presence stanza, which may hold a greeting; delivered at each login until answered.
    pub stanza: Box<[u8]>,
}

/// Everything of an account that is kept in memory while it is resident.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountRecord {
    /// Shown and unshown items.
    pub roster: Vec<RosterItem>,
    /// Of the last change of the roster; 0 for never.
    pub roster_version: u64,
    /// The newest removal's version: a client that is older than it gets the whole roster.
    pub roster_removed_version: u64,
    /// Pending-in requests.
    pub requests: Vec<PendingRequest>,
    /// XEP-0191.
    pub blocked: Vec<Jid>,
    /// Last unavailable presence: when (unix ms), and its status text (XEP-0012).
    pub last: Option<(u64, Box<str>)>,
    /// What its archive is called in the store.
    pub key: AccountKey,
    /// The name of its class (`[[class]]` in the configuration).
    pub class: Option<Box<str>>,
    /// The newest id in its archive; 0 for an empty one.
    pub newest: u64,
    /// How many messages wait for it (XEP-0160).
    pub waiting: u32,
    /// What of its messages is archived (XEP-0441); none while it never said.
    pub preferences: Option<Preferences>,
    /// Sessions that a server which is no more left behind.
    pub sessions: Vec<StoredSession>,
    /// What the archive got since the oldest of these was written, oldest first.
    pub since: Vec<Traced>,
}

//! What the server asks its store, and what the store answers, as data. The statements live in `shards/store`.
//!
//! A question that writes is answered after the commit. Questions of one shard about one account are carried out and
//! answered in the order they were asked. One that saves something for an account that does not exist is answered with
//! [`Answer::Missing`], whatever else its description says.

use crate::jid::Jid;

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
    /// How many offline messages wait.
    pub offline: u32,
    /// Last unavailable presence: when (unix ms), and its status text (XEP-0012).
    pub last: Option<(u64, Box<str>)>,
}

/// A message that waits for its account to come online (XEP-0160).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfflineMessage {
    /// Ascending in the order of arrival.
    pub sequence: u64,
    /// When it arrived, unix ms; becomes the delay stamp (XEP-0203).
    pub at_ms: u64,
    /// The whole stanza.
    pub stanza: Box<[u8]>,
}

/// One question. `account` is a bare JID that this server serves.
#[derive(Clone, PartialEq, Debug)]
pub enum Question {
    /// How does this account prove itself? Answered with [`Answer::Credentials`].
    Credentials {
        /// The account.
        account: Jid,
    },
    /// Load an account. Answered with [`Answer::Account`].
    Account {
        /// The account.
        account: Jid,
    },
    /// Make an account. Answered with [`Answer::Done`] or [`Answer::Exists`].
    CreateAccount {
        /// The account.
        account: Jid,
        /// Its verifiers.
        verifiers: Box<Verifiers>,
        /// Unix ms.
        at_ms: u64,
    },
    /// Change a password. Answered with [`Answer::Done`] or [`Answer::Missing`].
    SetVerifiers {
        /// The account.
        account: Jid,
        /// New verifiers.
        verifiers: Box<Verifiers>,
    },
    /// Remove an account and every trace of it. Answered with [`Answer::Done`] or [`Answer::Missing`].
    RemoveAccount {
        /// The account.
        account: Jid,
    },
    /// The next accounts in order of their JID. Answered with [`Answer::Accounts`].
    ListAccounts {
        /// Only those behind this JID.
        after: Option<Box<str>>,
        /// At most so many.
        limit: u32,
    },
    /// Add or replace a roster item. Answered with [`Answer::Done`].
    SaveRosterItem {
        /// The account.
        account: Jid,
        /// The item; its version becomes the roster's.
        item: Box<RosterItem>,
    },
    /// Remove a roster item. Answered with [`Answer::Done`].
    RemoveRosterItem {
        /// The account.
        account: Jid,
        /// The contact.
        contact: Jid,
        /// Becomes the roster's version and its removed version.
        version: u64,
    },
    /// Remember a subscription request, in place of an earlier one of the same contact. Answered with [`Answer::Done`].
    SaveRequest {
        /// The account.
        account: Jid,
        /// The request.
        request: PendingRequest,
    },
    /// Forget a subscription request. Answered with [`Answer::Done`].
    RemoveRequest {
        /// The account.
        account: Jid,
        /// Who asked.
        from: Jid,
    },
    /// Keep a message for later. Answered with [`Answer::Done`], or [`Answer::Full`] if `limit` wait already, or
    /// [`Answer::Missing`].
    PushOffline {
        /// The account.
        account: Jid,
        /// Unix ms.
        at_ms: u64,
        /// The whole stanza.
        stanza: Box<[u8]>,
        /// How many may wait.
        limit: u32,
    },
    /// Read waiting messages, oldest first, without removing them. Answered with [`Answer::Offline`].
    ReadOffline {
        /// The account.
        account: Jid,
        /// Only sequences above this.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Remove messages that were handed over. Answered with [`Answer::Done`].
    DropOffline {
        /// The account.
        account: Jid,
        /// This sequence and all before it.
        upto: u64,
    },
    /// Read private XML (XEP-0049). Answered with [`Answer::Xml`].
    ReadPrivate {
        /// The account.
        account: Jid,
        /// Namespace of the element.
        namespace: Box<str>,
        /// Name of the element.
        name: Box<str>,
    },
    /// Keep private XML. Answered with [`Answer::Done`], or [`Answer::Full`] if the account keeps `limit` others.
    SavePrivate {
        /// The account.
        account: Jid,
        /// Namespace of the element.
        namespace: Box<str>,
        /// Name of the element.
        name: Box<str>,
        /// The element.
        xml: Box<[u8]>,
        /// How many elements an account may keep.
        limit: u32,
    },
    /// Read a vCard (XEP-0054). Answered with [`Answer::Xml`].
    ReadVcard {
        /// The account.
        account: Jid,
    },
    /// Keep a vCard. Answered with [`Answer::Done`].
    SaveVcard {
        /// The account.
        account: Jid,
        /// The element.
        xml: Box<[u8]>,
    },
    /// Add to the blocklist. Answered with [`Answer::Done`].
    Block {
        /// The account.
        account: Jid,
        /// Those to add.
        jids: Vec<Jid>,
    },
    /// Take from the blocklist. Answered with [`Answer::Done`].
    Unblock {
        /// The account.
        account: Jid,
        /// Those to take off; empty for all.
        jids: Vec<Jid>,
    },
    /// Remember the last unavailable presence. Answered with [`Answer::Done`].
    SaveLast {
        /// The account.
        account: Jid,
        /// Unix ms.
        at_ms: u64,
        /// Its status text, possibly empty.
        status: Box<str>,
    },
}

/// One answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Carried out and committed.
    Done,
    /// There is one already.
    Exists,
    /// There is no such account.
    Missing,
    /// A limit that the question named is reached; nothing was changed.
    Full,
    /// To [`Question::Credentials`]: none for an account that does not exist.
    Credentials(Option<Box<Verifiers>>),
    /// To [`Question::Account`]: none for an account that does not exist.
    Account(Option<Box<AccountRecord>>),
    /// To [`Question::ListAccounts`]: bare JIDs in order.
    Accounts(Vec<Box<str>>),
    /// To [`Question::ReadOffline`].
    Offline(Vec<OfflineMessage>),
    /// To a read of XML.
    Xml(Option<Box<[u8]>>),
}

/// Why the store gave no answer. The reason is in the store's own log; peers see `internal-server-error`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFault {
    /// The question failed.
    Failed,
    /// Too many questions wait; this one was not carried out.
    Busy,
}

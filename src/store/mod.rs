//! What the server asks its store, and what the store answers, as data. The statements live in `shards/store`.
//!
//! A question that writes is answered after the commit. Questions of one shard about one account or room are carried out
//! and answered in the order they were asked. One that saves something for an account or a room that does not exist is
//! answered with [`Answer::Missing`], whatever else its description says.

mod account;
mod archive;
mod room;
mod session;

pub use account::{AccountKey, AccountRecord, PendingRequest, RosterItem, Subscription, Verifier, Verifiers};
pub use archive::{ArchiveDefault, ArchivePage, ArchiveQuery, Archived, Entry, Keep, Preferences, Traced, Uses, peer};
pub use room::{Affiliation, ListedRoom, Member, Role, RoomRecord, RoomSetup, StoredOccupant};
pub use session::StoredSession;

use crate::jid::Jid;

/// One question. `account` is a bare JID that this server serves; so is `room`, of a room service, and in questions about
/// archives `account` may be a room as well.
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
    /// Store a message. Answered with [`Answer::Done`], also for an account that is gone meanwhile; for an id that is there
    /// already nothing is changed.
    Keep(Box<Keep>),
    /// Stored messages wait for the account now. Answered with [`Answer::Done`].
    KeepWaiting {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// Which.
        ids: Vec<u64>,
    },
    /// Read waiting messages, oldest first. Answered with [`Answer::Messages`].
    ReadWaiting {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// Only ids above this.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// Messages wait no longer: their client has them. Answered with [`Answer::Done`].
    EndWaiting {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// Which.
        ids: Vec<u64>,
    },
    /// Read a page of an archive. Answered with [`Answer::Page`] or [`Answer::Missing`].
    ReadArchive(Box<ArchiveQuery>),
    /// The first and the last id in an archive (XEP-0313 section 4.3). Answered with [`Answer::Messages`]: none, one or two.
    ArchiveEnds {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// The last id that may be found.
        upto: u64,
    },
    /// Put another stanza in the place of an archived one (XEP-0424). Answered with [`Answer::Done`] or [`Answer::Missing`].
    Replace {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// Which.
        id: u64,
        /// Takes its place.
        stanza: Box<[u8]>,
    },
    /// What shall be archived. Answered with [`Answer::Done`].
    SavePreferences {
        /// The account.
        account: Jid,
        /// All of them.
        preferences: Box<Preferences>,
    },
    /// Put an account into a class, or into none. Answered with [`Answer::Done`].
    SetClass {
        /// The account.
        account: Jid,
        /// The name of the class.
        class: Option<Box<str>>,
    },
    /// How long messages stay in an account's archive, whatever its class says. Answered with [`Answer::Done`].
    SetRetention {
        /// The account.
        account: Jid,
        /// Days; 0 for ever. None leaves it as it is.
        days: Option<u32>,
        /// How many; 0 any number. None leaves it as it is.
        messages: Option<u32>,
    },
    /// They stay as long as the account's class says. Answered with [`Answer::Done`].
    ClearRetention {
        /// The account.
        account: Jid,
    },
    /// Store a session, in place of what was stored of it. Answered with [`Answer::Done`].
    SaveSession {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// The session.
        session: Box<StoredSession>,
        /// Messages that are neither archived nor wait are not needed any more up to this id, and go.
        forget_upto: u64,
    },
    /// A session has ended. Answered with [`Answer::Done`].
    DropSession {
        /// The account.
        account: Jid,
        /// The same.
        key: AccountKey,
        /// Of the session.
        number: u8,
        /// As in [`Question::SaveSession`].
        forget_upto: u64,
    },
    /// The next accounts with stored sessions, in order of their JID. Answered with [`Answer::Accounts`].
    ListSessions {
        /// Only those behind this JID.
        after: Option<Box<str>>,
        /// At most so many.
        limit: u32,
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
    /// Load a room. Answered with [`Answer::Room`].
    Room {
        /// The room.
        room: Jid,
        /// How many of the newest archived messages come with it.
        history: u32,
    },
    /// Make a room with one owner, or load the one that is there already, without its history. Answered with
    /// [`Answer::Room`], or with [`Answer::Full`] if there are `limit` rooms of this owner.
    CreateRoom {
        /// The room.
        room: Jid,
        /// Its owner; none if the operator makes it.
        owner: Option<Jid>,
        /// How it is set up.
        setup: Box<RoomSetup>,
        /// Unix ms.
        at_ms: u64,
        /// How many rooms an account may own.
        limit: u32,
    },
    /// Set a room up otherwise. Answered with [`Answer::Done`].
    SaveRoom {
        /// The room.
        room: Jid,
        /// From now on.
        setup: Box<RoomSetup>,
    },
    /// Remember the subject of a room. Answered with [`Answer::Done`].
    SaveSubject {
        /// The room.
        room: Jid,
        /// The message that set it.
        subject: Box<[u8]>,
    },
    /// Remember where people stand with a room; no affiliation and no nick forgets them. Answered with [`Answer::Done`].
    SaveMembers {
        /// The room.
        room: Jid,
        /// Those that change.
        members: Vec<Member>,
    },
    /// A client is in a room, in place of what was known of it. Answered with [`Answer::Done`].
    SaveOccupant {
        /// The room.
        room: Jid,
        /// The client.
        occupant: Box<StoredOccupant>,
    },
    /// Clients have left a room. Answered with [`Answer::Done`].
    DropOccupants {
        /// The room.
        room: Jid,
        /// Their full JIDs.
        jids: Vec<Jid>,
    },
    /// Remove a room and every trace of it. Answered with [`Answer::Done`] or [`Answer::Missing`].
    RemoveRoom {
        /// The room.
        room: Jid,
    },
    /// Remove the oldest messages of an archive that wait for nobody. Answered with [`Answer::Purged`].
    PurgeArchive {
        /// Whose.
        account: Jid,
        /// What it is called.
        key: AccountKey,
        /// The last of them.
        upto: u64,
        /// At most so many.
        limit: u32,
    },
    /// The next rooms of all services in order of their JID, also those that are not public. Answered with [`Answer::Rooms`].
    ListAllRooms {
        /// Only those behind this JID.
        after: Option<Box<str>>,
        /// At most so many.
        limit: u32,
    },
    /// The next public rooms of a service in order of their JID. Answered with [`Answer::Rooms`].
    ListRooms {
        /// The service's domain.
        service: Jid,
        /// Only those behind this JID.
        after: Option<Box<str>>,
        /// At most so many.
        limit: u32,
    },
}

/// One answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Carried out and committed.
    Done,
    /// There is one already.
    Exists,
    /// There is no such account or room.
    Missing,
    /// A limit that the question named is reached; nothing was changed.
    Full,
    /// To [`Question::Credentials`]: none for an account that does not exist.
    Credentials(Option<Box<Verifiers>>),
    /// To [`Question::Account`]: none for an account that does not exist.
    Account(Option<Box<AccountRecord>>),
    /// To [`Question::ListAccounts`]: bare JIDs in order.
    Accounts(Vec<Box<str>>),
    /// Stored messages in ascending order.
    Messages(Vec<Archived>),
    /// To [`Question::ReadArchive`].
    Page(Box<ArchivePage>),
    /// To a read of XML.
    Xml(Option<Box<[u8]>>),
    /// To [`Question::Room`] and [`Question::CreateRoom`]: none for a room that does not exist.
    Room(Option<Box<RoomRecord>>),
    /// How many were removed; if it is fewer than asked, all are gone.
    Purged(u32),
    /// To [`Question::ListRooms`] and [`Question::ListAllRooms`], in order.
    Rooms(Vec<ListedRoom>),
}

/// Why the store gave no answer. The reason is in the store's own log; peers see `internal-server-error`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFault {
    /// The question failed.
    Failed,
    /// Too many questions wait; this one was not carried out.
    Busy,
}

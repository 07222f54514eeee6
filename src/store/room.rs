//! What is stored about a room (XEP-0045): how it is set up, who belongs to it, and who was in it.

use super::account::AccountKey;
use super::archive::Archived;
use crate::jid::Jid;

/// Long-lived standing of somebody with a room (XEP-0045 section 5.2). Those that belong to nobody in particular are not
/// stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// No standing.
    #[default]
    None,
    /// May enter a members-only room.
    Member,
    /// May ban and grant.
    Admin,
    /// May do everything.
    Owner,
}

/// What somebody in a room may do while they are in it (XEP-0045 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Role {
    /// Not in the room.
    #[default]
    None,
    /// Hears.
    Visitor,
    /// Hears and speaks.
    Participant,
    /// May kick, and give and take voice.
    Moderator,
}

/// Somebody with an affiliation or a reserved nick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Whom it is about: a bare JID, or for an outcast a whole domain.
    pub jid: Jid,
    /// Their standing.
    pub affiliation: Affiliation,
    /// The nick that nobody else may take.
    pub nick: Option<Box<str>>,
    /// Why, in the words of whoever granted it.
    pub reason: Option<Box<str>>,
}

/// A client in a room, so that it is still there after a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredOccupant {
    /// The client's full JID.
    pub jid: Jid,
    /// Its nick.
    pub nick: Box<str>,
    /// Its role.
    pub role: Role,
}

/// How a room is set up, and what of it can be found by others.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RoomSetup {
    /// The settings, in the words of `room/settings.rs`; opaque to the store.
    pub settings: Box<[u8]>,
    /// Shown in lists of rooms.
    pub is_public: bool,
    /// Its name for people, for the same lists.
    pub name: Box<str>,
    /// Days after which a message leaves the archive; 0 never, none what the server says.
    pub archive_days: Option<u32>,
}

// The settings hold the room's password.
impl std::fmt::Debug for RoomSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everything of a room that is kept in memory while somebody is in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomRecord {
    /// What its archive is called in the store; from the same numbers as those of accounts.
    pub key: AccountKey,
    /// How it is set up.
    pub setup: RoomSetup,
    /// The message that set the subject, as it was reflected; empty while nobody did.
    pub subject: Box<[u8]>,
    /// In the order of their JIDs.
    pub members: Vec<Member>,
    /// Who was in it when the server ended, in the order in which they came.
    pub occupants: Vec<StoredOccupant>,
    /// The newest id in its archive; 0 for an empty one.
    pub newest: u64,
    /// The newest archived messages, as many as were asked for, in ascending order.
    pub history: Vec<Archived>,
}

/// A room in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedRoom {
    /// Its address.
    pub jid: Box<str>,
    /// Its name for people.
    pub name: Box<str>,
}

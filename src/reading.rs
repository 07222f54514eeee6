//! What is being read in an archive (XEP-0313), for whom, and what was found of it so far.

use crate::jid::Jid;
use crate::session::SessionId;
use crate::stanza::Stanza;
use crate::store::{ArchiveQuery, Archived};

/// A query on its way: it may take the store more than one question.
#[derive(Debug)]
pub struct Reading {
    /// Who asked.
    pub session: SessionId,
    /// The iq, to be answered when all is read.
    pub request: Stanza,
    /// What the store is asked next, or after the ids were found to be there.
    pub query: ArchiveQuery,
    /// Ids that must be in the archive though they select nothing, and were not asked for yet.
    pub must_exist: Vec<u64>,
    /// Only messages from or to this address: what the store finds by a hash is compared once more.
    pub with: Option<Jid>,
    /// At most so many messages.
    pub max: usize,
    /// No message of the result lies outside of what is read, but for the bound of the page.
    pub is_whole: bool,
    /// The newest message is sent first.
    pub flip: bool,
    /// Names the query in each result, as the client chose it.
    pub query_id: Option<Box<str>>,
    /// In ascending order.
    pub found: Vec<Archived>,
    /// Messages read so far.
    pub scanned: usize,
}

/// A message of a room that somebody takes back, while it is looked for.
#[derive(Debug)]
pub struct RoomRetraction {
    /// The room.
    pub room: Jid,
    /// The message's id in its archive.
    pub id: u64,
    /// Who.
    pub by: RetractedBy,
}

/// Who takes back a message of a room.
#[derive(Debug)]
pub enum RetractedBy {
    /// Whoever said it (XEP-0424), which is to be seen.
    Author {
        /// Their occupant id.
        occupant: Box<str>,
        /// The `id` of the message with which they do.
        retraction: Option<Box<str>>,
    },
    /// A moderator (XEP-0425).
    Moderator {
        /// To be answered when it is done.
        request: Box<Stanza>,
        /// Their address in the room and their occupant id; none for the operator.
        occupant: Option<(Jid, Box<str>)>,
        /// Why.
        reason: Option<Box<str>>,
    },
}

/// A retraction (XEP-0424) whose message is looked for.
#[derive(Debug)]
pub struct Retraction {
    /// Asks for the messages before those that were looked through.
    pub query: ArchiveQuery,
    /// Who wrote both messages, a bare JID.
    pub author: Jid,
    /// The `id` of the message that is retracted.
    pub retracted: Box<str>,
    /// The `id` of the message that retracts it.
    pub id: Option<Box<str>>,
    /// When it came, unix ms.
    pub at_ms: u64,
    /// Messages looked through so far.
    pub scanned: usize,
}

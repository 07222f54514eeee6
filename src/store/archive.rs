//! Messages as they are stored: one row for each account that has them in its archive (XEP-0313), or waits for them
//! (XEP-0160), or must not lose them before its client has them (XEP-0198). It is never more than one row for an account.

use std::sync::Arc;

use super::AccountKey;
use crate::jid::Jid;

/// What a stored message is for. A message may be for several things; one that is for none is kept only until no session
/// needs it any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uses {
    /// It belongs to the archive.
    pub archived: bool,
    /// It waits for the account to come online.
    pub waits: bool,
}

/// Places one message in the keeping of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Whose it is.
    pub key: AccountKey,
    /// Its name there: ascending and unique for each account. The upper 44 bits are the time of arrival, unix ms.
    pub id: u64,
    /// The other side of the conversation, see [`peer`].
    pub peer: u64,
    /// What for.
    pub uses: Uses,
    /// What the account's sessions have to do with it, in the words of `session/trace.rs`; opaque to the store.
    pub trace: Box<[u8]>,
}

/// One message to be stored, for all it concerns at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keep {
    /// The account or room whose questions this one stands in line with: whoever asks is its home shard.
    pub account: Jid,
    /// The whole stanza, without ids that this server gave.
    pub stanza: Arc<[u8]>,
    /// At least one, of different accounts.
    pub entries: Vec<Entry>,
}

/// Names the bare JID of the other side in few bytes: 47 bits of FNV-1a, so that a driver has it in a narrow signed column.
#[must_use]
pub fn peer(jid: &Jid) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in jid.bare_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 47)) & 0x7fff_ffff_ffff
}

/// A stored message as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archived {
    /// Its name in the archive.
    pub id: u64,
    /// As it was stored.
    pub stanza: Box<[u8]>,
}

/// A stored message that sessions may need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traced {
    /// Its name in the archive.
    pub id: u64,
    /// What for.
    pub uses: Uses,
    /// See [`Entry::trace`].
    pub trace: Box<[u8]>,
    /// As it was stored.
    pub stanza: Box<[u8]>,
}

/// Which part of an archive is wanted, and how much of it. Only what is archived is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveQuery {
    /// Whose.
    pub account: Jid,
    /// The same.
    pub key: AccountKey,
    /// Only messages of the conversation with this [`peer`].
    pub peer: Option<u64>,
    /// The first id that may be found.
    pub from: u64,
    /// The last id that may be found.
    pub upto: u64,
    /// Only these, in the order of their ids; empty for no such filter. One that is not there answers the whole question
    /// with [`super::Answer::Missing`].
    pub ids: Vec<u64>,
    /// An id that must be in the archive, or the answer is [`super::Answer::Missing`] (XEP-0059 section 2.2).
    pub beside: Option<u64>,
    /// The newest of those found and not the oldest; the answer is in ascending order all the same.
    pub last: bool,
    /// At most so many messages.
    pub limit: u32,
    /// After so many bytes of stanzas no further message is read.
    pub bytes: u32,
    /// How many are there in all? Counted up to [`crate::limits::ARCHIVE_COUNTED`].
    pub count: bool,
}

/// An answer to [`ArchiveQuery`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ArchivePage {
    /// In ascending order.
    pub messages: Vec<Archived>,
    /// Nothing that the query asks for lies behind the page (before it, if `last`).
    pub complete: bool,
    /// How many there are in all, if that was asked.
    pub count: Option<u32>,
}

/// What of an account's messages is archived where no list says more (XEP-0441).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ArchiveDefault {
    /// All.
    #[default]
    Always,
    /// Those of contacts in the roster.
    Roster,
    /// None.
    Never,
}

/// What of an account's messages is archived (XEP-0441). Bounded by [`crate::limits::ARCHIVE_RULES`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preferences {
    /// Where no list says more.
    pub default: ArchiveDefault,
    /// Archived whatever the default.
    pub always: Vec<Jid>,
    /// Not archived whatever the default.
    pub never: Vec<Jid>,
}

//! What is said on the admin socket: one request or reply a line, as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of one line, with its end; a longer one ends the connection.
pub(crate) const LINE_BYTES: usize = 256 * 1024;
/// Accounts or rooms of one reply; 500 JIDs of 3,071 bytes at most would be too long, so a page ends at
/// [`PAGE_BYTES`] too.
pub(crate) const PAGE_ROWS: u32 = 500;
/// Bytes of JIDs of one page, from which it is full.
pub(crate) const PAGE_BYTES: usize = LINE_BYTES / 4;

/// A password on its way to be hashed. It has no Display, and its Debug shows nothing.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What the command line asks.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Is there anybody? Answered with [`Reply::Pong`].
    Ping,
    /// Make an account. Answered with [`Reply::Done`].
    UserAdd {
        /// A bare JID.
        jid: String,
        /// As it was typed.
        password: Secret,
    },
    /// Give an account another password, and end its sessions. Answered with [`Reply::Done`].
    UserPasswd {
        /// A bare JID.
        jid: String,
        /// As it was typed.
        password: Secret,
    },
    /// Remove an account with all that is stored for it, and end its sessions. Answered with [`Reply::Done`].
    UserRemove {
        /// A bare JID.
        jid: String,
    },
    /// The next accounts. Answered with [`Reply::Users`].
    UserList {
        /// Only those behind this one.
        after: Option<String>,
    },
    /// Put an account into a class of the configuration, or into none. Answered with [`Reply::Done`].
    UserClass {
        /// A bare JID.
        jid: String,
        /// The name of the class.
        class: Option<String>,
    },
    /// How long an account's archive is kept. Answered with [`Reply::Done`].
    UserArchive {
        /// A bare JID.
        jid: String,
        /// Forget what was said before.
        default: bool,
        /// Days; 0 for ever.
        days: Option<u32>,
        /// How many messages; 0 any number.
        messages: Option<u32>,
    },
    /// The next rooms. Answered with [`Reply::Rooms`].
    RoomList {
        /// Only those behind this one.
        after: Option<String>,
    },
    /// Something about one room.
    Room {
        /// A bare JID, or the name before the @ of one in the main domain.
        room: String,
        /// What.
        act: RoomAct,
    },
    /// Counters. Answered with [`Reply::Stats`].
    Stats,
}

/// What is asked of a room.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum RoomAct {
    /// How it is set up, and who belongs to it. Answered with [`Reply::Room`].
    Show,
    /// Make it. Answered with [`Reply::Done`].
    Create {
        /// Who owns it, a bare JID; none for the operator alone.
        owner: Option<String>,
    },
    /// Set it up otherwise. Answered with [`Reply::Done`].
    Config {
        /// Names of fields as [`Reply::Room`] has them, and their values.
        fields: Vec<(String, Secret)>,
    },
    /// Say where somebody stands. Answered with [`Reply::Done`].
    Affiliation {
        /// A bare JID; for an outcast also a domain.
        jid: String,
        /// Its name in XEP-0045.
        affiliation: String,
        /// Why.
        reason: Option<String>,
    },
    /// Remove it with everything that was said in it. Answered with [`Reply::Done`].
    Destroy {
        /// Why.
        reason: Option<String>,
        /// Where people meet instead.
        venue: Option<String>,
    },
    /// Remove old messages, so many that it takes a moment. Answered with [`Reply::Purged`].
    Purge {
        /// Unix ms; those from before.
        before_ms: u64,
    },
}

/// What the server says.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It runs.
    Pong {
        /// Of the program.
        version: String,
        /// Its process.
        pid: u32,
    },
    /// Carried out and committed.
    Done {
        /// Sessions that were ended by it.
        sessions_ended: u32,
    },
    /// Accounts in order.
    Users {
        /// Bare JIDs.
        jids: Vec<String>,
        /// There are more behind the last one.
        more: bool,
    },
    /// Rooms in order.
    Rooms {
        /// Bare JIDs and what people call them.
        rooms: Vec<(String, String)>,
        /// There are more behind the last one.
        more: bool,
    },
    /// A room.
    Room(Box<Room>),
    /// Messages were removed.
    Purged {
        /// So many.
        messages: u32,
        /// There are more to remove.
        more: bool,
    },
    /// Counters.
    Stats(Stats),
    /// Not carried out.
    Refused {
        /// What is wrong.
        what: String,
        /// What to do.
        cure: String,
    },
}

/// How a room is set up, and who belongs to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Room {
    /// Its bare JID.
    pub(crate) jid: String,
    /// Names of fields, what they mean, and their values.
    pub(crate) fields: Vec<(String, String, String)>,
    /// Those in it: their role, nick and full JID.
    pub(crate) occupants: Vec<(String, String, String)>,
    /// Those with an affiliation: which, and their bare JID.
    pub(crate) people: Vec<(String, String)>,
    /// How many occupants and people are left out, for the answer would be too long.
    pub(crate) left_out: usize,
}

/// Counters by name. Names are stable and end in their unit; those without one count things.
pub(crate) type Counters = BTreeMap<String, u64>;

/// Everything that `wattle stats` shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Of the process.
    pub(crate) process: Counters,
    /// Of the store.
    pub(crate) store: Counters,
    /// Of each shard; none for one that did not answer in time.
    pub(crate) shards: Vec<Option<Counters>>,
}

/// One value as a line.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    // Plain structs of strings and numbers have no form that JSON cannot show.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::{Reply, Request, Secret, line};

    #[test]
    fn requests_have_a_stable_form() {
        let add = Request::UserAdd { jid: "a@localhost".into(), password: Secret("pw".into()) };
        let text = r#"{"ask":"user_add","jid":"a@localhost","password":"pw"}"#;
        assert_eq!(line(&add), format!("{text}\n").into_bytes());
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), add);
        assert_eq!(serde_json::from_str::<Request>(r#"{"ask":"stats"}"#).unwrap(), Request::Stats);
        assert!(serde_json::from_str::<Request>(r#"{"ask":"user_list","aftr":"x"}"#).is_err());
        let done = Reply::Done { sessions_ended: 2 };
        assert_eq!(line(&done), b"{\"reply\":\"done\",\"sessions_ended\":2}\n");
    }

    #[test]
    fn debug_hides_the_password() {
        let add = Request::UserAdd { jid: "a@localhost".into(), password: Secret("open sesame".into()) };
        assert!(!format!("{add:?}").contains("sesame"));
    }
}

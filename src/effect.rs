//! Everything a shard can ask of the program, as one enum; performed in one exhaustive match.

use std::ops::Range;

use crate::handoff::{Arrival, Handoff};
use crate::home::ShardIndex;
use crate::input::{Conn, Ticket};
use crate::jid::Jid;
use crate::store::{Question, Verifiers};

/// Of [`Effects::bytes`] from turn to turn; one stanza for many sessions takes more, and lets go of it.
const KEPT_BYTES: usize = 256 * 1024;

/// What one turn of `Shard::handle` asks for, in order. The program keeps one value and clears it after performing, so
/// that a turn allocates nothing.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be performed in order.
    pub list: Vec<Effect>,
    /// The bytes that [`Effect::Send`] points into.
    pub bytes: Vec<u8>,
}

impl Effects {
    /// Forgets everything, keeps the memory that a usual turn needs.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
    }

    /// Asks for `effect`.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Asks to send to `conn` what `write` appends; joined with the send before it if that was for the same connection.
    pub fn send(&mut self, conn: Conn, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if start == end {
            return;
        }
        if let Some(Effect::Send { conn: last, range }) = self.list.last_mut()
            && *last == conn
            && range.end == start
        {
            range.end = end;
            return;
        }
        self.list.push(Effect::Send { conn, range: start..end });
    }
}

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Write these plain bytes; encrypting and coalescing is the program's part.
    Send {
        /// To this connection.
        conn: Conn,
        /// Where they stand in [`Effects::bytes`].
        range: Range<usize>,
    },
    /// What was sent so far goes out in the clear; then start TLS as the server. Answered by `Secured` or `Closed`.
    Secure {
        /// This connection.
        conn: Conn,
    },
    /// Write what is waiting (for a bounded time), then close. No `Closed` follows; the number is dead at once.
    Close {
        /// This connection.
        conn: Conn,
    },
    /// Stop reading until `Resume`.
    Pause {
        /// This connection.
        conn: Conn,
    },
    /// Read again.
    Resume {
        /// This connection.
        conn: Conn,
    },
    /// Write what is waiting, then give the connection to another shard, which sees it as `Arrived`.
    Move {
        /// This connection; the number is dead at once.
        conn: Conn,
        /// Its new home.
        to: ShardIndex,
        /// What the decision side there needs.
        arrival: Box<Arrival>,
    },
    /// Hand a value to another shard, in order.
    Hand {
        /// The receiver, never the sender itself.
        to: ShardIndex,
        /// The value.
        handoff: Handoff,
    },
    /// Ask the store. Questions of one shard about one account are answered in order.
    Ask {
        /// Comes back with the answer.
        ticket: Ticket,
        /// The question.
        question: Question,
    },
    /// Hash a password off the core.
    Hash {
        /// Comes back with the outcome.
        ticket: Ticket,
        /// The work.
        job: HashJob,
    },
    /// Answer the operator.
    Reply {
        /// Of [`crate::input::Input::Admin`].
        request: u64,
        /// The answer.
        reply: AdminReply,
    },
    /// Write one line to the log.
    Note(Note),
}

/// Password work that takes milliseconds (PBKDF2, RFC 8018).
pub enum HashJob {
    /// Does this password fit the verifiers?
    Check {
        /// As the client sent it, prepared with SASLprep.
        password: Box<str>,
        /// What is stored.
        verifiers: Box<Verifiers>,
    },
    /// Make verifiers for a new password, with a fresh salt.
    Make {
        /// Prepared with SASLprep.
        password: Box<str>,
    },
}

// Secrets never reach logs, also not through a derived Debug.
impl std::fmt::Debug for HashJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Check { .. } => "Check",
            Self::Make { .. } => "Make",
        })
    }
}

/// An answer to [`crate::input::AdminQuestion`].
#[derive(Debug, Clone)]
pub enum AdminReply {
    /// It answers.
    Alive,
    /// Counters of the shard, by name; names are stable and end in their unit.
    Stats(Vec<(&'static str, u64)>),
    /// How many sessions were ended.
    Kicked(u32),
    /// What the room's answer holds, or why it refused.
    Room(Result<Box<[u8]>, Box<str>>),
}

/// One line for the log. Message bodies never; addresses are shown at debug level only, so they stand apart from the text.
#[derive(Debug, Clone)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// What happened, a constant clause in lower case.
    pub what: &'static str,
    /// A protocol word that explains it, such as a stream error condition.
    pub detail: Option<Box<str>>,
    /// Whom it concerns; shown at debug level only.
    pub who: Option<Jid>,
    /// On which connection.
    pub conn: Option<Conn>,
}

/// Loudness of a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// An operator must act.
    Error,
    /// Something is wrong that the server lives with: a peer broke a rule, a fault was answered.
    Warn,
    /// Life of the service.
    Info,
    /// Life of one connection.
    Debug,
}

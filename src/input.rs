//! Everything that can happen to a shard, as one enum: what the program tells `Shard::handle`.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::Config;
use crate::handoff::{Arrival, Handoff};
use crate::jid::Jid;
use crate::stanza::IqType;
use crate::store::{Answer, StoreFault};

/// A connection on this shard. The program chooses the number and never uses one twice in the life of a shard; a
/// connection that moves to another shard gets a new number there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Conn(pub u64);

/// Names one question until its answer is there; unique on its shard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What time it is, from both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Milliseconds of a clock that never jumps; deadlines count on it.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC; stamps that people see.
    pub unix_ms: u64,
}

/// What a listener accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listener {
    /// Clients that start in the clear and must ask for STARTTLS (port 5222).
    Client,
    /// Clients whose first byte is TLS (XEP-0368, port 5223).
    ClientTls,
}

/// What the program knows of a finished TLS handshake.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// True for TLS 1.3, false for 1.2.
    pub tls13: bool,
    /// The server name that the client asked for.
    pub server_name: Option<Box<str>>,
    /// `tls-exporter` channel binding data (RFC 9266); only with TLS 1.3.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` channel binding data (RFC 5929 section 4): hash of the certificate that was shown.
    pub end_point: Option<Box<[u8]>>,
}

/// Why a connection is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// The peer closed it in order.
    Ended,
    /// The socket or TLS failed.
    Broken,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted. For [`Listener::ClientTls`] this comes after the handshake, followed by `Secured`.
    Opened {
        /// The new connection.
        conn: Conn,
        /// Where it came in.
        listener: Listener,
        /// The peer's address, for logs at debug level and limits that several signs decide.
        peer: Option<IpAddr>,
    },
    /// The TLS handshake is done.
    Secured {
        /// The connection.
        conn: Conn,
        /// What was agreed.
        tls: Box<TlsFacts>,
    },
    /// Decrypted bytes arrived.
    Received {
        /// The connection.
        conn: Conn,
        /// In order, cut anywhere.
        bytes: &'a [u8],
    },
    /// The connection is gone; its number will not be used again.
    Closed {
        /// The connection.
        conn: Conn,
        /// In order or not.
        why: Gone,
    },
    /// More than [`crate::limits::WRITE_HIGH_BYTES`] wait for the peer to read: send no more for now.
    Congested {
        /// The connection.
        conn: Conn,
    },
    /// The peer has read most of it: go on.
    Drained {
        /// The connection.
        conn: Conn,
    },
    /// An authenticated connection moved here.
    Arrived {
        /// Its number on this shard.
        conn: Conn,
        /// What it brings.
        arrival: Box<Arrival>,
    },
    /// Another shard handed something over.
    Handed(Handoff),
    /// The store answered; for a write this comes after the commit.
    Stored {
        /// Of the question.
        ticket: Ticket,
        /// The answer, or why there is none.
        answer: Result<Answer, StoreFault>,
    },
    /// A password was hashed off the core.
    Hashed {
        /// Of the job.
        ticket: Ticket,
        /// The outcome.
        hashed: Hashed,
    },
    /// The program begins; once, before anything else.
    Started,
    /// The deadline that `Shard::deadline_ms` named has passed.
    Tick,
    /// The operator asks, through the local socket.
    Admin {
        /// Echoed in [`crate::effect::Effect::Reply`].
        request: u64,
        /// The question.
        question: AdminQuestion,
    },
    /// The configuration was read again.
    Configured(Arc<Config>),
    /// The server stops: end every stream with `system-shutdown`.
    Shutdown,
}

/// What became of a [`crate::effect::HashJob`].
#[derive(Debug)]
pub enum Hashed {
    /// For [`crate::effect::HashJob::Check`]: whether the password was right.
    Checked(bool),
    /// For [`crate::effect::HashJob::Make`]: what to store.
    Made(Box<crate::store::Verifiers>),
}

/// What the operator asks of a running shard.
#[derive(Debug, Clone)]
pub enum AdminQuestion {
    /// Does this shard answer?
    Alive,
    /// Counters of this shard.
    Stats,
    /// The account was removed or its password changed: end its sessions. Asked on its home shard.
    Kick {
        /// A bare JID.
        account: Jid,
        /// Forget the account's resident state too, since it no longer exists.
        removed: bool,
    },
    /// A request to a room, which takes the operator for one of its owners. Asked on its home shard; answered when all that it
    /// changes is stored.
    Room {
        /// A bare JID.
        room: Jid,
        /// Get or set.
        kind: IqType,
        /// What the iq holds.
        payload: Box<[u8]>,
    },
}

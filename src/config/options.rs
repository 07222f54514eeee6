//! Every option, once: name, type, default, bounds, and the sentence that `config/wattle.toml` shows.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::cores::{CoreList, Cores};
use super::reader::Reader;
use super::rule::{Addresses, DatabaseUri, File, Folder, Label, NameServers, Number, ShardCount, Truth, Uris, Word};
use super::section::section;
use crate::limits;
use crate::store::ArchiveDefault;

/// How many shards run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// One for each core that shards take.
    Auto,
    /// This many.
    Count(u16),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// How loud the log is; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// An operator must act.
    Error,
    /// Something is wrong that the server lives with.
    Warn,
    /// Life of the service.
    Info,
    /// Life of each connection, with addresses.
    Debug,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Coloured on a terminal, plain elsewhere.
    Auto,
    /// Plain lines for people.
    Human,
    /// One JSON object for each line.
    Json,
}

section! {
    /// Whom people can turn to (XEP-0157), as lists of URIs. A domain may have its own.
    "contact" Contact {
        /// For reports of abuse.
        abuse: Vec<Box<str>> = Vec::new(), Uris("mailto:abuse@example.org");
        /// For whoever runs the server.
        admin: Vec<Box<str>> = Vec::new(), Uris("xmpp:admin@example.org");
        /// For opinions.
        feedback: Vec<Box<str>> = Vec::new(), Uris("mailto:feedback@example.org");
        /// For business.
        sales: Vec<Box<str>> = Vec::new(), Uris("mailto:sales@example.org");
        /// For reports of security problems.
        security: Vec<Box<str>> = Vec::new(), Uris("mailto:security@example.org");
        /// Where it says whether the service is up.
        status: Vec<Box<str>> = Vec::new(), Uris("https://status.example.org/");
        /// For help.
        support: Vec<Box<str>> = Vec::new(), Uris("xmpp:support@example.org");
    }
}

impl Contact {
    /// These addresses, and those of `other` where there are none.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        let own = [
            (&mut self.abuse, &other.abuse),
            (&mut self.admin, &other.admin),
            (&mut self.feedback, &other.feedback),
            (&mut self.sales, &other.sales),
            (&mut self.security, &other.security),
            (&mut self.status, &other.status),
            (&mut self.support, &other.support),
        ];
        for (mine, theirs) in own {
            if mine.is_empty() {
                mine.clone_from(theirs);
            }
        }
        self
    }
}

section! {
    /// Where connections are accepted: lists of addresses with their ports; an empty list switches one off.
    "listen" Listen checked by check_listen {
        /// Clients that begin in the clear and must ask for TLS at once (STARTTLS, RFC 6120).
        client: Vec<SocketAddr> = everywhere(5222), Addresses(5222);
        /// Clients that begin with TLS (XEP-0368).
        client_tls: Vec<SocketAddr> = everywhere(5223), Addresses(5223);
    }
}

fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)]
}

fn check_listen(listen: &Listen, reader: &mut Reader<'_, '_>) {
    let Some(found) = reader.find("client_tls").or_else(|| reader.find("client")) else { return };
    let all: Vec<_> = listen.client.iter().chain(&listen.client_tls).collect();
    if all.is_empty() {
        let cure = "write client = [\"[::]:5222\"], or leave both out".to_owned();
        reader.faults.add(&found.span(), "listen has no address at all".to_owned(), cure);
    }
    for (index, address) in all.iter().enumerate() {
        // Port 0 lets the kernel choose, each time another.
        if address.port() != 0 && all[..index].contains(address) {
            let what = format!("listen has {:?} twice", address.to_string());
            reader.faults.add(&found.span(), what, "write another port for one of them".to_owned());
        }
    }
}

section! {
    /// The process.
    "server" Server {
        /// Folder for everything that is kept: database, certificates, local socket. Made if it is missing; a relative
        /// path begins where the server is started.
        data: PathBuf = PathBuf::from("wattle-data"), Folder;
        /// How many shards run; "auto" is one for each of `cores`.
        shards: Shards = Shards::Auto, ShardCount;
        /// Which of the machine's cores the shards take, by their numbers; "auto" is all of them, or the strong ones on a board
        /// with cores of two kinds.
        cores: Cores = Cores::Auto, CoreList;
        /// Socket for `wattle user` and `wattle stats`, which only the server's own user can open; `admin.sock` in the data
        /// folder if it is left out.
        admin_socket: Option<PathBuf> = None, File("/run/wattle/admin.sock");
    }
}

impl Server {
    /// Where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.admin_socket.clone().unwrap_or_else(|| self.data.join("admin.sock"))
    }
}

/// Where everything is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// In a file of the data folder.
    Sqlite,
    /// In a database of a PostgreSQL server, named by its URI.
    Postgres(Box<str>),
}

// The URI may hold a password.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::Postgres(_) => "Postgres",
        })
    }
}

/// What holds when power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything that was acknowledged.
    Full,
    /// All but the last moments.
    Relaxed,
}

section! {
    /// What is kept: accounts, rosters, messages, sessions.
    "store" Store {
        /// Where: "sqlite" is a file in the data folder; a `postgres://` URI is a database of PostgreSQL 13 or newer, which
        /// must exist. With TLS if it is on another host and has it; `?sslmode=require` insists on that, and
        /// `?sslmode=verify-full` also checks the server's certificate, against `tls.ca_file`.
        database: Database = Database::Sqlite, DatabaseUri;
        /// "full" keeps everything that was acknowledged, also when the plug is pulled; "relaxed" may lose the last moments
        /// then, and spares a slow disk.
        durability: Durability = Durability::Full, Word(&[
            ("full", Durability::Full),
            ("relaxed", Durability::Relaxed),
        ]);
    }
}

section! {
    /// The archive of messages (XEP-0313), which lets each device of an account catch up.
    "archive" Archive {
        /// What is archived of an account that did not choose itself (XEP-0441): "always" all, "roster" conversations with
        /// contacts, "never" nothing.
        default: ArchiveDefault = ArchiveDefault::Always, Word(&[
            ("always", ArchiveDefault::Always),
            ("roster", ArchiveDefault::Roster),
            ("never", ArchiveDefault::Never),
        ]);
        /// Days after which a message leaves the archive; 0 keeps it for ever.
        days: u32 = 28, Number(0..=36_500);
        /// Messages of one account, above which the oldest leave; 0 is no bound.
        messages: u32 = 0, Number(0..=100_000_000);
    }
}

section! {
    /// Group chat (XEP-0045). What is said of new rooms is what their owners find, and may change.
    "rooms" Rooms {
        /// The name of the service below each domain: "conference" makes rooms like `room@conference.example.com`. Empty for
        /// no rooms.
        service: Box<str> = "conference".into(), Label;
        /// Who may make rooms: "everybody" with an account here, or "nobody" but the operator.
        creation: RoomCreation = RoomCreation::Everybody, Word(&[
            ("everybody", RoomCreation::Everybody),
            ("nobody", RoomCreation::Nobody),
        ]);
        /// Rooms that one account may own; a further one is refused.
        owned: u32 = limits::ROOMS_OWNED, Number(0..=1_000_000);
        /// Occupants of one room; a further one is refused.
        occupants: usize = limits::ROOM_OCCUPANTS, Number(2..=100_000);
        /// A new room is shown in lists.
        public: bool = false, Truth;
        /// A new room is for its members alone.
        members_only: bool = true, Truth;
        /// Everybody in a new room sees the real addresses of all, which encryption needs.
        non_anonymous: bool = true, Truth;
        /// A new room stays when the last one leaves.
        persistent: bool = true, Truth;
        /// Messages of a new room are archived; for how long says `archive.days`.
        archived: bool = true, Truth;
        /// Messages that somebody who enters a new room gets.
        history: u32 = 20, Number(0..=limits::ROOM_HISTORY);
    }
}

/// Who may make rooms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoomCreation {
    /// Everybody with an account.
    Everybody,
    /// The operator.
    Nobody,
}

section! {
    /// TLS, which every connection must use. Certificates are given for each domain.
    "tls" Tls {
        /// Oldest version that is accepted.
        min_version: TlsVersion = TlsVersion::Tls12, Word(&[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)]);
        /// Certificates of the authorities that are trusted when other servers are called (used by federation); those of
        /// the system if it is left out.
        ca_file: Option<PathBuf> = None, File("/etc/ssl/certs/ca-certificates.crt");
    }
}

section! {
    /// Where names are looked up (used by federation).
    "dns" Dns {
        /// DNS servers to ask; an empty list takes those of the system.
        servers: Vec<SocketAddr> = Vec::new(), NameServers;
    }
}

section! {
    /// Bounds on what people can make grow, each for one connection, session or account.
    "limits" Limits {
        /// Bytes of one stanza from a client; above it the stream closes with `policy-violation`.
        stanza_bytes: usize = limits::STANZA_BYTES, Number(10_000..=16_777_216);
        /// Sessions of one account at a time; a further one is refused.
        sessions: usize = limits::SESSIONS, Number(1..=1_000);
        /// Contacts of one account; a further one is refused.
        roster_items: usize = limits::ROSTER_ITEMS, Number(1..=100_000);
        /// Requests to see an account's presence that wait for its answer; further ones are dropped.
        pending_requests: usize = limits::PENDING_REQUESTS, Number(0..=10_000);
        /// Addresses that one account blocks; a further one is refused.
        blocked: usize = limits::BLOCKED_JIDS, Number(0..=100_000);
        /// Messages that wait for an account which is offline; the sender of a further one gets an error.
        offline_messages: u32 = limits::OFFLINE_MESSAGES, Number(0..=1_000_000);
        /// Pieces of private data (XEP-0049) that an account keeps; a further one is refused.
        private_elements: u32 = limits::PRIVATE_ELEMENTS, Number(0..=100_000);
        /// Bytes of one such piece or of a vCard; a longer one is refused.
        stored_xml_bytes: usize = limits::STORED_XML_BYTES, Number(1_024..=16_777_216);
        /// Stanzas that one session has not acknowledged; at it a connected session closes, and a detached one ends.
        outbox_stanzas: usize = limits::OUTBOX_STANZAS, Number(10..=1_000_000);
        /// Bytes of the same.
        outbox_bytes: usize = limits::OUTBOX_BYTES, Number(65_536..=1_073_741_824);
    }
}

section! {
    /// Sessions whose connection is lost and may come back (XEP-0198).
    "sessions" Sessions checked by check_sessions {
        /// Seconds for which a session waits if the client names no time.
        resume_seconds: u32 = limits::RESUME_SECONDS, Number(0..=86_400);
        /// Seconds for which it waits at most, whatever the client names.
        resume_max_seconds: u32 = limits::RESUME_MAX_SECONDS, Number(0..=604_800);
    }
}

fn check_sessions(sessions: &Sessions, reader: &mut Reader<'_, '_>) {
    if sessions.resume_seconds <= sessions.resume_max_seconds {
        return;
    }
    let Some(found) = reader.find("resume_seconds").or_else(|| reader.find("resume_max_seconds")) else { return };
    let what = format!("sessions.resume_seconds is {}, above resume_max_seconds", sessions.resume_seconds);
    reader.faults.add(&found.span(), what, format!("write a number from 0 to {}", sessions.resume_max_seconds));
}

section! {
    /// The log, on standard error. Bodies of messages are never in it.
    "log" Log {
        /// How loud; addresses of people are shown at "debug" only.
        level: LogLevel = LogLevel::Info, Word(&[
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ]);
        /// How a line looks; "auto" is coloured on a terminal and plain elsewhere, "json" is one object a line.
        format: LogFormat = LogFormat::Auto, Word(&[
            ("auto", LogFormat::Auto),
            ("human", LogFormat::Human),
            ("json", LogFormat::Json),
        ]);
    }
}

//! Every bound on what a peer can make grow, with what happens at it.

/// Bytes of one stanza or nonza from a client; above it the stream closes with `policy-violation`. The default of the
/// configuration's `limits.stanza_bytes`.
pub const STANZA_BYTES: usize = 256 * 1024;
/// Bytes before authentication; above it the stream closes with `policy-violation`. RFC 6120 section 13.12 asks for 10,000 at least.
pub const UNAUTHENTICATED_STANZA_BYTES: usize = 16 * 1024;
/// Depth of elements inside a stanza; above it `policy-violation`.
pub const XML_DEPTH: u16 = 64;
/// Attributes of one element; above it `policy-violation`.
pub const XML_ATTRIBUTES: usize = 64;
/// Bytes of an element's or attribute's name; above it `policy-violation`.
pub const XML_NAME_BYTES: usize = 512;
/// Namespace declarations in force at one place; above it `policy-violation`.
pub const XML_NAMESPACES: usize = 64;
/// Bytes of one part of a JID (RFC 7622 section 3.1); above it the JID is malformed.
pub const JID_PART_BYTES: usize = 1023;
/// Unsent bytes of one connection above which the decision side hears `Congested`.
pub const WRITE_HIGH_BYTES: usize = 64 * 1024;
/// Unsent bytes below which it hears `Drained`.
pub const WRITE_LOW_BYTES: usize = 16 * 1024;
/// Bytes read from one socket in one turn of the loop.
pub const READ_BYTES: usize = 16 * 1024;
/// Values in the lane or mailbox towards one shard; at it the sending shard stops reading its sockets until there is room.
pub const MAILBOX_VALUES: usize = 4096;
/// Bytes of stanzas and connections in the mailbox of one shard; at it the same happens. What crosses it is still taken, so
/// that a mailbox holds one value of each sending shard more than this.
pub const MAILBOX_BYTES: usize = 4 * 1024 * 1024;
/// Questions of one shard that wait for the store; at it a question is answered with [`crate::store::StoreFault::Busy`].
pub const STORE_QUESTIONS: usize = 8192;
/// Milliseconds from accept to a finished TLS handshake; then the connection closes.
pub const TLS_MS: u64 = 10_000;
/// Milliseconds from accept to a bound resource; then the stream closes with `policy-violation`.
pub const LOGIN_MS: u64 = 30_000;
/// Wrong credentials on one connection; then the stream closes with `policy-violation`.
pub const LOGIN_FAILURES: u8 = 10;
/// Milliseconds that a closing connection may take to read its last bytes.
pub const CLOSE_MS: u64 = 2_000;
/// Roster items of one account; a further one is refused with `not-allowed`. The default of `limits.roster_items`.
pub const ROSTER_ITEMS: usize = 2_000;
/// Groups of one roster item; refused with `not-acceptable`.
pub const ROSTER_GROUPS: usize = 32;
/// Bytes of a roster name or group; refused with `not-acceptable` (RFC 6121 section 2.3.3).
pub const ROSTER_TEXT_BYTES: usize = 1023;
/// Subscription requests that wait for one account's answer; further ones are dropped and counted.
pub const PENDING_REQUESTS: usize = 500;
/// Addresses on one blocklist; refused with `not-acceptable`.
pub const BLOCKED_JIDS: usize = 1_000;
/// Sessions of one account; a further bind is refused with `resource-constraint`.
pub const SESSIONS: usize = 64;
/// Contacts that hold a session's directed presence; a further one is delivered but not remembered.
pub const DIRECTED_PRESENCES: usize = 500;
/// Offline messages of one account; the default of `limits.offline_messages`, above it `service-unavailable` to the sender.
pub const OFFLINE_MESSAGES: u32 = 1_000;
/// Messages of an archive that are counted when a client asks for their number; above it the count is this.
pub const ARCHIVE_COUNTED: u32 = 10_000;
/// Messages of one page of an archive; a client that asks for more gets so many.
pub const ARCHIVE_PAGE: u32 = 250;
/// Messages of a page if the client names no number.
pub const ARCHIVE_PAGE_DEFAULT: u32 = 50;
/// Bytes of stanzas of one page, above which it ends early.
pub const ARCHIVE_PAGE_BYTES: u32 = 512 * 1024;
/// Addresses on the two lists of an account's archive preferences; more are refused with `policy-violation`.
pub const ARCHIVE_RULES: usize = 1_000;
/// Archive queries of one session that the store has not answered; a further one is refused with `resource-constraint`.
pub const ARCHIVE_QUERIES: usize = 8;
/// Messages that one query may name by their ids; more are refused with `policy-violation`.
pub const ARCHIVE_IDS: usize = 250;
/// Bytes of a query's `queryid`, which every result repeats; refused with `policy-violation`.
pub const ARCHIVE_QUERY_ID_BYTES: usize = 256;
/// Messages that one query reads to find those of one resource; above it `resource-constraint`.
pub const ARCHIVE_SCANNED: usize = 100_000;
/// Messages of a conversation that are looked through for one that is retracted; one before them stays.
pub const RETRACTED_BACK: usize = 2_000;
/// Retractions of one account whose messages are being looked for; what a further one retracts stays.
pub const RETRACTIONS: usize = 64;
/// Stored messages that are looked through for sessions when an account is loaded after a crash, the newest first.
pub const TRACED_MESSAGES: u32 = 4_000;
/// Bytes of unacknowledged stanzas that are stored with a session on an orderly stop, messages that are stored anyway not
/// counted; above it the oldest go.
pub const SNAPSHOT_BYTES: usize = 256 * 1024;
/// Messages that sessions of an account send and get before these are stored again: more would make the first load after a crash
/// slower.
pub const UNSAVED_MESSAGES: u32 = 500;
/// Bytes of a presence that is stored with its session; of a larger one only that it was said.
pub const SNAPSHOT_PRESENCE_BYTES: usize = 16 * 1024;
/// Stanzas of one session whose messages are not stored yet; at it its connection is not read until some are.
pub const UNSTORED_STANZAS: usize = 512;
/// Bytes of stanzas of all clients that are not stored yet; above it whoever sends another one is not read.
pub const UNSTORED_BYTES: usize = 32 * 1024 * 1024;
/// Private XML elements of one account; refused with `resource-constraint`.
pub const PRIVATE_ELEMENTS: u32 = 256;
/// Bytes of one private XML element or vCard; refused with `policy-violation` of the iq.
pub const STORED_XML_BYTES: usize = 128 * 1024;
/// Unacknowledged stanzas of one session; at it a connected session closes, and a detached one ends.
pub const OUTBOX_STANZAS: usize = 2_000;
/// Bytes of the same.
pub const OUTBOX_BYTES: usize = 4 * 1024 * 1024;
/// Seconds for which a detached session may be resumed; the default of `sessions.resume_seconds`, told as XEP-0198 `max`.
pub const RESUME_SECONDS: u32 = 600;
/// Seconds that a client may ask for at most; the default of `sessions.resume_max_seconds`.
pub const RESUME_MAX_SECONDS: u32 = 3_600;
/// Stanzas that wait while an account is loaded; further ones are refused with `resource-constraint`.
pub const LOADING_STANZAS: usize = 1_000;
/// Accounts without sessions that stay in memory of one shard; above it the longest idle one leaves.
pub const IDLE_ACCOUNTS: usize = 1_000;
/// Milliseconds for which a peer's TCP may leave what was sent unacknowledged, or its window shut; then the connection counts
/// as lost, and the session waits to be resumed. A phone in a tunnel is back before that.
pub const PEER_SILENCE_MS: u64 = 120_000;
/// Occupants of one room; further ones get `service-unavailable`, admins and owners excepted. The default of `rooms.occupants`.
pub const ROOM_OCCUPANTS: usize = 1_000;
/// Clients with the same nick in a room; a further one is refused with `resource-constraint`.
pub const ROOM_NICK_CLIENTS: usize = 32;
/// People with an affiliation or a reserved nick in one room; a further one is refused with `resource-constraint`.
pub const ROOM_MEMBERS: usize = 10_000;
/// Newest messages that a room keeps in memory for those who enter.
pub const ROOM_HISTORY: u32 = 100;
/// Bytes of the same; above it the oldest go.
pub const ROOM_HISTORY_BYTES: usize = 256 * 1024;
/// Messages of one room that are not stored yet; at it further ones are refused with `resource-constraint`.
pub const ROOM_UNSTORED: usize = 1_000;
/// People that one room makes wait in slow mode; whoever speaks beyond them is refused with `resource-constraint`.
pub const ROOM_PAUSES: usize = 10_000;
/// Bytes of a presence's payload that a room passes on; of a larger one only that it was said.
pub const ROOM_PRESENCE_BYTES: usize = 8 * 1024;
/// Items of one request to change affiliations or roles; more are refused with `policy-violation`.
pub const ROOM_ITEMS: usize = 500;
/// Rooms without occupants that stay in memory of one shard; above it the longest idle one leaves.
pub const IDLE_ROOMS: usize = 200;
/// Rooms that one account may own; a further one is refused with `resource-constraint`. The default of `rooms.owned`.
pub const ROOMS_OWNED: u32 = 100;
/// Rooms of one page of a list, and all of it for a client that does not page.
pub const ROOMS_LISTED: u32 = 200;

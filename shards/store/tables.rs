//! All tables of the store with their columns, for whoever moves them as they are. A test compares them with the migrations.

use std::sync::LazyLock;

use Type::{Blob, Int, Text};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Int,
    Text,
    Blob,
}

/// One table.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What its rows are told apart by, in the order of the index.
    pub(super) key: &'static [&'static str],
    pub(super) columns: &'static [(&'static str, Type)],
}

/// Each behind those that it refers to.
pub(super) const TABLES: [Table; 15] = [
    Table { name: "counter", key: &["name"], columns: &[("name", Text), ("value", Int)] },
    Table { name: "fact", key: &["name"], columns: &[("name", Text), ("value", Blob)] },
    Table {
        name: "account",
        key: &["id"],
        columns: &[
            ("id", Int),
            ("jid", Text),
            ("created_ms", Int),
            ("roster_version", Int),
            ("roster_removed_version", Int),
            ("last_ms", Int),
            ("last_status", Text),
            ("sha1_salt", Blob),
            ("sha1_iterations", Int),
            ("sha1_stored_key", Blob),
            ("sha1_server_key", Blob),
            ("sha256_salt", Blob),
            ("sha256_iterations", Int),
            ("sha256_stored_key", Blob),
            ("sha256_server_key", Blob),
            ("archive_default", Int),
            ("class", Text),
            ("archive_days", Int),
            ("archive_messages", Int),
        ],
    },
    Table {
        name: "roster",
        key: &["account", "contact"],
        columns: &[
            ("account", Int),
            ("contact", Text),
            ("version", Int),
            ("subscription", Int),
            ("ask", Int),
            ("approved", Int),
            ("name", Text),
            ("group_list", Text),
        ],
    },
    Table {
        name: "request",
        key: &["account", "contact"],
        columns: &[("account", Int), ("contact", Text), ("stanza", Blob)],
    },
    Table { name: "blocked", key: &["account", "contact"], columns: &[("account", Int), ("contact", Text)] },
    Table {
        name: "private",
        key: &["account", "namespace", "name"],
        columns: &[("account", Int), ("namespace", Text), ("name", Text), ("xml", Blob)],
    },
    Table { name: "vcard", key: &["account"], columns: &[("account", Int), ("xml", Blob)] },
    Table {
        name: "session",
        key: &["account", "number"],
        columns: &[("account", Int), ("number", Int), ("floor", Int), ("state", Blob)],
    },
    Table {
        name: "archive_rule",
        key: &["account", "archived", "contact"],
        columns: &[("account", Int), ("archived", Int), ("contact", Text)],
    },
    Table {
        name: "room",
        key: &["id"],
        columns: &[
            ("id", Int),
            ("jid", Text),
            ("service", Text),
            ("created_ms", Int),
            ("public", Int),
            ("name", Text),
            ("archive_days", Int),
            ("settings", Blob),
            ("subject", Blob),
        ],
    },
    Table {
        name: "room_member",
        key: &["room", "jid"],
        columns: &[("room", Int), ("jid", Text), ("affiliation", Int), ("nick", Text), ("reason", Text)],
    },
    Table {
        name: "room_occupant",
        key: &["place"],
        columns: &[("place", Int), ("room", Int), ("jid", Text), ("nick", Text), ("role", Int)],
    },
    Table { name: "message", key: &["id"], columns: &[("id", Int), ("entries", Int), ("stanza", Blob)] },
    Table {
        name: "archive",
        key: &["account", "id"],
        columns: &[("account", Int), ("id", Int), ("peer", Int), ("flags", Int), ("trace", Blob), ("message", Int)],
    },
];

/// Rows of one page, and so of one transaction.
pub(super) const PAGE_ROWS: usize = 500;
/// Rows of which only the keys are read at once.
pub(super) const PAGE_KEYS: usize = 5_000;

/// The statements that move one table.
pub(super) struct Texts {
    /// The first rows.
    pub(super) first: String,
    /// The rows behind a key.
    pub(super) next: String,
    /// The first keys.
    pub(super) first_keys: String,
    /// The keys behind a key.
    pub(super) next_keys: String,
    /// Adds a row.
    pub(super) insert: String,
    /// Lets PostgreSQL give numbers behind the largest one, where it gives any.
    pub(super) numbers: Option<String>,
}

/// For each of [`TABLES`]. Made once, because a driver knows a statement by its place.
pub(super) fn texts() -> &'static [Texts] {
    static TEXTS: LazyLock<Vec<Texts>> = LazyLock::new(|| TABLES.iter().map(Texts::of).collect());
    &TEXTS
}

impl Texts {
    fn of(table: &Table) -> Self {
        let Table { name, key, columns } = table;
        let all = columns.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
        let keys = key.join(", ");
        let behind = format!("WHERE ({keys}) > ({})", parameters(key.len()));
        let end = |rows| format!("ORDER BY {keys} LIMIT {rows}");
        // What SQLite numbers by itself, PostgreSQL numbers from a sequence.
        let numbers = match **key {
            [one] if columns.contains(&(one, Int)) => Some(format!(
                "SELECT setval(pg_get_serial_sequence('{name}', '{one}'), coalesce(max({one}), 0) + 1, false) FROM {name}"
            )),
            _ => None,
        };
        Self {
            first: format!("SELECT {all} FROM {name} {}", end(PAGE_ROWS)),
            next: format!("SELECT {all} FROM {name} {behind} {}", end(PAGE_ROWS)),
            first_keys: format!("SELECT {keys} FROM {name} {}", end(PAGE_KEYS)),
            next_keys: format!("SELECT {keys} FROM {name} {behind} {}", end(PAGE_KEYS)),
            insert: format!("INSERT INTO {name} ({all}) VALUES ({})", parameters(columns.len())),
            numbers,
        }
    }
}

fn parameters(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

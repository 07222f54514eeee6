//! SQLite as the store wants it: who may open a data folder, what a connection is set to, and when the log moves into
//! the file.

mod driver;
mod tidy;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use wattle::config::Durability;

use super::error::OpenError;
use super::migrate;
use driver::Sqlite;

/// What a connection that writes is opened with; each is used by one thread.
pub(super) const WRITES: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// How long a foreign process (an operator's `sqlite3`) may hold the file before a question fails.
const BUSY: Duration = Duration::from_secs(5);
/// Pages that a connection keeps in memory at most; beyond them it reads again what the kernel has cached.
const WRITER_CACHE_KIB: i32 = 2048;
/// Smaller, because every commit of the writer empties it.
const READER_CACHE_KIB: i32 = 1024;
/// The size of a page. A commit writes whole pages, mostly one for each account that is busy: small ones halve what is
/// written for a message. A database keeps the size that it was made with.
pub(super) const PAGE_BYTES: u32 = 2_048;
/// Above this size a start does not read all messages; SQLite still checks every page that it uses.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

/// Makes the data folder, for its owner alone, and locks it for this process until the file is dropped.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(OpenError::Folder)?;
    let path = dir.join("wattle.lock");
    let mut file = private().open(&path).map_err(OpenError::Folder)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only makes the message better: without it the lock still holds.
            let _ = file.read_to_string(&mut holder);
            return Err(OpenError::Locked(holder.trim().parse().ok()));
        }
        Err(TryLockError::Error(error)) => return Err(OpenError::Folder(error)),
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(OpenError::Folder)?;
    Ok(file)
}

/// Readable by its owner alone, because verifiers and the secret are inside.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// The database in a data folder.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("wattle.sqlite")
}

/// The file that belongs to a database by its name: its log, or the log's index.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Opens the connection that writes, checks the file, and brings its schema up to date.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    // SQLite would make it readable for everybody; the log and its index take their mode from it.
    let bytes = private().open(path).and_then(|file| file.metadata()).map_err(OpenError::Folder)?.len();
    let mut conn = Connection::open_with_flags(path, WRITES)?;
    settings(&conn, WRITER_CACHE_KIB)?;
    migrate::check(&conn)?;
    if bytes <= CHECKED_BYTES {
        sound(&conn, "PRAGMA quick_check(1)")?;
    } else {
        // Whoever logs in needs these; a page of messages that is broken costs those messages, when they are read.
        for table in tables(&conn)?.iter().filter(|table| !matches!(table.as_str(), "message" | "archive")) {
            sound(&conn, &format!("PRAGMA quick_check({table:?})"))?;
        }
    }
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", synchronous(durability))?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "secure_delete", "fast")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", tidy::PAGES_LONG * i64::from(PAGE_BYTES))?;
    migrate::apply(&mut conn)?;
    Ok(conn)
}

fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?.query_map([], |row| row.get(0))?.collect()
}

fn sound(conn: &Connection, check: &str) -> Result<(), OpenError> {
    let verdict: String = conn.query_row(check, [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Corrupt(verdict)) }
}

/// The driver of the thread that writes.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Sqlite, OpenError> {
    let conn = writer(path, durability)?;
    let tidy = tidy::Tidy::start(tidy::connection(path, synchronous(durability))?)?;
    Ok(Sqlite::new(conn, Some(tidy)))
}

fn synchronous(durability: Durability) -> &'static str {
    match durability {
        // Syncs the log at every commit: what was answered survives a pulled plug.
        Durability::Full => "full",
        // Syncs it only before it moves into the file: the file stays whole, and the last commits may be gone.
        Durability::Relaxed => "normal",
    }
}

/// Opens the connection that only reads, beside a writer that is open.
pub(super) fn reader(path: &Path) -> Result<Sqlite, OpenError> {
    let conn = watcher(path)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(Sqlite::new(conn, None))
}

/// Opens a connection that changes nothing in this file, whether somebody else writes it or not.
pub(super) fn watcher(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settings(&conn, READER_CACHE_KIB)?;
    Ok(conn)
}

fn settings(conn: &Connection, cache_kib: i32) -> Result<(), OpenError> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

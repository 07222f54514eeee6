//! SQLite as the store wants it: who may open a data folder, what a connection is set to, and when the log moves into
//! the file.

mod driver;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use wattle::config::Durability;

use super::error::OpenError;
use super::migrate;
pub(super) use driver::Sqlite;

/// How long a foreign process (an operator's `sqlite3`) may hold the file before a question fails.
const BUSY: Duration = Duration::from_secs(5);
/// Pages that a connection keeps in memory at most; beyond them it reads again what the kernel has cached.
const WRITER_CACHE_KIB: i32 = 2048;
/// Smaller, because every commit of the writer empties it.
const READER_CACHE_KIB: i32 = 1024;
/// The size of a page. A commit writes whole pages, mostly one for each account that is busy: small ones halve what is
/// written for a message. A database keeps the size that it was made with.
const PAGE_BYTES: u32 = 2_048;
/// Pages of the log above which an idle writer moves them into the file: fewer would write hot pages more often.
const CHECKPOINT_PAGES: u32 = 2_000;
/// Pages of the log above which a busy writer does the same between two commits, so that the log cannot grow for ever.
const CHECKPOINT_PAGES_BUSY: u32 = 16_000;
/// Above this size a start does not read the whole file; SQLite still checks every page that it uses.
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
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// The database in a data folder.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("wattle.sqlite")
}

/// Opens the connection that writes, checks the file, and brings its schema up to date.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    // SQLite would make it readable for everybody; the log and its index take their mode from it.
    let bytes = private().open(path).and_then(|file| file.metadata()).map_err(OpenError::Folder)?.len();
    let mut conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settings(&conn, WRITER_CACHE_KIB)?;
    migrate::check(&conn)?;
    if bytes <= CHECKED_BYTES {
        let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenError::Corrupt(verdict));
        }
    }
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match durability {
        // Syncs the log at every commit: what was answered survives a pulled plug.
        Durability::Full => "full",
        // Syncs it only before it moves into the file: the file stays whole, and the last commits may be gone.
        Durability::Relaxed => "normal",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "secure_delete", "fast")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES_BUSY * PAGE_BYTES)?;
    migrate::apply(&mut conn)?;
    Ok(conn)
}

/// Opens the connection that only reads, beside a writer that is open.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settings(&conn, READER_CACHE_KIB)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn settings(conn: &Connection, cache_kib: i32) -> Result<(), OpenError> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// Moves the log into the file if it is long enough. Never waits for a reader.
pub(super) fn checkpoint(conn: &Connection, idle: bool) -> rusqlite::Result<()> {
    // NOOP only counts: pages in the log, and how many of them are in the file already.
    let counted = conn
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let waiting = counted.0 - counted.1;
    let enough = if idle { CHECKPOINT_PAGES } else { CHECKPOINT_PAGES_BUSY };
    if waiting >= i64::from(enough) {
        conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))?;
    }
    Ok(())
}

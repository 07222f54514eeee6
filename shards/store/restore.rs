//! Puts a backup in the place of the SQLite store: looked at first, copied, then renamed; what was there is kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use wattle::config::{Config, Database, Durability};

use super::backup::{Part, Progress, copy, sync, unwritable};
use super::error::{OpenError, Unopened};
use super::{migrate, sqlite};
use crate::fault::Fault;

/// What was done.
pub(crate) struct Restored {
    /// What is in the store now.
    pub(crate) contents: Contents,
    /// The name that the store which was there has now.
    pub(crate) kept: Option<PathBuf>,
}

/// What is in a store.
pub(crate) struct Contents {
    /// How many.
    pub(crate) accounts: u64,
    /// The same.
    pub(crate) rooms: u64,
    /// Archived, or waiting for somebody.
    pub(crate) messages: u64,
    /// When the newest of them came, in UTC.
    pub(crate) newest: Option<String>,
}

/// Puts `file` in the store's place. Whatever fails, the store stays as it was.
///
/// # Errors
/// If a server runs, if the file is not a whole database of this or an older wattle, or if it cannot be copied.
pub(crate) fn restore(config: &Config, file: &Path, progress: Progress) -> Result<Restored, Fault> {
    if config.store.database != Database::Sqlite {
        let what = "the store is a PostgreSQL database, whose own tools restore it";
        return Err(Fault::new(what, "use pg_restore with the URI of store.database"));
    }
    let data = &config.server.data;
    let lock = || sqlite::lock(data).map_err(|error| Fault::from(Unopened { path: data.clone(), error }));
    // A folder that is there is locked before anybody waits for a long look at the file; a missing one is made after it.
    let held = if data.exists() { Some(lock()?) } else { None };
    let place = sqlite::path(data);
    if fs::canonicalize(file).is_ok_and(|file| fs::canonicalize(&place).is_ok_and(|place| place == file)) {
        return Err(Fault::new(format!("{} is the store itself", file.display()), "name a backup"));
    }
    let conn = whole(file)?;
    let _held: File = match held {
        Some(held) => held,
        None => lock()?,
    };
    let folder = fs::canonicalize(data).map_err(|error| unwritable(data, &error))?;
    let mut part = Part::begin(folder.join("wattle.sqlite.part"))?;
    // Whatever the backup's pages were, these are those that are written least.
    conn.pragma_update(None, "page_size", sqlite::PAGE_BYTES).map_err(|error| damaged(file, &error.to_string()))?;
    copy(conn, file, &part, progress)?;
    let (contents, now) = upgraded(&part.path).map_err(|error| Unopened { path: file.to_owned(), error })?;
    part.synced()?;
    let kept = replaced(&folder, &mut part, &now)?;
    Ok(Restored { contents, kept: kept.map(|name| data.join(name)) })
}

/// A connection to a backup that was looked through.
fn whole(file: &Path) -> Result<Connection, Fault> {
    let shown = file.display();
    let cure = "name a file that `wattle backup` made, and that this user may read";
    match fs::metadata(file) {
        Ok(found) if found.is_file() && found.len() > 0 => {}
        Ok(_) => return Err(Fault::new(format!("{shown} is no backup, but empty or not a file"), cure)),
        Err(error) => return Err(Fault::new(format!("cannot read {shown}: {error}"), cure)),
    }
    let look = || -> Result<Connection, OpenError> {
        let conn = sqlite::watcher(file)?;
        migrate::check(&conn)?;
        let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenError::Corrupt(verdict));
        }
        if migrate::is_empty(&conn)? { Err(OpenError::Foreign) } else { Ok(conn) }
    };
    look().map_err(|error| match error {
        OpenError::Corrupt(text) => damaged(file, &text),
        OpenError::Foreign => Fault::new(format!("{shown} is another program's database"), cure),
        error => Unopened { path: file.to_owned(), error }.into(),
    })
}

fn damaged(file: &Path, text: &str) -> Fault {
    let what = format!("{} is damaged or no database ({text}); the store was left as it is", file.display());
    Fault::new(what, "take another backup")
}

/// Brings the copy to today's schema, as the next start would, so that a backup which cannot be is not put in place; and
/// says the time.
fn upgraded(path: &Path) -> Result<(Contents, String), OpenError> {
    let conn = sqlite::writer(path, Durability::Full)?;
    // Clients have gone on since: what they count now would be taken for what they counted then. They begin anew, and enter
    // their rooms again.
    conn.execute_batch(
        "DELETE FROM session;
         DELETE FROM room_occupant;",
    )?;
    let contents = contents(&conn)?;
    let now = conn.query_row("SELECT strftime('%Y%m%dT%H%M%SZ', 'now')", [], |row| row.get(0))?;
    conn.close().map_err(|(_, error)| error)?;
    Ok((contents, now))
}

fn contents(conn: &Connection) -> rusqlite::Result<Contents> {
    // The newest of each account or room is found by its key; the upper bits of a number are its time.
    const CONTENTS: &str = "\
SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM room), (SELECT count(*) FROM message),
       strftime('%Y-%m-%d %H:%M:%S',
                max((SELECT max(archive.id) FROM archive WHERE archive.account = owner.id) >> 20) / 1000, 'unixepoch')
FROM (SELECT id FROM account UNION ALL SELECT id FROM room) AS owner";
    conn.query_row(CONTENTS, [], |row| {
        let number = |column| row.get(column).map(i64::unsigned_abs);
        Ok(Contents { accounts: number(0)?, rooms: number(1)?, messages: number(2)?, newest: row.get(3)? })
    })
}

/// Gives the copy the store's name, and says how the store that had it is called now.
fn replaced(folder: &Path, part: &mut Part, now: &str) -> Result<Option<String>, Fault> {
    let place = sqlite::path(folder);
    let fault = |error: io::Error| unwritable(&place, &error);
    let kept = if fs::symlink_metadata(&place).is_ok() {
        folded(&place);
        Some(kept(folder, &place, now).map_err(fault)?)
    } else {
        None
    };
    let (log, index) = (sqlite::beside(&place, "-wal"), sqlite::beside(&place, "-shm"));
    // A log is still there only if the old store is damaged. Next to the new one it would be taken for the new one's.
    let kept_log = kept.as_ref().map(|name| sqlite::beside(&folder.join(name), "-wal"));
    let moved = match &kept_log {
        Some(kept_log) if log.exists() => fs::rename(&log, kept_log),
        _ => gone(&log),
    };
    let moved = moved.and_then(|()| gone(&index)).and_then(|()| part.renamed(&place));
    if let Err(error) = moved {
        if let (Some(name), Some(kept_log)) = (kept, kept_log) {
            // Each is missing if it failed before that; the store is under its own name all the time.
            let _ = fs::rename(kept_log, log);
            let _ = fs::remove_file(folder.join(name));
        }
        return Err(fault(error));
    }
    sync(folder)?;
    Ok(kept)
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves the old store's log into it, so that one file is all of it. A damaged one stays as it is, with its log.
fn folded(place: &Path) {
    let fold = || -> Result<(), OpenError> {
        migrate::check(&sqlite::watcher(place)?)?;
        let conn = Connection::open_with_flags(place, sqlite::WRITES)?;
        Ok(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    };
    if let Err(error) = fold() {
        tracing::warn!(?error, "the old store is damaged: its log, if there is one, is kept beside it");
    }
}

/// A second name for the old store, under which it stays when the first is taken from it.
fn kept(folder: &Path, place: &Path, now: &str) -> io::Result<String> {
    for more in 1..100 {
        let name = if more == 1 { format!("before-{now}.sqlite") } else { format!("before-{now}-{more}.sqlite") };
        match fs::hard_link(place, folder.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| name),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

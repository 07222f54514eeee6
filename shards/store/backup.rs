//! A copy of the SQLite store in one file, made by a process beside the server that serves.
//!
//! `VACUUM INTO` reads one snapshot: the server's writer goes on, but its log cannot be used again before the copy is done, so
//! the copy gives up before that log takes the disk. Only what is there is copied: no free page with what was deleted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use wattle::config::{Config, Database};

use super::error::{OpenError, Unopened};
use super::{migrate, sqlite};
use crate::fault::Fault;

/// Told how many bytes of how many are written, a few times a second.
pub(crate) type Progress = Box<dyn FnMut(u64, u64) + Send>;

/// What the log may grow by meanwhile, if the disk has twice as much room.
const LOG_BYTES: u64 = 1024 * 1024 * 1024;
/// Between two looks at the files.
const LOOK: Duration = Duration::from_millis(100);
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Copies the store to `file`, whole and synced, or leaves what is there as it is. The size of the copy.
///
/// # Errors
/// If the store cannot be read or the file not be written; if it is there already and not to be replaced.
pub(crate) fn backup(config: &Config, file: &Path, replace: bool, progress: Progress) -> Result<u64, Fault> {
    if config.store.database != Database::Sqlite {
        let what = "the store is a PostgreSQL database, whose own tools back it up";
        return Err(Fault::new(what, "use pg_dump --format=custom --file=FILE with the URI of store.database"));
    }
    let source = sqlite::path(&config.server.data);
    let target = Target::named(file, &config.server.data, replace)?;
    let conn = open(&source)?;
    let part = Part::begin(target.part.clone())?;
    copy(conn, &source, &part, progress)?;
    target.take(part)
}

/// Where the copy goes.
struct Target {
    file: PathBuf,
    folder: PathBuf,
    part: PathBuf,
    replace: bool,
}

impl Target {
    fn named(file: &Path, data: &Path, replace: bool) -> Result<Self, Fault> {
        let shown = file.display();
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(|error| unwritable(folder, &error))?;
        let Some(name) = file.file_name().filter(|_| !file.is_dir()) else {
            return Err(Fault::new(
                format!("{shown} is no name of a file"),
                format!("write {shown}/wattle-backup.sqlite"),
            ));
        };
        let own = fs::canonicalize(data).is_ok_and(|data| data == folder);
        if own && name.to_string_lossy().starts_with("wattle.") {
            return Err(Fault::new(format!("{shown} is a file of the store itself"), "name another file"));
        }
        let mut part = name.to_owned();
        part.push(".part");
        let target = Self { file: folder.join(name), part: folder.join(part), folder, replace };
        target.refuse_to_overwrite()?;
        Ok(target)
    }

    fn refuse_to_overwrite(&self) -> Result<(), Fault> {
        if self.replace || fs::symlink_metadata(&self.file).is_err() {
            return Ok(());
        }
        let what = format!("{} is there already", self.file.display());
        Err(Fault::new(what, "name another file, or replace it with --force"))
    }

    /// Gives the copy its name.
    fn take(self, mut part: Part) -> Result<u64, Fault> {
        self.refuse_to_overwrite()?;
        let bytes = part.synced()?;
        part.renamed(&self.file).map_err(|error| unwritable(&self.file, &error))?;
        sync(&self.folder)?;
        Ok(bytes)
    }
}

/// A file that is being written, for its owner alone; unless it gets another name it goes with this value.
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Locked. As long as SQLite has the file open this must not be closed: its own locks would go with it.
    held: File,
    renamed: bool,
}

impl Part {
    /// Empties what a copy that was killed has left.
    pub(super) fn begin(path: PathBuf) -> Result<Self, Fault> {
        let held = sqlite::private().open(&path).map_err(|error| unwritable(&path, &error))?;
        if held.try_lock().is_err() {
            let what = format!("{} is being written by another process", path.display());
            return Err(Fault::new(what, "wait until that one has ended"));
        }
        let part = Self { path, held, renamed: false };
        part.held.set_len(0).map_err(|error| unwritable(&part.path, &error))?;
        Ok(part)
    }

    /// Its size, once it is safe.
    pub(super) fn synced(&self) -> Result<u64, Fault> {
        let done = self.held.sync_all().and_then(|()| self.held.metadata());
        done.map(|file| file.len()).map_err(|error| unwritable(&self.path, &error))
    }

    /// Gives it its name.
    pub(super) fn renamed(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.renamed {
            return;
        }
        // What is not there cannot be removed.
        for end in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(sqlite::beside(&self.path, end));
        }
    }
}

/// A connection to a database that somebody else may be writing; refuses what is not ours or newer.
fn open(path: &Path) -> Result<Connection, Fault> {
    match File::open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = format!("there is no store at {}", path.display());
            return Err(Fault::new(what, "go where it is, or name the configuration with --config FILE"));
        }
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            return Err(Fault::new(what, "run this as the user that runs the server, or as root"));
        }
    }
    sqlite::watcher(path)
        .and_then(|conn| migrate::check(&conn).map(|()| conn))
        .map_err(|error| Unopened { path: path.to_owned(), error }.into())
}

/// Copies what `source` holds at this moment.
pub(super) fn copy(mut conn: Connection, source: &Path, part: &Part, progress: Progress) -> Result<(), Fault> {
    let fault =
        |error: rusqlite::Error| Fault::from(Unopened { path: source.to_owned(), error: OpenError::from(error) });
    let number = |name: &str| {
        conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(fault)
    };
    let bytes = number("page_count")?.saturating_sub(number("freelist_count")?) * number("page_size")?;
    let room = room(&part.path)?;
    if room < bytes {
        let what =
            format!("{} bytes are to be written to {}, but the disk has room for {room}", bytes, part.path.display());
        return Err(Fault::new(what, "free space, or name a file on another disk"));
    }
    let Some(into) = part.path.to_str() else {
        return Err(Fault::new(format!("{} is not UTF-8", part.path.display()), "name another file"));
    };
    let gave_up = Arc::new(AtomicBool::new(false));
    let mut watch = Watch::new(source, &part.path, bytes, progress, Arc::clone(&gave_up))?;
    conn.progress_handler(STEPS, Some(move || watch.look())).map_err(fault)?;
    conn.execute("VACUUM INTO ?1", [into]).map(|_| ()).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) if gave_up.load(Ordering::Relaxed) => Fault::new(
            "the server has written so much meanwhile that its log would fill the disk",
            "copy to a faster disk, free space where the store is, or try when less is written",
        ),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Fault::new(
            format!("cannot write {into}: {error}"),
            "look for room and rights there, and at the system's log",
        ),
        _ => fault(error),
    })
}

/// Looks at the copy and at the server's log while the copy grows.
struct Watch {
    part: PathBuf,
    log: PathBuf,
    log_bound: u64,
    bytes: u64,
    progress: Progress,
    gave_up: Arc<AtomicBool>,
    looked: Instant,
}

impl Watch {
    fn new(
        source: &Path,
        part: &Path,
        bytes: u64,
        mut progress: Progress,
        gave_up: Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let log = sqlite::beside(source, "-wal");
        let log_bound = length(&log) + (room(source)? / 2).min(LOG_BYTES);
        progress(0, bytes);
        Ok(Self { part: part.to_owned(), log, log_bound, bytes, progress, gave_up, looked: Instant::now() })
    }

    /// Is it to be given up?
    fn look(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return false;
        }
        self.looked = Instant::now();
        (self.progress)(length(&self.part).min(self.bytes), self.bytes);
        let full = length(&self.log) > self.log_bound;
        self.gave_up.store(full, Ordering::Relaxed);
        full
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// What the disk that a file is on has room for.
fn room(path: &Path) -> Result<u64, Fault> {
    let disk = rustix::fs::statvfs(path).map_err(|error| unwritable(path, &error.into()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Makes the names in a folder survive.
pub(super) fn sync(folder: &Path) -> Result<(), Fault> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Fault {
    let what = format!("cannot write {}: {error}", path.display());
    Fault::new(what, "name a place that exists, that this user may write, and that has room")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::sync::mpsc;

    use super::*;

    /// The server must not run out of disk for a copy.
    #[test]
    fn a_copy_is_given_up_when_the_log_has_grown_too_long() {
        let folder = std::env::temp_dir().join(format!("wattle-watch-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (source, part) = (folder.join("store"), folder.join("part"));
        for (path, bytes) in [(&source, 1), (&part, 3), (&sqlite::beside(&source, "-wal"), 10)] {
            fs::write(path, vec![0; bytes]).unwrap();
        }
        let gave_up = Arc::new(AtomicBool::new(false));
        let (sender, told) = mpsc::channel();
        let progress = Box::new(move |done, all| sender.send((done, all)).unwrap());
        let mut watch = Watch::new(&source, &part, 7, progress, Arc::clone(&gave_up)).unwrap();
        assert!(watch.log_bound > 10);
        let mut look = |log_bound| {
            watch.log_bound = log_bound;
            watch.looked = Instant::now().checked_sub(2 * LOOK).unwrap();
            watch.look()
        };
        assert!(!look(10));
        assert!(!gave_up.load(Ordering::Relaxed));
        assert!(look(9));
        assert!(gave_up.load(Ordering::Relaxed));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [(0, 7), (3, 7), (3, 7)]);
        fs::remove_dir_all(folder).unwrap();
    }
}

//! Moves the log into the file beside the writer, on a thread and a connection of its own: on a slow disk that takes seconds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

use crate::store::error::OpenError;

/// Pages of the log above which an idle writer has them moved: fewer would write hot pages more often.
const PAGES: i64 = 2_000;
/// Pages of the log above which a busy writer has them moved.
const PAGES_BUSY: i64 = 8_000;
/// Pages of the log above which the writer waits until the last of them are moved, because only then the log can start
/// again at its front.
pub(super) const PAGES_LONG: i64 = 16_000;
/// How many of these it moves itself; if they are more, it lets the thread go on, unless the log is twice as long.
const PAGES_LAST: i64 = 500;

/// The thread. It ends with this.
pub(super) struct Tidy {
    ask: Option<Sender<()>>,
    busy: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tidy {
    /// Works on `conn`.
    pub(super) fn start(conn: Connection) -> Result<Self, OpenError> {
        let (ask, asked) = channel();
        let busy = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&busy);
        let work = move || {
            while asked.recv().is_ok() {
                // What hinders it is met by the writer too, which says so.
                if let Err(error) = move_log(&conn) {
                    tracing::debug!(%error, "the store's log cannot be moved into its file");
                }
                theirs.store(false, Ordering::Release);
            }
        };
        let builder = Builder::new().name("store-log".into()).stack_size(crate::store::STACK_BYTES);
        let thread = builder.spawn(work).map_err(OpenError::Thread)?;
        Ok(Self { ask: Some(ask), busy, thread: Some(thread) })
    }

    /// For the writer between two batches: has the log moved if it is long enough. Seldom waits.
    pub(super) fn look(&self, conn: &Connection, idle: bool) -> rusqlite::Result<()> {
        // NOOP only counts: pages in the log, and how many of them are in the file already.
        let (long, moved) = conn
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
        let left = long - moved;
        let too_long = long >= PAGES_LONG && left <= PAGES_LAST || long >= 2 * PAGES_LONG;
        if too_long && left > 0 {
            return move_log(conn);
        }
        let enough = if idle { PAGES } else { PAGES_BUSY };
        if (left >= enough || long >= PAGES_LONG && left > 0)
            && !self.busy.swap(true, Ordering::Acquire)
            && let Some(ask) = &self.ask
        {
            // It ends only with this.
            let _ = ask.send(());
        }
        Ok(())
    }
}

/// As far as no reader hinders it; never waits for one.
fn move_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
}

impl Drop for Tidy {
    fn drop(&mut self) {
        self.ask = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that moves the store's log has panicked");
        }
    }
}

/// The connection for it, beside a writer that is open.
pub(super) fn connection(path: &Path, synchronous: &str) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(path, super::WRITES)?;
    super::settings(&conn, super::READER_CACHE_KIB)?;
    conn.pragma_update(None, "synchronous", synchronous)?;
    Ok(conn)
}

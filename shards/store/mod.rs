//! The store: carries out the questions of `wattle::store` on SQLite, behind queues, on two threads of its own.
//!
//! One thread writes. Whatever waits for it becomes one transaction, and the answers go out after the commit, so that
//! one sync of the disk serves many. One thread reads, beside it, so that a login does not wait for that sync.
//! `lane.rs` keeps the order between them. Nothing here wakes up unless somebody asks.

mod counters;
mod error;
mod handle;
mod inbox;
mod lane;
mod migrate;
mod reader;
mod reads;
mod sqlite;
mod statements;
#[cfg(test)]
mod tests;
mod writer;
mod writes;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OptionalExtension};

pub(crate) use error::{OpenError, Unopened};
pub(crate) use handle::{Deliver, Handle};

/// The stack of a store thread. SQLite keeps what is large on the heap.
const STACK_BYTES: usize = 512 * 1024;

/// An open data folder. Dropping it carries out everything that was asked, and closes it.
pub(crate) struct Store {
    shared: Arc<handle::Shared>,
    secret: [u8; 32],
    reader: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl Store {
    /// Opens the store in `dir`, for this process alone, and makes what is missing. Answers go to `deliver`.
    ///
    /// # Errors
    /// If the folder is in use or not usable, or its database is damaged, foreign or newer than this program.
    pub(crate) fn open(dir: &Path, deliver: Arc<Deliver>) -> Result<Self, Unopened> {
        let lock = sqlite::lock(dir).map_err(|error| Unopened { path: dir.into(), error })?;
        let path = sqlite::path(dir);
        Self::start(&path, lock, deliver).map_err(|error| Unopened { path, error })
    }

    fn start(path: &Path, lock: File, deliver: Arc<Deliver>) -> Result<Self, OpenError> {
        let conn = sqlite::writer(path)?;
        let secret = secret(&conn)?;
        let writer = writer::Writer::new(conn)?;
        let conn = sqlite::reader(path)?;
        let shared = Arc::new(handle::Shared::new(deliver));
        let thread = |name: &str| Builder::new().name(name.into()).stack_size(STACK_BYTES);
        let mut store = Self { shared: Arc::clone(&shared), secret, reader: None, writer: None, _lock: lock };
        let theirs = Arc::clone(&shared);
        store.writer = Some(thread("store-writer").spawn(move || writer.run(&theirs)).map_err(OpenError::Thread)?);
        let theirs = shared;
        store.reader =
            Some(thread("store-reader").spawn(move || reader::run(&conn, &theirs)).map_err(OpenError::Thread)?);
        Ok(store)
    }

    /// For shards and other threads that ask.
    pub(crate) fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Random, made with the store and never changed: what an account that does not exist derives its salt from.
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.secret
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // The reader first: it passes questions on to the writer, and who closes the file last moves the log into it.
        for (inbox, thread) in [(&self.shared.reader, self.reader.take()), (&self.shared.writer, self.writer.take())] {
            inbox.close();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a thread of the store has panicked");
            }
        }
        self.shared.close();
    }
}

/// The secret in the store, made now if there is none.
fn secret(conn: &Connection) -> Result<[u8; 32], OpenError> {
    let mut secret = [0; 32];
    let stored: Option<Vec<u8>> = conn.query_row(statements::FACT, ["secret"], |row| row.get(0)).optional()?;
    match stored {
        Some(stored) => {
            secret = stored.try_into().map_err(|_| OpenError::Corrupt("the secret is not 32 bytes".into()))?;
        }
        None => {
            SystemRandom::new()
                .fill(&mut secret)
                .map_err(|_| OpenError::Folder(std::io::Error::other("the kernel gives no random bytes")))?;
            conn.execute(statements::SET_FACT, ("secret", secret.as_slice()))?;
        }
    }
    Ok(secret)
}

/// A number as SQL has it. Those beyond 63 bits mean "no bound".
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

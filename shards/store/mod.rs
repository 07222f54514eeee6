//! The store: carries out the questions of `wattle::store` on a database, behind queues, on two threads of its own.
//!
//! One thread writes. Whatever waits for it becomes one transaction, and the answers go out after the commit, so that
//! one sync of the disk serves many. One thread reads, beside it, so that a login does not wait for that sync.
//! `lane.rs` keeps the order between them. Nothing here wakes up unless somebody asks.

mod archive;
mod backup;
mod counters;
mod driver;
mod error;
mod handle;
mod inbox;
mod lane;
mod look;
mod migrate;
mod moving;
mod outage;
mod pages;
mod percentiles;
mod postgres;
mod reader;
mod reads;
mod restore;
mod retention;
mod rooms;
mod sqlite;
mod statements;
mod tables;
#[cfg(test)]
mod tests;
mod writer;
mod writes;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use ring::rand::{SecureRandom, SystemRandom};
use wattle::config::{Config, Database, Durability};

use crate::fault::Fault;
use driver::Driver;
use postgres::Settings;

pub(crate) use backup::{Progress, backup};
pub(crate) use error::{OpenError, Unopened};
pub(crate) use handle::{Deliver, Handle};
pub(crate) use look::look;
pub(crate) use moving::moved;
pub(crate) use restore::restore;

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
    /// Opens the store that `config` names, for this process alone, and makes what is missing. Answers go to `deliver`.
    ///
    /// # Errors
    /// If the data folder is in use or not usable, or the database is damaged, foreign or newer than this program.
    pub(crate) fn open(config: &Config, deliver: Arc<Deliver>) -> Result<Self, Unopened> {
        let dir = &config.server.data;
        let lock = sqlite::lock(dir).map_err(|error| Unopened { path: dir.clone(), error })?;
        let path = sqlite::path(dir);
        let fault = |error| Unopened { path: path.clone(), error };
        let connections = match &config.store.database {
            Database::Sqlite => connect(&path, config.store.durability).map_err(fault)?,
            Database::Postgres(uri) => {
                let settings = settings(uri, config).map_err(|error| fault(error.into()))?;
                let (writer, reader) = postgres::open(settings).map_err(|error| fault(error.into()))?;
                (Box::new(writer) as Box<dyn Driver>, Box::new(reader) as Box<dyn Driver>)
            }
        };
        Self::start(config, connections, lock, deliver).map_err(fault)
    }

    fn start(
        config: &Config,
        (mut writer, reader): Connections,
        lock: File,
        deliver: Arc<Deliver>,
    ) -> Result<Self, OpenError> {
        if moving::half(&mut *writer).map_err(OpenError::Database)? {
            return Err(OpenError::Half);
        }
        let secret = secret(&mut *writer)?;
        let writer = writer::Writer::new(writer).map_err(OpenError::Database)?;
        let reader = reader::Reader::new(reader);
        let shared = Arc::new(handle::Shared::new(config, deliver));
        let thread = |name: &str| Builder::new().name(name.into()).stack_size(STACK_BYTES);
        let mut store = Self { shared: Arc::clone(&shared), secret, reader: None, writer: None, _lock: lock };
        let theirs = Arc::clone(&shared);
        store.writer = Some(thread("store-writer").spawn(move || writer.run(&theirs)).map_err(OpenError::Thread)?);
        let theirs = shared;
        store.reader = Some(thread("store-reader").spawn(move || reader.run(&theirs)).map_err(OpenError::Thread)?);
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

/// What is wrong with the configured database as far as can be told without asking it.
pub(crate) fn fault(config: &Config) -> Option<Fault> {
    let Database::Postgres(uri) = &config.store.database else { return None };
    let error = settings(uri, config).err()?.into();
    Some(Unopened { path: sqlite::path(&config.server.data), error }.into())
}

fn settings(uri: &str, config: &Config) -> Result<Settings, postgres::Unusable> {
    Settings::read(uri, config.store.durability, config.tls.ca_file.as_deref())
}

/// The connection that writes and the one that reads.
type Connections = (Box<dyn Driver>, Box<dyn Driver>);

fn connect(path: &Path, durability: Durability) -> Result<Connections, OpenError> {
    let writer = sqlite::open(path, durability)?;
    let reader = sqlite::reader(path)?;
    Ok((Box::new(writer), Box::new(reader)))
}

/// The secret in the store, made now if there is none.
fn secret(driver: &mut dyn Driver) -> Result<[u8; 32], OpenError> {
    let mut secret = [0; 32];
    let stored = driver::first(driver, statements::FACT, &["secret".into()], |row| row.blob(0).map(<[u8]>::to_vec));
    match stored.map_err(OpenError::Database)? {
        Some(stored) => {
            secret = stored.try_into().map_err(|_| OpenError::Corrupt("the secret is not 32 bytes".into()))?;
        }
        None => {
            SystemRandom::new()
                .fill(&mut secret)
                .map_err(|_| OpenError::Folder(std::io::Error::other("the kernel gives no random bytes")))?;
            let values = ["secret".into(), secret.as_slice().into()];
            driver.change(statements::SET_FACT, &values).map_err(OpenError::Database)?;
        }
    }
    Ok(secret)
}

//! Why a store does not open, each with its cure.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::fault::Fault;

use super::postgres::Unusable;

/// Why a store does not open. Its `Display` tells the operator what to do.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// The data folder or the file in it.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) error: OpenError,
}

/// What is wrong with a data folder.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The folder or a file in it cannot be made, read or written.
    Folder(io::Error),
    /// A thread could not be started.
    Thread(io::Error),
    /// Another process has the folder open; its number, if it wrote one.
    Locked(Option<u32>),
    /// A newer wattle wrote it.
    Newer {
        /// Its schema.
        found: u32,
        /// The newest that this program knows.
        known: u32,
        /// The version of the program that made the schema.
        writer: Option<String>,
    },
    /// The file is another program's database.
    Foreign,
    /// The file is damaged; what SQLite says of it.
    Corrupt(String),
    /// Anything else that the database says.
    Database(super::driver::Error),
    /// A copy of another store that was not completed.
    Half,
    /// What a PostgreSQL server, or the way to it, refuses; with its cure.
    Postgres(Unusable),
}

impl From<Unusable> for OpenError {
    fn from(refusal: Unusable) -> Self {
        Self::Postgres(refusal)
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Database(super::driver::Error::new(super::driver::Kind::Statement, error)),
        }
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.error {
            OpenError::Folder(error) => {
                write!(
                    f,
                    "cannot use {path}: {error}; the user that runs wattle must own it and may need room on the disk"
                )
            }
            OpenError::Thread(error) => write!(f, "cannot start a thread for the store in {path}: {error}"),
            OpenError::Locked(Some(process)) => write!(
                f,
                "{path} is in use by process {process}, another wattle; stop that one, or give this one its own data folder"
            ),
            OpenError::Locked(None) => {
                write!(f, "{path} is in use by another wattle; stop that one, or give this one its own data folder")
            }
            OpenError::Newer { found, known, writer } => {
                write!(
                    f,
                    "{path} has schema {found}, this wattle {} knows up to {known}; ",
                    env!("CARGO_PKG_VERSION")
                )?;
                match writer {
                    Some(writer) => write!(f, "run wattle {writer} or newer"),
                    None => f.write_str("run a newer wattle"),
                }
            }
            OpenError::Foreign => {
                write!(f, "{path} is another program's database; move it away, or name another data folder")
            }
            OpenError::Corrupt(error) => write!(
                f,
                "{path} is damaged ({error}); keep a copy, then put a backup in its place, or save what can be read with: \
                 sqlite3 {path} .recover | sqlite3 recovered.sqlite"
            ),
            OpenError::Database(error) => write!(f, "cannot open {path}: {error}"),
            OpenError::Half => f.write_str(
                "the store is half a copy of another one; empty it, and copy again with `wattle store copy`",
            ),
            OpenError::Postgres(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Unopened {}

impl From<Unopened> for Fault {
    fn from(error: Unopened) -> Self {
        let text = error.to_string();
        match text.split_once("; ") {
            Some((what, cure)) => Self::new(what, cure),
            None => Self::new(text, "see what `wattle check` says"),
        }
    }
}

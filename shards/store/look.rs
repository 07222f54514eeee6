//! What a store is like before anybody opens it. Nothing is made or changed, whether a server runs or not.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use wattle::config::{Config, Database, Durability};

use super::error::{OpenError, Unopened};
use super::moving::{refused, settings};
use super::{migrate, postgres, sqlite};
use crate::fault::Fault;

/// The beginning of a file of SQLite; what is read of it stands in <https://sqlite.org/fileformat2.html>, section 1.3.
const HEADER_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What was found.
pub(crate) struct Look {
    /// For people: where it is, and what.
    pub(crate) line: String,
    /// What the server lives with, but its operator may not like.
    pub(crate) warnings: Vec<Fault>,
}

/// Looks at the store of this configuration.
///
/// # Errors
/// What would keep a server from opening it.
pub(crate) fn look(config: &Config) -> Result<Look, Fault> {
    let mut warnings = Vec::new();
    let archive = &config.archive;
    if archive.days == 0 && archive.messages == 0 {
        let what = "archive.days and archive.messages are both 0, so the archive grows until the disk is full";
        warnings.push(Fault::new(what, "write how many days or messages are kept"));
    }
    let line = match &config.store.database {
        Database::Sqlite => {
            let path = sqlite::path(&config.server.data);
            let schema = schema(&path).map_err(|error| Unopened { path: path.clone(), error })?;
            format!("{}, {}", path.display(), shown(schema))
        }
        Database::Postgres(uri) => {
            let settings = Arc::new(settings(config, uri)?);
            let found = postgres::look(&settings).map_err(refused)?;
            if let Some(off) = found.off.filter(|_| config.store.durability == Durability::Full) {
                let what = format!("PostgreSQL runs with {off} off: what was acknowledged may be lost in a power cut");
                warnings
                    .push(Fault::new(what, "set it to on in postgresql.conf, or write store.durability = \"relaxed\""));
            }
            format!("{}, PostgreSQL {}, {}", settings.place(), found.version, shown(Some(found.schema)))
        }
    };
    Ok(Look { line, warnings })
}

fn shown(schema: Option<u32>) -> String {
    match schema {
        None => "just made".to_owned(),
        Some(0) => "not made yet".to_owned(),
        Some(schema) => format!("schema {schema}"),
    }
}

/// Out of the file's header, because opening it would leave files beside it; 0 if there is nothing, none if it is in the
/// log alone.
fn schema(path: &Path) -> Result<Option<u32>, OpenError> {
    let mut header = Vec::new();
    match File::open(path).and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut header)) {
        Ok(0) => return Ok(Some(0)),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(0)),
        Err(error) => return Err(OpenError::Folder(error)),
    }
    if header.len() < HEADER_BYTES || !header.starts_with(MAGIC) {
        return Err(OpenError::Corrupt("it does not begin as a file of SQLite does".to_owned()));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (schema, owner) = (number(60), number(68));
    let log = std::fs::metadata(sqlite::beside(path, "-wal")).map_or(0, |log| log.len());
    match (owner, schema) {
        (0, 0) if log > 0 => Ok(None),
        (migrate::APPLICATION_ID, ..=migrate::SCHEMA) => Ok(Some(schema)),
        (migrate::APPLICATION_ID, _) => Err(OpenError::Newer { found: schema, known: migrate::SCHEMA, writer: None }),
        _ => Err(OpenError::Foreign),
    }
}

//! Brings a database to today's schema: the numbered files of `migrations/`, each in its own transaction, once.

use rusqlite::Connection;

use super::error::OpenError;

/// In order; the first is schema 1. Append-only: a file that was ever released is never changed.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/0001_accounts.sql"),
    include_str!("../../migrations/0002_archive.sql"),
    include_str!("../../migrations/0003_rooms.sql"),
];

/// The schema that this program needs.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Says in the file's header whose database it is ("wttl"), so that another program's is not taken for ours.
pub(super) const APPLICATION_ID: u32 = 0x7774_746c;

/// Refuses a database that is not ours or newer than this program. Changes nothing.
pub(super) fn check(conn: &Connection) -> Result<(), OpenError> {
    let owner: u32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let schema: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && (owner != 0 || schema != 0 || tables != 0) {
        return Err(OpenError::Foreign);
    }
    if schema > SCHEMA {
        // The table is as old as schema 1, but a future one may have dropped it: then the number alone must do.
        let writer = conn.query_row("SELECT CAST(value AS TEXT) FROM fact WHERE name = 'wattle'", [], |row| row.get(0));
        return Err(OpenError::Newer { found: schema, known: SCHEMA, writer: writer.ok() });
    }
    Ok(())
}

/// Was nothing made in it yet?
pub(super) fn is_empty(conn: &Connection) -> Result<bool, OpenError> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))? == 0)
}

/// Applies what is missing. A crash in between leaves the schema before or after, nothing else.
pub(super) fn apply(conn: &mut Connection) -> Result<(), OpenError> {
    let schema: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (number, sql) in (1_u32..).zip(MIGRATIONS) {
        if number <= schema {
            continue;
        }
        let transaction = conn.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction
            .execute(super::statements::SET_FACT, rusqlite::params!["wattle", env!("CARGO_PKG_VERSION").as_bytes()])?;
        transaction.commit()?;
        tracing::info!(schema = number, "the store's schema is up to date");
    }
    Ok(())
}

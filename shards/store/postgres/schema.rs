//! Brings the database to today's schema: the numbered files of `migrations/`, each in its own transaction, once. Whoever
//! calls holds the lock that keeps a second wattle out.

use tokio::runtime::Runtime;

use super::dialect;
use super::fault::{self, Unusable};
use super::link::Link;
use crate::store::migrate::{MIGRATIONS, SCHEMA};

/// Which files were applied, and by which wattle.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS wattle_schema (number BIGINT PRIMARY KEY, \
                     wattle TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())";

/// Refuses a database that is newer than this program, and says its schema. Changes nothing.
pub(super) fn check(link: &Link, runtime: &Runtime, place: &str) -> Result<u32, Unusable> {
    let ask = |sql: &str| link.simple(runtime, sql).map_err(|error| Unusable::asking(&error, place));
    if ask("SELECT to_regclass('wattle_schema') IS NOT NULL")? != [[Some("t".to_owned())]] {
        return Ok(0);
    }
    let Some(newest) = ask("SELECT number, wattle FROM wattle_schema ORDER BY number DESC LIMIT 1")?.into_iter().next()
    else {
        return Ok(0);
    };
    let mut newest = newest.into_iter().map(Option::unwrap_or_default);
    let found: u32 = newest.next().unwrap_or_default().parse().unwrap_or(u32::MAX);
    if found > SCHEMA {
        return Err(Unusable::lasting(format!(
            "{place} has schema {found}, this wattle {} knows up to {SCHEMA}; run wattle {} or newer",
            env!("CARGO_PKG_VERSION"),
            newest.next().unwrap_or_default()
        )));
    }
    Ok(found)
}

/// Applies what is missing. A crash in between leaves the schema before or after, nothing else.
pub(super) fn apply(link: &Link, runtime: &Runtime, place: &str) -> Result<(), Unusable> {
    let schema = check(link, runtime, place)?;
    for (number, sql) in (1_u32..).zip(MIGRATIONS) {
        if number <= schema {
            continue;
        }
        let sql = format!(
            "BEGIN; {TABLE};\n{}\nINSERT INTO wattle_schema (number, wattle) VALUES ({number}, '{version}');\n\
             INSERT INTO fact (name, value) VALUES ('wattle', '{version}') \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value; COMMIT",
            dialect::translate(sql),
            version = env!("CARGO_PKG_VERSION"),
        );
        if let Err(error) = link.simple(runtime, &sql) {
            // The connection goes with the error; this only frees its locks sooner.
            let _ = link.simple(runtime, "ROLLBACK");
            return Err(refusal(&error, place));
        }
        tracing::info!(schema = number, "the store's schema is up to date");
    }
    Ok(())
}

/// A table or index that is there although none of ours was made yet belongs to somebody else.
fn refusal(error: &tokio_postgres::Error, place: &str) -> Unusable {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("42P07") => Unusable::lasting(format!(
            "{place} holds tables of another program ({}); give wattle a database of its own",
            fault::reason(error)
        )),
        _ => Unusable::asking(error, place),
    }
}

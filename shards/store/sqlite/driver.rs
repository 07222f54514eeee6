//! SQLite as a driver of the store.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use super::tidy::Tidy;
use crate::store::driver::{Access, Driver, Error, Kind, Result, Row, Value};

/// A connection, and what it is in the middle of.
pub(in crate::store) struct Sqlite {
    /// Of the one that writes. It ends before the connection, which is the last then and moves what is left of the log.
    tidy: Option<Tidy>,
    conn: Connection,
    begun: bool,
}

impl Sqlite {
    /// On a connection that reads, or on one that writes with who moves its log.
    pub(super) fn new(conn: Connection, tidy: Option<Tidy>) -> Self {
        Self { tidy, conn, begun: false }
    }

    /// SQLite undoes the whole transaction by itself after some errors: disk full, input and output.
    fn fault(&self, error: &rusqlite::Error) -> Error {
        let undone = self.begun && self.conn.is_autocommit();
        Error::new(if undone { Kind::Transaction } else { Kind::Statement }, error)
    }

    fn run(&self, sql: &'static str) -> Result<()> {
        let outcome = self.conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
        outcome.map(|_| ()).map_err(|error| self.fault(&error))
    }

    fn prepared(&self, sql: &'static str, values: &[Value<'_>]) -> rusqlite::Result<CachedStatement<'_>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        for (index, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        Ok(statement)
    }
}

impl Driver for Sqlite {
    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        let changed = self.prepared(sql, values).and_then(|mut statement| statement.raw_execute());
        changed.map(|changed| changed as u64).map_err(|error| self.fault(&error))
    }

    fn query(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<()> {
        let fault = |error| self.fault(&error);
        let mut statement = self.prepared(sql, values).map_err(fault)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(fault)? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, access: Access) -> Result<()> {
        self.run(match access {
            Access::Reads => "BEGIN",
            Access::Writes => "BEGIN IMMEDIATE",
        })?;
        self.begun = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.run("COMMIT")?;
        self.begun = false;
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        self.begun = false;
        if self.conn.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn savepoint(&mut self) -> Result<()> {
        self.run("SAVEPOINT question")
    }

    fn release(&mut self) -> Result<()> {
        self.run("RELEASE question")
    }

    fn undo(&mut self) -> Result<()> {
        self.run("ROLLBACK TO question")?;
        self.run("RELEASE question")
    }

    fn is_far(&self) -> bool {
        false
    }

    fn rest(&mut self, idle: bool) -> Result<()> {
        let looked = self.tidy.as_ref().map_or(Ok(()), |tidy| tidy.look(&self.conn, idle));
        looked.map_err(|error| self.fault(&error))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Row for rusqlite::Row<'_> {
    fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
        self.get_ref(column).map_err(shape).and_then(|value| value.as_i64_or_null().map_err(shape))
    }

    fn maybe_text(&self, column: usize) -> Result<Option<&str>> {
        self.get_ref(column).map_err(shape).and_then(|value| value.as_str_or_null().map_err(shape))
    }

    fn maybe_blob(&self, column: usize) -> Result<Option<&[u8]>> {
        self.get_ref(column).map_err(shape).and_then(|value| value.as_blob_or_null().map_err(shape))
    }
}

fn shape(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Statement, error)
}

//! What the store needs of a database: this trait is all that a driver implements; questions are carried out once, over it.
//!
//! A driver is used by one thread. Statements come out of `statements.rs`, so each text has one address for the life of the
//! process, and a driver may prepare it once for each connection.

use std::fmt;

use super::statements;

/// What a statement takes. `$1` is the first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// One row that was found; columns count from 0.
pub(super) trait Row {
    fn maybe_int(&self, column: usize) -> Result<Option<i64>>;
    fn maybe_text(&self, column: usize) -> Result<Option<&str>>;
    fn maybe_blob(&self, column: usize) -> Result<Option<&[u8]>>;

    fn int(&self, column: usize) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| Error::shape(column))
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.maybe_text(column)?.ok_or_else(|| Error::shape(column))
    }

    fn blob(&self, column: usize) -> Result<&[u8]> {
        self.maybe_blob(column)?.ok_or_else(|| Error::shape(column))
    }
}

/// A row of `message`.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageRow<'a> {
    pub(super) id: i64,
    pub(super) entries: i64,
    pub(super) stanza: &'a [u8],
}

/// A row of `archive`.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRow<'a> {
    pub(super) account: i64,
    pub(super) id: i64,
    pub(super) peer: i64,
    pub(super) flags: i64,
    pub(super) trace: &'a [u8],
    pub(super) message: i64,
}

impl<'a> MessageRow<'a> {
    pub(super) fn values(&self) -> [Value<'a>; 3] {
        [Value::Int(self.id), Value::Int(self.entries), Value::Blob(self.stanza)]
    }
}

impl<'a> EntryRow<'a> {
    pub(super) fn values(&self) -> [Value<'a>; 6] {
        let [account, id, peer, flags] = [self.account, self.id, self.peer, self.flags].map(Value::Int);
        [account, id, peer, flags, Value::Blob(self.trace), Value::Int(self.message)]
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// One snapshot for several reads.
    Reads,
    Writes,
}

/// A connection to a database. Outside of a transaction each statement is one by itself.
pub(super) trait Driver: Send {
    /// Carries out a statement that changes rows, and says how many it changed.
    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64>;

    /// The same where nobody needs to know how many. Within a transaction it may wait until the next statement that is
    /// answered, which then fails in its place.
    fn later(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<()> {
        self.change(sql, values).map(|_| ())
    }

    /// Reads rows until there are no more or `each` answers false.
    fn query(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<()>;

    fn begin(&mut self, access: Access) -> Result<()>;

    /// When it returns, what was written survives whatever the configured durability promises. After [`Kind::Statement`]
    /// nothing of it does.
    fn commit(&mut self) -> Result<()>;

    /// Remembers the transaction that is about to be committed, for [`Driver::has_committed`].
    fn remember(&mut self) -> Result<()> {
        Ok(())
    }

    /// Behind [`Driver::revive`]: was the transaction committed that was remembered last, although no answer came?
    fn has_committed(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// Undoes what was begun; nothing if nothing was, or if it is undone already.
    fn rollback(&mut self) -> Result<()>;

    /// Marks a place in the transaction. There is never more than one.
    fn savepoint(&mut self) -> Result<()>;

    /// Forgets the place.
    fn release(&mut self) -> Result<()>;

    /// Undoes everything since the place, and forgets it. Must do after [`Kind::Statement`].
    fn undo(&mut self) -> Result<()>;

    /// After [`Kind::Lost`]: connects again, once, within a few seconds. Whoever calls it waits between two attempts.
    fn revive(&mut self) -> Result<()> {
        Ok(())
    }

    /// For what the database wants done between two batches; `idle` if nothing waits. Called on the writer only.
    fn rest(&mut self, idle: bool) -> Result<()> {
        let _ = idle;
        Ok(())
    }

    /// Adds messages and entries of them; false if some of those were there already, and then their messages' counts are not
    /// right. Like [`Driver::later`] it may wait, and then fail instead.
    fn keep(&mut self, messages: &[MessageRow<'_>], entries: &[EntryRow<'_>]) -> Result<bool> {
        let mut new = 0;
        for entry in entries {
            new += self.change(statements::ENTRY, &entry.values())?;
        }
        for message in messages {
            self.change(statements::MESSAGE, &message.values())?;
        }
        Ok(new == entries.len() as u64)
    }

    /// Does each answer cost a round trip? Then what need not be known is not asked.
    fn is_far(&self) -> bool;
}

/// Reads all rows.
pub(super) fn all<T>(
    driver: &mut dyn Driver,
    sql: &'static str,
    values: &[Value<'_>],
    mut read: impl FnMut(&dyn Row) -> Result<T>,
) -> Result<Vec<T>> {
    let mut list = Vec::new();
    driver.query(sql, values, &mut |row| {
        list.push(read(row)?);
        Ok(true)
    })?;
    Ok(list)
}

/// Reads the first row, if there is one.
pub(super) fn first<T>(
    driver: &mut dyn Driver,
    sql: &'static str,
    values: &[Value<'_>],
    mut read: impl FnMut(&dyn Row) -> Result<T>,
) -> Result<Option<T>> {
    let mut found = None;
    driver.query(sql, values, &mut |row| {
        found = Some(read(row)?);
        Ok(false)
    })?;
    Ok(found)
}

pub(super) type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and for whom.
#[derive(Debug)]
pub(crate) struct Error {
    pub(super) kind: Kind,
    /// For the log.
    text: Box<str>,
}

/// How far a fault reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// This statement did nothing; the transaction goes on from its savepoint.
    Statement,
    /// The transaction is undone as a whole.
    Transaction,
    /// The connection is gone, and what was not committed with it. Whether a commit that was under way took place is
    /// unknown.
    Lost,
}

impl Error {
    pub(super) fn new(kind: Kind, error: impl fmt::Display) -> Self {
        Self { kind, text: error.to_string().into() }
    }

    fn shape(column: usize) -> Self {
        Self::new(Kind::Statement, format_args!("column {column} holds nothing"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

/// Numbers beyond 63 bits mean "no bound".
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

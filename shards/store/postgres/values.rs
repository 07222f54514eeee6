//! Values on their way to PostgreSQL, and rows on their way back.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::driver::{EntryRow, Error, Kind, MessageRow, Result, Row, Value};

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Self::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (value, ty) => Err(format!("{} is no {ty}", value.name()).into()),
        }
    }

    /// Checked above, where the value is known.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Value<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Int(_) => "a number",
            Self::Text(_) => "a text",
            Self::Blob(_) => "a string of bytes",
        }
    }
}

/// Values of a statement that is sent later, all bytes of them in one place.
#[derive(Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

enum Place {
    Null,
    Int(i64),
    Text(Range<usize>),
    Blob(Range<usize>),
    Ints(Vec<i64>),
    Blobs(Vec<Range<usize>>),
}

/// One value, or a column of them, on its way to the server.
#[derive(Debug)]
pub(super) enum Sent<'a> {
    Value(Value<'a>),
    Ints(&'a [i64]),
    Blobs(Vec<&'a [u8]>),
}

impl Packed {
    pub(super) fn single(values: &[Value<'_>]) -> Self {
        let mut packed = Self::default();
        for value in values {
            let place = match value {
                Value::Null => Place::Null,
                Value::Int(number) => Place::Int(*number),
                Value::Text(text) => Place::Text(packed.append(text.as_bytes())),
                Value::Blob(bytes) => Place::Blob(packed.append(bytes)),
            };
            packed.places.push(place);
        }
        packed
    }

    /// The columns of messages, and those of their entries.
    pub(super) fn kept(messages: &[MessageRow<'_>], entries: &[EntryRow<'_>]) -> Self {
        let mut packed = Self::default();
        let bytes = messages.iter().map(|row| row.stanza.len()).chain(entries.iter().map(|row| row.trace.len()));
        packed.bytes.reserve_exact(bytes.sum());
        packed.ints(messages, |row| row.id);
        packed.ints(messages, |row| row.entries);
        packed.blobs(messages, |row| row.stanza);
        packed.ints(entries, |row| row.account);
        packed.ints(entries, |row| row.id);
        packed.ints(entries, |row| row.peer);
        packed.ints(entries, |row| row.flags);
        packed.blobs(entries, |row| row.trace);
        packed.ints(entries, |row| row.message);
        packed
    }

    fn ints<R>(&mut self, rows: &[R], column: impl Fn(&R) -> i64) {
        self.places.push(Place::Ints(rows.iter().map(column).collect()));
    }

    fn blobs<'a, R>(&mut self, rows: &'a [R], column: impl Fn(&'a R) -> &'a [u8]) {
        let ranges = rows.iter().map(|row| self.append(column(row))).collect();
        self.places.push(Place::Blobs(ranges));
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub(super) fn values(&self) -> Vec<Sent<'_>> {
        self.places.iter().map(|place| self.sent(place)).collect()
    }

    fn sent<'a>(&'a self, place: &'a Place) -> Sent<'a> {
        let bytes = |range: &Range<usize>| &self.bytes[range.clone()];
        match place {
            Place::Null => Sent::Value(Value::Null),
            Place::Int(number) => Sent::Value(Value::Int(*number)),
            // At a range where a text was appended is that text.
            Place::Text(range) => Sent::Value(Value::Text(str::from_utf8(bytes(range)).unwrap_or_default())),
            Place::Blob(range) => Sent::Value(Value::Blob(bytes(range))),
            Place::Ints(numbers) => Sent::Ints(numbers),
            Place::Blobs(ranges) => Sent::Blobs(ranges.iter().map(bytes).collect()),
        }
    }
}

impl ToSql for Sent<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Self::Value(value), ty) => value.to_sql(ty, out),
            (Self::Ints(numbers), &Type::INT8_ARRAY) => numbers.to_sql(ty, out),
            (Self::Blobs(blobs), &Type::BYTEA_ARRAY) => blobs.to_sql(ty, out),
            (_, ty) => Err(format!("a column is no {ty}").into()),
        }
    }

    /// Checked above, where the value is known.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A whole number of any width, or a truth as SQLite has it.
struct Number(i64);

impl<'a> FromSql<'a> for Number {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(match *ty {
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::BOOL => bool::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL)
    }
}

impl Row for tokio_postgres::Row {
    fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
        self.try_get::<_, Option<Number>>(column).map(|number| number.map(|Number(number)| number)).map_err(shape)
    }

    fn maybe_text(&self, column: usize) -> Result<Option<&str>> {
        self.try_get(column).map_err(shape)
    }

    fn maybe_blob(&self, column: usize) -> Result<Option<&[u8]>> {
        self.try_get(column).map_err(shape)
    }
}

fn shape(error: impl fmt::Display) -> Error {
    Error::new(Kind::Statement, error)
}

//! Values on their way to PostgreSQL, and rows on their way back.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::driver::{Error, Kind, Result, Row, Value};

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
    values: Vec<Place>,
}

enum Place {
    Null,
    Int(i64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

impl Packed {
    pub(super) fn push(&mut self, value: Value<'_>) {
        let place = match value {
            Value::Null => Place::Null,
            Value::Int(number) => Place::Int(number),
            Value::Text(text) => Place::Text(self.append(text.as_bytes())),
            Value::Blob(bytes) => Place::Blob(self.append(bytes)),
        };
        self.values.push(place);
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub(super) fn values(&self) -> Vec<Value<'_>> {
        let value = |place: &Place| match place {
            Place::Null => Value::Null,
            Place::Int(number) => Value::Int(*number),
            // A range that a text was appended at holds that text.
            Place::Text(range) => Value::Text(str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()),
            Place::Blob(range) => Value::Blob(&self.bytes[range.clone()]),
        };
        self.values.iter().map(value).collect()
    }
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

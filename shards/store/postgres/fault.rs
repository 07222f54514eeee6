//! What the library and the server report, as what it means to the store and to the operator.

use std::error::Error as _;
use std::fmt;
use std::io;

use tokio_postgres::error::{DbError, Severity};

use crate::store::driver::{Error, Kind};

/// Why there is no usable connection. `Display` says what was found and, behind a semicolon, what cures it.
#[derive(Debug)]
pub(crate) struct Unusable {
    text: Box<str>,
    /// It may pass by itself: the server is not up yet, or another connection of ours is not gone yet.
    pub(super) passing: bool,
}

impl Unusable {
    pub(super) fn passing(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), passing: true }
    }

    pub(super) fn lasting(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), passing: false }
    }

    /// For a connection that could not be made.
    pub(super) fn connecting(error: &tokio_postgres::Error, place: &str) -> Self {
        let Some(refusal) = error.as_db_error() else {
            return Self::unreachable(error, place);
        };
        let said = said(refusal);
        match refusal.code().code() {
            // Invalid password, or a rule of pg_hba.conf.
            "28P01" | "28000" => Self::lasting(format!(
                "{place} refuses the login ({said}); correct user and password in `database`, or allow this host in pg_hba.conf"
            )),
            "3D000" => Self::lasting(format!(
                "{place} does not exist; make it with: CREATE DATABASE name OWNER user ENCODING 'UTF8' TEMPLATE template0"
            )),
            "42501" => Self::lasting(format!("{place} refuses the login ({said}); GRANT CONNECT to its user")),
            _ => Self::passing(format!("{place} takes no connection ({said}); see the log of PostgreSQL")),
        }
    }

    fn unreachable(error: &tokio_postgres::Error, place: &str) -> Self {
        let reason = reason(error);
        if reason.contains("TLS") || reason.contains("certificate") {
            return Self::lasting(format!(
                "{place} cannot be reached with TLS ({reason}); set up TLS in PostgreSQL, or correct `sslmode` in `database` \
                 and [tls] ca_file"
            ));
        }
        if reason.contains("password missing") {
            return Self::lasting(format!(
                "{place} wants a password; write it into `database` behind the user and a colon"
            ));
        }
        Self::passing(format!(
            "{place} cannot be reached ({reason}); start PostgreSQL, or correct host and port in `database`"
        ))
    }

    /// For a statement on a new connection.
    pub(super) fn asking(error: &tokio_postgres::Error, place: &str) -> Self {
        if let Some(refusal) = error.as_db_error()
            && refusal.code().code() == "42501"
        {
            return Self::lasting(format!(
                "{place} does not let its user make tables ({}); run there: ALTER DATABASE name OWNER TO user",
                said(refusal)
            ));
        }
        let text = format!("{place} does not do as asked ({}); see the log of PostgreSQL", reason(error));
        Self { text: text.into(), passing: kind(error) == Kind::Lost }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Of a statement.
pub(super) fn fault(error: &tokio_postgres::Error) -> Error {
    Error::new(kind(error), reason(error))
}

/// How far the fault of a statement reaches.
pub(super) fn kind(error: &tokio_postgres::Error) -> Kind {
    let Some(answer) = error.as_db_error() else {
        // A value that does not fit its column was never sent; all else leaves the connection in an unknown state.
        let unsent = error.source().is_some_and(|source| !source.is::<io::Error>());
        return if unsent { Kind::Statement } else { Kind::Lost };
    };
    let code = answer.code().code();
    match &code[..2] {
        _ if matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) => Kind::Lost,
        // The connection, the server that ends, and one that has become a replica.
        "08" => Kind::Lost,
        _ if matches!(code, "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25006") => Kind::Lost,
        // Undone for somebody else's sake, out of disk or memory, timed out, or a fault before this one.
        "40" | "53" | "58" | "25" => Kind::Transaction,
        _ if code == "57014" => Kind::Transaction,
        _ => Kind::Statement,
    }
}

/// The whole story of an error: the library tells only its outermost layer. Never holds the password.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return said(answer);
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// A server's refusal without its details, which may hold what users wrote.
fn said(error: &DbError) -> String {
    format!("{}, {}", error.message(), error.code().code())
}

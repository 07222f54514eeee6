//! PostgreSQL as a driver of the store.
//!
//! A transaction begins, and messages are stored, with the next statement that needs an answer, so that a batch of
//! messages is one write to the server and one read from it; a single one is not even a transaction.

mod dialect;
mod fault;
mod link;
mod schema;
mod session;
mod settings;
mod tls;
mod values;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

pub(super) use self::fault::Unusable;
use self::link::Link;
use self::session::Backend;
pub(super) use self::settings::Settings;
use self::values::Packed;
use super::driver::{Access, Driver, EntryRow, Error, Kind, MessageRow, Result, Row, Value};
use crate::signals::Signals;

/// How long a start waits for a server that is not there. On a board that boots, the database may be as slow as wattle is
/// fast; behind this bound the supervisor shall know.
const START: Duration = Duration::from_secs(60);
/// Between two attempts of a start.
const PAUSE: Duration = Duration::from_millis(500);

/// Adds messages and entries of them; fails if an entry is there already. PostgreSQL's own words, because SQLite has no
/// arrays.
const KEEP: &str = "\
WITH added AS (
    INSERT INTO message (id, entries, stanza) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
)
INSERT INTO archive (account, id, peer, flags, trace, message)
SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[])";

const SAVEPOINT: &str = "SAVEPOINT question";

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Writes,
    Reads,
}

/// A connection, and what it is in the middle of.
pub(super) struct Postgres {
    runtime: Runtime,
    settings: Arc<Settings>,
    role: Role,
    /// None while it is lost.
    link: Option<Link>,
    /// Our last connection as the server knew it.
    backend: Backend,
    begun: Option<Access>,
    /// Something of the transaction was sent.
    sent: bool,
    /// The server's name for the transaction whose end must be known.
    remembered: Option<String>,
}

/// Opens the connections that write and read, and brings the schema up to date. Waits a while for a server that is
/// starting.
pub(super) fn open(settings: Settings) -> std::result::Result<(Postgres, Postgres), Unusable> {
    let settings = Arc::new(settings);
    let (writer, reader) = patiently(|| try_once(&settings))?;
    if let Some(off) = writer.link.as_ref().and_then(|link| session::unsafe_settings(link, &writer.runtime)) {
        let place = &settings.place;
        tracing::warn!("{place} runs with {off} off: what was acknowledged may be lost when the plug is pulled");
    }
    Ok((writer, reader))
}

/// What a database is like.
pub(super) struct Found {
    /// 0 if it is no store yet.
    pub(super) schema: u32,
    /// Of PostgreSQL.
    pub(super) version: String,
    /// Settings that are off and break the promise of `durability = "full"`.
    pub(super) off: Option<String>,
}

/// Looks at a database, whoever uses it, and changes nothing.
pub(super) fn look(settings: &Arc<Settings>) -> std::result::Result<Found, Unusable> {
    let mut reader = Postgres::open(settings, Role::Reads)?;
    let place = &settings.place;
    let link = reader.link.take().ok_or_else(|| Unusable::passing(format!("{place} cannot be reached; try again")))?;
    let schema = schema::check(&link, &reader.runtime, place);
    let version = link.simple(&reader.runtime, "SHOW server_version").unwrap_or_default();
    let version = version.into_iter().flatten().flatten().next().unwrap_or_default();
    let off = session::unsafe_settings(&link, &reader.runtime);
    link.close(&reader.runtime);
    Ok(Found { schema: schema?, version, off })
}

/// The same without patience.
pub(super) fn try_once(settings: &Arc<Settings>) -> std::result::Result<(Postgres, Postgres), Unusable> {
    let writer = Postgres::open(settings, Role::Writes)?;
    Ok((writer, Postgres::open(settings, Role::Reads)?))
}

/// Tries until it does, it never will, or [`START`] has passed.
fn patiently<T>(mut attempt: impl FnMut() -> std::result::Result<T, Unusable>) -> std::result::Result<T, Unusable> {
    let start = Instant::now();
    let mut told = false;
    loop {
        match attempt() {
            Err(error) if error.passing && start.elapsed() < START && !Signals::end_is_wanted() => {
                if !told {
                    told = true;
                    tracing::warn!("{error}; waiting for it up to {} seconds", START.as_secs());
                }
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

impl Postgres {
    fn open(settings: &Arc<Settings>, role: Role) -> std::result::Result<Self, Unusable> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_keep_alive(Duration::from_millis(1)) // of the one that resolves names
            .build()
            .map_err(|error| Unusable::lasting(format!("a connection cannot be made: {error}; raise LimitNOFILE")))?;
        let (link, backend) = connect(&runtime, settings, role, None)?;
        Ok(Self {
            runtime,
            settings: Arc::clone(settings),
            role,
            link: Some(link),
            backend,
            begun: None,
            sent: false,
            remembered: None,
        })
    }

    /// The connection, with which everything is lost that it was in the middle of.
    fn link(&mut self) -> Result<(&mut Link, &Runtime)> {
        match &mut self.link {
            Some(link) => Ok((link, &self.runtime)),
            None => Err(Error::new(Kind::Lost, "there is no connection")),
        }
    }

    /// Forgets a connection that is lost.
    fn noted<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(|error| error.kind == Kind::Lost) {
            self.link = None;
            self.begun = None;
        }
        outcome
    }

    /// Sends with the next statement that is waited for.
    fn wait(&mut self, sql: &'static str) -> Result<()> {
        self.link()?.0.later(sql);
        Ok(())
    }
}

/// A connection that may be used. Only one wattle gets one that writes.
fn connect(
    runtime: &Runtime,
    settings: &Settings,
    role: Role,
    before: Option<&Backend>,
) -> std::result::Result<(Link, Backend), Unusable> {
    let link = Link::open(runtime, settings, &session::name())?;
    let backend = session::greet(&link, runtime, settings)?;
    if role == Role::Writes {
        session::lock(&link, runtime, settings, before)?;
        schema::apply(&link, runtime, &settings.place)?;
    }
    session::settle(&link, runtime, settings, role == Role::Reads)?;
    Ok((link, backend))
}

impl Driver for Postgres {
    fn change(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64> {
        self.sent = true;
        let (link, runtime) = self.link()?;
        let outcome = link.change(runtime, sql, values);
        self.noted(outcome)
    }

    fn query(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<()> {
        self.sent = true;
        let (link, runtime) = self.link()?;
        let outcome = link.query(runtime, sql, values, each);
        self.noted(outcome)
    }

    fn begin(&mut self, access: Access) -> Result<()> {
        self.wait(match access {
            Access::Reads => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Access::Writes => "BEGIN",
        })?;
        (self.begun, self.sent, self.remembered) = (Some(access), false, None);
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        let begun = self.begun.take();
        let sent = self.sent;
        let (link, runtime) = self.link()?;
        let outcome = if sent && begun == Some(Access::Reads) {
            link.post(runtime, "COMMIT")
        } else if sent || link.waiting() > 2 {
            link.plain(runtime, "COMMIT")
        } else {
            // Nothing but the beginning and at most one statement, which is whole by itself.
            link.drop_first();
            link.flush(runtime)
        };
        self.noted(outcome)
    }

    fn remember(&mut self) -> Result<()> {
        let mut name = None;
        self.query("SELECT pg_current_xact_id()::text", &[], &mut |row| {
            name = Some(row.text(0)?.to_owned());
            Ok(true)
        })?;
        self.remembered = name;
        Ok(())
    }

    fn has_committed(&mut self) -> Result<bool> {
        let Some(name) = self.remembered.take() else {
            return Ok(false);
        };
        let mut fate = String::new();
        // Whoever has the lock knows that the connection before it has ended, and its transaction with it.
        let asked =
            self.query("SELECT coalesce(pg_xact_status($1::text::xid8), '')", &[name.as_str().into()], &mut |row| {
                row.text(0)?.clone_into(&mut fate);
                Ok(true)
            });
        match asked {
            Ok(()) => Ok(fate == "committed"),
            Err(error) if error.kind == Kind::Lost => {
                self.remembered = Some(name);
                Err(error)
            }
            // A server that never heard of it: one that took the place of another.
            Err(_) => Ok(false),
        }
    }

    fn rollback(&mut self) -> Result<()> {
        let begun = self.begun.take();
        let sent = self.sent;
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        link.forget();
        let outcome = match begun {
            Some(Access::Reads) if sent => link.post(&self.runtime, "ROLLBACK"),
            Some(Access::Writes) if sent => link.plain(&self.runtime, "ROLLBACK"),
            _ => Ok(()),
        };
        self.noted(outcome)
    }

    fn savepoint(&mut self) -> Result<()> {
        self.wait(SAVEPOINT)
    }

    fn release(&mut self) -> Result<()> {
        self.sent = true;
        let (link, runtime) = self.link()?;
        let outcome = link.plain(runtime, "RELEASE question");
        self.noted(outcome)
    }

    fn undo(&mut self) -> Result<()> {
        self.sent = true;
        let (link, runtime) = self.link()?;
        link.forget_behind(SAVEPOINT);
        let outcome = link.plain(runtime, "ROLLBACK TO question; RELEASE question");
        self.noted(outcome)
    }

    fn revive(&mut self) -> Result<()> {
        (self.link, self.begun, self.sent) = (None, None, false);
        match connect(&self.runtime, &self.settings, self.role, Some(&self.backend)) {
            Ok((link, backend)) => {
                (self.link, self.backend) = (Some(link), backend);
                Ok(())
            }
            Err(error) => Err(Error::new(Kind::Lost, error)),
        }
    }

    fn later(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<()> {
        if self.begun.is_none() {
            return self.change(sql, values).map(|_| ());
        }
        let (link, runtime) = self.link()?;
        let outcome = link.later_with(runtime, sql, Packed::single(values));
        self.noted(outcome)
    }

    /// All in one statement, which is a transaction by itself if nothing else is wanted of it.
    fn keep(&mut self, messages: &[MessageRow<'_>], entries: &[EntryRow<'_>]) -> Result<bool> {
        let (link, runtime) = self.link()?;
        let outcome = link.later_with(runtime, KEEP, Packed::kept(messages, entries));
        self.noted(outcome).map(|()| true)
    }

    fn is_far(&self) -> bool {
        true
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.close(&self.runtime);
        }
    }
}

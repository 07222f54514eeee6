//! What a new connection finds and sets before it is used: a server that will do, our settings, and the lock that keeps a
//! second wattle out.

use tokio::runtime::Runtime;
use wattle::config::Durability;

use super::fault::Unusable;
use super::link::Link;
use super::settings::Settings;

/// The oldest PostgreSQL that will do.
const OLDEST: u32 = 13;
/// Says whose lock it is ("wttl"); the schema's number stands beside it.
const LOCK: u32 = 0x7774_746c;
/// The other half of the lock's name.
const SCHEMA: &str = "(SELECT oid::int4 FROM pg_namespace WHERE nspname = current_schema())";

/// Our side of a connection as the server knows it. Both together are never given twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Backend {
    process: String,
    started: String,
}

/// Refuses a server that will not do. Changes nothing.
pub(super) fn greet(link: &Link, runtime: &Runtime, settings: &Settings) -> Result<Backend, Unusable> {
    const FACTS: &str = "SELECT current_setting('server_version_num'), current_setting('server_version'), \
                         current_setting('server_encoding'), pg_is_in_recovery(), current_schema(), pid, backend_start \
                         FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let place = &settings.place;
    let rows = link.simple(runtime, FACTS).map_err(|error| Unusable::asking(&error, place))?;
    let mut facts = rows.into_iter().next().unwrap_or_default().into_iter();
    let mut next = || facts.next().flatten();
    let number = next().and_then(|number| number.parse::<u32>().ok()).unwrap_or_default();
    let version = next().unwrap_or_default();
    if number / 10_000 < OLDEST {
        return Err(Unusable::lasting(format!("{place} is PostgreSQL {version}; wattle needs {OLDEST} or newer")));
    }
    let encoding = next().unwrap_or_default();
    if encoding != "UTF8" {
        return Err(Unusable::lasting(format!(
            "{place} has the encoding {encoding}; make a database with ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    if next().as_deref() != Some("f") {
        return Err(Unusable::passing(format!("{place} is a replica, which takes no writes; name the primary's host")));
    }
    if next().is_none() {
        return Err(Unusable::lasting(format!(
            "{place} has no schema that its user may use; run there: CREATE SCHEMA name AUTHORIZATION user"
        )));
    }
    Ok(Backend { process: next().unwrap_or_default(), started: next().unwrap_or_default() })
}

/// Settings for the life of the connection.
pub(super) fn settle(link: &Link, runtime: &Runtime, settings: &Settings, reads: bool) -> Result<(), Unusable> {
    // Keepalives let the server notice within 30 seconds that our host is gone, and give back the lock; a session without
    // questions is no fault; and planning a statement anew for each value of `$1` would never pay.
    let mut sql = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                   SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; \
                   SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'; \
                   SET client_min_messages = error;"
        .to_owned();
    match settings.durability {
        // Whoever set more than `on` keeps it.
        Durability::Full => sql.push_str(
            "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off';",
        ),
        Durability::Relaxed => sql.push_str("SET synchronous_commit = off;"),
    }
    if reads {
        sql.push_str("SET default_transaction_read_only = on;");
    }
    link.simple(runtime, &sql).map_err(|error| Unusable::asking(&error, &settings.place))?;
    Ok(())
}

/// What of the server's own settings breaks the promise of `durability = "full"`, if something does.
pub(super) fn unsafe_settings(link: &Link, runtime: &Runtime) -> Option<String> {
    let sql = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'";
    let names: Vec<_> = link.simple(runtime, sql).ok()?.into_iter().flatten().flatten().collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Takes the lock that only one wattle can have, for as long as the connection lives. `before` is our own last
/// connection: if the server has not noticed that it is gone, it is told.
pub(super) fn lock(
    link: &Link,
    runtime: &Runtime,
    settings: &Settings,
    before: Option<&Backend>,
) -> Result<(), Unusable> {
    let place = &settings.place;
    let ask = |sql: &str| link.simple(runtime, sql).map_err(|error| Unusable::asking(&error, place));
    let locked = ask(&format!("SELECT pg_try_advisory_lock({LOCK}, {SCHEMA})"))?;
    if locked == [[Some("t".to_owned())]] {
        return Ok(());
    }
    let holder = format!(
        "SELECT pid, backend_start, application_name, coalesce(host(client_addr), 'the same host') \
         FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE locktype = 'advisory' AND granted AND classid = {LOCK} AND objid::int4 = {SCHEMA} AND objsubid = 2 \
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    );
    let Some(holder) = ask(&holder)?.into_iter().next() else {
        return Err(Unusable::passing(format!("{place} was in use by another wattle; try again")));
    };
    let mut holder = holder.into_iter().map(Option::unwrap_or_default);
    let mut next = || holder.next().unwrap_or_default();
    let backend = Backend { process: next(), started: next() };
    let (name, host) = (next(), next());
    if before == Some(&backend) || is_dead(&name) {
        ask(&format!("SELECT pg_terminate_backend({})", backend.process))?;
        return Err(Unusable::passing(format!("{place} still holds our last connection; it was told to end it")));
    }
    Err(Unusable::lasting(format!(
        "{place} is in use by another wattle ({name}, from {host}); stop that one, or give this one its own database"
    )))
}

/// The name under which we are shown in `pg_stat_activity`: which process on which host.
pub(super) fn name() -> String {
    format!("wattle {} on {}", std::process::id(), host())
}

/// Does the name say a process of this host that is no more?
fn is_dead(name: &str) -> bool {
    let process = name.strip_prefix("wattle ").and_then(|rest| rest.strip_suffix(&format!(" on {}", host())));
    process
        .is_some_and(|process| process.parse::<u32>().is_ok() && !std::path::Path::new("/proc").join(process).exists())
}

/// Short enough to stay whole in the 63 bytes that PostgreSQL keeps of a name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().filter(char::is_ascii_graphic).take(40).collect()
}

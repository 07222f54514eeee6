//! What a new connection finds and sets before it is used: a server that will do, our settings, and the lock that keeps a
//! second wattle out.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ring::digest::{Context, SHA256};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
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
    if before == Some(&backend) || is_dead(&name, &Host::ours()) {
        ask(&format!("SELECT pg_terminate_backend({})", backend.process))?;
        return Err(Unusable::passing(format!("{place} still holds our last connection; it was told to end it")));
    }
    Err(Unusable::lasting(format!(
        "{place} is in use by another wattle ({name}, from {host}); stop that one, or give this one its own database"
    )))
}

/// The name under which we are shown in `pg_stat_activity`: which process of which host.
pub(super) fn name() -> String {
    format!("wattle {} on {}", std::process::id(), Host::ours())
}

/// Does the name say a process of this host that is no more?
fn is_dead(name: &str, ours: &Host) -> bool {
    let process = name.strip_prefix("wattle ").and_then(|rest| rest.strip_suffix(&format!(" on {ours}")));
    let process = process.and_then(|process| process.parse().ok().filter(|number| *number > 0)).and_then(Pid::from_raw);
    ours.is_certain && process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH))
}

/// Where processes have numbers of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: String,
    /// Of the machine and its numbering of processes: boards have the same name as often as not.
    print: String,
    /// Whether the print tells this host from all others.
    is_certain: bool,
}

impl Host {
    fn ours() -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // The packaged unit hides most of /proc, so that the boot's id is only a second choice.
        let machine = ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"].map(|file| std::fs::read(file).ok());
        let machine = machine.into_iter().flatten().find(|id| id.len() >= 32);
        let numbering = std::fs::read_link("/proc/self/ns/pid").ok();
        Self::of(name, machine.as_deref(), numbering.as_deref())
    }

    fn of(name: String, machine: Option<&[u8]>, numbering: Option<&Path>) -> Self {
        let mut print = Context::new(&SHA256);
        // Nobody can find the machine's id from it (machine-id(5)).
        print.update(b"wattle host\0");
        print.update(machine.unwrap_or_default());
        print.update(numbering.map(|link| link.as_os_str().as_bytes()).unwrap_or_default());
        let print = print.finish().as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { name, print, is_certain: machine.is_some() && numbering.is_some() }
    }
}

impl fmt::Display for Host {
    /// Short enough to stay whole in the 63 bytes that PostgreSQL keeps of a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.chars().filter(char::is_ascii_graphic).take(24).collect::<String>();
        write!(f, "{name} {}", self.print)
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, is_dead};
    use std::path::Path;

    fn host(name: &str, machine: &[u8], numbering: &str) -> Host {
        Host::of(name.to_owned(), Some(machine), Some(Path::new(numbering)))
    }

    #[test]
    fn only_a_process_of_this_host_is_known_to_be_dead() {
        let ours = host("board", b"1", "pid:[1]");
        // No process has such a number (PID_MAX_LIMIT of the kernel).
        let dead = |host: &Host| format!("wattle {} on {host}", 1 << 23);
        assert!(is_dead(&dead(&ours), &ours));
        assert!(!is_dead(&format!("wattle {} on {ours}", std::process::id()), &ours));
        for other in [host("board", b"2", "pid:[1]"), host("board", b"1", "pid:[2]"), host("other", b"1", "pid:[1]")] {
            assert!(!is_dead(&dead(&other), &ours), "{other}");
        }
        for name in
            ["", "wattle", "wattle on ", "psql", &format!("wattle 0 on {ours}"), &format!("wattle -9 on {ours}")]
        {
            assert!(!is_dead(name, &ours), "{name}");
        }
    }

    #[test]
    fn a_host_that_cannot_be_told_from_others_knows_of_nobody() {
        for (machine, numbering) in [(None, None), (Some(&b"1"[..]), None), (None, Some(Path::new("pid:[1]")))] {
            let ours = Host::of("board".to_owned(), machine, numbering);
            assert!(!is_dead(&format!("wattle {} on {ours}", 1 << 23), &ours));
        }
    }

    #[test]
    fn names_stay_whole() {
        let name = format!("wattle {} on {}", u32::MAX, host(&"b".repeat(64), b"1", "pid:[1]"));
        assert!(name.len() <= 63, "{name}");
        assert!(super::name().starts_with(&format!("wattle {} on ", std::process::id())));
    }
}

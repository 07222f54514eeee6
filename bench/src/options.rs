//! The command line: what can be said, what cannot, and what to write instead.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::agent::client::Client;
use crate::engine::Target;
use crate::ladder::{Account, Mechanism, Terms};
use crate::mark::Mark;
use crate::meter::Meter;
use crate::processes::{PROCESSES_MAX, Share};
use crate::reach::{Crowd, Reach};
use crate::watched::Watched;

/// Measures what chat costs an XMPP server: CPU, memory, wake-ups and latency, from many clients over TLS.
#[derive(Parser, Debug)]
#[command(name = "wattle-bench", version, max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Pairs of clients exchange messages: CPU for each delivered one, latency, losses.
    Chat(crate::scenes::chat::Options),
    /// Logged-in clients do nothing: memory for each, wake-ups, CPU.
    Idle(crate::scenes::idle::Options),
    /// Clients log in and leave, over and over: logins a second, CPU for each.
    Login(crate::scenes::login::Options),
    /// A changed status or a login reaches everybody on a roster: CPU for each delivered presence, latency.
    Presence(crate::scenes::presence::Options),
    /// Messages to rooms reach all occupants: CPU for each delivered one, latency.
    Room(crate::scenes::room::Options),
    /// Starts several servers in turn, plays scenes against each, and sums up their costs with ratios.
    Versus(crate::versus::Options),
    /// Lays results side by side, with ratios to the first.
    Compare(crate::compare::Options),
    /// Makes the accounts that the scenes need, by a command of the server's or by registering them.
    Accounts(crate::accounts::Options),
    /// Measures a server on this host for a bench on another one: CPU, memory, switches, disk, cores, power.
    Agent(crate::agent::server::Options),
    /// A bare TLS relay with canned login answers, no XML and no store: how little a message can cost.
    Floor(crate::floor::Options),
}

/// What all scenes need to know.
#[derive(Args, Debug, Clone)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) crowd: Crowd,
    /// SASL mechanism; the strongest offered, if not said
    #[arg(long)]
    pub(crate) mechanism: Option<Mechanism>,
    /// Clients enable stream management (XEP-0198) and ask for an acknowledgement now and then
    #[arg(long = "sm")]
    pub(crate) stream_management: bool,
    /// Clients enable carbons (XEP-0280)
    #[arg(long)]
    pub(crate) carbons: bool,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// Where an agent (wattle-bench agent) on the server's host measures it, instead of --pid and --power here
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["pids", "names", "power", "instructions"])]
    pub(crate) agent: Option<String>,
    /// The agent's token
    #[arg(long, env = "WATTLE_BENCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// How long the server's host is measured before the first client comes, if it has a power meter
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) idle_seconds: Duration,
    /// Threads of the generator; half the cores, if not said
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Processes that play, where one may not have enough descriptors; this one then only measures
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=PROCESSES_MAX.into()))]
    pub(crate) processes: u16,
    /// What this process plays, if another one started it
    #[arg(long, hide = true)]
    pub(crate) share: Option<Share>,
    /// Logins under way at once while the clients come online
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) logins_at_once: usize,
    /// Give up when no further client comes online for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) patience: u64,
    /// Count instructions with perf; the CPU time of such a run is inflated
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Write the raw figures here
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots here: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// Name of what is measured, with its version and tuning, for the report
    #[arg(long, default_value = "")]
    pub(crate) label: String,
}

impl Common {
    /// The accounts there are; `wanted` is what the scene needs.
    pub(crate) fn accounts(&self, wanted: usize, cure: &str) -> Result<Vec<Account>, String> {
        let mut accounts = self.crowd.all()?;
        if accounts.len() < wanted {
            let there = accounts.len();
            return Err(format!("{wanted} accounts are needed and there are {there}: write {cure}"));
        }
        accounts.truncate(wanted);
        Ok(accounts)
    }

    /// The accounts in groups of this size, as many as `option` says or as there are accounts for, with room for their sockets.
    /// Each of them is `what`.
    pub(crate) fn groups(
        &self,
        size: usize,
        wanted: Option<usize>,
        option: &str,
        what: &str,
    ) -> Result<Vec<Vec<Account>>, String> {
        let there = self.accounts_len()?;
        let groups = wanted.unwrap_or(there / size);
        if groups == 0 {
            return Err(format!(
                "{what} needs {size} accounts and there are {there}: write --accounts {size} when they exist"
            ));
        }
        let clients = groups * size;
        let cure = format!("{option} {}, or --accounts {clients} when they exist", there / size);
        let accounts = self.accounts(clients, &cure)?;
        self.make_room(clients)?;
        Ok(accounts.chunks(size).map(<[_]>::to_vec).collect())
    }

    /// Opens the meter of the server.
    pub(crate) fn meter(&self) -> Result<Meter, String> {
        let Some(agent) = &self.agent else { return self.watched.open() };
        let token = self.token.as_ref().ok_or_else(|| {
            format!(
                "--agent {agent} wants a token: write WATTLE_BENCH_TOKEN=… before the command, as the agent said it"
            )
        })?;
        Ok(Meter::There(Client::connect(agent, token)?))
    }

    /// How many accounts there are.
    pub(crate) fn accounts_len(&self) -> Result<usize, String> {
        self.crowd.len()
    }

    pub(crate) fn target(&self, presence: bool, resume: bool) -> Result<Target, String> {
        let terms = Terms {
            domain: self.reach.domain.clone(),
            direct_tls: self.reach.direct_tls,
            register: false,
            mechanism: self.mechanism,
            stream_management: self.stream_management,
            carbons: self.carbons,
            roster: presence,
            presence,
        };
        self.reach.target(terms, resume)
    }

    /// Threads of the generator in all its processes, no more than there is work for.
    pub(crate) fn threads(&self, work: usize) -> Result<usize, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or((cores / 2).max(self.processes.into()));
        if threads == 0 {
            return Err("--threads 0 plays nothing: write --threads 1".to_owned());
        }
        // As many in each process, so that none needs more descriptors than another.
        Ok(threads.next_multiple_of(self.processes.into()).min(work.max(1)))
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Makes room for the sockets of so many clients, or says how.
    pub(crate) fn make_room(&self, clients: usize) -> Result<(), String> {
        self.reach.has_ports(clients)?;
        let each = clients.div_ceil(self.processes.into());
        raise_descriptors(each).map_err(|maximum| {
            let processes = (clients as u64).div_ceil(maximum.saturating_sub(DESCRIPTORS_BESIDES).max(1));
            format!(
                "{each} clients in a process need {} descriptors and it may have {maximum}: write --processes \
                 {processes}, or raise the limit (ulimit -Hn, LimitNOFILE=)",
                each as u64 + DESCRIPTORS_BESIDES
            )
        })
    }
}

/// Descriptors of a process that are no client's.
const DESCRIPTORS_BESIDES: u64 = 128;

/// Makes room for so many sockets. `Err` is how many descriptors this process may have at most.
pub(crate) fn raise_descriptors(sockets: usize) -> Result<(), u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = sockets as u64 + DESCRIPTORS_BESIDES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum.unwrap_or(u64::MAX);
    limit.current = Some(wanted);
    if maximum < wanted { Err(maximum) } else { setrlimit(Resource::Nofile, limit).map_err(|_| maximum) }
}

/// A time in seconds that makes sense to play for.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write seconds, as 10 or 0.5".to_owned())?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("write between 0 and 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A time in seconds, and some of it.
pub(crate) fn some_seconds(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time < Duration::from_millis(100) {
        return Err("nothing can be measured in that time: write 10".to_owned());
    }
    Ok(time)
}

/// The length of a text that carries a number.
pub(crate) fn body_bytes(text: &str) -> Result<usize, String> {
    let wanted = text.parse().ok().filter(|bytes| (Mark::BYTES_MIN..=65_536).contains(bytes));
    wanted.ok_or_else(|| format!("write {} to 65536", Mark::BYTES_MIN))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Options;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |line: &str| Options::try_parse_from(line.split(' ')).unwrap_err().to_string();
        assert!(refused("wattle-bench chat --insecure --ca x").contains("cannot be used with"));
        assert!(refused("wattle-bench chat --insecure --seconds 0").contains("write 10"));
        assert!(refused("wattle-bench chat --insecure --rate 5 --window 3").contains("cannot be used with"));
        assert!(
            refused("wattle-bench login --insecure --accounts 10 --account-list x").contains("cannot be used with")
        );
        assert!(Options::try_parse_from("wattle-bench chat --insecure --rate 5".split(' ')).is_ok());
    }
}

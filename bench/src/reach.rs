//! Where the server is, how it is reached, and whose accounts are used there.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::engine::Target;
use crate::ladder::{Account, Terms};
use crate::source::{self, Source};
use crate::tls;

/// The server.
#[derive(Args, Debug, Clone)]
pub(crate) struct Reach {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    #[arg(long, default_value_t = 5222)]
    port: u16,
    /// The XMPP domain of the accounts
    #[arg(long, default_value = "localhost")]
    pub(crate) domain: String,
    /// TLS from the first byte, instead of STARTTLS
    #[arg(long)]
    pub(crate) direct_tls: bool,
    /// Take any certificate
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
    /// PEM file of the certificates that the server's is verified against
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// An address of this host that clients come from, or a range, as 127.0.0.2-127.0.0.9; again for each further one.
    /// One address has some 28,000 ports to the same server
    #[arg(long = "source", value_name = "ADDR[-ADDR]")]
    sources: Vec<Source>,
}

/// The accounts there.
#[derive(Args, Debug, Clone)]
pub(crate) struct Crowd {
    /// How many accounts there are: PREFIX0, PREFIX1 and so on
    #[arg(long, value_name = "N", default_value_t = 100)]
    accounts: usize,
    #[arg(long, value_name = "PREFIX", default_value = "bench")]
    user_prefix: String,
    /// The password of all of them
    #[arg(long, env = "WATTLE_BENCH_PASSWORD", default_value = "bench", hide_env_values = true)]
    password: String,
    /// Accounts from a file instead: a localpart and a password on each line, with a space between
    #[arg(long, value_name = "FILE", conflicts_with_all = ["accounts", "user_prefix", "password"])]
    account_list: Option<PathBuf>,
}

impl Reach {
    /// What the clients connect to, on these terms.
    pub(crate) fn target(&self, terms: Terms, resume: bool) -> Result<Target, String> {
        if !self.insecure && self.ca.is_none() {
            return Err("which certificate is the server's? write --ca FILE, or --insecure to take any".to_owned());
        }
        let host = self.host.trim_matches(['[', ']']);
        let told = |why: &str| format!("--host {host} --port {}: {why}", self.port);
        let resolved = (host, self.port).to_socket_addrs().map_err(|e| told(&e.to_string()))?;
        let address: SocketAddr = resolved.into_iter().next().ok_or_else(|| told("has no address"))?;
        let sources: Arc<[IpAddr]> = self.sources.iter().flat_map(|source| source.addresses()).collect();
        if let Some(other) = sources.iter().find(|source| source.is_ipv4() != address.is_ipv4()) {
            return Err(format!("--source {other} cannot reach {address}: write addresses of the same kind for both"));
        }
        Ok(Target { address, sources, tls: tls::client(self.ca.as_deref(), resume, self.direct_tls)?, terms })
    }

    /// Whether the addresses that clients come from have ports for so many.
    pub(crate) fn has_ports(&self, clients: usize) -> Result<(), String> {
        let ports = source::ports_each();
        let sources = self.sources.iter().flat_map(|range| range.addresses()).count().max(1);
        if sources.saturating_mul(ports) >= clients {
            return Ok(());
        }
        let wanted = clients.div_ceil(ports.max(1));
        Err(format!(
            "{clients} clients need {wanted} source addresses, for one has {ports} ports to the same server: write \
             --source for each further address of this host (on loopback --source 127.0.0.2-127.0.0.{})",
            wanted + 1
        ))
    }
}

impl Crowd {
    /// All of them.
    pub(crate) fn all(&self) -> Result<Vec<Account>, String> {
        let account = |n| Account { localpart: format!("{}{n}", self.user_prefix), password: self.password.clone() };
        self.account_list.as_deref().map_or_else(|| Ok((0..self.accounts).map(account).collect()), listed)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> Result<usize, String> {
        self.account_list.as_deref().map_or(Ok(self.accounts), |file| Ok(listed(file)?.len()))
    }
}

fn listed(file: &Path) -> Result<Vec<Account>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("--account-list {}: {e}", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| {
            let (localpart, password) = line.trim().split_once(' ').ok_or_else(|| {
                format!("--account-list {}: line {}: write LOCALPART PASSWORD", file.display(), n + 1)
            })?;
            Ok(Account { localpart: localpart.to_owned(), password: password.trim().to_owned() })
        })
        .collect()
}

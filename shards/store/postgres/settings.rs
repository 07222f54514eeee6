//! Where the database is and how it is reached, out of its URI and the configuration.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use wattle::config::Durability;

use super::fault::Unusable;
use super::tls;

/// How long it may take until the server has let us in.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// Where Debian's PostgreSQL listens for processes of the same host.
const SOCKETS: &str = "/var/run/postgresql";

/// How to reach one database.
pub(in crate::store) struct Settings {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) durability: Durability,
    /// For people: without the password.
    pub(super) place: Box<str>,
}

impl Settings {
    /// Reads a `postgres://` URI. `authorities` are the certificates for `sslmode=verify-full`; without them the
    /// system's are taken.
    ///
    /// # Errors
    /// What is wrong and, behind a semicolon, what to write instead.
    pub(in crate::store) fn read(
        uri: &str,
        durability: Durability,
        authorities: Option<&Path>,
    ) -> Result<Self, Unusable> {
        let (uri, mode) = take_mode(uri);
        // The error's own text may hold pieces of the URI, and with them of the password.
        let wrong = "the URI of the database cannot be understood; write it like postgres://user:password@host/database, \
                     with % and two digits for each special character of the password";
        let mut config: Config = uri.parse().map_err(|_| Unusable::lasting(wrong))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host_path(SOCKETS);
        }
        // On the same host TLS would cost a handshake and hide nothing.
        let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        let (encryption, verified) = match mode.as_deref() {
            None if local => (SslMode::Disable, false),
            None | Some("prefer") => (SslMode::Prefer, false),
            Some("disable") => (SslMode::Disable, false),
            Some("require") => (SslMode::Require, false),
            Some("verify-full") => (SslMode::Require, true),
            Some(other) => {
                return Err(Unusable::lasting(format!(
                    "sslmode={other} is not known; write disable, prefer, require (encrypted) or verify-full (encrypted, and \
                     the server's certificate is checked against [tls] ca_file)"
                )));
            }
        };
        let tls = if verified { tls::verifying(authorities) } else { tls::encrypting() };
        let tls = tls.map_err(Unusable::lasting)?;
        config
            .ssl_mode(encryption)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        let place = place(&config).into();
        Ok(Self { config, tls, durability, place })
    }
}

impl Settings {
    /// The database for people.
    pub(in crate::store) fn place(&self) -> &str {
        &self.place
    }
}

/// Takes `sslmode` out of a URI, because the library does not know all of its words.
fn take_mode(uri: &str) -> (String, Option<String>) {
    let Some((before, options)) = uri.split_once('?') else {
        return (uri.to_owned(), None);
    };
    let (modes, others): (Vec<&str>, Vec<&str>) = options.split('&').partition(|option| option.starts_with("sslmode="));
    let mode = modes.last().and_then(|option| option.split_once('=')).map(|(_, mode)| mode.to_owned());
    (format!("{before}?{}", others.join("&")), mode)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
    }
}

/// "database wattle at db.example.org:5433", for messages.
fn place(config: &Config) -> String {
    let mut place = match config.get_dbname().or_else(|| config.get_user()) {
        Some(name) => format!("database {name} at "),
        None => "the database at ".to_owned(),
    };
    let ports = config.get_ports();
    let mut hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    for (index, host) in hosts.iter().enumerate() {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        // Writing into a String does not fail.
        let _ = write!(place, "{}{host}:{port}", if index == 0 { "" } else { ", " });
    }
    place
}

//! `wattle run`: starts the server, says where it is, and obeys signals until one ends it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use wattle::config::Config;
use wattle::input::Listener;

use super::Failure;
use crate::admin::desk::Desk;
use crate::admin::pending::Pending;
use crate::admin::socket::AdminSocket;
use crate::boot::Server;
use crate::configuration::Source;
use crate::fault::Fault;
use crate::log;
use crate::signals::{Signal, Signals};
use crate::supervisor::{self, Watchdog};

/// Serves until SIGTERM or SIGINT; SIGHUP reads configuration and certificates again.
pub(super) fn run(source: &Source) -> Result<ExitCode, Failure> {
    let config = source.read().map_err(Failure::Unfit)?;
    // Before the first thread, for threads inherit what is blocked.
    let signals = Signals::block();
    log::start(&config.log);
    let pending = Arc::new(Pending::default());
    let replies = Arc::clone(&pending);
    let server = Server::start(Arc::clone(&config), Arc::new(move |_, request, reply| replies.give(request, reply)))
        .map_err(Failure::Unfit)?;
    let desk = Desk::new(Arc::clone(&config), server.store.clone(), server.door(), Arc::clone(&pending));
    let desk = Arc::new(desk);
    let socket = match open(&config, &desk) {
        Ok(socket) => socket,
        Err(fault) => {
            server.stop();
            return Err(Failure::Unfit(vec![fault]));
        }
    };
    let watchdog = match Watchdog::start(server.door(), pending) {
        Ok(watchdog) => watchdog,
        Err(error) => {
            server.stop();
            return Err(Failure::Unfit(vec![Fault::new(
                format!("a thread cannot be started: {error}"),
                "raise TasksMax",
            )]));
        }
    };
    // A server whose standard output is closed is a server still.
    let _ = io::stdout().write_all(greeting(source, &config, &server).as_bytes());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), shards = server.shards(), "serving");
    supervisor::say_ready();
    let mut running = Running { source, config, server, desk };
    while let Ok(Signal::Reload) = signals.wait() {
        running.reload();
    }
    tracing::info!("ending");
    supervisor::say_ending();
    if let Some(watchdog) = watchdog {
        watchdog.stop();
    }
    drop(socket);
    running.server.stop();
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

fn open(config: &Config, desk: &Arc<Desk>) -> Result<AdminSocket, Fault> {
    let desk = Arc::clone(desk);
    AdminSocket::open(&config.server.admin_socket(), Arc::new(move |request| desk.answer(&request)))
}

/// What a reload touches.
struct Running<'s> {
    source: &'s Source,
    config: Arc<Config>,
    server: Server,
    desk: Arc<Desk>,
}

impl Running<'_> {
    fn reload(&mut self) {
        let done = self.source.read().and_then(|wanted| {
            let config = Arc::new(kept(&self.config, &wanted));
            self.server.reload(Arc::clone(&config))?;
            Ok((wanted, config))
        });
        match done {
            Ok((wanted, config)) => {
                for option in fixed(&config, &wanted) {
                    tracing::warn!(option, "this option has changed and will be used at the next start");
                }
                log::set_level(config.log.level);
                self.desk.configured(Arc::clone(&config));
                self.config = config;
                tracing::info!("configuration and certificates were read again");
            }
            Err(faults) => {
                for fault in faults {
                    tracing::error!("{fault}");
                }
                tracing::error!("the configuration stays as it was");
            }
        }
    }
}

/// A configuration that was read again, with what is looked at only at the start as it was then: a certificate is not to be
/// looked for in a data folder that is not in use.
fn kept(old: &Config, wanted: &Config) -> Config {
    let mut config = wanted.clone();
    config.listen.clone_from(&old.listen);
    config.server.clone_from(&old.server);
    config.log.format = old.log.format;
    config
}

/// Options that differ and had to be kept.
fn fixed(kept: &Config, wanted: &Config) -> Vec<&'static str> {
    [
        ("listen", kept.listen != wanted.listen),
        ("server", kept.server != wanted.server),
        ("log.format", kept.log.format != wanted.log.format),
    ]
    .into_iter()
    .filter_map(|(option, differs)| differs.then_some(option))
    .collect()
}

/// What an operator wants to know first.
fn greeting(source: &Source, config: &Config, server: &Server) -> String {
    let domains: Vec<_> = config.domains.iter().map(|domain| &*domain.name).collect();
    let clients: Vec<_> = server
        .listening
        .iter()
        .map(|(address, listener)| match listener {
            Listener::Client => format!("{address} (STARTTLS)"),
            Listener::ClientTls => format!("{address} (TLS)"),
        })
        .collect();
    let named = match source {
        Source::File(path) if !is_found_alone(path) => format!(" --config {}", path.display()),
        _ => String::new(),
    };
    let mut text = format!("wattle {} serves {}\n", env!("CARGO_PKG_VERSION"), domains.join(", "));
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<14}{value}\n"));
    line("configuration", &source.to_string());
    line("clients", &clients.join(", "));
    line("data", &whole(&config.server.data));
    line("shards", &server.shards().to_string());
    if let Some(own) = &server.self_signed {
        let made = if own.is_new { "made now" } else { "made earlier" };
        line("certificate", &format!("self-signed, {made}, SHA-256 {}", own.fingerprint));
    }
    line("new account", &format!("wattle user add NAME@{}{named}", domains[0]));
    text
}

/// Whether the command line finds this file without being told.
fn is_found_alone(path: &Path) -> bool {
    *path == *Path::new(crate::configuration::PLACES[1]) || Source::find(None) == Source::File(path.to_owned())
}

/// A path that says where it is from anywhere.
fn whole(path: &Path) -> String {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

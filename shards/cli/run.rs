//! `wattle run`: serves until a signal ends it, reads configuration and certificates again on SIGHUP.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

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

/// Serves.
pub(super) fn run(source: &Source) -> Result<ExitCode, Failure> {
    // Before any other thread is started.
    let signals = Signals::block();
    let started = Instant::now();
    let config = source.read().map_err(Failure::Unfit)?;
    log::start(&config.log);
    let pending = Arc::new(Pending::default());
    let reply = {
        let pending = pending.clone();
        Arc::new(move |_, request, reply| pending.give(request, reply))
    };
    let mut server = Server::start(config.clone(), reply).map_err(Failure::Unfit)?;
    let desk = Arc::new(Desk::new(config.clone(), server.store.clone(), server.door(), pending, started));
    let socket = AdminSocket::open(&config.server.admin_socket(), {
        let desk = desk.clone();
        Arc::new(move |request| desk.answer(&request))
    });
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            server.stop();
            let cure = "configure another `admin_socket`, or give its folder to the user that wattle runs as";
            return Err(Failure::Refused(Fault::new(error.to_string(), cure)));
        }
    };
    announce(source, &config, &server)?;
    while signals.wait()? == Signal::Reload {
        match source.read().and_then(|config| server.reload(config.clone()).map(|()| config)) {
            Ok(config) => {
                log::set_level(config.log.level);
                desk.configure(config);
                tracing::info!("configuration and certificates were read again");
            }
            Err(faults) => {
                for fault in faults {
                    tracing::error!("nothing was changed: {fault}");
                }
            }
        }
    }
    drop(socket);
    drop(desk);
    server.stop();
    Ok(ExitCode::SUCCESS)
}

/// What listens, where the data is, and how to make an account.
fn announce(source: &Source, config: &Config, server: &Server) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let domains: Vec<_> = config.domains.iter().map(|domain| &*domain.name).collect();
    writeln!(out, "wattle serves {} with {} shards", domains.join(", "), server.shards())?;
    writeln!(out, "configuration: {source}")?;
    for (address, listener) in &server.listening {
        let what = match listener {
            Listener::Client => "clients, STARTTLS",
            Listener::ClientTls => "clients, TLS at once",
        };
        writeln!(out, "listens on {address} ({what})")?;
    }
    writeln!(out, "data: {}", config.server.data.display())?;
    if let Some(own) = &server.self_signed {
        let made = if own.is_new { "made now" } else { "made earlier" };
        writeln!(out, "self-signed certificate ({made}), SHA-256 {}", own.fingerprint)?;
    }
    writeln!(out, "to make an account: wattle user add NAME@{}", config.domains[0].name)?;
    out.flush()?;
    Ok(())
}

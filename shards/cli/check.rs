//! `wattle check`: everything that is wrong with the configuration and the system, at once, each with its cure.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use wattle::config::{Config, Shards};

use super::{Failure, count};
use crate::admin::client::Client;
use crate::admin::socket;
use crate::boot;
use crate::configuration::Source;
use crate::fault::Fault;
use crate::store;

/// Exit code for warnings without faults.
const WARNED: u8 = 1;
/// Exit code for faults.
const FAULTY: u8 = 2;

/// Looks at everything and tells what it found.
pub(super) fn run(source: &Source) -> Result<ExitCode, Failure> {
    let mut store = None;
    let (faults, warnings) = match source.read() {
        Ok(config) => {
            let (mut faults, mut warnings) = (system_faults(&config), warnings(source, &config));
            match store::look(&config) {
                Ok(look) => {
                    store = Some(look.line);
                    warnings.extend(look.warnings);
                }
                Err(fault) => faults.push(fault),
            }
            (faults, warnings)
        }
        // What a wrong configuration asks of the system is not worth looking at.
        Err(faults) => (faults, Vec::new()),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "configuration: {source}")?;
    if let Some(store) = store {
        writeln!(out, "store: {store}")?;
    }
    for fault in &faults {
        writeln!(out, "fault: {fault}")?;
    }
    for warning in &warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(out, "{}, {}", count(faults.len() as u64, "fault"), count(warnings.len() as u64, "warning"))?;
    Ok(match (faults.len(), warnings.len()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(WARNED),
        _ => ExitCode::from(FAULTY),
    })
}

/// What would keep the server from starting.
fn system_faults(config: &Config) -> Vec<Fault> {
    let mut looked_at = config.clone();
    if let Ok(Some(_)) = Client::to_server(config) {
        // It is this very server that holds the ports.
        looked_at.listen.client.clear();
        looked_at.listen.client_tls.clear();
    }
    let mut faults = boot::faults(&looked_at);
    faults.extend(socket::misplaced(&config.server.admin_socket()));
    faults
}

/// What the server lives with, but its operator or its people may not like.
fn warnings(source: &Source, config: &Config) -> Vec<Fault> {
    let mut warnings = Vec::new();
    if let Source::File(path) = source
        && mode(path).is_some_and(|mode| mode & 0o022 != 0)
    {
        let name = path.display();
        warnings.push(Fault::new(format!("{name} can be written by others"), format!("chmod go-w {name}")));
    }
    if mode(&config.server.data).is_some_and(|mode| mode & 0o077 != 0) {
        let name = config.server.data.display();
        warnings
            .push(Fault::new(format!("{name} is open to other users of this machine"), format!("chmod 700 {name}")));
    }
    for domain in &config.domains {
        if domain.certificate.is_none() && &*domain.name != "localhost" {
            let what = format!("{} has no certificate, so clients are shown a self-signed one and warn", domain.name);
            let cure = format!("write certificate and key below a [[domain]] with name = \"{}\"", domain.name);
            warnings.push(Fault::new(what, cure));
        }
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if let Shards::Count(shards) = config.server.shards
        && usize::from(shards) > cores
    {
        let what = format!("server.shards is {shards}, more than the {}", count(cores as u64, "core"));
        warnings.push(Fault::new(what, "write shards = \"auto\""));
    }
    warnings
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode())
}

//! The command line: what can be typed, and how a command ends.

mod backup;
mod check;
mod office;
mod owner;
#[cfg(test)]
mod pages;
mod room;
mod run;
mod stats;
mod store;
mod user;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use wattle::config::Config;

use crate::configuration::Source;
use crate::fault::Fault;

/// An XMPP server for people who run their own.
#[derive(Parser)]
#[command(name = "wattle", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration; without it ./wattle.toml, then /etc/wattle/wattle.toml, then the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, until SIGTERM or SIGINT; SIGHUP reads configuration and certificates again.
    Run,
    /// Make, list, change and remove accounts, whether the server runs or not.
    #[command(subcommand)]
    User(user::User),
    /// Make, list, show, change and remove rooms.
    #[command(subcommand)]
    Room(room::Room),
    /// Tell all faults of the configuration and the system at once: exit 0 for none, 1 for warnings only, 2 for faults.
    Check,
    /// Show what the running server does: every second on a terminal, once elsewhere.
    Stats(stats::Shown),
    /// Copy the store to a file, whether the server runs or not.
    Backup(backup::Copied),
    /// Put a backup in the store's place while no server runs; what was there is kept under another name.
    Restore(backup::Taken),
    /// Move the whole service from SQLite to PostgreSQL or back, while no server runs.
    #[command(subcommand)]
    Store(store::Store),
}

/// Why a command did not do what it should.
enum Failure {
    /// The configuration or the system has to be corrected first; exit 2, as for a wrong command line.
    Unfit(Vec<Fault>),
    /// It was refused or could not be done; exit 1.
    Refused(Fault),
    /// Standard output cannot be written.
    Output(io::Error),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Reads the command line and carries it out.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let source = Source::find(cli.config.as_deref());
    let done = match cli.command {
        Command::Run => run::run(&source),
        Command::User(user) => read(&source).and_then(|config| user::run(user, &config)),
        Command::Room(room) => read(&source).and_then(|config| room::run(room, &config)),
        Command::Check => check::run(&source),
        Command::Stats(shown) => read(&source).and_then(|config| stats::run(&shown, &config)),
        Command::Backup(copied) => read(&source).and_then(|config| backup::backup(&copied, &config)),
        Command::Store(store) => read(&source).and_then(|config| store::run(&store, &config)),
        Command::Restore(taken) => read(&source).and_then(|config| backup::restore(&taken, &config)),
    };
    end(done)
}

fn read(source: &Source) -> Result<Arc<Config>, Failure> {
    source.read().map_err(Failure::Unfit)
}

fn count(number: u64, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn end(done: Result<ExitCode, Failure>) -> ExitCode {
    let (faults, code) = match done {
        Ok(code) => return code,
        // Whoever read the output has seen enough of it.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            (vec![Fault::new(format!("cannot write: {error}"), "look where the output goes")], 1)
        }
        Err(Failure::Refused(fault)) => (vec![fault], 1),
        Err(Failure::Unfit(faults)) => (faults, 2),
    };
    for fault in faults {
        // There is nowhere left to tell that this failed.
        let _ = writeln!(io::stderr(), "wattle: {fault}");
    }
    ExitCode::from(code)
}

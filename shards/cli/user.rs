//! `wattle user`: asks the running server, or opens the store itself while no server runs.

mod secret;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use wattle::config::Config;

use super::Failure;
use super::office::{self, Office};
use crate::admin::accounts;
use crate::admin::words::{Reply, Request};

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum User {
    /// Make an account.
    Add(Named),
    /// Give an account another password, and end its sessions.
    Passwd(Named),
    /// Show all accounts, one a line.
    List,
    /// Put an account into a class of the configuration; from its next login on.
    Class {
        /// Its address, such as juliet@example.org.
        jid: String,
        /// The name of the class; without it the account is in none.
        name: Option<String>,
    },
    /// Say how long an account's archive is kept, whatever its class says.
    Archive(Kept),
    /// Remove an account with everything that is stored for it, and end its sessions.
    Remove {
        /// Its address, such as juliet@example.org.
        jid: String,
    },
}

/// An account and its password.
#[derive(clap::Args)]
pub(super) struct Named {
    /// Its address, such as juliet@example.org.
    jid: String,
    /// Its password. Other users of this machine can see it while the command runs; without it the command asks, or reads a
    /// line of standard input if that is no terminal.
    #[arg(long, short)]
    password: Option<String>,
}

/// How long messages are kept.
#[derive(clap::Args)]
pub(super) struct Kept {
    /// Its address, such as juliet@example.org.
    jid: String,
    /// Days after which a message leaves the archive; 0 keeps it for ever.
    #[arg(long, required_unless_present_any = ["messages", "default"])]
    days: Option<u32>,
    /// Messages above which the oldest leave; 0 is no bound.
    #[arg(long)]
    messages: Option<u32>,
    /// Forget what was said here before: what is not said now is as for its class again.
    #[arg(long)]
    default: bool,
}

/// Carries out one of them.
pub(super) fn run(user: User, config: &Arc<Config>) -> Result<ExitCode, Failure> {
    match user {
        User::Add(Named { jid, password }) => {
            // Before anybody types a password for nothing.
            let jid = accounts::named(config, &jid)?.to_string();
            let password = secret::secret(password, &jid)?;
            Office::enter(config, true)?.done(&Request::UserAdd { jid: jid.clone(), password })?;
            writeln!(io::stdout(), "{jid} is made")?;
        }
        User::Passwd(Named { jid, password }) => {
            let jid = accounts::named(config, &jid)?.to_string();
            let password = secret::secret(password, &jid)?;
            let ended = Office::enter(config, false)?.done(&Request::UserPasswd { jid: jid.clone(), password })?;
            writeln!(io::stdout(), "{jid} has its new password{}", sessions(ended))?;
        }
        User::Class { jid, name } => {
            Office::enter(config, false)?.done(&Request::UserClass { jid: jid.clone(), class: name.clone() })?;
            match name {
                Some(name) => writeln!(io::stdout(), "{jid} is in the class {name}")?,
                None => writeln!(io::stdout(), "{jid} is in no class")?,
            }
        }
        User::Archive(Kept { jid, days, messages, default }) => {
            let request = Request::UserArchive { jid: jid.clone(), default, days, messages };
            Office::enter(config, false)?.done(&request)?;
            writeln!(
                io::stdout(),
                "the archive of {jid} is kept as you say; what is too old or too much goes within an hour"
            )?;
        }
        User::Remove { jid } => {
            let ended = Office::enter(config, false)?.done(&Request::UserRemove { jid: jid.clone() })?;
            writeln!(io::stdout(), "{jid} is removed{}", sessions(ended))?;
        }
        User::List => list(&mut Office::enter(config, false)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(office: &mut Office) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut after = None;
    loop {
        let Reply::Users { jids, more } = office.ask(&Request::UserList { after })? else {
            return Err(office::surprised().into());
        };
        for jid in &jids {
            writeln!(out, "{jid}")?;
        }
        match jids.into_iter().next_back() {
            Some(last) if more => after = Some(last),
            _ => return Ok(()),
        }
    }
}

fn sessions(ended: u32) -> String {
    match ended {
        0 => String::new(),
        1 => "; one session ended".to_owned(),
        _ => format!("; {ended} sessions ended"),
    }
}

//! Makes the accounts that the scenes need: by a command of the server's for each, or by registering them as strangers do.

use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use crate::control::Control;
use crate::ladder::{Account, Terms};
use crate::options::raise_descriptors;
use crate::progress::Progress;
use crate::reach::{Crowd, Reach};
use crate::registrar::Registrar;
use crate::report::say;
use crate::scenes::share;
use crate::stage;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    crowd: Crowd,
    /// What makes one account; {user}, {domain} and {password} are filled in. No shell is between
    #[arg(long, value_name = "COMMAND", conflicts_with = "register", required_unless_present = "register")]
    command: Option<String>,
    /// Register each with the server itself (XEP-0077); one that is there already is left as it is
    #[arg(long)]
    register: bool,
    /// Registrations under way at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    at_once: u16,
    /// Give up when no further account is made for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

/// Makes all of them, and stops at the first that fails.
pub(crate) fn make(options: &Options) -> Result<u8, String> {
    let accounts = options.crowd.all()?;
    match &options.command {
        Some(command) => run_for_each(command, &options.reach.domain, &accounts)?,
        None => register(options, &accounts)?,
    }
    Ok(0)
}

fn run_for_each(command: &str, domain: &str, accounts: &[Account]) -> Result<(), String> {
    if !command.contains("{user}") {
        return Err(
            "--command does not say where the name goes: write it with {user}, {domain} and {password}".to_owned()
        );
    }
    for (n, Account { localpart, password }) in accounts.iter().enumerate() {
        let words: Vec<String> = command
            .split_ascii_whitespace()
            .map(|word| word.replace("{user}", localpart).replace("{domain}", domain).replace("{password}", password))
            .collect();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", words[0]))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let status = output.status;
            return Err(format!("{n} accounts made; for {localpart} the command failed ({status}): {}", said.trim()));
        }
    }
    say(&format!("{} accounts made{}", accounts.len(), names(accounts)));
    Ok(())
}

fn register(options: &Options, accounts: &[Account]) -> Result<(), String> {
    let terms = Terms {
        domain: options.reach.domain.clone(),
        direct_tls: options.reach.direct_tls,
        register: true,
        mechanism: None,
        stream_management: false,
        carbons: false,
        roster: false,
        presence: false,
    };
    let target = options.reach.target(terms, false)?;
    let at_once = usize::from(options.at_once);
    raise_descriptors(at_once).map_err(|maximum| {
        format!("--at-once {at_once}: this process may have {maximum} descriptors: write less, or raise the limit (ulimit -Hn)")
    })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(at_once).min(accounts.len()).max(1);
    let parts = (0..threads).map(|n| Registrar::new(share(accounts, n, threads), at_once.div_ceil(threads))).collect();
    let control = Control::new(threads)?;
    let patience = Duration::from_secs(options.patience);
    let ((), outcomes) = stage::perform(&target, &control, parts, || {
        stage::muster(&mut &control, patience, (&Progress::new(), "registered"), |_, _| {});
    })?;
    let (made, found) = outcomes.iter().fold((0, 0), |(made, found), o| (made + o.made, found + o.found));
    let told = format!("{made} accounts registered, {found} were there already");
    if let Some(why) = control.fault() {
        return Err(format!("{told}; {why}"));
    }
    say(&format!("{told}{}", names(accounts)));
    Ok(())
}

fn names(accounts: &[Account]) -> String {
    let ends = accounts.first().zip(accounts.last());
    ends.map_or(String::new(), |(first, last)| format!(": {} to {}", first.localpart, last.localpart))
}

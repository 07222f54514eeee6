//! wattle-bench: many XMPP clients over TLS, to measure what chat costs any server.

mod accounts;
mod agent;
mod circle;
mod client;
mod compare;
mod control;
mod deliveries;
mod engine;
mod floor;
mod frame;
mod friends;
mod hdr;
mod instructions;
mod interrupt;
mod ladder;
mod layout;
mod ledger;
mod machine;
mod mark;
mod meter;
mod muster;
mod options;
mod origin;
mod pace;
mod page;
mod peer;
mod plots;
mod power;
mod processes;
mod progress;
mod reach;
mod registrar;
mod registration;
mod report;
mod result;
mod scenes;
mod scram;
mod series;
mod source;
mod stage;
mod summary;
mod table;
mod times;
mod tls;
mod tree;
mod troupe;
mod trusting;
mod usage;
mod versus;
mod watched;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use options::{Command, Options};

/// Exit codes: 0 the scene is valid, 1 it is not, 2 it could not be played.
fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.command {
        Command::Chat(options) => scenes::chat::play(options),
        Command::Idle(options) => scenes::idle::play(options),
        Command::Login(options) => scenes::login::play(options),
        Command::Presence(options) => scenes::presence::play(options),
        Command::Room(options) => scenes::room::play(options),
        Command::Accounts(options) => accounts::make(options),
        Command::Versus(options) => versus::play(options),
        Command::Compare(options) => compare::compare(options),
        Command::Agent(options) => agent::server::serve(options),
        Command::Floor(options) => floor::serve(options),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "wattle-bench: {why}");
            ExitCode::from(2)
        }
    }
}

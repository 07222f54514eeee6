//! `wattle store`: what is done with a whole store.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wattle::config::Config;

use super::{Failure, count, owner};
use crate::store;

/// What can be done with it.
#[derive(Subcommand)]
pub(super) enum Store {
    /// Copy everything into an empty store, while no server uses either: accounts, contacts, messages, with all numbers.
    Copy {
        /// sqlite:FOLDER with a data folder, or a postgres:// URI.
        #[arg(long, value_name = "PLACE")]
        from: String,
        /// The same; what is missing is made.
        #[arg(long, value_name = "PLACE")]
        to: String,
    },
}

/// Carries it out.
pub(super) fn run(store: &Store, config: &Config) -> Result<ExitCode, Failure> {
    let Store::Copy { from, to } = store;
    for folder in [from, to].into_iter().filter_map(|place| place.strip_prefix("sqlite:")) {
        owner::refuse_others(Path::new(folder), "store copy …")?;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg:12} {wide_bar} {human_pos} of {human_len}, {eta} left") {
        bar.set_style(style);
    }
    let live = io::stderr().is_terminal();
    let mut out = io::stdout();
    let mut written = Ok(());
    let told = &mut |table: &str, done: u64, all: u64| {
        bar.set_message(table.to_owned());
        bar.set_length(all);
        bar.set_position(done);
        if done == all && !live {
            // To be told at the end: the copy is worth more than its lines.
            let line = writeln!(out, "{table}: {}", count(done, "row"));
            written = std::mem::replace(&mut written, Ok(())).and(line);
        }
    };
    let done = store::moved(config, from, to, told);
    bar.finish_and_clear();
    let rows = done?;
    written?;
    writeln!(io::stdout(), "{} copied and counted; name the new store in the configuration", count(rows, "row"))?;
    Ok(ExitCode::SUCCESS)
}

//! `wattle backup` and `wattle restore`: the SQLite store as one file, and back.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use wattle::config::Config;

use super::{Failure, owner};
use crate::store::{self, Progress};

/// Where to.
#[derive(clap::Args)]
pub(super) struct Copied {
    /// The copy; it appears when it is complete.
    file: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
}

/// Where from.
#[derive(clap::Args)]
pub(super) struct Taken {
    /// What `wattle backup` made.
    file: PathBuf,
}

/// Copies the store; says nothing where nobody looks.
pub(super) fn backup(copied: &Copied, config: &Config) -> Result<ExitCode, Failure> {
    // While this is stopped, the server's log would grow without end.
    // SAFETY: signal(2) with SIG_IGN installs no code; no other thread runs yet.
    unsafe { libc::signal(libc::SIGTSTP, libc::SIG_IGN) };
    let bar = bar();
    let done = store::backup(config, &copied.file, copied.force, told(&bar));
    bar.finish_and_clear();
    let bytes = done?;
    if io::stdout().is_terminal() {
        writeln!(io::stdout(), "{} is complete: {}", copied.file.display(), HumanBytes(bytes))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts a backup in the store's place.
pub(super) fn restore(taken: &Taken, config: &Config) -> Result<ExitCode, Failure> {
    owner::refuse_others(&config.server.data, "restore …")?;
    let bar = bar();
    let done = store::restore(config, &taken.file, told(&bar));
    bar.finish_and_clear();
    let restored = done?;
    let inside = restored.contents;
    let newest = inside.newest.map(|time| format!(", the newest of {time} UTC")).unwrap_or_default();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "the store holds {}, {} and {}{newest} now",
        super::count(inside.accounts, "account"),
        super::count(inside.rooms, "room"),
        super::count(inside.messages, "message")
    )?;
    if let Some(kept) = restored.kept {
        writeln!(out, "what was there before is kept as {}", kept.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// On a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn told(bar: &ProgressBar) -> Progress {
    let bar = bar.clone();
    Box::new(move |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
}

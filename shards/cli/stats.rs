//! `wattle stats`: what the running server does, as a table for people or JSON for programs.

mod table;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use wattle::config::Config;

use super::Failure;
use crate::admin::client::Client;
use crate::admin::words::{Reply, Request, Stats};
use crate::fault::Fault;

/// Between two pictures on a terminal.
const EVERY: Duration = Duration::from_secs(1);

/// How to show it.
#[derive(clap::Args)]
pub(super) struct Shown {
    /// Show it once, also on a terminal.
    #[arg(long)]
    once: bool,
    /// Show it once as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and paints until it is interrupted or the server ends.
pub(super) fn run(shown: &Shown, config: &Config) -> Result<ExitCode, Failure> {
    let Some(mut client) = Client::to_server(config)? else {
        let what = format!("no server answers at {}", config.server.admin_socket().display());
        let cure = "start it with `wattle run`, or name its configuration with --config FILE";
        return Err(Fault::new(what, cure).into());
    };
    let mut out = io::stdout();
    if shown.json {
        let text = serde_json::to_string(&ask(&mut client)?).map_err(io::Error::from)?;
        writeln!(out, "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let live = out.is_terminal() && !shown.once;
    let mut before: Option<(Instant, Stats)> = None;
    loop {
        let stats = ask(&mut client)?;
        let now = Instant::now();
        let earlier = before.as_ref().map(|(at, stats)| (now.duration_since(*at), stats));
        let text = table::table(&stats, earlier);
        if live {
            // From the top of the screen, so that it also holds on one that is too small for the table.
            out.write_all(b"\x1b[H\x1b[J")?;
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if !live {
            return Ok(ExitCode::SUCCESS);
        }
        before = Some((now, stats));
        thread::sleep(EVERY);
    }
}

fn ask(client: &mut Client) -> Result<Stats, Fault> {
    match client.ask(&Request::Stats)? {
        Reply::Stats(stats) => Ok(stats),
        _ => Err(Fault::new("the server said something that does not fit", "use the command line of the same version")),
    }
}

//! Question: what does a logged-in client cost that does nothing? Memory for each, wake-ups and CPU for all.
//!
//! The clients send initial presence, have an empty roster, and then keep silent: no keepalives. So what the server
//! does in the measured time it does of itself.

use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::control::Phase;
use crate::engine::{Engine, Event, Part};
use crate::muster::Muster;
use crate::options::{Common, seconds, some_seconds};
use crate::report::Report;
use crate::stage::Stage;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// How many clients; all accounts, if not said
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    /// How long they are watched
    #[arg(long, default_value = "10", value_parser = some_seconds)]
    seconds: Duration,
    /// How long the server may settle when all are online
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    settle: Duration,
}

struct Idle {
    muster: Muster,
    phase: Phase,
    /// Stanzas that came while all was silent.
    unasked: u64,
    first_unasked: String,
}

/// What is left of it for the report.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outcome {
    server: Option<String>,
    unasked: u64,
    first_unasked: String,
}

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let common = &options.common;
    let sessions = options.sessions.map_or_else(|| common.accounts_len(), Ok)?;
    if sessions == 0 {
        return Err("--sessions 0 measures nothing: write --sessions 1000".to_owned());
    }
    let accounts = common.accounts(sessions, &format!("--accounts {sessions}, when they exist"))?;
    common.make_room(sessions)?;
    let threads = common.threads(sessions)?;
    let stage = Stage::new(common, common.target(true, false)?, options.settle, options.seconds)?;
    let settings = json!({
        "sessions": sessions,
        "stream_management": common.stream_management,
        "carbons": common.carbons,
        "direct_tls": common.reach.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("idle", common, stage.meter(), settings);
    let parts = (0..threads)
        .map(|n| Idle {
            muster: Muster::new(super::share(&accounts, n, threads), common.logins_at_once.div_ceil(threads)),
            phase: Phase::Muster,
            unasked: 0,
            first_unasked: String::new(),
        })
        .collect();
    let Some(played) = stage.play(parts)? else { return Ok(0) };
    report.version(played.outcomes.iter().find_map(|o| o.server.as_ref()));

    let unasked: u64 = played.outcomes.iter().map(|o| o.unasked).sum();
    report.row("sessions", format!("{sessions}, watched for {:.1} s", played.measured.time.as_secs_f64()));
    if !stage.meter().is_blind() && played.fault.is_none() {
        let each = |after: u64, before: u64| (after as f64 - before as f64) / sessions as f64;
        let (after, before) = (&played.measured.memory_after, &played.memory_before);
        let (pss, rss) = (each(after.pss_kib, before.pss_kib), each(after.rss_kib, before.rss_kib));
        report.row("each", format!("PSS {pss:.2} KiB, RSS {rss:.2} KiB above the server before they came"));
        report.raw("pss_kib_per_session", pss.into());
        let login_ms = played.measured.muster_usage.cpu_ns as f64 / 1e6 / sessions as f64;
        let whole = played.measured.muster.as_secs_f64();
        report.row("coming", format!("{whole:.1} s, server CPU {login_ms:.2} ms each"));
    }
    report.server(&played, "stanza");
    if unasked > 0 {
        let first =
            played.outcomes.iter().map(|o| o.first_unasked.as_str()).find(|s| !s.is_empty()).unwrap_or_default();
        report.row("unasked", format!("{unasked} stanzas came from the server, the first: {first}"));
    }
    report.raw("unasked_stanzas", unasked.into());
    report.finish(common)
}

impl Part for Idle {
    type Outcome = Outcome;

    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        self.phase = phase;
        self.muster.turn(engine);
        None
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        if let Some(stanza) = self.muster.event(engine, slot, event)
            && self.phase == Phase::Measure
        {
            if self.unasked == 0 {
                self.first_unasked = crate::frame::excerpt(stanza);
            }
            self.unasked += 1;
        }
    }

    fn counted(&self) -> u64 {
        0
    }

    fn progress(&self) -> usize {
        self.muster.online()
    }

    fn ready(&self) -> bool {
        self.muster.complete()
    }

    fn drained(&self) -> bool {
        true
    }

    fn outcome(self) -> Outcome {
        Outcome { server: self.muster.server, unasked: self.unasked, first_unasked: self.first_unasked }
    }
}

//! Question: what does a login cost, and how many are there in a second? TCP, TLS, SASL, bind, and the end of the stream.
//!
//! The storm is a closed loop: a fixed number of clients log in, leave, and log in again as the next account. Steady is an
//! open loop: logins begin at a rate, whatever the server does, and count from the moment they were scheduled. The first
//! login of each account is the warm-up: afterwards both sides have what they keep (this one the salted passwords).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use rustls::HandshakeKind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::control::Phase;
use crate::engine::{Engine, Event, Part};
use crate::ladder::Account;
use crate::options::{Common, seconds, some_seconds};
use crate::pace::{self, Pace, Schedule};
use crate::report::{Report, histogram};
use crate::stage::Stage;
use crate::times;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Logins under way at once; with --rate, at most
    #[arg(long, value_name = "N", default_value_t = 16)]
    concurrency: usize,
    /// Open loop: logins a second
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    #[arg(long, default_value = "10", value_parser = some_seconds)]
    seconds: Duration,
    /// Not counted before, and after each account's first login
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    warm: Duration,
    /// Resume TLS sessions where the server lets it; without, each handshake is a full one
    #[arg(long)]
    resume: bool,
    /// Fetch the roster and send presence too
    #[arg(long)]
    presence: bool,
}

/// One client that logs in again and again, as each of its accounts in turn.
struct Turnstile {
    accounts: Vec<Account>,
    logins: usize,
    /// When it began, or was to begin.
    begun: Instant,
    /// Whether that was in the measured time.
    measured: bool,
    idle: bool,
}

struct Login {
    turnstiles: Vec<Turnstile>,
    schedule: Option<Schedule>,
    /// The moments of logins that wait for a free turnstile.
    waiting: VecDeque<Instant>,
    online: u64,
    first_logins: usize,
    accounts: usize,
    full: u64,
    resumed: u64,
    latency: Histogram<u64>,
}

/// What is left of it for the report.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outcome {
    full: u64,
    resumed: u64,
    /// Logins that had not ended when the wait for them was over.
    unfinished: usize,
    #[serde(with = "times")]
    latency: Histogram<u64>,
}

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let common = &options.common;
    let there = common.accounts_len()?;
    let concurrency = options.concurrency;
    if concurrency == 0 {
        return Err("--concurrency 0 measures nothing: write --concurrency 16".to_owned());
    }
    if there < concurrency {
        return Err(format!(
            "{concurrency} logins at once need as many accounts: write --concurrency {there}, or --accounts {concurrency} when they exist"
        ));
    }
    let accounts = common.accounts(there, "--accounts 100")?;
    common.make_room(concurrency)?;
    let threads = common.threads(concurrency)?;
    let pace = match options.rate {
        Some(rate) => Pace::Open { rate: pace::sensible(rate)? },
        None => Pace::Closed { window: concurrency },
    };
    let stage = Stage::new(common, common.target(options.presence, options.resume)?, options.warm, options.seconds)?;
    let settings = json!({
        "concurrency": concurrency,
        "rate": options.rate,
        "accounts": there,
        "resume": options.resume,
        "presence": options.presence,
        "stream_management": common.stream_management,
        "carbons": common.carbons,
        "direct_tls": common.reach.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("login", common, stage.meter(), settings);
    let turnstiles: Vec<Vec<Account>> = (0..concurrency).map(|n| super::share(&accounts, n, concurrency)).collect();
    let parts = (0..threads)
        .map(|n| Login::new(super::share(&turnstiles, n, threads), pace.schedule(threads)))
        .collect::<Result<_, _>>()?;
    let Some(played) = stage.play(parts)? else { return Ok(0) };

    let measured = &played.measured;
    let rate = measured.counted as f64 / measured.time.as_secs_f64();
    report.row(
        "logins",
        format!(
            "{} in {:.1} s, {rate:.1} /s; {}",
            measured.counted,
            measured.time.as_secs_f64(),
            if pace.rate().is_some() { pace.describe() } else { format!("{concurrency} at once") }
        ),
    );
    let full: u64 = played.outcomes.iter().map(|o| o.full).sum();
    let resumed: u64 = played.outcomes.iter().map(|o| o.resumed).sum();
    report.row("handshakes", format!("{full} full, {resumed} resumed"));
    if !stage.meter().is_blind() && measured.counted > 0 {
        let warm = measured.usage.cpu_ns as f64 / 1e6 / measured.counted as f64;
        let first = measured.muster_usage.cpu_ns as f64 / 1e6 / there as f64;
        report.row("each", format!("server CPU {warm:.3} ms; the first login of each account {first:.3} ms"));
        report.raw("server_cpu_ms_per_login", warm.into());
        report.raw("server_cpu_ms_per_first_login", first.into());
    }
    report.latency("until online", "latency", &times::sum(played.outcomes.iter().map(|o| &o.latency))?)?;
    report.server(&played, "login");
    report.raw("full_handshakes", full.into());
    report.raw("resumed_handshakes", resumed.into());
    if played.fault.is_none() {
        if measured.counted == 0 {
            report.complain("nobody logged in in the measured time");
        } else if let Some(missed) = pace.missed(measured.counted as f64, measured.time, "logged in") {
            report.complain(missed);
        }
        let unfinished: usize = played.outcomes.iter().map(|o| o.unfinished).sum();
        if unfinished > 0 {
            report.complain(format!("{unfinished} logins began and did not come to an end"));
        }
    }
    if options.resume && resumed == 0 && played.fault.is_none() {
        report.complain("--resume, but the server resumed no TLS session");
    }
    report.finish(common)
}

impl Login {
    fn new(turnstiles: Vec<Vec<Account>>, schedule: Option<Schedule>) -> Result<Self, String> {
        let accounts = turnstiles.iter().map(Vec::len).sum();
        let begun = Instant::now();
        let turnstiles = turnstiles.into_iter().map(|accounts| Turnstile {
            accounts,
            logins: 0,
            begun,
            measured: false,
            idle: true,
        });
        Ok(Self {
            turnstiles: turnstiles.collect(),
            schedule,
            waiting: VecDeque::new(),
            online: 0,
            first_logins: 0,
            accounts,
            full: 0,
            resumed: 0,
            latency: histogram()?,
        })
    }
}

impl Part for Login {
    type Outcome = Outcome;

    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        if phase > Phase::Measure {
            return None;
        }
        // The first logins are nobody's rate.
        let mut schedule = self.schedule.as_mut().filter(|_| phase > Phase::Muster);
        while let Some(due) = schedule.as_mut().and_then(|schedule| schedule.due(engine.now)) {
            self.waiting.push_back(due);
        }
        let next = schedule.as_ref().and_then(|schedule| schedule.next());
        for (slot, turnstile) in self.turnstiles.iter_mut().enumerate().filter(|(_, t)| t.idle) {
            let now = if schedule.is_some() { self.waiting.pop_front() } else { Some(engine.now) };
            let Some(begun) = now else { break };
            let account = &turnstile.accounts[turnstile.logins % turnstile.accounts.len()];
            turnstile.idle = false;
            turnstile.begun = begun;
            turnstile.measured = phase == Phase::Measure;
            if let Err(why) = engine.connect(slot, account, format!("bench{}", turnstile.logins)) {
                engine.control.fail(why);
            }
            turnstile.logins += 1;
        }
        next
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        let turnstile = &mut self.turnstiles[slot];
        match event {
            Event::Online => {
                self.online += 1;
                self.first_logins += usize::from(turnstile.logins <= turnstile.accounts.len());
                // Also what ends later: a server that stalls at the end of the measured time shows.
                if turnstile.measured {
                    let kind = engine.client(slot).and_then(crate::client::Client::handshake_kind);
                    let resumed = kind == Some(HandshakeKind::Resumed);
                    *(if resumed { &mut self.resumed } else { &mut self.full }) += 1;
                    times::record(&mut self.latency, engine.now.saturating_duration_since(turnstile.begun));
                }
                engine.close(slot);
            }
            Event::Stanza(_) => {}
            Event::Gone { asked: true, .. } => turnstile.idle = true,
            Event::Gone { asked: false, why } => {
                let last = (turnstile.logins + turnstile.accounts.len() - 1) % turnstile.accounts.len();
                engine.control.fail(format!("{} did not get online: {why}", turnstile.accounts[last].localpart));
            }
        }
    }

    fn counted(&self) -> u64 {
        self.online
    }

    fn progress(&self) -> usize {
        self.first_logins
    }

    fn ready(&self) -> bool {
        self.first_logins >= self.accounts
    }

    fn drained(&self) -> bool {
        self.turnstiles.iter().all(|t| t.idle)
    }

    fn outcome(self) -> Outcome {
        let unfinished = self.turnstiles.iter().filter(|turnstile| !turnstile.idle).count();
        Outcome { full: self.full, resumed: self.resumed, unfinished, latency: self.latency }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::time::Instant;

    use super::Login;
    use crate::control::{Control, Phase};
    use crate::engine::{Engine, Event, Part as _, Target};
    use crate::ladder::{Account, Terms};
    use crate::pace::Pace;
    use crate::tls;

    #[test]
    fn what_ends_late_or_never_is_not_hidden() {
        // It accepts nobody, as a server that stalls.
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let terms = Terms {
            domain: "localhost".to_owned(),
            direct_tls: false,
            register: false,
            mechanism: None,
            stream_management: false,
            carbons: false,
            roster: false,
            presence: false,
        };
        let address = server.local_addr().unwrap();
        let target = Target { address, sources: Arc::from([]), tls: tls::client(None, false, false).unwrap(), terms };
        let control = Control::new(1).unwrap();
        let mut engine = Engine::new(&control, 0, target).unwrap();
        let account = |name: &str| vec![Account { localpart: name.to_owned(), password: String::new() }];
        let schedule = Pace::Open { rate: 1e6 }.schedule(1);
        let mut login = Login::new(vec![account("juliet"), account("romeo")], schedule).unwrap();
        while login.turnstiles.iter().any(|turnstile| turnstile.idle) {
            engine.now = Instant::now();
            login.turn(&mut engine, Phase::Measure);
        }
        login.turn(&mut engine, Phase::Drain);
        engine.now = Instant::now();
        login.event(&mut engine, 0, Event::Online);
        login.event(&mut engine, 0, Event::Gone { asked: true, why: String::new() });
        let outcome = login.outcome();
        assert_eq!((outcome.unfinished, outcome.latency.len(), outcome.full), (1, 1, 1));
    }
}

//! Question: what does one delivered 1:1 message cost the server, and how long does it take?
//!
//! Pairs of clients write to each other. Closed loop: each direction keeps a window of messages on their way, which is
//! full speed. Open loop: messages leave at a fixed rate whatever the server does, and latency counts from the moment
//! that was scheduled, so a stall is not hidden by the sender's waiting for it. Every message is numbered: what is lost,
//! doubled, overtaken or refused is counted and makes the scene invalid.

use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::control::Phase;
use crate::deliveries::{self, Deliveries};
use crate::engine::{Engine, Event, Part};
use crate::frame;
use crate::ladder::Account;
use crate::ledger::{Ledger, Sent};
use crate::mark::Mark;
use crate::muster::Muster;
use crate::options::{Common, body_bytes, seconds, some_seconds};
use crate::pace::{Pace, Paced, Schedule};
use crate::report::Report;
use crate::stage::Stage;
use crate::times;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Pairs of clients
    #[arg(long, value_name = "N", default_value_t = 50)]
    pairs: usize,
    #[arg(long, default_value = "10", value_parser = some_seconds)]
    seconds: Duration,
    /// Not counted before
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    warm: Duration,
    #[command(flatten)]
    pace: Paced,
    /// Length of each body
    #[arg(long, value_name = "N", default_value = "120", value_parser = body_bytes)]
    body_bytes: usize,
    /// Address messages to the full JID, as after a first answer, or to the bare one
    #[arg(long, default_value = "full")]
    to: To,
    /// With --sm: a client asks for an acknowledgement after so many messages
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    ack_every: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    Full,
    Bare,
}

/// One direction of a pair. Slot n sends in direction n, slot n^1 receives.
struct Direction {
    to: String,
    ledger: Ledger,
}

struct Chat {
    muster: Muster,
    directions: Vec<Direction>,
    pace: Pace,
    to: To,
    phase: Phase,
    /// Whether the windows are filled.
    playing: bool,
    schedule: Option<Schedule>,
    next_direction: usize,
    mark: Mark,
    body_bytes: usize,
    ack_every: Option<u64>,
    tally: Deliveries,
    message: Vec<u8>,
}

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let common = &options.common;
    if options.pairs == 0 {
        return Err("--pairs 0 measures nothing: write --pairs 50".to_owned());
    }
    let pairs = common.groups(2, Some(options.pairs), "--pairs", "a pair")?;
    let threads = common.threads(options.pairs)?;
    let pace = options.pace.pace(16)?;
    let stage = Stage::new(common, common.target(true, false)?, options.warm, options.seconds)?;
    let settings = json!({
        "pairs": options.pairs,
        "window": pace.window(),
        "rate": pace.rate(),
        "body_bytes": options.body_bytes,
        "to": format!("{:?}", options.to).to_lowercase(),
        "stream_management": common.stream_management,
        "ack_every": options.ack_every,
        "carbons": common.carbons,
        "direct_tls": common.reach.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("chat", common, stage.meter(), settings);
    let parts = (0..threads)
        .map(|n| Chat::new(options, &super::share(&pairs, n, threads).concat(), pace, (n, threads)))
        .collect::<Result<_, _>>()?;
    let Some(played) = stage.play(parts)? else { return Ok(0) };
    let seconds = played.measured.time.as_secs_f64();
    let load = format!("{} pairs, {} bytes, {}, {seconds:.1} s", options.pairs, options.body_bytes, pace.describe());
    deliveries::tell(&played, load, "messages", &mut report)?;
    let missed = pace.missed(played.measured.counted as f64, played.measured.time, "were delivered");
    if let Some(missed) = missed.filter(|_| played.fault.is_none()) {
        report.complain(missed);
    }
    report.finish(common)
}

impl Chat {
    fn new(options: &Options, accounts: &[Account], pace: Pace, (n, threads): (usize, usize)) -> Result<Self, String> {
        let direction = || Direction { to: String::new(), ledger: Ledger::new(1) };
        Ok(Self {
            muster: Muster::new(accounts.to_vec(), options.common.logins_at_once.div_ceil(threads)),
            directions: accounts.iter().map(|_| direction()).collect(),
            pace,
            to: options.to,
            phase: Phase::Muster,
            playing: false,
            schedule: pace.schedule(threads),
            next_direction: 0,
            mark: Mark::new(n),
            body_bytes: options.body_bytes,
            ack_every: options.common.stream_management.then_some(options.ack_every),
            tally: Deliveries::new()?,
            message: Vec::new(),
        })
    }

    fn lost(&self) -> u64 {
        self.directions.iter().map(|d| d.ledger.owed()).sum()
    }

    /// Sends the next message of a direction.
    fn send(&mut self, engine: &mut Engine<'_>, n: usize, scheduled: Instant) {
        let direction = &mut self.directions[n];
        if direction.to.is_empty() {
            let Some(peer) = engine.client(n ^ 1) else { return };
            let jid = peer.ladder.jid.as_str();
            let bare = jid.split('/').next().unwrap_or(jid);
            direction.to = if self.to == To::Full { jid } else { bare }.to_owned();
        }
        let number = direction.ledger.send(Sent { scheduled, measured: self.phase == Phase::Measure });
        let (out, to) = (&mut self.message, &direction.to);
        out.clear();
        // Writing to a vector cannot fail.
        let _ = write!(out, "<message to='{to}' type='chat' id='{n}.{number}'><body>");
        self.mark.write(out, n, number, self.body_bytes);
        out.extend_from_slice(b"</body></message>");
        if self.ack_every.is_some_and(|every| direction.ledger.sent().is_multiple_of(every)) {
            out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
        }
        engine.send(n, &self.message);
    }

    fn receive(&mut self, engine: &mut Engine<'_>, slot: usize, stanza: &[u8]) {
        if frame::name(stanza) != b"message" {
            return;
        }
        if frame::attribute(stanza, b"type") == Some(b"error") {
            self.tally.counts.refused += 1;
            self.tally.counts.note(stanza);
            return;
        }
        let Some(body) = frame::text(stanza, "body") else { return };
        let n = slot ^ 1;
        let sender = engine.client(n).map_or("", |c| c.ladder.jid.as_str());
        // The floor relays without a `from`.
        let from_sender = frame::attribute(stanza, b"from").is_none_or(|from| from == sender.as_bytes());
        let whole = body.len() == self.body_bytes;
        let ours = self.mark.read(body).filter(|(sender, _)| *sender == n && from_sender && whole);
        let Some((_, number)) = ours else {
            self.tally.counts.strange += 1;
            self.tally.counts.note(stanza);
            return;
        };
        let Some(arrival) = self.directions[n].ledger.arrived(0, number, &mut self.tally.counts) else {
            self.tally.counts.note(stanza);
            return;
        };
        arrival.sent.note(engine.now, &mut self.tally.latency);
        if matches!(self.pace, Pace::Closed { .. }) && self.phase.plays() {
            self.send(engine, n, engine.now);
        }
    }
}

impl Part for Chat {
    type Outcome = Deliveries;

    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        self.phase = phase;
        self.muster.turn(engine);
        if !phase.plays() {
            return None;
        }
        if let Pace::Closed { window } = self.pace
            && !self.playing
        {
            for n in 0..self.directions.len() {
                (0..window).for_each(|_| self.send(engine, n, engine.now));
            }
        }
        self.playing = true;
        while let Some(due) = self.schedule.as_mut().and_then(|schedule| schedule.due(engine.now)) {
            self.send(engine, self.next_direction, due);
            if phase == Phase::Measure {
                times::record(&mut self.tally.lag, engine.now - due);
            }
            self.next_direction = (self.next_direction + 1) % self.directions.len();
        }
        self.schedule.as_ref().and_then(Schedule::next)
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        if let Some(stanza) = self.muster.event(engine, slot, event) {
            self.receive(engine, slot, stanza);
        }
    }

    fn counted(&self) -> u64 {
        self.tally.counts.delivered
    }

    fn progress(&self) -> usize {
        self.muster.online()
    }

    fn ready(&self) -> bool {
        self.muster.complete()
    }

    fn drained(&self) -> bool {
        self.lost() == 0
    }

    fn outcome(self) -> Deliveries {
        let lost = self.lost();
        Deliveries { server: self.muster.server, lost, ..self.tally }
    }
}

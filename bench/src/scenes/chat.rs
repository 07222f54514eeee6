//! Question: what does one delivered 1:1 message cost the server, and how long does it take?
//!
//! Pairs of clients write to each other. Closed loop: each direction keeps a window of messages on their way, which is
//! full speed. Open loop: messages leave at a fixed rate whatever the server does, and latency counts from the moment
//! that was scheduled, so a stall is not hidden by the sender's waiting for it. Every message is numbered: what is lost,
//! doubled, overtaken or refused is counted and makes the scene invalid.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use serde_json::json;

use crate::control::Phase;
use crate::engine::{Engine, Event, Part};
use crate::frame;
use crate::ladder::Account;
use crate::meter::Meter;
use crate::muster::Muster;
use crate::options::{Common, seconds, some_seconds};
use crate::report::{Report, histogram};
use crate::stage::Stage;

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
    /// Full speed with a window (closed) or a rate (open); open, if --rate is given
    #[arg(long)]
    mode: Option<Mode>,
    /// Closed loop: messages on their way in each direction of each pair
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    window: Option<usize>,
    /// Open loop: messages a second, of all pairs together
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Length of each body
    #[arg(long, value_name = "N", default_value_t = 120)]
    body_bytes: usize,
    /// Address messages to the full JID, as after a first answer, or to the bare one
    #[arg(long, default_value = "full")]
    to: To,
    /// With --sm: a client asks for an acknowledgement after so many messages
    #[arg(long, value_name = "N", default_value_t = 10)]
    ack_every: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Closed,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    Full,
    Bare,
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    Closed {
        window: usize,
    },
    /// Time between two messages of one part.
    Open {
        interval: Duration,
    },
}

/// When a message was to be sent, and whether that was in the measured time.
#[derive(Clone, Copy)]
struct Sent {
    scheduled: Instant,
    measured: bool,
}

/// One direction of a pair. Slot n sends in direction n, slot n^1 receives.
#[derive(Default)]
struct Direction {
    to: String,
    sent: u64,
    /// The next number to come.
    expected: u64,
    /// From `expected` on.
    on_their_way: VecDeque<Sent>,
    /// Below `expected`, and not come.
    overtaken: BTreeMap<u64, Sent>,
}

/// What went wrong, and right.
#[derive(Default)]
struct Counts {
    delivered: u64,
    duplicated: u64,
    out_of_order: u64,
    refused: u64,
    strange: u64,
    /// The first of those.
    example: String,
}

struct Chat {
    muster: Muster,
    directions: Vec<Direction>,
    pace: Pace,
    to: To,
    phase: Phase,
    /// Whether the windows are filled.
    playing: bool,
    next_due: Option<Instant>,
    next_direction: usize,
    /// Tells this run's messages from those that wait from another.
    token: String,
    body_bytes: usize,
    ack_every: Option<u64>,
    counts: Counts,
    latency: Histogram<u64>,
    lag: Histogram<u64>,
    message: Vec<u8>,
}

/// Least room for token, direction and number.
const BODY_BYTES_MIN: usize = 48;

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let common = &options.common;
    if options.pairs == 0 {
        return Err("--pairs 0 measures nothing: write --pairs 50".to_owned());
    }
    if !(BODY_BYTES_MIN..=65_536).contains(&options.body_bytes) {
        return Err(format!("--body-bytes {}: write {BODY_BYTES_MIN} to 65536", options.body_bytes));
    }
    if options.ack_every == 0 {
        return Err("--ack-every 0: write 1 or more, or leave --sm out".to_owned());
    }
    let clients = options.pairs * 2;
    let halved = common.accounts_len()? / 2;
    let accounts = common.accounts(clients, &format!("--pairs {halved}, or --accounts {clients} when they exist"))?;
    Common::raise_descriptors(clients)?;
    let threads = common.threads(options.pairs)?;
    let pace = pace(options, threads)?;
    let meter = Meter::new(common.pids.clone())?;
    let settings = json!({
        "pairs": options.pairs,
        "window": if let Pace::Closed { window } = pace { Some(window) } else { None },
        "rate": options.rate,
        "body_bytes": options.body_bytes,
        "to": format!("{:?}", options.to).to_lowercase(),
        "stream_management": common.stream_management,
        "ack_every": options.ack_every,
        "carbons": common.carbons,
        "direct_tls": common.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("chat", common, settings);
    let stage = Stage {
        target: common.target(true, false)?,
        meter: &meter,
        warm: options.warm,
        measure: options.seconds,
        patience: common.patience(),
        instructions: common.instructions,
    };
    let pairs: Vec<Vec<Account>> = accounts.chunks(2).map(<[_]>::to_vec).collect();
    let parts = (0..threads)
        .map(|n| Chat::new(options, &super::share(&pairs, n, threads).concat(), pace, (n, threads)))
        .collect::<Result<_, _>>()?;
    let played = stage.play(parts)?;
    report.version(played.parts.iter().find_map(|p| p.muster.server.as_ref()));

    let measured = &played.measured;
    let rate = measured.counted as f64 / measured.time.as_secs_f64();
    let how = match pace {
        Pace::Closed { window } => format!("closed loop, window {window}"),
        Pace::Open { .. } => format!("open loop, {} /s", options.rate.unwrap_or(0.0)),
    };
    report.row(
        "load",
        format!("{} pairs, {} bytes, {how}, {:.1} s", options.pairs, options.body_bytes, measured.time.as_secs_f64()),
    );
    let sum = |of: fn(&Chat) -> u64| played.parts.iter().map(of).sum::<u64>();
    let lost = sum(Chat::lost);
    let (duplicated, out_of_order) = (sum(|c| c.counts.duplicated), sum(|c| c.counts.out_of_order));
    let (refused, strange) = (sum(|c| c.counts.refused), sum(|c| c.counts.strange));
    report.row(
        "delivered",
        format!(
            "{}, {rate:.0} /s; lost {lost}, duplicated {duplicated}, out of order {out_of_order}, refused {refused}",
            measured.counted
        ),
    );
    let (mut latency, mut lag) = (histogram()?, histogram()?);
    for part in &played.parts {
        latency.add(&part.latency).map_err(|e| e.to_string())?;
        lag.add(&part.lag).map_err(|e| e.to_string())?;
    }
    report.latency("latency ms", "latency", &latency);
    report.latency("sent late ms", "generator_lag", &lag);
    report.server(common, &played, "delivered");
    report.raw("faults", json!({ "lost": lost, "duplicated": duplicated, "out_of_order": out_of_order, "refused": refused, "strange": strange }));
    if !meter.is_blind() && measured.counted > 0 {
        report
            .raw("server_cpu_us_per_delivered", (measured.usage.cpu_ns as f64 / 1e3 / measured.counted as f64).into());
    }

    let example = played.parts.iter().map(|p| p.counts.example.as_str()).find(|e| !e.is_empty()).unwrap_or_default();
    for (count, what) in
        [(lost, "lost"), (duplicated, "duplicated"), (out_of_order, "out of order"), (refused, "refused")]
    {
        if count > 0 && played.fault.is_none() {
            report.complain(format!("{count} messages {what} {example}").trim_end().to_owned());
        }
    }
    if strange > 0 {
        report.row("strange", format!("{strange} messages that nobody of this run sent, the first: {example}"));
    }
    if played.fault.is_none() {
        if measured.counted == 0 {
            report.complain("nothing was delivered");
        } else if let Some(asked) = options.rate.filter(|asked| rate < asked * 0.98 - 1.0) {
            report.complain(format!("{rate:.0} /s were delivered and {asked} /s sent: write a lower --rate"));
        }
    }
    report.finish(common)
}

fn pace(options: &Options, threads: usize) -> Result<Pace, String> {
    let window = options.window.unwrap_or(16);
    match (options.mode, options.rate) {
        (Some(Mode::Closed), Some(rate)) => {
            Err(format!("--rate belongs to the open loop: write --mode open --rate {rate}, or leave --rate out"))
        }
        (Some(Mode::Open), None) => Err("the open loop needs a rate: write --mode open --rate 100".to_owned()),
        (_, Some(rate)) if (0.01..=10_000_000.0).contains(&rate) => {
            Ok(Pace::Open { interval: Duration::from_secs_f64(threads as f64 / rate) })
        }
        (_, Some(rate)) => Err(format!("--rate {rate}: write messages a second, as --rate 100")),
        (_, None) if (1..=100_000).contains(&window) => Ok(Pace::Closed { window }),
        (_, None) => Err(format!("--window {window}: write 1 to 100000")),
    }
}

impl Chat {
    fn new(options: &Options, accounts: &[Account], pace: Pace, (n, threads): (usize, usize)) -> Result<Self, String> {
        let mut directions = Vec::new();
        directions.resize_with(accounts.len(), Direction::default);
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Ok(Self {
            muster: Muster::new(accounts.to_vec(), options.common.logins_at_once.div_ceil(threads)),
            directions,
            pace,
            to: options.to,
            phase: Phase::Muster,
            playing: false,
            next_due: None,
            next_direction: 0,
            token: format!("wb{:x}t{n}", started & 0xffff_ffff_ffff),
            body_bytes: options.body_bytes,
            ack_every: options.common.stream_management.then_some(options.ack_every),
            counts: Counts::default(),
            latency: histogram()?,
            lag: histogram()?,
            message: Vec::new(),
        })
    }

    fn lost(&self) -> u64 {
        self.directions.iter().map(|d| (d.on_their_way.len() + d.overtaken.len()) as u64).sum()
    }

    /// Sends the next message of a direction.
    fn send(&mut self, engine: &mut Engine<'_>, n: usize, scheduled: Instant) {
        if self.directions[n].to.is_empty() {
            let Some(peer) = engine.client(n ^ 1) else { return };
            let jid = peer.ladder.jid.as_str();
            let bare = jid.split('/').next().unwrap_or(jid);
            self.directions[n].to = if self.to == To::Full { jid } else { bare }.to_owned();
        }
        let direction = &mut self.directions[n];
        let number = direction.sent;
        direction.sent += 1;
        direction.on_their_way.push_back(Sent { scheduled, measured: self.phase == Phase::Measure });
        let (out, to, token) = (&mut self.message, &direction.to, &self.token);
        out.clear();
        // Writing to a vector cannot fail.
        let _ = write!(out, "<message to='{to}' type='chat' id='{n}.{number}'><body>");
        let body = out.len();
        let _ = write!(out, "{token} {n} {number} ");
        out.resize((body + self.body_bytes).max(out.len()), b'.');
        out.extend_from_slice(b"</body></message>");
        if self.ack_every.is_some_and(|every| direction.sent.is_multiple_of(every)) {
            out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
        }
        engine.send(n, &self.message);
    }

    fn receive(&mut self, engine: &mut Engine<'_>, slot: usize, stanza: &[u8]) {
        if frame::name(stanza) != b"message" {
            return;
        }
        if frame::attribute(stanza, b"type") == Some(b"error") {
            self.counts.refused += 1;
            self.note(stanza);
            return;
        }
        let Some(body) = frame::text(stanza, "body") else { return };
        let n = slot ^ 1;
        let sender = engine.client(n).map_or("", |c| c.ladder.jid.as_str());
        // The floor relays without a `from`.
        let from_sender = frame::attribute(stanza, b"from").is_none_or(|from| from == sender.as_bytes());
        let Some(number) = self.number(body, n).filter(|_| from_sender) else {
            self.counts.strange += 1;
            self.note(stanza);
            return;
        };
        let Some(sent) = self.directions[n].arrived(number, &mut self.counts) else {
            self.note(stanza);
            return;
        };
        self.counts.delivered += 1;
        if sent.measured {
            let took = engine.now.saturating_duration_since(sent.scheduled);
            self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        if matches!(self.pace, Pace::Closed { .. }) && matches!(self.phase, Phase::Warm | Phase::Measure) {
            self.send(engine, n, engine.now);
        }
    }

    /// The number in a body, if it is one of ours, whole, and of this direction.
    fn number(&self, body: &[u8], n: usize) -> Option<u64> {
        let body = std::str::from_utf8(body).ok().filter(|b| b.len() == self.body_bytes)?;
        let mut words = body.strip_prefix(&self.token)?.split(' ').skip(1);
        let direction: usize = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        (direction == n).then_some(number)
    }

    fn note(&mut self, stanza: &[u8]) {
        if self.counts.example.is_empty() {
            self.counts.example = frame::excerpt(stanza);
        }
    }
}

impl Direction {
    /// Counts the arrival of a number. `None` when it came before, or was never sent.
    fn arrived(&mut self, number: u64, counts: &mut Counts) -> Option<Sent> {
        if number >= self.sent {
            counts.strange += 1;
            return None;
        }
        if number < self.expected {
            let late = self.overtaken.remove(&number);
            *(if late.is_some() { &mut counts.out_of_order } else { &mut counts.duplicated }) += 1;
            return late;
        }
        while self.expected < number {
            let sent = self.on_their_way.pop_front()?;
            self.overtaken.insert(self.expected, sent);
            self.expected += 1;
        }
        self.expected += 1;
        self.on_their_way.pop_front()
    }
}

impl Part for Chat {
    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        self.phase = phase;
        self.muster.turn(engine);
        if !matches!(phase, Phase::Warm | Phase::Measure) {
            return None;
        }
        match self.pace {
            Pace::Closed { window } => {
                if !self.playing {
                    self.playing = true;
                    for n in 0..self.directions.len() {
                        (0..window).for_each(|_| self.send(engine, n, engine.now));
                    }
                }
                None
            }
            Pace::Open { interval } => {
                let mut due = self.next_due.unwrap_or(engine.now);
                while due <= engine.now {
                    self.send(engine, self.next_direction, due);
                    if phase == Phase::Measure {
                        let late = engine.now - due;
                        self.lag.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
                    }
                    self.next_direction = (self.next_direction + 1) % self.directions.len();
                    due += interval;
                }
                self.next_due = Some(due);
                Some(due)
            }
        }
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        if let Some(stanza) = self.muster.event(engine, slot, event) {
            self.receive(engine, slot, stanza);
        }
    }

    fn counted(&self) -> u64 {
        self.counts.delivered
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
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Counts, Direction, Sent};
    use std::time::Instant;

    #[test]
    fn arrivals_are_told_apart() {
        let mut direction = Direction { sent: 6, ..Direction::default() };
        let sent = Sent { scheduled: Instant::now(), measured: true };
        direction.on_their_way.extend([sent; 6]);
        let mut counts = Counts::default();
        let came: Vec<bool> = [0, 3, 1, 3, 1, 4, 9].map(|n| direction.arrived(n, &mut counts).is_some()).into();
        assert_eq!(came, [true, true, true, false, false, true, false]);
        assert_eq!((counts.out_of_order, counts.duplicated, counts.strange), (1, 2, 1));
        // 2 was overtaken and 5 is on its way.
        assert_eq!(direction.overtaken.keys().copied().collect::<Vec<_>>(), [2]);
        assert_eq!(direction.on_their_way.len(), 1);
    }
}

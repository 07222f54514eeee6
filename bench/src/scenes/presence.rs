//! Question: what does a presence cost the server that reaches a whole roster, and how long does it take?
//!
//! Clients come in circles in which everybody is subscribed to everybody else, so that each has a roster of `--roster`
//! contacts, all of them online; subscriptions that are missing are made before. `--change status`: they change their status
//! texts, in a closed loop (a window of changes for each circle) or at a rate. `--change login`: one of a circle is always
//! away; it logs in, and when all know of one another the next one logs out. An operation is a presence that reached
//! somebody. What is lost, doubled, overtaken or refused makes the scene invalid.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::circle::{Circle, Door, Heard};
use crate::control::Phase;
use crate::deliveries::{self, Deliveries};
use crate::engine::{Engine, Event, Part};
use crate::frame;
use crate::friends::Friends;
use crate::ladder::Account;
use crate::ledger::Sent;
use crate::mark::Mark;
use crate::muster::Muster;
use crate::options::{Common, seconds, some_seconds};
use crate::pace::{Pace, Paced, Schedule};
use crate::report::Report;
use crate::stage::Stage;
use crate::times;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Contacts on each roster
    #[arg(long, value_name = "N", default_value_t = 20)]
    roster: usize,
    /// Circles of clients who know one another; as many as there are accounts for, if not said
    #[arg(long, value_name = "N")]
    circles: Option<usize>,
    /// What makes the presences: changed status texts, or logins and logouts
    #[arg(long, default_value = "status")]
    change: Change,
    #[arg(long, default_value = "10", value_parser = some_seconds)]
    seconds: Duration,
    /// Not counted before
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    warm: Duration,
    #[command(flatten)]
    pace: Paced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Change {
    Status,
    Login,
}

struct Presence {
    muster: Muster,
    friends: Friends,
    circles: Vec<Circle>,
    change: Change,
    pace: Pace,
    schedule: Option<Schedule>,
    /// Moments of logins for which no circle is ready.
    waiting: VecDeque<Instant>,
    phase: Phase,
    /// Whether everybody has announced itself.
    playing: bool,
    next: usize,
    tally: Deliveries,
}

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let common = &options.common;
    if !(1..=5_000).contains(&options.roster) {
        return Err(format!("--roster {}: write 1 to 5000", options.roster));
    }
    let size = options.roster + 1;
    let all = common.groups(size, options.circles, "--circles", &format!("a roster of {}", options.roster))?;
    let circles = all.len();
    let threads = common.threads(circles)?;
    let pace = options.pace.pace(1)?;
    if options.change == Change::Login && pace.window().is_some_and(|window| window > 1) {
        return Err("one of a circle comes or goes at a time: leave --window out, and write more --circles".to_owned());
    }
    let mut target = common.target(true, false)?;
    // The scene sends presence itself: each says whose it is and which.
    target.terms.presence = false;
    let stage = Stage::new(common, target, options.warm, options.seconds)?;
    let settings = json!({
        "roster": options.roster,
        "circles": circles,
        "change": format!("{:?}", options.change).to_lowercase(),
        "window": pace.window(),
        "rate": pace.rate(),
        "stream_management": common.stream_management,
        "carbons": common.carbons,
        "direct_tls": common.reach.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("presence", common, stage.meter(), settings);
    let parts = (0..threads)
        .map(|n| Presence::new(options, super::share(&all, n, threads).concat(), pace, (n, threads)))
        .collect::<Result<_, _>>()?;
    let Some(played) = stage.play(parts)? else { return Ok(0) };

    let login = options.change == Change::Login;
    // A login reaches all contacts, and all contacts reach it; then the next one leaves.
    let each = options.roster as f64 * if login { 3.0 } else { 1.0 };
    let changes = if login { "logins and logouts" } else { "changes" };
    let seconds = played.measured.time.as_secs_f64();
    let came = played.measured.counted as f64 / each;
    let rate = came / seconds;
    let load = format!("{circles} circles of {size}, {rate:.1} {changes} /s, {}, {seconds:.1} s", pace.describe());
    deliveries::tell(&played, load, "presences", &mut report)?;
    let missed = pace.missed(came, played.measured.time, &format!("{changes} came about"));
    if let Some(missed) = missed.filter(|_| played.fault.is_none()) {
        report.complain(missed);
    }
    report.finish(common)
}

impl Presence {
    fn new(
        options: &Options,
        accounts: Vec<Account>,
        pace: Pace,
        (n, threads): (usize, usize),
    ) -> Result<Self, String> {
        let (size, domain) = (options.roster + 1, &options.common.reach.domain);
        let jids = accounts.iter().map(|account| format!("{}@{domain}", account.localpart)).collect();
        let others = |slot: usize| {
            let first = slot - slot % size;
            (first..first + size).filter(|other| *other != slot).collect()
        };
        let friends = Friends::new(jids, (0..accounts.len()).map(others));
        let mark = Mark::new(n);
        let circles = accounts.chunks(size).enumerate();
        let circles = circles.map(|(n, them)| Circle::new(n * size, them.to_vec(), domain.clone(), mark.clone()));
        Ok(Self {
            circles: circles.collect(),
            muster: Muster::new(accounts, options.common.logins_at_once.div_ceil(threads)),
            friends,
            change: options.change,
            pace,
            schedule: pace.schedule(threads),
            waiting: VecDeque::new(),
            phase: Phase::Muster,
            playing: false,
            next: 0,
            tally: Deliveries::new()?,
        })
    }

    fn lost(&self) -> u64 {
        self.circles.iter().map(Circle::owed).sum()
    }

    fn sent(&self, scheduled: Instant) -> Sent {
        Sent { scheduled, measured: self.phase == Phase::Measure }
    }

    /// The next member of all, circle by circle, announces something.
    fn change(&mut self, engine: &mut Engine<'_>, circle: usize, scheduled: Instant) {
        let (member, sent) = (self.next / self.circles.len() % self.circles[circle].size(), self.sent(scheduled));
        self.next += 1;
        self.circles[circle].announce(engine, member, sent);
    }

    /// Goes on with a circle in which all has come that was on its way.
    fn settle(&mut self, engine: &mut Engine<'_>, circle: usize) {
        let Some(passed) = self.circles[circle].settle() else { return };
        let size = self.circles[circle].size();
        match passed {
            Door::Comes { sent, .. } => sent.note(engine.now, &mut self.tally.latency),
            _ if self.change == Change::Status => return,
            _ => {}
        }
        match self.circles[circle].door() {
            Door::Shut if self.phase.plays() => {
                let next = if let Door::Comes { member, .. } = passed { (member + 1) % size } else { 0 };
                let sent = self.sent(engine.now);
                self.circles[circle].leave(engine, next, sent);
            }
            Door::Away { member } if self.phase.plays() => {
                let due = if self.schedule.is_some() { self.waiting.pop_front() } else { Some(engine.now) };
                if let Some(due) = due {
                    let sent = self.sent(due);
                    self.circles[circle].come(engine, member, sent);
                }
            }
            _ => {}
        }
    }
}

impl Part for Presence {
    type Outcome = Deliveries;

    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        self.phase = phase;
        if phase == Phase::Muster {
            self.muster.turn(engine);
            self.friends.turn(engine);
        }
        if !self.phase.plays() {
            return None;
        }
        if !self.playing {
            self.playing = true;
            let window = if self.change == Change::Login { None } else { self.pace.window() };
            for circle in 0..self.circles.len() {
                let sent = self.sent(engine.now);
                match window {
                    Some(window) => (0..window).for_each(|_| self.change(engine, circle, engine.now)),
                    // Who comes later is to hear of everybody.
                    None => {
                        (0..self.circles[circle].size()).for_each(|n| self.circles[circle].announce(engine, n, sent))
                    }
                }
            }
        }
        while let Some(due) = self.schedule.as_mut().and_then(|schedule| schedule.due(engine.now)) {
            if self.change == Change::Login {
                self.waiting.push_back(due);
                continue;
            }
            self.change(engine, self.next % self.circles.len(), due);
            if phase == Phase::Measure {
                times::record(&mut self.tally.lag, engine.now - due);
            }
        }
        for circle in 0..self.circles.len() {
            if self.waiting.is_empty() {
                break;
            }
            if matches!(self.circles[circle].door(), Door::Away { .. }) {
                self.settle(engine, circle);
            }
        }
        self.schedule.as_ref().and_then(Schedule::next)
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        let size = self.circles[0].size();
        let (circle, member) = (slot / size, slot % size);
        match event {
            Event::Online if self.circles[circle].arrived(engine, member) => return,
            Event::Gone { asked: true, .. } if self.circles[circle].left(member) => {
                return self.settle(engine, circle);
            }
            Event::Online => {
                engine.send(slot, b"<presence/>");
                self.friends.online(engine, slot);
            }
            _ => {}
        }
        let Some(stanza) = self.muster.event(engine, slot, event) else { return };
        if self.phase == Phase::Muster {
            return self.friends.event(engine, slot, stanza);
        }
        if frame::name(stanza) != b"presence" {
            return;
        }
        if frame::attribute(stanza, b"type") == Some(b"error") {
            self.tally.counts.refused += 1;
            return self.tally.counts.note(stanza);
        }
        match self.circles[circle].hear(member, stanza, &mut self.tally.counts) {
            Heard::Nothing | Heard::Welcome => {}
            Heard::Wrong => self.tally.counts.note(stanza),
            Heard::News(arrival) if self.change == Change::Status => {
                arrival.sent.note(engine.now, &mut self.tally.latency);
                if arrival.last && self.pace.window().is_some() && self.phase.plays() {
                    self.change(engine, circle, engine.now);
                }
            }
            Heard::News(_) => {}
        }
        self.settle(engine, circle);
    }

    fn counted(&self) -> u64 {
        self.tally.counts.delivered
    }

    fn progress(&self) -> usize {
        self.muster.online() + self.friends.steps()
    }

    fn ready(&self) -> bool {
        self.muster.complete() && self.friends.complete()
    }

    fn drained(&self) -> bool {
        // Whoever is on the way in has announced nothing yet.
        let passed = |circle: &Circle| matches!(circle.door(), Door::Shut | Door::Away { .. });
        self.lost() == 0 && self.circles.iter().all(passed)
    }

    fn outcome(self) -> Deliveries {
        let lost = self.lost();
        Deliveries { server: self.muster.server, lost, ..self.tally }
    }
}

//! Question: what does a message to a room cost the server for each occupant who gets it, and how long does it take?
//!
//! Each room (XEP-0045) has `--occupants` occupants, who speak in turn: in a closed loop a window of messages for each room,
//! and the next one leaves when one has reached everybody; or at a rate. Rooms are made anew, open and not persistent, so that
//! nothing is left of them. Whoever speaks hears it too. An operation is a message that reached an occupant. What is lost,
//! doubled, overtaken or refused makes the scene invalid.

use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
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

/// Rooms of one thread that people enter at once.
const AT_ONCE: usize = 8;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Occupants of each room
    #[arg(long, value_name = "N", default_value_t = 20)]
    occupants: usize,
    /// Rooms; as many as there are accounts for, if not said
    #[arg(long, value_name = "N")]
    rooms: Option<usize>,
    /// The domain of the rooms; conference. before --domain, if not said
    #[arg(long, value_name = "DOMAIN")]
    service: Option<String>,
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
}

/// The id of the request that opens a room.
const OPENING: &[u8] = b"opening";

/// One room; its occupants sit in slots that follow one another.
struct Hall {
    jid: String,
    /// What each occupant said, for all of them.
    ledgers: Vec<Ledger>,
    /// Who is inside.
    inside: Vec<bool>,
    outside: usize,
    /// Who speaks next.
    next: usize,
}

struct Rooms {
    muster: Muster,
    halls: Vec<Hall>,
    size: usize,
    /// The first ones have been begun, and so many of them are complete.
    begun: usize,
    complete: usize,
    entered: usize,
    pace: Pace,
    schedule: Option<Schedule>,
    phase: Phase,
    /// Whether the windows are filled.
    playing: bool,
    next_hall: usize,
    mark: Mark,
    body_bytes: usize,
    tally: Deliveries,
    message: Vec<u8>,
}

/// Plays the scene.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let (common, size) = (&options.common, options.occupants);
    if !(2..=5_000).contains(&size) {
        return Err(format!("--occupants {size}: write 2 to 5000"));
    }
    let all = common.groups(size, options.rooms, "--rooms", &format!("a room of {size}"))?;
    let rooms = all.len();
    let threads = common.threads(rooms)?;
    let pace = options.pace.pace(4)?;
    let service = options.service.clone().unwrap_or_else(|| format!("conference.{}", common.reach.domain));
    let stage = Stage::new(common, common.target(true, false)?, options.warm, options.seconds)?;
    let settings = json!({
        "occupants": size,
        "rooms": rooms,
        "service": service,
        "window": pace.window(),
        "rate": pace.rate(),
        "body_bytes": options.body_bytes,
        "stream_management": common.stream_management,
        "carbons": common.carbons,
        "direct_tls": common.reach.direct_tls,
        "threads": threads,
    });
    let mut report = Report::new("room", common, stage.meter(), settings);
    let parts = (0..threads)
        .map(|n| Rooms::new(options, &super::share(&all, n, threads), &service, pace, (n, threads)))
        .collect::<Result<_, _>>()?;
    let Some(played) = stage.play(parts)? else { return Ok(0) };
    let seconds = played.measured.time.as_secs_f64();
    let came = played.measured.counted as f64 / size as f64;
    let rate = came / seconds;
    let load = format!(
        "{rooms} rooms of {size}, {rate:.1} messages /s, {} bytes, {}, {seconds:.1} s",
        options.body_bytes,
        pace.describe()
    );
    deliveries::tell(&played, load, "messages", &mut report)?;
    let missed = pace.missed(came, played.measured.time, "messages were said");
    if let Some(missed) = missed.filter(|_| played.fault.is_none()) {
        report.complain(missed);
    }
    report.finish(common)
}

impl Hall {
    fn new(jid: String, size: usize) -> Self {
        let ledgers = (0..size).map(|_| Ledger::new(size)).collect();
        Self { jid, ledgers, inside: vec![false; size], outside: size, next: 0 }
    }

    fn enter(&self, engine: &mut Engine<'_>, slot: usize, member: usize) {
        let (jid, ns) = (&self.jid, "http://jabber.org/protocol/muc");
        let presence =
            format!("<presence to='{jid}/n{member}'><x xmlns='{ns}'><history maxstanzas='0'/></x></presence>");
        engine.send(slot, presence.as_bytes());
    }

    /// Whoever made it says that it is for everybody, and goes with the last (XEP-0045 section 10.1.3).
    fn open(&self, engine: &mut Engine<'_>, slot: usize) {
        let field = |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
        let fields = [
            field("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
            field("muc#roomconfig_membersonly", "0"),
            field("muc#roomconfig_persistentroom", "0"),
        ];
        let iq = format!(
            "<iq type='set' id='opening' to='{}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>{}</x></query></iq>",
            self.jid,
            fields.concat()
        );
        engine.send(slot, iq.as_bytes());
    }

    /// The occupant of whom a stanza is.
    fn speaker(&self, from: &[u8]) -> Option<usize> {
        let nick = from.strip_prefix(self.jid.as_bytes())?.strip_prefix(b"/n")?;
        std::str::from_utf8(nick).ok()?.parse().ok().filter(|member| *member < self.ledgers.len())
    }

    fn owed(&self) -> u64 {
        self.ledgers.iter().map(Ledger::owed).sum()
    }
}

impl Rooms {
    fn new(
        options: &Options,
        rooms: &[Vec<Account>],
        service: &str,
        pace: Pace,
        (n, threads): (usize, usize),
    ) -> Result<Self, String> {
        let mark = Mark::new(n);
        // Of this run, and of whoever makes it: no other thread or process has it.
        let jid = |them: &Vec<Account>| format!("{}-{}@{service}", mark.token(), them[0].localpart);
        Ok(Self {
            muster: Muster::new(rooms.concat(), options.common.logins_at_once.div_ceil(threads)),
            halls: rooms.iter().map(|them| Hall::new(jid(them), options.occupants)).collect(),
            size: options.occupants,
            begun: 0,
            complete: 0,
            entered: 0,
            pace,
            schedule: pace.schedule(threads),
            phase: Phase::Muster,
            playing: false,
            next_hall: 0,
            mark,
            body_bytes: options.body_bytes,
            tally: Deliveries::new()?,
            message: Vec::new(),
        })
    }

    fn lost(&self) -> u64 {
        self.halls.iter().map(Hall::owed).sum()
    }

    /// Begins as many rooms as may be under way.
    fn fill(&mut self, engine: &mut Engine<'_>) {
        while self.muster.complete() && self.begun < self.halls.len() && self.begun - self.complete < AT_ONCE {
            self.halls[self.begun].enter(engine, self.begun * self.size, 0);
            self.begun += 1;
        }
    }

    /// Takes what concerns entering.
    fn admit(&mut self, engine: &mut Engine<'_>, slot: usize, stanza: &[u8]) {
        let (hall, member) = (slot / self.size, slot % self.size);
        let room = &mut self.halls[hall];
        let is_error = frame::attribute(stanza, b"type") == Some(b"error");
        let is_opening = frame::name(stanza) == b"iq" && frame::attribute(stanza, b"id") == Some(OPENING);
        let from = frame::attribute(stanza, b"from").unwrap_or_default();
        if is_error && (is_opening || from.starts_with(room.jid.as_bytes())) {
            return engine.control.fail(format!("no room: {}", frame::excerpt(stanza)));
        }
        let is_own = frame::name(stanza) == b"presence" && room.speaker(from) == Some(member);
        if is_own && member == 0 && !room.inside[0] {
            return room.open(engine, slot);
        }
        if !(is_own || is_opening) || std::mem::replace(&mut room.inside[member], true) {
            return;
        }
        if is_opening {
            (1..self.size).for_each(|member| room.enter(engine, slot + member, member));
        }
        room.outside -= 1;
        self.entered += 1;
        self.complete += usize::from(room.outside == 0);
    }

    /// The next occupant of a room says something.
    fn speak(&mut self, engine: &mut Engine<'_>, hall: usize, scheduled: Instant) {
        let room = &mut self.halls[hall];
        let slot = hall * self.size + room.next;
        let number = room.ledgers[room.next].send(Sent { scheduled, measured: self.phase == Phase::Measure });
        room.next = (room.next + 1) % self.size;
        let out = &mut self.message;
        out.clear();
        // Writing to a vector cannot fail.
        let _ = write!(out, "<message to='{}' type='groupchat' id='{slot}.{number}'><body>", room.jid);
        self.mark.write(out, slot, number, self.body_bytes);
        out.extend_from_slice(b"</body></message>");
        engine.send(slot, out);
    }

    fn receive(&mut self, engine: &mut Engine<'_>, slot: usize, stanza: &[u8]) {
        if frame::name(stanza) != b"message" {
            return;
        }
        if frame::attribute(stanza, b"type") == Some(b"error") {
            self.tally.counts.refused += 1;
            return self.tally.counts.note(stanza);
        }
        let Some(body) = frame::text(stanza, "body") else { return };
        let (hall, member) = (slot / self.size, slot % self.size);
        let speaker = self.halls[hall].speaker(frame::attribute(stanza, b"from").unwrap_or_default());
        let said = self.mark.read(body).filter(|_| body.len() == self.body_bytes);
        let said = said.zip(speaker).filter(|((of, _), speaker)| *of == hall * self.size + speaker);
        let Some(((_, number), speaker)) = said else {
            self.tally.counts.strange += 1;
            return self.tally.counts.note(stanza);
        };
        let Some(arrival) = self.halls[hall].ledgers[speaker].arrived(member, number, &mut self.tally.counts) else {
            return self.tally.counts.note(stanza);
        };
        arrival.sent.note(engine.now, &mut self.tally.latency);
        if arrival.last && self.pace.window().is_some() && self.phase.plays() {
            self.speak(engine, hall, engine.now);
        }
    }
}

impl Part for Rooms {
    type Outcome = Deliveries;

    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant> {
        self.phase = phase;
        if phase == Phase::Muster {
            self.muster.turn(engine);
            self.fill(engine);
        }
        if !phase.plays() {
            return None;
        }
        if !std::mem::replace(&mut self.playing, true) {
            for hall in 0..self.halls.len() {
                (0..self.pace.window().unwrap_or(0)).for_each(|_| self.speak(engine, hall, engine.now));
            }
        }
        while let Some(due) = self.schedule.as_mut().and_then(|schedule| schedule.due(engine.now)) {
            self.speak(engine, self.next_hall, due);
            if phase == Phase::Measure {
                times::record(&mut self.tally.lag, engine.now - due);
            }
            self.next_hall = (self.next_hall + 1) % self.halls.len();
        }
        self.schedule.as_ref().and_then(Schedule::next)
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        let Some(stanza) = self.muster.event(engine, slot, event) else { return };
        if self.phase == Phase::Muster {
            self.admit(engine, slot, stanza);
        } else {
            self.receive(engine, slot, stanza);
        }
    }

    fn counted(&self) -> u64 {
        self.tally.counts.delivered
    }

    fn progress(&self) -> usize {
        self.muster.online() + self.entered
    }

    fn ready(&self) -> bool {
        self.complete == self.halls.len()
    }

    fn drained(&self) -> bool {
        self.lost() == 0
    }

    fn outcome(self) -> Deliveries {
        let lost = self.lost();
        Deliveries { server: self.muster.server, lost, ..self.tally }
    }
}

//! One thread's loop over its clients: epoll, and one flush for each client that a turn gave something to say.
//!
//! By hand rather than on an async runtime: the generator shares the machine with the server, so each of its system
//! calls and wake-ups is the server's loss; and timeouts are exact to the microsecond, which an open loop needs.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Client, Heard};
use crate::control::{Control, Phase};
use crate::frame::{self, Frame};
use crate::ladder::{Account, Ladder, Rung, Step, Terms};
use crate::scram::Salted;

/// Epoll's word for the control's bell; all others are slots of clients.
const BELL: u64 = u64::MAX;
/// Read at once from one socket, in bytes.
const SCRATCH_BYTES: usize = 64 << 10;

/// What the clients connect to, and how.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Where they come from, in turn; whatever the kernel chooses, if there is none.
    pub(crate) sources: Arc<[IpAddr]>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) terms: Terms,
}

/// What happens to a client.
pub(crate) enum Event<'a> {
    /// It is logged in, with all that the terms ask.
    Online,
    /// The server sent it this. Questions of stream management are answered already and not shown.
    Stanza(&'a [u8]),
    /// Its connection is gone and its slot free; `asked` when it was us who ended the stream.
    Gone { asked: bool, why: String },
}

/// A scene's part in one thread. All parts of a scene together are the scene; they may play in several processes, so
/// they share nothing but the accounts that they were made of.
pub(crate) trait Part: Send {
    /// What is left of it for the report.
    type Outcome: Serialize + DeserializeOwned;

    /// After each batch of events, and at the moment that the turn before asked for. May send and connect.
    fn turn(&mut self, engine: &mut Engine<'_>, phase: Phase) -> Option<Instant>;
    /// One event of one client.
    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>);
    /// Operations so far, of any phase.
    fn counted(&self) -> u64;
    /// Clients mustered so far.
    fn progress(&self) -> usize;
    /// Whether the warm-up may begin.
    fn ready(&self) -> bool;
    /// Whether nothing is on its way any more.
    fn drained(&self) -> bool;
    /// What it found, at the end.
    fn outcome(self) -> Self::Outcome;
}

/// One thread's clients.
pub(crate) struct Engine<'c> {
    pub(crate) control: &'c Control,
    pub(crate) target: Target,
    thread: usize,
    epoll: OwnedFd,
    clients: Vec<Option<Box<Client>>>,
    dirty: Vec<usize>,
    gone: Vec<(usize, bool, String)>,
    scratch: Box<[u8]>,
    /// What the client being served has sent, decrypted; its allocation serves all clients in turn.
    plain: Vec<u8>,
    salted: Salted,
    /// Connections begun so far.
    connections: usize,
    /// The moment the current batch of bytes was taken from the kernel.
    pub(crate) now: Instant,
}

impl<'c> Engine<'c> {
    pub(crate) fn new(control: &'c Control, thread: usize, target: Target) -> Result<Self, String> {
        // The kernel delays timers by 50 µs to gather them; an open loop must not.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).map_err(|e| format!("timer slack: {e}"))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| format!("epoll: {e}"))?;
        epoll::add(&epoll, control.bell(thread), epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)
            .map_err(|e| format!("epoll: {e}"))?;
        Ok(Self {
            control,
            thread,
            target,
            epoll,
            clients: Vec::new(),
            dirty: Vec::new(),
            gone: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            plain: Vec::new(),
            salted: Salted::default(),
            connections: 0,
            now: Instant::now(),
        })
    }

    /// Plays until the control says stop. The caller says the fault, if there is one, to the control.
    pub(crate) fn run(&mut self, part: &mut impl Part) -> Result<(), String> {
        let mut events = Vec::with_capacity(256);
        loop {
            self.now = Instant::now();
            let phase = self.control.phase();
            if phase == Phase::Stop {
                self.dismiss();
                return Ok(());
            }
            while let Some((slot, asked, why)) = self.gone.pop() {
                part.event(self, slot, Event::Gone { asked, why });
            }
            let next = part.turn(self, phase);
            self.flush();
            // Who fell while being written to is told of in the next round, at once.
            let next = if self.gone.is_empty() { next } else { Some(self.now) };
            // Before this thread knows that the sending is over, it may have sent what is not in its last tally.
            let drained = phase == Phase::Drain && part.drained();
            let tally = (part.counted(), part.progress(), part.ready(), drained);
            self.control.publish(self.thread, tally.0, tally.1, tally.2, tally.3);
            let timeout = next.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout =
                timeout.map(|d| Timespec { tv_sec: d.as_secs().cast_signed(), tv_nsec: d.subsec_nanos().into() });
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(format!("epoll: {e}")),
            }
            for event in &events {
                let data = event.data.u64();
                if data == BELL {
                    let _ = rustix::io::read(self.control.bell(self.thread), &mut [0_u8; 8]);
                } else if let Ok(slot) = usize::try_from(data) {
                    self.serve(slot, event.flags, part);
                }
            }
        }
    }

    /// Starts a client in a free slot; [`Event::Online`] or [`Event::Gone`] follows.
    pub(crate) fn connect(&mut self, slot: usize, account: &Account, resource: String) -> Result<(), String> {
        let terms = &self.target.terms;
        let sources = &self.target.sources;
        let source = sources.get(self.connections % sources.len().max(1)).copied();
        self.connections += 1;
        let mut client = Client::connect(self.target.address, source, Ladder::new(account.clone(), resource, terms))?;
        if terms.direct_tls {
            client.start_tls(&self.target.tls, &terms.domain)?;
        }
        client.ladder.open(terms, &mut client.out);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
        epoll::add(&self.epoll, &client.socket, epoll::EventData::new_u64(slot as u64), flags)
            .map_err(|e| format!("epoll: {e}"))?;
        if self.clients.len() <= slot {
            self.clients.resize_with(slot + 1, || None);
        }
        self.clients[slot] = Some(Box::new(client));
        Ok(())
    }

    /// Queues bytes for a client; they leave at the end of the turn. Nothing happens if it is gone.
    pub(crate) fn send(&mut self, slot: usize, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(slot).and_then(Option::as_mut) {
            client.out.extend_from_slice(bytes);
            if !client.dirty {
                client.dirty = true;
                self.dirty.push(slot);
            }
        }
    }

    /// Ends a client's stream; [`Event::Gone`] follows when the server has closed.
    pub(crate) fn close(&mut self, slot: usize) {
        if let Some(client) = self.clients.get_mut(slot).and_then(Option::as_mut) {
            client.close();
            self.send(slot, b"");
        }
    }

    pub(crate) fn client(&self, slot: usize) -> Option<&Client> {
        self.clients.get(slot)?.as_deref()
    }

    fn flush(&mut self) {
        while let Some(slot) = self.dirty.pop() {
            let Some(client) = self.clients[slot].as_mut() else { continue };
            client.dirty = false;
            // Before the connection stands, or while the socket is full, epoll says when to go on.
            if client.awaits_room {
                continue;
            }
            if let Err(why) = self.write(slot) {
                self.remove(slot, why);
            }
        }
    }

    /// Ends all streams, so that the server keeps nothing of this run for a resumption.
    fn dismiss(&mut self) {
        for client in self.clients.iter_mut().flatten() {
            if client.ladder.rung != Rung::Online {
                self.control.waited(client.ladder.rung, 1);
            }
            client.close();
            if client.awaits_room {
                continue;
            }
            // A server that cannot take it learns it from the closed socket.
            let _ = client.flush();
        }
        self.clients.clear();
    }

    fn write(&mut self, slot: usize) -> Result<(), String> {
        let Some(client) = self.clients[slot].as_mut() else { return Ok(()) };
        let full = !client.flush()?;
        if full != client.awaits_room {
            client.awaits_room = full;
            let flags = if full { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::modify(&self.epoll, &client.socket, epoll::EventData::new_u64(slot as u64), flags)
                .map_err(|e| format!("epoll: {e}"))?;
        }
        Ok(())
    }

    fn serve(&mut self, slot: usize, flags: epoll::EventFlags, part: &mut impl Part) {
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let mut outcome = Ok(Heard::Open);
        if flags.contains(epoll::EventFlags::OUT) {
            outcome = self.write(slot).map(|()| Heard::Open);
        }
        if outcome.is_ok() && flags.intersects(readable) {
            outcome = self.listen(slot, part);
        }
        match outcome {
            Ok(Heard::Open) => {}
            Ok(Heard::Ended) => self.remove(slot, "the server closed the connection".to_owned()),
            Err(why) => self.remove(slot, why),
        }
    }

    /// Reads a client's socket and hands out the frames in it.
    fn listen(&mut self, slot: usize, part: &mut impl Part) -> Result<Heard, String> {
        let Some(client) = self.clients[slot].as_mut() else { return Ok(Heard::Open) };
        let mut bytes = mem::take(&mut self.plain);
        bytes.append(&mut client.partial);
        let heard = client.read(&mut self.scratch, &mut bytes)?;
        if client.wants_flush() {
            self.send(slot, b"");
        }
        self.now = Instant::now();
        let mut at = 0;
        while let Some(client) = self.clients[slot].as_mut() {
            let Some((start, end, frame)) = frame::next(&bytes[at..], client.opened)? else { break };
            let stanza = &bytes[at + start..at + end];
            at += end;
            match frame {
                Frame::Header => client.opened = true,
                Frame::End if client.closing => return Ok(Heard::Ended),
                Frame::End => return Err("the server ended the stream".to_owned()),
                Frame::Stanza if client.closing => {}
                Frame::Stanza => self.stanza(slot, stanza, part)?,
            }
        }
        if let Some(client) = self.clients[slot].as_mut() {
            client.partial = bytes[at..].to_vec();
        }
        bytes.clear();
        self.plain = bytes;
        Ok(heard)
    }

    fn stanza(&mut self, slot: usize, stanza: &[u8], part: &mut impl Part) -> Result<(), String> {
        let Some(client) = self.clients[slot].as_mut() else { return Ok(()) };
        if client.counts {
            match frame::name(stanza) {
                b"r" => {
                    let answer = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", client.handled);
                    self.send(slot, answer.as_bytes());
                    return Ok(());
                }
                b"message" | b"presence" | b"iq" => client.handled = client.handled.wrapping_add(1),
                _ => {}
            }
        }
        if let Some(answer) = answer(stanza) {
            self.send(slot, answer.as_bytes());
        }
        let Some(client) = self.clients[slot].as_mut() else { return Ok(()) };
        if client.ladder.rung == Rung::Online {
            match frame::name(stanza) {
                b"stream:error" => return Err(format!("stream error: {}", frame::excerpt(stanza))),
                b"a" => {}
                _ => part.event(self, slot, Event::Stanza(stanza)),
            }
            return Ok(());
        }
        let terms = &self.target.terms;
        let was = client.ladder.rung;
        let step = client.ladder.step(stanza, terms, &mut self.salted, &mut client.out)?;
        if was == Rung::Enabled && client.ladder.rung != Rung::Enabled {
            client.counts = true;
        }
        match step {
            Step::Wait => {}
            Step::Restarted => client.opened = false,
            Step::StartTls => {
                client.start_tls(&self.target.tls, &terms.domain)?;
                client.opened = false;
                client.ladder.open(terms, &mut client.out);
            }
            Step::Online => part.event(self, slot, Event::Online),
        }
        self.send(slot, b"");
        Ok(())
    }

    /// Drops a client; its part hears of it when the turn is flushed, not in the middle of an event.
    fn remove(&mut self, slot: usize, why: String) {
        if let Some(client) = self.clients[slot].take() {
            self.gone.push((slot, client.closing, why));
        }
    }
}

/// The answer to a question of the server's (RFC 6120 section 8.2.3): pings (XEP-0199) and roster pushes are taken,
/// all else is not ours to know.
fn answer(stanza: &[u8]) -> Option<String> {
    if frame::name(stanza) != b"iq" || !matches!(frame::attribute(stanza, b"type"), Some(b"get" | b"set")) {
        return None;
    }
    let copied = |name: &str| {
        let value = String::from_utf8_lossy(frame::attribute(stanza, name.as_bytes())?).into_owned();
        Some(if value.contains('\'') { format!("\"{value}\"") } else { format!("'{value}'") })
    };
    let id = copied("id")?;
    let to = copied("from").map(|from| format!(" to={from}")).unwrap_or_default();
    let known = frame::contains(stanza, "urn:xmpp:ping") || frame::contains(stanza, "jabber:iq:roster");
    Some(if known {
        format!("<iq type='result' id={id}{to}/>")
    } else {
        format!(
            "<iq type='error' id={id}{to}><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
    })
}

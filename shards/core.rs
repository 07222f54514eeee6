//! One core's loop: the turn in which inputs become effects, and what leaves at the turn's end.
//!
//! A turn begins when the poller wakes: every connection that has bytes reads once, the mailbox is drained, and each of them
//! gives its input to the shard and has the effects performed at once, except for writing. The end of the turn writes each
//! connection's bytes in one call, rings each other shard once, and says how long the next sleep may last. So a turn costs
//! one `recv` and one `send` for each connection that had something to say, however many stanzas that was.

#[cfg(test)]
mod tests;
mod traffic;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use wattle::effect::Effects;
use wattle::home::ShardIndex;
use wattle::input::{Conn, Gone, Input};
use wattle::shard::Shard;

use crate::clock::Clock;
use crate::connections::{Connections, Stage};
use crate::hash::Hasher;
use crate::listen::Acceptors;
use crate::log;
use crate::mailbox::{Mailbox, Outgoing, Parcel};
use crate::poller::{Event, Events, Poller};
use crate::tls::TlsSettings;
use crate::wire::Buffers;

/// Parcels taken in one turn, so that sockets are served in between.
const PARCELS: usize = 512;
/// Bytes of the same: what they make wait for one connection is written, or the shard told that it cannot be, at the turn's
/// end only. It is the turn that bounds this and not the mailbox, as others fill that while it is emptied.
const PARCELS_BYTES: usize = 256 * 1024;
/// Deadlines are rounded up to a multiple of this, so that many of them end one sleep.
const COARSE_MS: u64 = 100;

/// What the shard hears behind the effects that are being performed.
enum Later {
    Congested(Conn),
    Drained(Conn),
    Closed(Conn, Gone),
}

/// What the program gives to each core.
pub(crate) struct Surroundings {
    pub(crate) clock: Clock,
    pub(crate) mailboxes: Arc<[Mailbox]>,
    /// The core's mailbox rings at it, and its acceptors wait at it.
    pub(crate) poller: Poller,
    pub(crate) acceptors: Acceptors,
    pub(crate) tls: Arc<TlsSettings>,
    pub(crate) store: crate::store::Handle,
    pub(crate) hasher: Hasher,
    pub(crate) reply: crate::boot::Reply,
    /// Connections that this core may hold; further ones are closed at once.
    pub(crate) connections: usize,
    /// Told when the last connection is gone after [`Parcel::Shutdown`].
    pub(crate) emptied: Sender<ShardIndex>,
}

/// One core.
pub(crate) struct Core {
    pub(crate) index: ShardIndex,
    shard: Shard,
    effects: Effects,
    pub(crate) around: Surroundings,
    connections: Connections,
    buffers: Buffers,
    /// To be flushed at the end of the turn.
    dirty: Vec<Conn>,
    later: VecDeque<Later>,
    pub(crate) outgoing: Outgoing,
    /// Wait to read until the outgoing parcels have found room.
    stalled: Vec<Conn>,
    /// When something is due, as of the last end of a turn.
    next_ms: Option<u64>,
    is_stopping: bool,
    has_emptied: bool,
    is_full: bool,
    has_stopped: bool,
}

impl Core {
    /// A core without connections.
    pub(crate) fn new(index: ShardIndex, shard: Shard, around: Surroundings) -> Self {
        let outgoing = Outgoing::new(index, around.mailboxes.clone());
        Self {
            index,
            shard,
            effects: Effects::default(),
            around,
            connections: Connections::default(),
            buffers: Buffers::default(),
            dirty: Vec::new(),
            later: VecDeque::new(),
            outgoing,
            stalled: Vec::new(),
            next_ms: None,
            is_stopping: false,
            has_emptied: false,
            is_full: false,
            has_stopped: false,
        }
    }

    /// Runs until [`Parcel::Stop`].
    pub(crate) fn run(mut self) {
        let mut events = Events::new();
        self.act(Input::Started);
        self.end_turn();
        while !self.has_stopped {
            self.turn(&mut events);
        }
        log::finish(self.index.0);
    }

    fn turn(&mut self, events: &mut Events) {
        self.wait(events);
        for event in events.iter() {
            match event {
                Event::Connection { conn, readable, writable } => self.ready(conn, readable, writable),
                Event::Listener(number) => self.accept(number),
                // The mailbox is looked at anyway.
                Event::Doorbell => {}
            }
        }
        self.take_parcels();
        self.tick();
        self.end_turn();
    }

    /// Sleeps until there is something to do.
    fn wait(&self, events: &mut Events) {
        let Self { around, next_ms, .. } = self;
        let timeout_ms = if self.dirty.is_empty() && self.later.is_empty() {
            // Rounded up, and the clock down: it is due when this ends.
            next_ms.map(|at_ms| coarse(at_ms).saturating_sub(around.clock.mono_ms()))
        } else {
            Some(0)
        };
        let waited = around.mailboxes[usize::from(self.index.0)]
            .wait(|may_sleep| around.poller.wait(events, if may_sleep { timeout_ms } else { Some(0) }));
        assert!(waited.is_ok(), "a live epoll can be waited for: {waited:?}");
    }

    fn take_parcels(&mut self) {
        let index = usize::from(self.index.0);
        let (mut taken, mut bytes) = (0, 0);
        while taken < PARCELS
            && bytes < PARCELS_BYTES
            && let Some(parcel) = self.around.mailboxes[index].take()
        {
            taken += 1;
            bytes += parcel.weight();
            self.receive(parcel);
        }
        if taken > 0 {
            self.around.mailboxes[index].made_room(&self.around.mailboxes);
        }
    }

    fn receive(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Handoff(handoff) => self.act(Input::Handed(handoff)),
            Parcel::Connection(moved) => self.arrived(*moved),
            Parcel::Stored { ticket, answer } => self.act(Input::Stored { ticket, answer: *answer }),
            Parcel::Hashed { ticket, hashed } => self.act(Input::Hashed { ticket, hashed }),
            Parcel::Admin { request, question } => self.act(Input::Admin { request, question: *question }),
            Parcel::Configured(config, tls) => {
                self.around.tls = tls;
                self.act(Input::Configured(config));
            }
            Parcel::Shutdown => {
                self.is_stopping = true;
                self.around.acceptors = Acceptors::default();
                for conn in self.connections.unannounced() {
                    self.connections.remove(conn);
                }
                self.act(Input::Shutdown);
            }
            Parcel::Stop => self.has_stopped = true,
        }
    }

    /// Gives one input to the shard and performs what it asks.
    fn act(&mut self, input: Input<'_>) {
        self.handle(input);
        self.act_later();
    }

    fn act_later(&mut self) {
        while let Some(later) = self.later.pop_front() {
            match later {
                Later::Congested(conn) => self.handle(Input::Congested { conn }),
                Later::Drained(conn) => self.handle(Input::Drained { conn }),
                Later::Closed(conn, why) => self.handle(Input::Closed { conn, why }),
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.shard.handle(self.around.clock.now(), input, &mut effects);
        for effect in effects.list.drain(..) {
            self.perform(effect, &effects.bytes);
        }
        effects.clear();
        self.effects = effects;
    }

    fn dirty(&mut self, conn: Conn) {
        if let Some(connection) = self.connections.get(conn)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(conn);
        }
    }

    fn end_turn(&mut self) {
        self.act_later();
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            self.flush(conn);
        }
        // Flushing can make others dirty, through `Congested` and `Drained`: their turn comes at once.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        if self.outgoing.has_touched() && self.outgoing.ring() {
            for conn in std::mem::take(&mut self.stalled) {
                self.read_on(conn);
            }
        }
        let due = [self.connections.next_ms(), self.shard.deadline_ms(), self.around.acceptors.again_ms];
        self.next_ms = due.into_iter().flatten().min();
        // What the shard asked for may end in a stanza for a session that somebody comes back to.
        let is_empty = self.connections.count() == 0 && !self.outgoing.is_stuck() && self.shard.is_at_rest();
        if self.is_stopping && is_empty && !self.has_emptied {
            self.has_emptied = true;
            // Nobody listens any more only if the program ends anyway.
            let _ = self.around.emptied.send(self.index);
        }
    }

    /// Does what is due.
    fn tick(&mut self) {
        let Some(next_ms) = self.next_ms else { return };
        let now_ms = self.around.clock.mono_ms();
        if now_ms < next_ms {
            return;
        }
        while let Some(conn) = self.connections.take_due(now_ms) {
            match self.connections.get(conn).map(|connection| connection.stage) {
                Some(Stage::Open) => self.gone(conn, Gone::Broken),
                _ => drop(self.connections.remove(conn)),
            }
        }
        self.around.acceptors.go_on(&self.around.poller, now_ms);
        // A tick may find nothing to do, such as a session that came back meanwhile, and name a later deadline.
        if self.shard.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.act(Input::Tick);
        }
    }
}

fn coarse(at_ms: u64) -> u64 {
    at_ms.div_ceil(COARSE_MS).saturating_mul(COARSE_MS)
}

//! One core's loop: its connections, the turn in which inputs become effects, and what leaves at the turn's end.
//!
//! A turn begins when the executor wakes: every connection that has bytes reads once, the mailbox is drained, and each of
//! them gives its input to the shard and has the effects performed at once, except for writing. The task that ends the turn
//! stands behind all of these in the executor's queue: it writes each connection's bytes in one call, rings each other
//! shard once, and writes the next deadline down. So a turn costs one `recv` and one `send` for each connection that had
//! something to say, however many stanzas that was.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};

use wattle::effect::Effects;
use wattle::handoff::{Arrival, ShardIndex};
use wattle::input::{Conn, Gone, Input, Listener, TlsFacts};
use wattle::limits::{CLOSE_MS, TLS_MS, WRITE_HIGH_BYTES, WRITE_LOW_BYTES};
use wattle::shard::Shard;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::engine::{Socket, Task, spawn_detached, yield_now};
use crate::hash::Hasher;
use crate::log;
use crate::mailbox::{Mailbox, Outgoing, Parcel};
use crate::tls::{Tls, TlsSettings};
use crate::wire::{Buffers, MovedConnection, Read, Wire, Written};

/// Parcels taken in one turn, so that sockets are served in between.
const PARCELS: usize = 512;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Direct TLS, before the shard knows of it.
    Unannounced(Option<IpAddr>),
    /// The shard decides.
    Open,
    /// The shard has let go; what waits is written.
    Closing,
    /// All is written and the peer was told; what it still sends is thrown away, so that it can read our last words.
    Lingering,
}

pub(crate) struct Connection {
    pub(crate) wire: Wire,
    stage: Stage,
    pub(crate) is_paused: bool,
    /// The shard was told that the peer does not read.
    is_congested: bool,
    /// Stands in the list of those to flush.
    is_dirty: bool,
    deadline_ms: Option<u64>,
    /// Of the task that reads.
    waker: Option<Waker>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

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
    pub(crate) bell: Arc<Bell>,
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
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
    buffers: Buffers,
    /// To be flushed at the end of the turn.
    dirty: Vec<Conn>,
    later: VecDeque<Later>,
    deadlines: BTreeSet<(u64, Conn)>,
    pub(crate) outgoing: Outgoing,
    /// Wait to read until the outgoing parcels have found room.
    stalled: Vec<Conn>,
    /// Something happened since the last end of a turn.
    has_turned: bool,
    turner: Option<Waker>,
    written_down_ms: Option<u64>,
    acceptors: Vec<Task>,
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
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            buffers: Buffers::default(),
            dirty: Vec::new(),
            later: VecDeque::new(),
            deadlines: BTreeSet::new(),
            outgoing,
            stalled: Vec::new(),
            has_turned: false,
            turner: None,
            written_down_ms: None,
            acceptors: Vec::new(),
            is_stopping: false,
            has_emptied: false,
            is_full: false,
            has_stopped: false,
        }
    }

    /// Runs until [`Parcel::Stop`]: the mailbox in this task, the end of turns in another.
    pub(crate) async fn run(core: Rc<RefCell<Self>>) {
        let turner = crate::engine::spawn({
            let core = core.clone();
            async move {
                loop {
                    std::future::poll_fn(|cx| core.borrow_mut().poll_turned(cx)).await;
                    core.borrow_mut().end_turn();
                }
            }
        });
        let mailboxes = core.borrow().around.mailboxes.clone();
        let index = usize::from(core.borrow().index.0);
        while !core.borrow().has_stopped {
            mailboxes[index].rung().await;
            let mut taken = 0;
            while taken < PARCELS
                && let Some(parcel) = mailboxes[index].take()
            {
                taken += 1;
                Self::receive(&core, parcel);
            }
            if taken > 0 {
                mailboxes[index].made_room(&mailboxes);
            }
            {
                let mut this = core.borrow_mut();
                this.tick();
                this.turn();
            }
            if taken == PARCELS {
                yield_now().await;
            }
        }
        drop(turner);
        log::finish(core.borrow().index.0);
    }

    /// Keeps a listening task until shutdown.
    pub(crate) fn keep_acceptor(&mut self, task: Task) {
        self.acceptors.push(task);
    }

    fn receive(core: &Rc<RefCell<Self>>, parcel: Parcel) {
        let mut this = core.borrow_mut();
        match parcel {
            Parcel::Handoff(handoff) => this.act(Input::Handed(handoff)),
            Parcel::Connection(moved) => {
                drop(this);
                Self::arrived(core, *moved);
            }
            Parcel::Stored { ticket, answer } => this.act(Input::Stored { ticket, answer: *answer }),
            Parcel::Hashed { ticket, hashed } => this.act(Input::Hashed { ticket, hashed }),
            Parcel::Admin { request, question } => this.act(Input::Admin { request, question: *question }),
            Parcel::Configured(config, tls) => {
                this.around.tls = tls;
                this.act(Input::Configured(config));
            }
            Parcel::Shutdown => {
                this.is_stopping = true;
                this.acceptors.clear();
                this.drop_unannounced();
                this.act(Input::Shutdown);
            }
            Parcel::Stop => this.has_stopped = true,
        }
    }

    // -- connections --

    /// A listener accepted a connection.
    pub(crate) fn accepted(core: &Rc<RefCell<Self>>, socket: Socket, listener: Listener, peer: Option<IpAddr>) {
        let mut this = core.borrow_mut();
        if this.live >= this.around.connections {
            if !this.is_full {
                this.is_full = true;
                tracing::error!(connections = this.live, "no room for more connections; raise LimitNOFILE");
            }
            return;
        }
        this.is_full = false;
        let mut wire = Wire::new(socket);
        match listener {
            Listener::Client => {
                let conn = this.insert(wire, Stage::Open);
                Self::spawn_reader(core, conn);
                this.act(Input::Opened { conn, listener, peer });
            }
            Listener::ClientTls => {
                let Ok(tls) = Tls::new(&this.around.tls, true) else { return };
                wire.secure(tls, &mut this.buffers);
                let conn = this.insert(wire, Stage::Unannounced(peer));
                this.set_deadline(conn, TLS_MS);
                Self::spawn_reader(core, conn);
            }
        }
        this.turn();
    }

    fn arrived(core: &Rc<RefCell<Self>>, moved: MovedConnection) {
        let mut this = core.borrow_mut();
        let (wire, arrival) = Wire::from_moved(moved);
        let conn = this.insert(wire, Stage::Open);
        Self::spawn_reader(core, conn);
        this.act(Input::Arrived { conn, arrival: Box::new(arrival) });
    }

    fn insert(&mut self, wire: Wire, stage: Stage) -> Conn {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.connection = Some(Box::new(Connection {
            wire,
            stage,
            is_paused: false,
            is_congested: false,
            is_dirty: false,
            deadline_ms: None,
            waker: None,
        }));
        self.live += 1;
        Conn(u64::from(slot.generation) << 32 | u64::from(index))
    }

    fn connection(&mut self, conn: Conn) -> Option<&mut Connection> {
        find(&mut self.slots, conn)
    }

    /// The connection, if the shard knows its number.
    pub(crate) fn open(&mut self, conn: Conn) -> Option<&mut Connection> {
        self.connection(conn).filter(|connection| connection.stage == Stage::Open)
    }

    /// Frees the slot; the number is not used again before 2^32 others of the same slot.
    fn remove(&mut self, conn: Conn) -> Option<Box<Connection>> {
        let slot = slot(&mut self.slots, conn)?;
        let mut connection = slot.connection.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push((conn.0 & u64::from(u32::MAX)) as u32);
        self.live -= 1;
        if let Some(deadline_ms) = connection.deadline_ms.take() {
            self.deadlines.remove(&(deadline_ms, conn));
        }
        // Its task finds the number dead and ends.
        if let Some(waker) = connection.waker.take() {
            waker.wake();
        }
        Some(connection)
    }

    fn set_deadline(&mut self, conn: Conn, in_ms: u64) {
        let at_ms = self.around.clock.mono_ms() + in_ms;
        self.clear_deadline(conn);
        if let Some(connection) = self.connection(conn) {
            connection.deadline_ms = Some(at_ms);
            self.deadlines.insert((at_ms, conn));
        }
    }

    fn clear_deadline(&mut self, conn: Conn) {
        if let Some(at_ms) = self.connection(conn).and_then(|connection| connection.deadline_ms.take()) {
            self.deadlines.remove(&(at_ms, conn));
        }
    }

    fn spawn_reader(core: &Rc<RefCell<Self>>, conn: Conn) {
        let core = core.clone();
        spawn_detached(async move {
            // The task first runs when its maker has let go of the core.
            yield_now().await;
            std::future::poll_fn(|cx| core.borrow_mut().poll_connection(cx, conn)).await;
        });
    }

    /// The task of one connection: reads, and writes on when the socket was full. Ready when the number is dead.
    fn poll_connection(&mut self, cx: &mut Context<'_>, conn: Conn) -> Poll<()> {
        let Self { slots, buffers, outgoing, stalled, .. } = self;
        let Some(connection) = find(slots, conn) else { return Poll::Ready(()) };
        if connection.waker.is_none() {
            connection.waker = Some(cx.waker().clone());
        }
        if connection.wire.is_blocked
            && let Poll::Ready(written) = connection.wire.poll_flush(cx, buffers)
        {
            self.written(conn, written);
            self.turn();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match connection.stage {
            Stage::Closing => return Poll::Pending,
            Stage::Lingering => {
                if connection.wire.poll_discard(cx, buffers).is_ready() {
                    self.remove(conn);
                }
                return Poll::Pending;
            }
            Stage::Open | Stage::Unannounced(_) if connection.is_paused => return Poll::Pending,
            Stage::Open | Stage::Unannounced(_) => {}
        }
        if outgoing.is_stuck() {
            stalled.push(conn);
            return Poll::Pending;
        }
        let Poll::Ready(read) = connection.wire.poll_read(cx, buffers) else { return Poll::Pending };
        match read {
            Read::Gone(why) => self.gone(conn, why),
            Read::Bytes { secured, gone, more } => {
                if let Some(tls) = secured {
                    self.secured(conn, tls);
                }
                if !self.buffers.plain.is_empty() {
                    let plain = std::mem::take(&mut self.buffers.plain);
                    if self.open(conn).is_some() {
                        self.act(Input::Received { conn, bytes: &plain });
                    }
                    self.buffers.plain = plain;
                }
                if let Some(why) = gone {
                    self.gone(conn, why);
                } else if self.connection(conn).is_some_and(|connection| connection.wire.waiting_bytes() > 0) {
                    self.dirty(conn);
                }
                self.turn();
                if !more {
                    // A short read has armed the next wait: this only names the task that it wakes, without a system call.
                    return self.poll_connection(cx, conn);
                }
                // Another turn, for the others' sake.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.turn();
        Poll::Ready(())
    }

    fn secured(&mut self, conn: Conn, tls: Box<TlsFacts>) {
        self.clear_deadline(conn);
        let Some(connection) = self.connection(conn) else { return };
        if let Stage::Unannounced(peer) = connection.stage {
            connection.stage = Stage::Open;
            self.act(Input::Opened { conn, listener: Listener::ClientTls, peer });
        }
        if self.open(conn).is_some() {
            self.act(Input::Secured { conn, tls });
        }
    }

    /// The peer is gone, or broke TLS.
    fn gone(&mut self, conn: Conn, why: Gone) {
        let Self { slots, buffers, .. } = self;
        let Some(connection) = find(slots, conn) else { return };
        let stage = connection.stage;
        // A last word, such as TLS's alert, and our own close_notify; it may well find nobody.
        connection.wire.say_close(buffers);
        self.flush_now(conn);
        self.remove(conn);
        if stage == Stage::Open {
            self.later.push_back(Later::Closed(conn, why));
            self.act_later();
        }
    }

    /// The shard lets go: what waits is written, then the peer has [`CLOSE_MS`] to read it.
    pub(crate) fn close(&mut self, conn: Conn) {
        let Some(connection) = self.open(conn) else { return };
        connection.stage = Stage::Closing;
        self.set_deadline(conn, CLOSE_MS);
        self.dirty(conn);
    }

    /// The shard gives a connection to another.
    pub(crate) fn move_away(&mut self, conn: Conn, to: ShardIndex, arrival: Arrival) {
        if self.open(conn).is_none() {
            return;
        }
        if self.flush_now(conn) == Written::Broken {
            self.remove(conn);
            self.later.push_back(Later::Closed(conn, Gone::Broken));
            return;
        }
        let Some(connection) = self.remove(conn) else { return };
        match connection.wire.into_moved(arrival) {
            Ok(moved) => self.outgoing.send(to, Parcel::Connection(Box::new(moved))),
            Err(error) => tracing::error!(%error, "a connection could not move to its shard and was closed"),
        }
    }

    /// The shard starts TLS.
    pub(crate) fn secure(&mut self, conn: Conn) {
        let tls = Tls::new(&self.around.tls, false);
        let Self { slots, buffers, .. } = self;
        let Some(connection) = find(slots, conn) else { return };
        match tls {
            Ok(tls) => {
                connection.wire.secure(tls, buffers);
                self.set_deadline(conn, TLS_MS);
                self.dirty(conn);
            }
            Err(error) => {
                tracing::error!(%error, "TLS could not be started");
                self.remove(conn);
                self.later.push_back(Later::Closed(conn, Gone::Broken));
            }
        }
    }

    /// Sends bytes at the end of this turn.
    pub(crate) fn send(&mut self, conn: Conn, bytes: &[u8]) {
        let Self { slots, buffers, .. } = self;
        let Some(connection) = find(slots, conn) else { return };
        if connection.stage != Stage::Open {
            return;
        }
        connection.wire.put(bytes, buffers);
        self.dirty(conn);
    }

    /// Stops or resumes reading.
    pub(crate) fn pause(&mut self, conn: Conn, is_paused: bool) {
        if let Some(connection) = self.open(conn) {
            connection.is_paused = is_paused;
            if !is_paused && let Some(waker) = &connection.waker {
                waker.wake_by_ref();
            }
        }
    }

    fn drop_unannounced(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if matches!(&slot.connection, Some(connection) if matches!(connection.stage, Stage::Unannounced(_))) {
                self.remove(Conn(u64::from(slot.generation) << 32 | index as u64));
            }
        }
    }

    // -- the turn --

    /// Gives one input to the shard and performs what it asks.
    pub(crate) fn act(&mut self, input: Input<'_>) {
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
        if let Some(connection) = self.connection(conn)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(conn);
        }
    }

    /// Has the turn ended behind the tasks that are ready now.
    fn turn(&mut self) {
        if !self.has_turned {
            self.has_turned = true;
            if let Some(waker) = &self.turner {
                waker.wake_by_ref();
            }
        }
    }

    fn poll_turned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.turner.is_none() {
            self.turner = Some(cx.waker().clone());
        }
        if std::mem::take(&mut self.has_turned) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn end_turn(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            self.flush(conn);
        }
        // Flushing can make others dirty, through `Congested` and `Drained`.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        } else {
            self.turn();
        }
        if self.outgoing.has_touched() {
            if self.outgoing.ring() {
                for conn in std::mem::take(&mut self.stalled) {
                    if let Some(waker) = self.connection(conn).and_then(|connection| connection.waker.as_ref()) {
                        waker.wake_by_ref();
                    }
                }
            }
            self.around.bell.guard();
        }
        self.write_down();
        if self.is_stopping && self.live == 0 && !self.has_emptied && !self.outgoing.is_stuck() {
            self.has_emptied = true;
            // Nobody listens any more only if the program ends anyway.
            let _ = self.around.emptied.send(self.index);
        }
    }

    /// Writes the earliest deadline down with the bell.
    fn write_down(&mut self) {
        let own_ms = self.deadlines.first().map(|(at_ms, _)| *at_ms);
        let earliest_ms = match (own_ms, self.shard.deadline_ms()) {
            (Some(own_ms), Some(shard_ms)) => Some(own_ms.min(shard_ms)),
            (one, other) => one.or(other),
        };
        if earliest_ms != self.written_down_ms {
            self.written_down_ms = earliest_ms;
            self.around.bell.at(usize::from(self.index.0), earliest_ms);
        }
    }

    /// Does what is due.
    fn tick(&mut self) {
        let now_ms = self.around.clock.mono_ms();
        while let Some(&(at_ms, conn)) = self.deadlines.first()
            && at_ms <= now_ms
        {
            match self.connection(conn).map(|connection| connection.stage) {
                Some(Stage::Open) => self.gone(conn, Gone::Broken),
                _ => drop(self.remove(conn)),
            }
            self.deadlines.remove(&(at_ms, conn));
        }
        // A tick may find nothing to do, such as a session that came back meanwhile, and name a later deadline.
        if self.shard.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.act(Input::Tick);
        }
        // The bell forgets what it rang for.
        if self.written_down_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.written_down_ms = None;
        }
    }

    fn flush(&mut self, conn: Conn) {
        let Self { slots, buffers, .. } = self;
        let Some(connection) = find(slots, conn) else { return };
        connection.is_dirty = false;
        if connection.stage == Stage::Closing {
            connection.wire.say_close(buffers);
        }
        let written = self.flush_now(conn);
        self.written(conn, written);
    }

    fn flush_now(&mut self, conn: Conn) -> Written {
        let Self { slots, buffers, .. } = self;
        let Some(connection) = find(slots, conn) else { return Written::Broken };
        let was_blocked = connection.wire.is_blocked;
        let written = connection.wire.flush(buffers);
        // The connection's own task waits for the socket to take more.
        if connection.wire.is_blocked
            && !was_blocked
            && let Some(waker) = &connection.waker
        {
            waker.wake_by_ref();
        }
        written
    }

    /// What follows from an attempt to write.
    fn written(&mut self, conn: Conn, written: Written) {
        let Some(connection) = self.connection(conn) else { return };
        let waiting_bytes = connection.wire.waiting_bytes();
        match (connection.stage, written) {
            (Stage::Open, Written::Broken) => self.gone(conn, Gone::Broken),
            (_, Written::Broken) => drop(self.remove(conn)),
            (Stage::Open, _) if !connection.is_congested && waiting_bytes > WRITE_HIGH_BYTES => {
                connection.is_congested = true;
                self.later.push_back(Later::Congested(conn));
                self.act_later();
            }
            (Stage::Open, _) if connection.is_congested && waiting_bytes < WRITE_LOW_BYTES => {
                connection.is_congested = false;
                self.later.push_back(Later::Drained(conn));
                self.act_later();
            }
            (Stage::Closing, Written::All) => {
                connection.stage = Stage::Lingering;
                connection.wire.finish();
                if let Some(waker) = &connection.waker {
                    waker.wake_by_ref();
                }
            }
            _ => {}
        }
    }
}

fn slot(slots: &mut [Slot], conn: Conn) -> Option<&mut Slot> {
    let slot = slots.get_mut((conn.0 & u64::from(u32::MAX)) as usize)?;
    (u64::from(slot.generation) == conn.0 >> 32).then_some(slot)
}

fn find(slots: &mut [Slot], conn: Conn) -> Option<&mut Connection> {
    slot(slots, conn)?.connection.as_deref_mut()
}

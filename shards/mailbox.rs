//! What crosses between shards: one bounded lock-free queue per shard, in order for each sender, one wake-up for a batch.
//!
//! A mailbox for each shard and not a lane for each pair: measured on two busy cores (1 consumer, 3 producers, 32-byte
//! values, median of 3), one queue carries 7.0 M values a second one by one and 12.5 M in batches of 32, for 71 and 37 ns of
//! CPU each; three lanes of together that size 5.4 and 23.7 M, for 91 and 29 ns. Both are far below what a stanza costs,
//! and lanes that each hold [`MAILBOX_VALUES`] would take the memory once more for every other shard (160 KiB each).
//!
//! When a mailbox is full, in places or in bytes ([`MAILBOX_BYTES`]), the sending shard keeps what does not fit, in order,
//! in its [`Outgoing`], and reads no socket until that is empty. Mailboxes are drained by every shard at all times, also by
//! one that cannot send, so two full shards never wait for each other. The other threads (store, hashing, admin) wait for a
//! free place.

mod starved;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use wattle::config::Config;
use wattle::handoff::Handoff;
use wattle::home::ShardIndex;
use wattle::input::{AdminQuestion, Hashed, Ticket};
use wattle::limits::{MAILBOX_BYTES, MAILBOX_VALUES};
use wattle::store::{Answer, StoreFault};

use crate::doorbell::Doorbell;
use crate::poller::Poller;
use crate::tls::TlsSettings;
use crate::wire::MovedConnection;
use starved::Starved;

/// A value in a mailbox.
pub(crate) enum Parcel {
    /// From another shard's decisions.
    Handoff(Handoff),
    /// A connection that is at home here.
    Connection(Box<MovedConnection>),
    /// From the store.
    Stored {
        /// Of the question.
        ticket: Ticket,
        /// What became of it.
        answer: Box<Result<Answer, StoreFault>>,
    },
    /// From the hashing thread.
    Hashed {
        /// Of the job.
        ticket: Ticket,
        /// What became of it.
        hashed: Hashed,
    },
    /// From the operator.
    Admin {
        /// To be echoed.
        request: u64,
        /// The question.
        question: Box<AdminQuestion>,
    },
    /// The configuration and the certificates were read again.
    Configured(Arc<Config>, Arc<TlsSettings>),
    /// Accept no more and end every stream.
    Shutdown,
    /// Leave the loop.
    Stop,
}

impl Parcel {
    /// Bytes that it counts against [`MAILBOX_BYTES`]. None for what answers a question or a stanza, or comes from the
    /// operator: there is a bound on those.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Handoff(Handoff::Stanza(stanza)) => stanza.weight(),
            Self::Connection(moved) => moved.weight(),
            Self::Stored { .. }
            | Self::Handoff(Handoff::Done(_) | Handoff::Gone(_))
            | Self::Hashed { .. }
            | Self::Admin { .. }
            | Self::Configured(..)
            | Self::Shutdown
            | Self::Stop => 0,
        }
    }
}

// A mailbox holds all its places from the start: what makes a parcel larger makes an idle server larger.
const _: () = assert!(size_of::<Parcel>() <= 32);

/// The mailbox of one shard.
pub(crate) struct Mailbox {
    queue: ArrayQueue<Parcel>,
    /// Of the parcels in `queue`. Below zero while a parcel was taken before its sender has counted it.
    bytes: AtomicIsize,
    doorbell: Doorbell,
    starved: Starved,
    /// Another shard made room for this one. A ring alone would be lost on a shard that is still on its way to sleep.
    has_room: AtomicBool,
    /// What the shard's own thread posted to itself when it was full: the store's refusals, one for each question.
    own: Mutex<VecDeque<Parcel>>,
    has_own: AtomicBool,
}

thread_local! {
    /// Set on the threads of shards, which must never wait.
    static IS_SHARD: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    fn new(shards: u16) -> io::Result<Self> {
        Ok(Self {
            queue: ArrayQueue::new(MAILBOX_VALUES),
            bytes: AtomicIsize::new(0),
            doorbell: Doorbell::new()?,
            starved: Starved::new(shards),
            has_room: AtomicBool::new(false),
            own: Mutex::default(),
            has_own: AtomicBool::new(false),
        })
    }

    /// One mailbox for each shard.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn all(shards: u16) -> io::Result<Arc<[Self]>> {
        (0..shards).map(|_| Self::new(shards)).collect()
    }

    /// How many parcels wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.len()
    }

    /// Puts a parcel in if there is room, for another shard.
    ///
    /// A parcel counts from behind its push to behind its taking, and never before the push: so bytes that refuse a parcel
    /// are those of one that is still to be counted out, and [`Mailbox::made_room`] follows that. Reserving them before
    /// the push would let a sender that then finds no place refuse another in an empty mailbox, which nobody announces.
    fn offer(&self, parcel: Parcel) -> Result<(), Parcel> {
        if self.bytes.load(Ordering::SeqCst) >= MAILBOX_BYTES.cast_signed() {
            return Err(parcel);
        }
        let weight = parcel.weight().cast_signed();
        self.queue.push(parcel)?;
        if weight > 0 {
            self.bytes.fetch_add(weight, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Puts a parcel in and wakes the shard; for threads that are no shard, which wait while there is no room, and for a
    /// shard that answers itself, which does not.
    pub(crate) fn post(&self, parcel: Parcel) {
        let mut parcel = parcel;
        while let Err(back) = self.queue.push(parcel) {
            parcel = back;
            if IS_SHARD.get() {
                self.own.lock().unwrap_or_else(PoisonError::into_inner).push_back(parcel);
                self.has_own.store(true, Ordering::SeqCst);
                break;
            }
            self.ring();
            // A full mailbox means a shard at its limit, which empties it within a turn.
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ring();
    }

    /// Wakes the shard if it sleeps.
    pub(crate) fn ring(&self) {
        self.doorbell.ring();
    }

    /// Has rings wake `poller`, which is the shard's.
    ///
    /// # Errors
    /// No memory is left.
    pub(crate) fn hang_at(&self, poller: &Poller) -> io::Result<()> {
        self.doorbell.hang_at(poller)
    }

    /// The shard: `wait` may sleep if it is told so, and else must return at once; what waits here is looked at behind it.
    pub(crate) fn wait<R>(&self, wait: impl FnOnce(bool) -> R) -> R {
        IS_SHARD.set(true);
        let may_sleep = self.doorbell.fall_asleep(|| self.has_nothing());
        let waited = wait(may_sleep);
        self.doorbell.wake_up();
        self.has_room.store(false, Ordering::SeqCst);
        waited
    }

    fn has_nothing(&self) -> bool {
        self.queue.is_empty() && !self.has_own.load(Ordering::SeqCst) && !self.has_room.load(Ordering::SeqCst)
    }

    /// The shard: takes the oldest parcel.
    pub(crate) fn take(&self) -> Option<Parcel> {
        let Some(parcel) = self.queue.pop() else { return self.take_own() };
        let weight = parcel.weight().cast_signed();
        if weight > 0 {
            self.bytes.fetch_sub(weight, Ordering::SeqCst);
        }
        Some(parcel)
    }

    fn take_own(&self) -> Option<Parcel> {
        if !self.has_own.load(Ordering::SeqCst) {
            return None;
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let parcel = own.pop_front();
        self.has_own.store(!own.is_empty(), Ordering::SeqCst);
        parcel
    }

    /// The shard, after it took some: lets those who found no room try again.
    pub(crate) fn made_room(&self, all: &[Self]) {
        self.starved.made(|who| {
            all[who].has_room.store(true, Ordering::SeqCst);
            all[who].ring();
        });
    }
}

/// What one shard sends to the others.
pub(crate) struct Outgoing {
    me: ShardIndex,
    all: Arc<[Mailbox]>,
    /// What found no room, by receiver.
    spill: Box<[VecDeque<Parcel>]>,
    spilled: usize,
    /// Receivers that got something since the last [`Outgoing::ring`].
    touched: Vec<ShardIndex>,
}

impl Outgoing {
    /// For the shard `me`.
    pub(crate) fn new(me: ShardIndex, all: Arc<[Mailbox]>) -> Self {
        let spill = all.iter().map(|_| VecDeque::new()).collect();
        Self { me, all, spill, spilled: 0, touched: Vec::new() }
    }

    /// Puts a parcel on its way; [`Outgoing::ring`] must follow in the same turn.
    pub(crate) fn send(&mut self, to: ShardIndex, parcel: Parcel) {
        let at = usize::from(to.0);
        if !self.touched.contains(&to) {
            self.touched.push(to);
        }
        if self.spill[at].is_empty() {
            let Err(back) = self.all[at].offer(parcel) else { return };
            self.spill[at].push_back(back);
        } else {
            self.spill[at].push_back(parcel);
        }
        self.spilled += 1;
    }

    /// Tries again what found no room, then wakes each receiver once. True if all is on its way; if not, this shard must
    /// not read its sockets, and its own mailbox rings when there is room.
    pub(crate) fn ring(&mut self) -> bool {
        if self.spilled > 0 {
            for at in 0..self.spill.len() {
                self.unspill(at);
            }
        }
        for to in self.touched.drain(..) {
            self.all[usize::from(to.0)].ring();
        }
        self.spilled == 0
    }

    fn unspill(&mut self, at: usize) {
        let mut announced = false;
        while let Some(parcel) = self.spill[at].pop_front() {
            match self.all[at].offer(parcel) {
                Ok(()) => {
                    // The room that was made may be what rang for us: a further lack of it must be announced anew.
                    announced = false;
                    self.spilled -= 1;
                    let to = ShardIndex(u16::try_from(at).unwrap_or(u16::MAX));
                    if !self.touched.contains(&to) {
                        self.touched.push(to);
                    }
                }
                Err(back) => {
                    self.spill[at].push_front(back);
                    if announced {
                        return;
                    }
                    // Announce, then try once more: room may have been made in between.
                    self.all[at].starved.lack(self.me.0);
                    announced = true;
                }
            }
        }
    }

    /// True if [`Outgoing::ring`] has something to do.
    pub(crate) fn has_touched(&self) -> bool {
        !self.touched.is_empty() || self.spilled > 0
    }

    /// True while something found no room.
    pub(crate) fn is_stuck(&self) -> bool {
        self.spilled > 0
    }
}

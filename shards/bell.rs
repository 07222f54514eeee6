//! One thread that rings shards when their time comes, and again when a wake-up was not heard.
//!
//! A timer armed in glommio costs one `io_uring_enter` more each time its executor goes to sleep, since it is put into the
//! ring and taken out again; one that is written down here costs a store. Nothing is written down: the thread sleeps.
//!
//! The second task guards against a lost wake-up of glommio 0.9.0, whose executor can fall asleep with runnable tasks
//! when its preemption timer fires at the wrong moment. The timer is set to an hour, so this should never act; if it does, a
//! shard lost [`GUARD_MS`] at most, and a line in the log says so.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::clock::Clock;
use crate::mailbox::Mailbox;

/// Deadlines are rounded up to a multiple of this, so that many of them ring once.
const COARSE_MS: u64 = 100;
/// Milliseconds until a wake-up counts as not heard. A shard is busy for microseconds, so this is long.
const GUARD_MS: u64 = 1_000;
/// No deadline.
const NEVER: u64 = u64::MAX;

/// The deadlines of all shards.
pub(crate) struct Bell {
    clock: Clock,
    mailboxes: Arc<[Mailbox]>,
    deadlines: Box<[AtomicU64]>,
    guarding: AtomicBool,
    /// When the thread wakes by itself; 0 to end it.
    next_ms: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    /// Starts the thread.
    pub(crate) fn start(clock: Clock, mailboxes: Arc<[Mailbox]>) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let bell = Arc::new(Self {
            clock,
            deadlines: mailboxes.iter().map(|_| AtomicU64::new(NEVER)).collect(),
            mailboxes,
            guarding: AtomicBool::new(false),
            next_ms: Mutex::new(NEVER),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new().name("bell".into()).spawn({
            let bell = bell.clone();
            move || bell.run()
        })?;
        Ok((bell, thread))
    }

    /// Rings `shard` at `mono_ms` or up to 100 ms later, in place of what was wanted before; never for none.
    pub(crate) fn at(&self, shard: usize, mono_ms: Option<u64>) {
        let wanted = mono_ms.map_or(NEVER, |ms| ms.div_ceil(COARSE_MS).max(1).saturating_mul(COARSE_MS));
        let before = self.deadlines[shard].swap(wanted, Ordering::SeqCst);
        // A later deadline is found when the thread wakes for the earlier one.
        if wanted < before {
            self.no_later_than(wanted);
        }
    }

    /// A shard rang another: look in a while whether it was heard.
    pub(crate) fn guard(&self) {
        fence(Ordering::SeqCst);
        if !self.guarding.load(Ordering::SeqCst) && !self.guarding.swap(true, Ordering::SeqCst) {
            self.no_later_than(self.clock.mono_ms() + GUARD_MS);
        }
    }

    /// Ends the thread.
    pub(crate) fn end(&self) {
        self.no_later_than(0);
    }

    fn no_later_than(&self, mono_ms: u64) {
        let mut next_ms = self.next_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if mono_ms < *next_ms {
            *next_ms = mono_ms;
            drop(next_ms);
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        let mut unheard = vec![None; self.mailboxes.len()];
        let mut guard_ms = NEVER;
        let mut next_ms = self.next_ms.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now_ms = self.clock.mono_ms();
            match *next_ms {
                0 => return,
                NEVER => next_ms = self.changed.wait(next_ms).unwrap_or_else(PoisonError::into_inner),
                next if next > now_ms => {
                    let wait = self.clock.until(next);
                    next_ms = self.changed.wait_timeout(next_ms, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
                _ => {
                    *next_ms = NEVER;
                    drop(next_ms);
                    let mut next = self.ring_due(now_ms);
                    if self.guarding.load(Ordering::SeqCst) {
                        if guard_ms == NEVER {
                            guard_ms = now_ms + GUARD_MS;
                        } else if guard_ms <= now_ms {
                            guard_ms = if self.ring_again(&mut unheard) { now_ms + GUARD_MS } else { NEVER };
                        }
                        next = next.min(guard_ms);
                    }
                    next_ms = self.next_ms.lock().unwrap_or_else(PoisonError::into_inner);
                    if next < *next_ms {
                        *next_ms = next;
                    }
                }
            }
        }
    }

    /// Rings every shard whose deadline has passed; returns the earliest of the others.
    fn ring_due(&self, now_ms: u64) -> u64 {
        let mut next = NEVER;
        for (deadline, mailbox) in self.deadlines.iter().zip(&*self.mailboxes) {
            let at = deadline.load(Ordering::SeqCst);
            // A shard that changes its deadline at this moment has looked at the clock itself.
            if at <= now_ms && deadline.compare_exchange(at, NEVER, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                mailbox.ring();
            } else {
                next = next.min(deadline.load(Ordering::SeqCst));
            }
        }
        next
    }

    /// Wakes shards that have not heard since the last look; false if there is nothing left to guard.
    fn ring_again(&self, unheard: &mut [Option<u32>]) -> bool {
        self.guarding.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut any = false;
        for (mailbox, before) in self.mailboxes.iter().zip(unheard) {
            let now = mailbox.unheard();
            if now.is_some() && now == *before {
                tracing::warn!("a shard did not hear its wake-up; woken again");
                mailbox.wake();
            }
            any |= now.is_some();
            *before = now;
        }
        if any {
            self.guarding.store(true, Ordering::SeqCst);
        }
        any
    }
}

//! A lock-free queue whose one owner sleeps while it is empty and is woken once for all that comes meanwhile.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sync::thread::{self, Thread};
use crate::sync::{AtomicBool, Ordering, Queue, fence};

/// Why its owner goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Woken {
    /// Something waits.
    Waiting,
    /// Nothing waits, and nothing more will come.
    Closed,
    /// Nothing waits, and it is time for something else.
    InTime,
}

/// The queue of one thread. It takes no bound itself: whoever pushes counts what waits.
pub(super) struct Inbox<T> {
    queue: Queue<T>,
    /// The owner is parked or about to park. Whoever takes it back owes the owner a wake-up.
    asleep: AtomicBool,
    closing: AtomicBool,
    owner: OnceLock<Thread>,
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        let flag = || AtomicBool::new(false);
        Self { queue: Queue::new(), asleep: flag(), closing: flag(), owner: OnceLock::new() }
    }

    /// Appends, and wakes the owner if it sleeps. Never blocks.
    pub(super) fn push(&self, value: T) {
        self.queue.push(value);
        self.wake();
    }

    /// The owner ends after it has taken everything.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Takes the oldest.
    pub(super) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// For the owner: returns as soon as something waits, the queue was closed, or the time has come.
    pub(super) fn wait(&self, until: Option<Instant>) -> Woken {
        // The owner names itself before it can first be asleep, so that whoever sees it asleep can wake it.
        self.owner.get_or_init(thread::current);
        loop {
            if !self.queue.is_empty() {
                return Woken::Waiting;
            }
            if self.closing.load(Ordering::SeqCst) {
                // What came before the end may have come since the first look.
                return if self.queue.is_empty() { Woken::Closed } else { Woken::Waiting };
            }
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            if rest == Some(Duration::ZERO) {
                return Woken::InTime;
            }
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            // Either this sees what `wake` was called for, or `wake` sees `asleep`: both fences stand in one order.
            if self.queue.is_empty() && !self.closing.load(Ordering::SeqCst) {
                match rest {
                    Some(rest) => thread::park_timeout(rest),
                    None => thread::park(),
                }
            }
            self.asleep.store(false, Ordering::SeqCst);
        }
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(owner) = self.owner.get()
        {
            owner.unpark();
        }
    }
}

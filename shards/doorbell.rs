//! How many producers wake one consumer: at most one ring for each of its sleeps, none while it is busy, and none is lost.

use std::io;

use crate::poller::{Eventfd, Poller};
use crate::sync::{AtomicBool, Ordering, fence};

/// The wake-up protocol between many producers and one consumer, apart from what is queued.
///
/// The consumer says that it will sleep, then looks at the queue once more; a producer puts its value, then looks whether
/// the consumer said so. Between the write and the look of each stands a fence, so at least one of them sees the other's
/// write: either the consumer finds the value, or a producer finds it asleep, and only the first of them rings. A ring
/// before the sleep has begun is kept by the kernel and ends it at once.
pub(crate) struct Doorbell {
    asleep: AtomicBool,
    eventfd: Eventfd,
}

impl Doorbell {
    /// Of a consumer that is awake.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { asleep: AtomicBool::new(false), eventfd: Eventfd::new()? })
    }

    /// Has its rings wake `poller`.
    ///
    /// # Errors
    /// No memory is left.
    pub(crate) fn hang_at(&self, poller: &Poller) -> io::Result<()> {
        poller.hear(&self.eventfd)
    }

    /// The consumer: true if it may sleep now; `is_empty` looks at the queue.
    pub(crate) fn fall_asleep(&self, is_empty: impl FnOnce() -> bool) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if is_empty() {
            return true;
        }
        // A producer may have rung meanwhile: then a wake-up comes that finds nothing new, which is harmless.
        self.wake_up();
        false
    }

    /// The consumer, whatever ended its sleep: looks at the queue behind this.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// A producer, behind its last put: wakes the consumer if it sleeps or is about to.
    pub(crate) fn ring(&self) {
        fence(Ordering::SeqCst);
        // The load spares a busy consumer the contended write.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.eventfd.ring();
        }
    }
}

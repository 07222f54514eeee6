//! Who found a mailbox full, and that there is room again; apart from what is queued.

use crate::sync::{AtomicBool, Ordering, fence};

/// The senders that wait for room in one mailbox.
///
/// A sender says that it lacks room, then tries once more; the receiver takes something, then looks who said so. Between the
/// two steps of each stands a fence, so at least one of them sees the other: either the sender finds the room, or it is told.
pub(crate) struct Starved {
    /// By the index of the shard.
    lacking: Box<[AtomicBool]>,
    /// Spares the receiver the look at each of them.
    any: AtomicBool,
}

impl Starved {
    /// For so many shards, none of which lacks any.
    pub(crate) fn new(shards: u16) -> Self {
        Self { lacking: (0..shards).map(|_| AtomicBool::new(false)).collect(), any: AtomicBool::new(false) }
    }

    /// A sender found none. It tries once more behind this; if it finds none again it is told when there is some.
    pub(crate) fn lack(&self, who: u16) {
        self.lacking[usize::from(who)].store(true, Ordering::SeqCst);
        self.any.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The receiver, behind what it took: tells everybody who lacked room.
    pub(crate) fn made(&self, tell: impl Fn(usize)) {
        fence(Ordering::SeqCst);
        if self.any.load(Ordering::SeqCst) && self.any.swap(false, Ordering::SeqCst) {
            for (who, lacking) in self.lacking.iter().enumerate() {
                if lacking.swap(false, Ordering::SeqCst) {
                    tell(who);
                }
            }
        }
    }
}

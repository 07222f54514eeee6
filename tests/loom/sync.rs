//! `shards/sync.rs` over the model: atomics, threads, and a queue whose ends are found as late as a weak memory allows.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Mutex;

use loom::sync::atomic::AtomicUsize;

pub(crate) use loom::sync::atomic::Ordering;

/// An atomic whose stores stand in one order with its swaps. loom leaves open which of a store and a swap that does not see it
/// comes first, also where a swap must follow directly on what it has read; no memory does that. So a store is a swap here
/// that acquires nothing.
pub(crate) struct AtomicBool(loom::sync::atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(loom::sync::atomic::AtomicBool::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: bool, _: Ordering) {
        self.0.swap(value, Ordering::Release);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// Threads that park and are unparked.
pub(crate) mod thread {
    use std::time::Duration;

    pub(crate) use loom::thread::{Thread, current, park};

    /// No time passes in the model.
    pub(crate) fn park_timeout(_: Duration) {
        park();
    }
}

thread_local! {
    /// All threads of a model take turns on one thread of the system.
    static FENCES: Cell<bool> = const { Cell::new(true) };
}

/// A fence, unless the story is played without.
pub(crate) fn fence(order: Ordering) {
    if FENCES.get() {
        loom::sync::atomic::fence(order);
    }
}

/// Until it is dropped, there are no fences.
pub(crate) struct WithoutFences;

impl WithoutFences {
    pub(crate) fn begin() -> Self {
        FENCES.set(false);
        Self
    }
}

impl Drop for WithoutFences {
    fn drop(&mut self) {
        FENCES.set(true);
    }
}

/// Stands for crossbeam's queues. What was put is there at once; how far others have come is known as from their atomics: by
/// acquire and release, which is what the model makes of the sequentially consistent accesses in crossbeam.
pub(crate) struct Queue<T> {
    values: Mutex<VecDeque<T>>,
    put: AtomicUsize,
    taken: AtomicUsize,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { values: Mutex::default(), put: AtomicUsize::new(0), taken: AtomicUsize::new(0) }
    }

    pub(crate) fn push(&self, value: T) {
        self.values.lock().unwrap().push_back(value);
        self.put.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let value = self.values.lock().unwrap().pop_front();
        self.taken.fetch_add(1, Ordering::AcqRel);
        value
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.put.load(Ordering::Acquire) == self.taken.load(Ordering::Acquire)
    }
}

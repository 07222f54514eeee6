//! What the wake-up protocols are made of. `tests/loom` compiles the same protocols over a model of a weakly ordered memory.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
pub(crate) use std::thread;

/// A queue without a bound.
pub(crate) type Queue<T> = crossbeam::queue::SegQueue<T>;

//! The executor under a shard. glommio is named in this file and nowhere else, so that another engine is a change of one file.
//!
//! glommio starts the thread, pins it, and tells how it ended. The shard's one task never yields to it: waiting for sockets
//! is done in `poller.rs`, since each sleep of glommio 0.9.0 costs about five `io_uring_enter` and a `membarrier`, which its
//! public interface cannot avoid. So neither its wakers nor its lost wake-up are met here.
//!
//! Traps that are left: `spawn` succeeds before the executor exists, so the started code reports by itself; `io_memory` is
//! pinned three times over; a preemption timer that fires would wake a sleeping shard, so it is an hour.

use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement};

/// Memory that each executor registers with the kernel; nothing here uses it. 64 KiB is the least that glommio takes.
const IO_MEMORY_BYTES: usize = 64 * 1024;
/// Entries of a ring.
const RING_DEPTH: usize = 128;
/// See the head of this file.
const PREEMPT_TIMER: Duration = Duration::from_secs(3600);

/// A thread with its executor.
pub(crate) struct Running(glommio::ExecutorJoinHandle<()>);

impl Running {
    /// Waits for its end; an error if the executor could not be made or panicked.
    pub(crate) fn join(self) -> Result<(), String> {
        self.0.join().map_err(|error| error.to_string())
    }
}

/// Runs `task` on a new thread with its own executor, pinned to `cpu`. That this returns says nothing about whether the
/// executor exists.
pub(crate) fn start(name: &str, cpu: usize, task: impl FnOnce() + Send + 'static) -> Result<Running, String> {
    LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .name(name)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .preempt_timer(PREEMPT_TIMER)
        .spawn(move || async move { task() })
        .map(Running)
        .map_err(|error| error.to_string())
}

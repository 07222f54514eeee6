//! What the supervisor that started the process hears of it (sd_notify(3)): ready, alive, ending. Without one nothing is said.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use sd_notify::NotifyState;
use wattle::input::AdminQuestion;

use crate::admin::pending::Pending;
use crate::boot::Door;

/// Stack of the thread here, which asks, waits and writes one datagram.
const STACK_BYTES: usize = 128 * 1024;

/// All shards listen.
pub(crate) fn say_ready() {
    say(NotifyState::Ready);
}

/// The process ends by its own will.
pub(crate) fn say_ending() {
    say(NotifyState::Stopping);
}

fn say(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the supervisor cannot be told; it will end this process if it waits for that");
    }
}

/// Says that the server is alive, if the supervisor wants to hear so (`WATCHDOG_USEC`) and only as long as every shard
/// answers. It ends with this value.
pub(crate) struct Watchdog {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watchdog {
    /// None if nobody listens. Shards' replies must be given to `pending`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(door: Door, pending: Arc<Pending>) -> std::io::Result<Option<Self>> {
        let Some(patience) = sd_notify::watchdog_enabled() else { return Ok(None) };
        // Half of it, as sd_watchdog_enabled(3) advises; answers have half of the rest. The shards of an idle server are woken
        // for this and nothing else: that a sleeping one would wake is what has to be shown.
        let (every, until) = (patience / 2, patience / 4);
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("watchdog".into()).stack_size(STACK_BYTES).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let silent = pending.ask_all(&door, &AdminQuestion::Alive, until).iter().position(Option::is_none);
                match silent {
                    None => say(NotifyState::Watchdog),
                    Some(shard) => {
                        tracing::error!(shard, "a shard does not answer; the supervisor is not told to go on")
                    }
                }
            }
        })?;
        Ok(Some(Self { stop, thread }))
    }

    /// Says nothing any more.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // If it panicked it has said so.
        let _ = self.thread.join();
    }
}

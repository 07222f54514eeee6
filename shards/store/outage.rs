//! A database that is gone: who waits for it and how long, when it is looked for, and what the log says of it.

use std::thread;
use std::time::{Duration, Instant};

use super::driver::{Error, Result};
use super::handle::Shared;

/// How long questions wait for a connection that was lost while they were carried out. Those that come behind this bound
/// are answered at once until it is there again.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Between the first two attempts to connect; doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two attempts at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one of the two threads knows of its connection.
#[derive(Default)]
pub(super) struct Outage(Option<Gone>);

struct Gone {
    since: Instant,
    /// When to look again.
    next: Instant,
    pause: Duration,
}

impl Outage {
    /// When to look whether the database is there again, if it is gone.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.as_ref().map(|gone| gone.next)
    }

    /// Is there a connection? Looks again if it is time to, so it may take as long as one attempt.
    pub(super) fn is_over(&mut self, shared: &Shared, revive: &mut dyn FnMut() -> Result<()>) -> bool {
        match &self.0 {
            None => true,
            Some(gone) if Instant::now() < gone.next => false,
            Some(_) => self.attempt(shared, revive).is_ok(),
        }
    }

    /// For whoever has just lost the connection: waits until it is there again; false if that takes too long.
    pub(super) fn wait(&mut self, shared: &Shared, lost: &Error, revive: &mut dyn FnMut() -> Result<()>) -> bool {
        let now = Instant::now();
        if self.0.is_none() {
            self.0 = Some(Gone { since: now, next: now, pause: PAUSE });
            if shared.counting.connection_lost() {
                tracing::error!("the database is gone ({lost}); wattle looks for it by itself");
            }
        }
        while let Err(error) = self.attempt(shared, revive) {
            match &self.0 {
                Some(gone) if gone.since.elapsed() < PATIENCE => {
                    thread::sleep(gone.next.saturating_duration_since(Instant::now()));
                }
                _ => {
                    // The connection ended for one reason, and there may be another why there is no new one.
                    if shared.counting.given_up() {
                        tracing::error!("{error}; what needs the store fails until then");
                    }
                    return false;
                }
            }
        }
        true
    }

    fn attempt(&mut self, shared: &Shared, revive: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let outcome = revive();
        match (&outcome, &mut self.0) {
            (Ok(()), gone) => {
                *gone = None;
                if shared.counting.connection_back() {
                    tracing::info!("the database is back");
                }
            }
            (Err(_), Some(gone)) => {
                gone.next = Instant::now() + gone.pause;
                gone.pause = (gone.pause * 2).min(LONGEST_PAUSE);
            }
            (Err(_), None) => {}
        }
        outcome
    }
}

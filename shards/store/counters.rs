//! What `wattle stats` tells of the store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::percentiles::Percentiles;

/// Written by the store's threads and those who ask.
#[derive(Default)]
pub(super) struct Counting {
    pub(super) asked: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) busy: AtomicU64,
    commits: AtomicU64,
    last_commit_us: AtomicU64,
    max_commit_us: AtomicU64,
    commit_times: Percentiles,
    failing: AtomicBool,
    connections_lost: AtomicU64,
    connections_gone: AtomicU64,
    given_up: AtomicBool,
    swept: AtomicU64,
    passes: AtomicU64,
    last_pass_unix_s: AtomicU64,
}

impl Counting {
    pub(super) fn committed(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.last_commit_us.store(us, Relaxed);
        self.max_commit_us.fetch_max(us, Relaxed);
        self.commit_times.add(us);
    }

    /// Nothing can be written now, or it can again.
    pub(super) fn failing(&self, failing: bool) {
        self.failing.store(failing, Relaxed);
    }

    /// A thread has lost its connection to the database; is it the first?
    pub(super) fn connection_lost(&self) -> bool {
        self.connections_lost.fetch_add(1, Relaxed);
        self.connections_gone.fetch_add(1, Relaxed) == 0
    }

    /// It waits no longer for a new one; is it the first since all had one?
    pub(super) fn given_up(&self) -> bool {
        !self.given_up.swap(true, Relaxed)
    }

    /// It has one again; has every thread?
    pub(super) fn connection_back(&self) -> bool {
        let all = self.connections_gone.fetch_sub(1, Relaxed) == 1;
        if all {
            self.given_up.store(false, Relaxed);
        }
        all
    }

    /// A step of the sweep; the time if its pass is over.
    pub(super) fn swept(&self, rows: u64, pass_unix_s: Option<u64>) {
        self.swept.fetch_add(rows, Relaxed);
        if let Some(unix_s) = pass_unix_s {
            self.passes.fetch_add(1, Relaxed);
            self.last_pass_unix_s.store(unix_s, Relaxed);
        }
    }

    pub(super) fn read(&self) -> Counters {
        // Answered first: read the other way round, the difference could seem negative.
        let questions = self.answered.load(Relaxed);
        Counters {
            waiting: self.asked.load(Relaxed).saturating_sub(questions),
            questions,
            failed: self.failed.load(Relaxed),
            busy: self.busy.load(Relaxed),
            commits: self.commits.load(Relaxed),
            last_commit_us: self.last_commit_us.load(Relaxed),
            max_commit_us: self.max_commit_us.load(Relaxed),
            commit_us_50: self.commit_times.at(50),
            commit_us_99: self.commit_times.at(99),
            failing: self.failing.load(Relaxed),
            connections_lost: self.connections_lost.load(Relaxed),
            connections_gone: self.connections_gone.load(Relaxed),
            swept: self.swept.load(Relaxed),
            passes: self.passes.load(Relaxed),
            last_pass_unix_s: self.last_pass_unix_s.load(Relaxed),
        }
    }
}

/// Figures since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counters {
    /// Questions that were asked and not yet answered.
    pub(crate) waiting: u64,
    /// Questions answered, the failed ones among them.
    pub(crate) questions: u64,
    /// Questions that failed.
    pub(crate) failed: u64,
    /// Questions refused because too many waited.
    pub(crate) busy: u64,
    /// Transactions that wrote.
    pub(crate) commits: u64,
    /// Microseconds that the last commit took, syncing the disk included.
    pub(crate) last_commit_us: u64,
    /// Microseconds of the longest.
    pub(crate) max_commit_us: u64,
    /// Microseconds that half of the commits did not exceed, a quarter too high at most.
    pub(crate) commit_us_50: u64,
    /// Microseconds that 99 of a hundred did not exceed, a quarter too high at most.
    pub(crate) commit_us_99: u64,
    /// Something could not be written, and nothing has been since.
    pub(crate) failing: bool,
    /// How often a thread of the store has lost its connection to the database.
    pub(crate) connections_lost: u64,
    /// Threads of the store that have none now.
    pub(crate) connections_gone: u64,
    /// Messages that left an archive because of their age or number.
    pub(crate) swept: u64,
    /// How often all archives were looked through for them.
    pub(crate) passes: u64,
    /// When the last time ended, seconds since 1970; 0 for never.
    pub(crate) last_pass_unix_s: u64,
}

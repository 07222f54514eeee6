//! What the threads of a run share: the phase, the counts, the first fault.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use serde::{Deserialize, Serialize};

use crate::ladder::Rung;

/// Where a run stands. The order is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Clients log in.
    Muster,
    /// The scene plays, nothing counts yet: caches, tickets and collectors warm up.
    Warm,
    /// The scene plays and counts.
    Measure,
    /// Nothing new is sent; what is on its way arrives.
    Drain,
    /// Everybody goes home.
    Stop,
}

impl Phase {
    /// Whether the scene plays, counted or not.
    pub(crate) fn plays(self) -> bool {
        matches!(self, Self::Warm | Self::Measure)
    }
}

/// One thread's own counts, written by it alone, on a cache line of their own.
#[derive(Default)]
#[repr(align(128))]
struct Tally {
    counted: AtomicU64,
    progress: AtomicUsize,
    ready: AtomicBool,
    drained: AtomicBool,
}

/// Shared between the threads that play and the one that measures.
pub(crate) struct Control {
    phase: AtomicU8,
    tallies: Vec<Tally>,
    bells: Vec<OwnedFd>,
    fault: Mutex<Option<String>>,
    waiting: Mutex<BTreeMap<Rung, usize>>,
}

impl Control {
    pub(crate) fn new(threads: usize) -> Result<Self, String> {
        let bell = || eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(|e| format!("eventfd: {e}"));
        Ok(Self {
            phase: AtomicU8::new(Phase::Muster as u8),
            tallies: (0..threads).map(|_| Tally::default()).collect(),
            bells: (0..threads).map(|_| bell()).collect::<Result<_, _>>()?,
            fault: Mutex::new(None),
            waiting: Mutex::default(),
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        let phases = [Phase::Muster, Phase::Warm, Phase::Measure, Phase::Drain];
        phases.into_iter().find(|p| *p as u8 == self.phase.load(Ordering::Acquire)).unwrap_or(Phase::Stop)
    }

    /// Moves to the next phase and wakes all threads.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        for bell in &self.bells {
            // A full counter means that the bell is ringing already.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }

    /// The eventfd that wakes one thread.
    pub(crate) fn bell(&self, thread: usize) -> &OwnedFd {
        &self.bells[thread]
    }

    pub(crate) fn publish(&self, thread: usize, counted: u64, progress: usize, ready: bool, drained: bool) {
        let tally = &self.tallies[thread];
        tally.counted.store(counted, Ordering::Relaxed);
        tally.progress.store(progress, Ordering::Relaxed);
        tally.ready.store(ready, Ordering::Release);
        tally.drained.store(drained, Ordering::Release);
    }

    /// Operations of all threads so far.
    pub(crate) fn counted(&self) -> u64 {
        self.tallies.iter().map(|t| t.counted.load(Ordering::Relaxed)).sum()
    }

    /// How far the muster is, in clients.
    pub(crate) fn progress(&self) -> usize {
        self.tallies.iter().map(|t| t.progress.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn all_ready(&self) -> bool {
        self.tallies.iter().all(|t| t.ready.load(Ordering::Acquire))
    }

    pub(crate) fn all_drained(&self) -> bool {
        self.tallies.iter().all(|t| t.drained.load(Ordering::Acquire))
    }

    /// Says why the scene cannot go on; the first reason stands.
    pub(crate) fn fail(&self, reason: impl Into<String>) {
        lock(&self.fault).get_or_insert(reason.into());
    }

    /// Notes, at the end, that so many clients of a thread still waited for this.
    pub(crate) fn waited(&self, rung: Rung, clients: usize) {
        *lock(&self.waiting).entry(rung).or_default() += clients;
    }

    /// Why the scene is not valid, and what the clients that did not get online waited for.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = lock(&self.fault).clone()?;
        let waiting: Vec<String> = lock(&self.waiting).iter().map(|(rung, n)| format!("{n} for {rung:?}")).collect();
        Some(if waiting.is_empty() { fault } else { format!("{fault}; waiting: {}", waiting.join(", ")) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

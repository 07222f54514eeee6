//! What the server has used until a moment: its processes, the cores of its host, and energy.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::client::Client;
use crate::power::{Description, Energy, Found, Sampler};
use crate::usage::{Cores, Memory, Usage};
use crate::{machine, tree};

/// A meter of a server, on this host or on another one.
pub(crate) enum Meter {
    Here(Here),
    There(Client),
}

/// The processes that are measured together, each with those that it has started, and the power meter of their host.
pub(crate) struct Here {
    pids: Vec<u32>,
    power: Found<Sampler>,
    began: Instant,
}

/// All that was used until some moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// That moment, by the meter's own clock.
    pub(crate) at: Duration,
    pub(crate) usage: Usage,
    pub(crate) cores: Cores,
    /// With a moment of its own, for a meter of power may be slow.
    pub(crate) energy: Option<Energy>,
}

impl Meter {
    /// A meter of processes of this host, all of which must be there and readable.
    pub(crate) fn open(pids: Vec<u32>, power: Found<Sampler>) -> Result<Self, String> {
        let meter = Self::Here(Here { pids, power, began: Instant::now() });
        meter.reading()?;
        meter.memory()?;
        Ok(meter)
    }

    /// A meter of processes of this host without power, which is not tried.
    pub(crate) fn here(pids: Vec<u32>) -> Self {
        Self::Here(Here { pids, power: Err(Vec::new()), began: Instant::now() })
    }

    /// The processes, if they are on this host.
    pub(crate) fn pids(&self) -> &[u32] {
        if let Self::Here(here) = self { &here.pids } else { &[] }
    }

    /// Whether there is no process to measure.
    pub(crate) fn is_blind(&self) -> bool {
        if let Self::Here(here) = self { here.pids.is_empty() } else { false }
    }

    /// Whether the generator's own use is part of what the host's cores do.
    pub(crate) fn same_host(&self) -> bool {
        if let Self::There(there) = self { there.same_host() } else { true }
    }

    /// The power meter, or why there is none.
    pub(crate) fn power(&self) -> Found<&Description> {
        match self {
            Self::Here(here) => here.power.as_ref().map(Sampler::description).map_err(Clone::clone),
            Self::There(there) => there.power(),
        }
    }

    /// The host, as far as figures depend on it.
    pub(crate) fn machine(&self) -> Value {
        match self {
            Self::Here(here) => machine::describe(&here.pids),
            Self::There(there) => there.machine(),
        }
    }

    /// What was used so far.
    pub(crate) fn reading(&self) -> Result<Reading, String> {
        match self {
            Self::Here(here) => here.reading(),
            Self::There(there) => there.reading(),
        }
    }

    /// What is held now. Costs the reader, and holds the server's memory map for a moment: not for use while measuring.
    pub(crate) fn memory(&self) -> Result<Memory, String> {
        match self {
            Self::Here(here) => here.memory(),
            Self::There(there) => there.memory(),
        }
    }
}

impl Here {
    fn reading(&self) -> Result<Reading, String> {
        let energy = self.power.as_ref().ok().map(Sampler::energy).transpose()?;
        let mut usage = Usage::default();
        self.each(|process| usage.add(process))?;
        Ok(Reading { at: self.began.elapsed(), usage, cores: Cores::read(Path::new("/proc/stat"))?, energy })
    }

    fn memory(&self) -> Result<Memory, String> {
        let mut memory = Memory::default();
        self.each(|process| memory.add(process))?;
        Ok(memory)
    }

    /// Reads each process, by its folder in /proc.
    fn each(&self, mut read: impl FnMut(&Path) -> Result<(), String>) -> Result<(), String> {
        for pid in tree::of(&self.pids) {
            let done = read(&PathBuf::from(format!("/proc/{pid}")));
            // A child that ended in between is no fault; the server's own process has to be there.
            if self.pids.contains(&pid) {
                done?;
            }
        }
        Ok(())
    }
}

impl Reading {
    /// Used since an earlier reading; `at` is the time between them.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            at: self.at.saturating_sub(before.at),
            usage: self.usage.since(&before.usage),
            cores: self.cores.since(&before.cores),
            energy: self.energy.zip(before.energy).map(|(after, before)| after.since(before)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Meter;

    #[test]
    fn a_process_measures_itself() {
        let meter = Meter::here(vec![std::process::id()]);
        let before = meter.reading().unwrap();
        assert!(before.usage.cpu_ns > 0 && before.usage.threads > 0);
        assert!(meter.memory().unwrap().pss_kib > 0);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(before.cores.each_busy_ns.len() >= cores && before.cores.busy_ns > 0);
        let spent = meter.reading().unwrap().since(&before);
        assert!(spent.usage.cpu_ns < 60_000_000_000 && !spent.at.is_zero());
    }

    #[test]
    fn who_is_not_there_is_named() {
        assert!(Meter::here(vec![u32::MAX]).reading().err().unwrap().contains("/proc/4294967295/stat"));
    }
}

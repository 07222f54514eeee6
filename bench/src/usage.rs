//! Reads from /proc what processes and the cores of their host have used: CPU, switches, memory, disk.
//!
//! CPU comes from the threads' schedstat, in nanoseconds; the ticks of `stat` are kept beside it, because they include
//! threads that have ended in between and so show when the finer figure misses some.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the processes have used, all together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Of the threads alive, from schedstat.
    pub(crate) cpu_ns: u64,
    /// Runnable, but without a core: how much the rest of the machine was in the way.
    pub(crate) waited_ns: u64,
    /// User time by the kernel's ticks, threads that ended included.
    pub(crate) user_ns: u64,
    /// System time likewise.
    pub(crate) system_ns: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    pub(crate) threads: u64,
    /// Read and write calls on files and pipes, not on sockets.
    pub(crate) file_calls: u64,
    /// Fetched from the disk.
    pub(crate) read_bytes: u64,
    /// Dirtied for the disk.
    pub(crate) write_bytes: u64,
    /// Resident at this moment; cheaper to read than [`Memory`], and less of the truth.
    pub(crate) resident_kib: u64,
}

/// What all cores of the host did until some moment, by ticks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cores {
    /// Anything but idle.
    pub(crate) busy_ns: u64,
    /// The same of each core, in the kernel's order.
    pub(crate) each_busy_ns: Vec<u64>,
    /// Taken by the machine below this one, if this is a virtual one.
    pub(crate) stolen_ns: u64,
}

/// Memory at one moment, all processes together, in KiB.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) pss_kib: u64,
    pub(crate) rss_kib: u64,
    pub(crate) anonymous_kib: u64,
}

impl Usage {
    /// Adds one process, of which `process` is the folder in /proc.
    pub(crate) fn add(&mut self, process: &Path) -> Result<(), String> {
        let stat = read(&process.join("stat"))?;
        // The name in parentheses may hold spaces; after it the fields count from 3 (proc(5)).
        let after: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let ticks = |field: usize| after.get(field - 3).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        self.user_ns += ticks(14) * tick_ns;
        self.system_ns += ticks(15) * tick_ns;
        let tasks = fs::read_dir(process.join("task")).map_err(|e| format!("{}: {e}", process.display()))?;
        for task in tasks.flatten() {
            // A thread that ends between the listing and the reading is no fault.
            let (Ok(sched), Ok(status)) = (read(&task.path().join("schedstat")), fields(&task.path().join("status")))
            else {
                continue;
            };
            self.threads += 1;
            let mut times = sched.split_ascii_whitespace().map(|ns| ns.parse::<u64>().unwrap_or(0));
            self.cpu_ns += times.next().unwrap_or(0);
            self.waited_ns += times.next().unwrap_or(0);
            self.voluntary_switches += status.get("voluntary_ctxt_switches").copied().unwrap_or(0);
            self.involuntary_switches += status.get("nonvoluntary_ctxt_switches").copied().unwrap_or(0);
        }
        let pages = read(&process.join("statm"))?;
        let pages: u64 = pages.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        self.resident_kib += pages * (rustix::param::page_size() as u64 >> 10);
        // Only the process's own user and root may read it.
        if let Ok(io) = fields(&process.join("io")) {
            let count = |key| io.get(key).copied().unwrap_or(0);
            self.file_calls += count("syscr") + count("syscw");
            self.read_bytes += count("read_bytes");
            self.write_bytes += count("write_bytes");
        }
        Ok(())
    }

    /// Used since an earlier moment. Threads and memory are as they are.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            waited_ns: self.waited_ns.saturating_sub(before.waited_ns),
            user_ns: self.user_ns.saturating_sub(before.user_ns),
            system_ns: self.system_ns.saturating_sub(before.system_ns),
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_sub(before.involuntary_switches),
            threads: self.threads,
            file_calls: self.file_calls.saturating_sub(before.file_calls),
            read_bytes: self.read_bytes.saturating_sub(before.read_bytes),
            write_bytes: self.write_bytes.saturating_sub(before.write_bytes),
            resident_kib: self.resident_kib,
        }
    }

    pub(crate) fn switches(&self) -> u64 {
        self.voluntary_switches + self.involuntary_switches
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu_ns": self.cpu_ns,
            "waited_ns": self.waited_ns,
            "user_ticks_ns": self.user_ns,
            "system_ticks_ns": self.system_ns,
            "voluntary_switches": self.voluntary_switches,
            "involuntary_switches": self.involuntary_switches,
            "threads": self.threads,
            "file_calls": self.file_calls,
            "read_bytes": self.read_bytes,
            "write_bytes": self.write_bytes,
        })
    }
}

impl Cores {
    /// Reads them from the kernel's `stat`.
    pub(crate) fn read(stat: &Path) -> Result<Self, String> {
        let stat = read(stat)?;
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        let mut lines = stat.lines().take_while(|line| line.starts_with("cpu")).map(|line| {
            let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).map(|t| t.parse().unwrap_or(0)).collect();
            // user nice system idle iowait irq softirq steal (proc(5)); what follows is contained in user.
            let sum = |fields: &[usize]| fields.iter().filter_map(|f| ticks.get(*f)).sum::<u64>() * tick_ns;
            (sum(&[0, 1, 2, 5, 6]), sum(&[7]))
        });
        let (busy_ns, stolen_ns) = lines.next().unwrap_or_default();
        Ok(Self { busy_ns, each_busy_ns: lines.map(|(busy_ns, _)| busy_ns).collect(), stolen_ns })
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let each = self.each_busy_ns.iter().zip(&before.each_busy_ns);
        Self {
            busy_ns: self.busy_ns.saturating_sub(before.busy_ns),
            each_busy_ns: each.map(|(after, before)| after.saturating_sub(*before)).collect(),
            stolen_ns: self.stolen_ns.saturating_sub(before.stolen_ns),
        }
    }
}

impl Memory {
    /// Adds one process, of which `process` is the folder in /proc.
    pub(crate) fn add(&mut self, process: &Path) -> Result<(), String> {
        let fields = fields(&process.join("smaps_rollup"))?;
        let kib = |key| fields.get(key).copied().unwrap_or(0);
        self.pss_kib += kib("Pss");
        self.rss_kib += kib("Rss");
        self.anonymous_kib += kib("Anonymous");
        Ok(())
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "pss_kib": self.pss_kib, "rss_kib": self.rss_kib, "anonymous_kib": self.anonymous_kib })
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Files of lines `key: number unit`.
fn fields(path: &Path) -> Result<BTreeMap<String, u64>, String> {
    let text = read(path)?;
    let lines = text.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        Some((key.to_owned(), value.split_ascii_whitespace().next()?.parse().ok()?))
    });
    Ok(lines.collect())
}

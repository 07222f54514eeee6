//! What is measured on the server's host: which processes, and with which power meter.

use std::fs;
use std::path::Path;

use clap::Args;

use crate::meter::Meter;
use crate::power::{self, Choice};

#[derive(Args, Debug, Clone)]
pub(crate) struct Watched {
    /// A process of the server, with all that it has started; again for each further one. Without, nothing of the
    /// server is measured
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// All processes of this name, as /proc/PID/comm has it; again for each further name
    #[arg(long = "process-name", value_name = "NAME")]
    names: Vec<String>,
    /// Power meter of the server's host: auto, none, hwmon, hwmon:NAME/CHANNEL, pmic, powercap, 'command:PROGRAM …'
    /// that prints watts, or model:idle=WATTS,full=WATTS; auto, if the server's processes are known
    #[arg(long, value_name = "METER")]
    power: Option<Choice>,
}

impl Watched {
    /// Whether it names no process.
    pub(crate) fn is_empty(&self) -> bool {
        self.pids.is_empty() && self.names.is_empty()
    }

    /// Opens all meters.
    pub(crate) fn open(&self) -> Result<Meter, String> {
        let mut pids = self.pids.clone();
        for name in &self.names {
            let found = called(name);
            if found.is_empty() {
                return Err(format!("--process-name {name}: no process is called so: write its --pid"));
            }
            pids.extend(found);
        }
        pids.sort_unstable();
        pids.dedup();
        // Whoever does not say what the server is does not say that it is on this host.
        let unsaid = if pids.is_empty() { Choice::None } else { Choice::Best };
        let power = power::open(self.power.as_ref().unwrap_or(&unsaid), Path::new("/"))?;
        Meter::open(pids, power)
    }
}

/// The processes of a name.
fn called(name: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[test]
    fn processes_are_found_by_their_name() {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(super::called(name.trim()).contains(&std::process::id()));
        assert!(super::called("no such name").is_empty());
    }
}

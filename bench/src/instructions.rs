//! Counts the server's instructions with `perf stat`, where the machine has the counter.
//!
//! Instructions repeat where times do not. perf slows a lightly loaded server up to fourfold, so the CPU time of such a
//! run is not comparable with that of a run without.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::tree;

/// A perf that is counting.
pub(crate) struct Instructions(Child);

impl Instructions {
    /// Starts counting for a time, of the processes with those that they have started by now.
    pub(crate) fn start(pids: &[u32], time: Duration) -> Result<Self, String> {
        // perf takes along only what they start from now on, and a PostgreSQL has its backends already.
        let pids: Vec<String> = tree::of(pids).iter().map(u32::to_string).collect();
        let child = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "instructions", "-p", &pids.join(",")])
            .args(["--", "sleep", &time.as_secs_f64().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("perf: {e}"))?;
        Ok(Self(child))
    }

    /// Waits for perf's end and reads its count.
    pub(crate) fn finish(self) -> Result<u64, String> {
        let output = self.0.wait_with_output().map_err(|e| format!("perf: {e}"))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let counts: Vec<u64> = text
            .lines()
            .filter(|line| line.contains("instructions"))
            .filter_map(|line| line.split(',').next()?.parse().ok())
            .collect();
        if counts.is_empty() {
            return Err(format!("perf counted nothing here: {}", text.trim()));
        }
        Ok(counts.iter().sum())
    }
}

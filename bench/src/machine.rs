//! The machine a run was made on, as far as its figures depend on it.

use std::fs;

use serde_json::{Value, json};

/// Kernel, CPU, governor, memory, and the executables that are measured.
pub(crate) fn describe(pids: &[u32]) -> Value {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // ARM kernels say `Model` (the board) or nothing; the device tree names the board.
    let field = |key: &str| {
        let line = cpuinfo.lines().find(|l| l.split(':').next().is_some_and(|k| k.trim() == key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let board = fs::read_to_string("/proc/device-tree/model").ok().map(|m| m.trim_end_matches('\0').to_owned());
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: Option<u64> =
        meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")?.split_ascii_whitespace().next()?.parse().ok());
    let system = rustix::system::uname();
    let first_line = |path: &str| fs::read_to_string(path).ok().map(|t| t.trim().to_owned());
    let processes: Vec<Value> = pids
        .iter()
        .map(|pid| {
            let executable = fs::read_link(format!("/proc/{pid}/exe")).ok().map(|p| p.display().to_string());
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
            json!({ "pid": pid, "executable": executable, "command": command })
        })
        .collect();
    json!({
        "kernel": system.release().to_string_lossy(),
        "architecture": system.machine().to_string_lossy(),
        "cpu": field("model name").or_else(|| field("Model")),
        "board": board,
        "cores": std::thread::available_parallelism().map(usize::from).ok(),
        "memory_kib": memory_kib,
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "transparent_huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_at_start": first_line("/proc/loadavg"),
        "processes": processes,
    })
}

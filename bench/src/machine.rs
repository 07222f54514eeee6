//! The machine a run was made on, as far as its figures depend on it.

use std::fs;
use std::path::Path;

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
        "frequency_policies": policies(Path::new("/sys/devices/system/cpu/cpufreq")),
        "frequencies_now_khz": now_khz(&cpuinfo),
        "transparent_huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_at_start": first_line("/proc/loadavg"),
        "processes": processes,
    })
}

/// How the kernel chooses the cores' frequencies. A policy is a group of cores: a board with big and little ones has two.
fn policies(folder: &Path) -> Vec<Value> {
    let mut folders: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.join("scaling_governor").exists());
    folders.sort();
    let policy = |path: &Path| {
        let read = |name: &str| fs::read_to_string(path.join(name)).ok().map(|text| text.trim().to_owned());
        let khz = |name: &str| read(name).and_then(|text| text.parse::<u64>().ok());
        json!({
            "cores": read("affected_cpus"),
            "driver": read("scaling_driver"),
            "governor": read("scaling_governor"),
            "least_khz": khz("scaling_min_freq"),
            "most_khz": khz("scaling_max_freq"),
        })
    };
    folders.iter().map(|path| policy(path)).collect()
}

/// The frequency of each core at this moment: by the governor, or else as the processor said at the start.
fn now_khz(cpuinfo: &str) -> Vec<u64> {
    let governed = (0..).map_while(|core| {
        let file = format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq");
        fs::read_to_string(file).ok()?.trim().parse().ok()
    });
    let governed: Vec<u64> = governed.collect();
    if !governed.is_empty() {
        return governed;
    }
    let mhz = cpuinfo.lines().filter_map(|line| line.strip_prefix("cpu MHz")?.split(':').nth(1)?.trim().parse().ok());
    mhz.map(|mhz: f64| (mhz * 1e3) as u64).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{now_khz, policies};
    use std::fs;

    #[test]
    fn each_group_of_cores_has_its_policy() {
        let folder = std::env::temp_dir().join(format!("wattle-bench-cpufreq-{}", std::process::id()));
        for (name, cores, governor, most) in
            [("policy4", "4 5", "performance\n", "2400000\n"), ("policy0", "0 1 2 3", "schedutil\n", "1800000\n")]
        {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("affected_cpus"), cores).unwrap();
            fs::write(folder.join(name).join("scaling_governor"), governor).unwrap();
            fs::write(folder.join(name).join("scaling_max_freq"), most).unwrap();
        }
        fs::create_dir_all(folder.join("stats")).unwrap();
        let policies = policies(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let of = |key: &str| policies.iter().map(|policy| policy[key].to_string()).collect::<Vec<_>>();
        assert_eq!(of("governor"), ["\"schedutil\"", "\"performance\""]);
        assert_eq!(of("most_khz"), ["1800000", "2400000"]);
        assert_eq!(of("least_khz"), ["null", "null"]);
    }

    #[test]
    fn a_machine_without_governor_has_what_the_processor_said() {
        let said = now_khz("processor : 0\ncpu MHz\t\t: 2599.998\nprocessor : 1\ncpu MHz\t\t: 2600.0\n");
        assert!(!said.is_empty() && said.iter().all(|khz| *khz > 0));
    }
}

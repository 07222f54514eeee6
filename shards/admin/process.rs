//! What the kernel counts of this process: memory, processor time, context switches.

use std::fs;
use std::time::Duration;

use super::words::Counters;

/// Counters of this process, which has been up for `uptime`.
pub(super) fn counters(uptime: Duration) -> Counters {
    let mut counters = Counters::from([("uptime_seconds".to_owned(), uptime.as_secs())]);
    if let Some(bytes) = resident_bytes() {
        counters.insert("resident_bytes".to_owned(), bytes);
    }
    // SAFETY: an all-zero rusage is a valid value of this plain C structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure of the right type.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } == 0 {
        let us = micros(usage.ru_utime) + micros(usage.ru_stime);
        counters.insert("cpu_us".to_owned(), us);
        let switches = usage.ru_nvcsw.saturating_add(usage.ru_nivcsw);
        counters.insert("context_switches".to_owned(), u64::try_from(switches).unwrap_or_default());
    }
    counters
}

fn micros(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or_default()
}

/// proc(5): the second number of `statm` counts resident pages.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: sysconf(3) takes any number.
    let page_bytes = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    Some(pages * page_bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::counters;

    #[test]
    fn the_kernel_counts_this_process() {
        let counters = counters(Duration::from_millis(61_500));
        assert_eq!(counters["uptime_seconds"], 61);
        assert!(counters["resident_bytes"] > 1024 * 1024);
        assert!(counters.contains_key("cpu_us") && counters.contains_key("context_switches"));
    }
}

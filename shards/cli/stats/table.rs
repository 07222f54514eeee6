//! The counters as a table: one line for each, one column for each shard; four shards fit on 80 columns.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use crate::admin::words::{Counters, Stats};

/// What goes up and down. All else counts up from the start of the server, and its rate is shown beside it.
const GAUGES: [&str; 17] = [
    "accounts_flushing",
    "accounts_resident",
    "connections",
    "connections_gone",
    "copies_open",
    "last_commit_us",
    "longest_commit_us",
    "mailbox_parcels",
    "questions_open",
    "questions_waiting",
    "resident_bytes",
    "sessions",
    "sessions_detached",
    "stanzas_held",
    "stanzas_open",
    "stanzas_undone",
    "uptime_seconds",
];

/// The text; `earlier` and the time since then are for the rates.
pub(super) fn table(stats: &Stats, earlier: Option<(Duration, &Stats)>) -> String {
    let mut text = String::new();
    let names: BTreeSet<&str> = stats.shards.iter().flatten().flat_map(Counters::keys).map(String::as_str).collect();
    // Writing into a String does not fail.
    let _ = write!(text, "{:<20}{:>11}{:>10}", "shards", "all", "a second");
    for shard in 0..stats.shards.len() {
        let _ = write!(text, "{shard:>9}");
    }
    text.push('\n');
    for name in names {
        let all = sum(stats, name);
        let rate = rate(name, all, earlier.map(|(time, stats)| (time, sum(stats, name))));
        let _ = write!(text, "{name:<20}{:>11}{rate:>10}", shown(name, all));
        for shard in &stats.shards {
            let value = shard.as_ref().and_then(|counters| counters.get(name));
            let _ = write!(text, "{:>9}", value.map_or_else(|| "-".to_owned(), |value| shown(name, *value)));
        }
        text.push('\n');
    }
    let process = earlier.map(|(time, stats)| (time, &stats.process));
    let store = earlier.map(|(time, stats)| (time, &stats.store));
    for (title, counters, before) in [("store", &stats.store, store), ("process", &stats.process, process)] {
        let _ = writeln!(text, "{title}");
        for (name, value) in counters {
            let before = before.map(|(time, counters)| (time, counters.get(name).copied().unwrap_or_default()));
            let line = format!("{name:<20}{:>11}{:>10}", shown(name, *value), rate(name, *value, before));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

fn sum(stats: &Stats, name: &str) -> u64 {
    stats.shards.iter().flatten().filter_map(|counters| counters.get(name)).sum()
}

/// How fast a counter rises, for those that only rise.
fn rate(name: &str, now: u64, before: Option<(Duration, u64)>) -> String {
    match before {
        Some((time, before)) if !GAUGES.contains(&name) && !time.is_zero() => {
            format!("{:.0}", now.saturating_sub(before) as f64 / time.as_secs_f64())
        }
        _ => String::new(),
    }
}

/// A value for people: bytes in a fitting unit.
fn shown(name: &str, value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if !name.ends_with("_bytes") || value < 1_024 {
        return value.to_string();
    }
    let mut size = value as f64 / 1_024.0;
    let mut unit = 0;
    while size >= 1_024.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::table;
    use crate::admin::words::{Counters, Stats};

    fn counters(of: &[(&str, u64)]) -> Counters {
        of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn stats(stanzas: u64) -> Stats {
        Stats {
            process: counters(&[("resident_bytes", 12 * 1024 * 1024), ("uptime_seconds", 60)]),
            store: counters(&[("commits", 9)]),
            shards: vec![Some(counters(&[("sessions", 3), ("stanzas_in", stanzas)])), None],
        }
    }

    #[test]
    fn a_table_with_rates() {
        let earlier = stats(100);
        assert_eq!(
            table(&stats(350), Some((Duration::from_millis(500), &earlier))),
            "\
shards                      all  a second        0        1
sessions                      3                  3        -
stanzas_in                  350       500      350        -
store
commits                       9         0
process
resident_bytes         12.0 MiB
uptime_seconds               60
"
        );
    }
}

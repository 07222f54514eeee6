//! Lays results side by side, with ratios to the first, and says in what they differ that makes them no pair.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::report::say;
use crate::result::Run;
use crate::table::{Table, number};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Results that scenes wrote with --json. Ratios are to the first
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    files: Vec<PathBuf>,
}

/// Prints the comparison. Exit code 1, if one of the results is of a scene that was not valid.
pub(crate) fn compare(options: &Options) -> Result<u8, String> {
    let runs: Vec<Run> = options.files.iter().map(|file| Run::read(file)).collect::<Result<_, _>>()?;
    say(side_by_side(&runs).trim_end());
    Ok(u8::from(!runs.iter().all(Run::is_valid)))
}

fn side_by_side(runs: &[Run]) -> String {
    let scenes: Vec<String> = runs.iter().map(|run| run.scene().to_owned()).collect();
    let one_scene = scenes.windows(2).all(|pair| pair[0] == pair[1]);
    let mut text = if one_scene { format!("{}\n", scenes[0]) } else { "DIFFERENT SCENES\n".to_owned() };
    let mut heads = Table::default();
    for (n, run) in runs.iter().enumerate() {
        heads.row([format!("{}  {}", n + 1, run.name), run.text(&["server_version"])]);
    }
    text += &heads.text();
    text.push('\n');
    text += &figures(runs, one_scene).text();

    let mut notes: Vec<String> = Vec::new();
    if !one_scene {
        notes.push(format!(
            "the scenes differ ({}): what an operation is differs, so there are no ratios",
            listed(&scenes)
        ));
    }
    let settings = differences(runs, &["settings"]);
    notes.extend(settings.iter().map(|(key, values)| format!("SETTINGS DIFFER: {key} {values}")));
    let machine = ["kernel", "architecture", "cpu", "board", "cores", "memory_kib", "frequency_policies"];
    for (key, values) in differences(runs, &["machine"]).iter().filter(|(key, _)| machine.contains(&key.as_str())) {
        notes.push(format!("MACHINES DIFFER: {key} {values}"));
    }
    let bench = differences(runs, &["bench"]);
    for (key, values) in bench.iter().filter(|(key, _)| ["version", "commit"].contains(&key.as_str())) {
        notes.push(format!("the benches differ: {key} {values}"));
    }
    for (n, run) in runs.iter().enumerate() {
        if !run.is_valid() {
            notes.push(format!("{} IS NOT VALID, and has no ratios: {}", n + 1, run.complaints()));
        }
        notes.extend(run.warnings().iter().map(|warning| format!("{} was {warning}", n + 1)));
    }
    if !notes.is_empty() {
        text += &format!("\n  {}\n", notes.join("\n  "));
    }
    text
}

/// A line for each figure that any run has, a column for each run.
fn figures(runs: &[Run], ratios: bool) -> Table {
    let all: Vec<_> = runs.iter().map(Run::figures).collect();
    let mut names: Vec<&str> = Vec::new();
    for name in all.iter().flatten().map(|figure| figure.what.as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut table = Table::default();
    table.row(std::iter::once(String::new()).chain((1..=runs.len()).map(|n| n.to_string())));
    for name in names {
        let value = |n: usize| all[n].iter().find(|figure| figure.what == name).map(|figure| figure.value);
        let cell = |n: usize| {
            let Some(of_this) = value(n) else { return "–".to_owned() };
            let comparable = ratios && n > 0 && runs[n].is_valid() && runs[0].is_valid();
            match value(0).filter(|first| comparable && *first > 0.0) {
                Some(first) => format!("{} ({}×)", number(of_this), number(of_this / first)),
                None => number(of_this),
            }
        };
        table.row(std::iter::once(name.to_owned()).chain((0..runs.len()).map(cell)));
    }
    table
}

/// The entries of an object that are not the same in all runs, each with its values in their order.
fn differences(runs: &[Run], path: &[&str]) -> Vec<(String, String)> {
    let objects: Vec<&Value> = runs.iter().map(|run| path.iter().fold(&run.json, |value, key| &value[*key])).collect();
    let mut keys: Vec<&String> = objects.iter().filter_map(|o| o.as_object()).flat_map(|o| o.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| objects.iter().any(|o| o[key.as_str()] != objects[0][key.as_str()]));
    differing
        .map(|key| {
            let shown = objects.iter().map(|o| match &o[key.as_str()] {
                Value::Null => "not said".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            (key.clone(), listed(&shown.collect::<Vec<_>>()))
        })
        .collect()
}

fn listed(values: &[String]) -> String {
    values.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::side_by_side;
    use crate::result::Run;
    use serde_json::{Value, json};

    fn run(name: &str, cpu_ns: u64, change: fn(&mut Value)) -> Run {
        let mut json = json!({
            "scene": "chat", "valid": true, "operation": "delivered", "operations": 1_000, "measured_s": 1.0,
            "settings": { "window": 16, "rate": null }, "machine": { "cpu": "A72", "processes": [{}] },
            "bench": { "version": "wattle-bench 0.1.0", "optimised": true },
            "server_usage": { "cpu_ns": cpu_ns },
        });
        change(&mut json);
        Run { name: name.to_owned(), json }
    }

    #[test]
    fn ratios_are_to_the_first() {
        let text = side_by_side(&[run("floor", 1_000_000, |_| ()), run("prosody", 56_000_000, |_| ())]);
        assert!(text.starts_with("chat\n  1  floor\n  2  prosody\n"), "{text}");
        let cpu = text.lines().find(|line| line.contains("µs per delivered")).unwrap_or_default();
        assert!(cpu.ends_with(" 1.00   56.0 (56.0×)"), "{text}");
        assert!(!text.contains("DIFFER"), "{text}");
    }

    #[test]
    fn settings_and_machines_that_differ_are_said() {
        let other = run("b", 2, |json| {
            json["settings"] = json!({ "rate": 100.0 });
            json["machine"]["cpu"] = "A76".into();
        });
        let text = side_by_side(&[run("a", 1, |_| ()), other]);
        assert!(text.contains("SETTINGS DIFFER: rate not said | 100.0"), "{text}");
        assert!(text.contains("SETTINGS DIFFER: window 16 | not said"), "{text}");
        assert!(text.contains("MACHINES DIFFER: cpu A72 | A76"), "{text}");
    }

    #[test]
    fn scenes_that_differ_have_no_ratios() {
        let text = side_by_side(&[run("a", 1_000, |_| ()), run("b", 2_000, |json| json["scene"] = "login".into())]);
        assert!(text.contains("DIFFERENT SCENES") && text.contains("chat | login") && !text.contains('×'), "{text}");
    }

    #[test]
    fn a_run_that_is_not_valid_has_no_ratio_and_a_disturbed_one_is_named() {
        let invalid = run("b", 2_000, |json| {
            json["valid"] = false.into();
            json["complaints"] = json!(["3 messages lost"]);
            json["disturbed"] = true.into();
        });
        let text = side_by_side(&[run("a", 1_000, |_| ()), invalid]);
        assert!(text.contains("2 IS NOT VALID, and has no ratios: 3 messages lost") && !text.contains('×'), "{text}");
        assert!(text.contains("2 was DISTURBED"), "{text}");
    }
}

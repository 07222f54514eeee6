//! A result as `--json` wrote it: what can be compared of it, and why some of it cannot.

use std::path::Path;

use serde_json::Value;

/// One run's result.
pub(crate) struct Run {
    /// What it is called beside others: its label, or else its file.
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// A figure that means the same in two runs of one scene.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// With the unit: two figures are the same thing if this is equal.
    pub(crate) what: String,
    pub(crate) value: f64,
}

impl Run {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let refuse = |why: &str| {
            let file = file.display();
            format!("{file}: {why}: write files that `wattle-bench chat … --json FILE` or another scene has written")
        };
        let text = std::fs::read_to_string(file).map_err(|e| refuse(&e.to_string()))?;
        let json: Value = serde_json::from_str(&text).map_err(|e| refuse(&format!("is no JSON ({e})")))?;
        let run = Self { name: String::new(), json };
        if run.scene().is_empty() || !run.json["bench"].is_object() {
            return Err(refuse("is no result"));
        }
        let label = run.text(&["label"]);
        let name = if label.is_empty() { file.file_stem().unwrap_or_default().to_string_lossy().into() } else { label };
        Ok(Self { name, ..run })
    }

    pub(crate) fn scene(&self) -> &str {
        self.json["scene"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.json["valid"] == true
    }

    /// Why it is not valid, in one line.
    pub(crate) fn complaints(&self) -> String {
        let complaints = self.json["complaints"].as_array().into_iter().flatten();
        complaints.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
    }

    fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.json, |value, key| &value[*key])
    }

    /// A text in it; empty, if there is none.
    pub(crate) fn text(&self, path: &[&str]) -> String {
        match self.at(path) {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    pub(crate) fn number(&self, path: &[&str]) -> Option<f64> {
        self.at(path).as_f64()
    }

    /// What stands in the way of comparing it with any other.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.json["disturbed"] == true {
            warnings.push("DISTURBED by other processes, so that CPU time for the same work grew, often twofold");
        }
        if self.json["bench"]["optimised"] == false {
            warnings.push("made by an unoptimised bench (build it with --release)");
        }
        if self.number(&["instructions"]).is_some() {
            warnings.push("counted by perf, which inflates the CPU time");
        }
        warnings
    }

    /// The entry of its power meter, and how it came to its figures.
    fn power_of(&self) -> Option<(&'static str, &'static str)> {
        let entries = [("power_measured", "measured"), ("power_modelled", "MODELLED")];
        entries.into_iter().find(|(entry, _)| self.json[entry].is_object())
    }

    /// Which meter there was, and whether it measured.
    pub(crate) fn power(&self) -> Option<String> {
        let (entry, how) = self.power_of()?;
        Some(format!("{how} by {}", self.text(&[entry, "meter", "name"])))
    }

    /// The figures it has, in the order of the tables.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |what: String, value: Option<f64>| {
            figures.extend(value.filter(|v| v.is_finite()).map(|value| Figure { what, value }));
        };
        let operations = self.number(&["operations"]).filter(|n| *n > 0.0);
        let seconds = self.number(&["measured_s"]).filter(|s| *s > 0.0);
        let each = |amount: Option<f64>| Some(amount? / operations?);
        let a_second = |amount: Option<f64>| Some(amount? / seconds?);
        let operation = match self.json["operation"].as_str() {
            Some(name) => name.to_owned(),
            None => "operation".to_owned(),
        };
        // Without a process of the server its zeros are no figures; a server that slept has some.
        let metered = self.json["machine"]["processes"].as_array().is_some_and(|processes| !processes.is_empty());
        let usage = |keys: &[&str]| -> Option<f64> {
            let used: Option<f64> = keys.iter().map(|key| self.number(&["server_usage", key])).sum();
            used.filter(|_| metered)
        };
        let cpu = usage(&["cpu_ns"]);
        let switches = usage(&["voluntary_switches", "involuntary_switches"]);
        let resident = self.number(&["server_memory_after", "pss_kib"]).filter(|kib| *kib > 0.0);

        add(format!("server CPU, µs per {operation}"), each(cpu).map(|ns| ns / 1e3));
        add("server CPU, % of a core".to_owned(), a_second(cpu).map(|ns| ns / 1e7));
        add("memory for each session (PSS), KiB".to_owned(), self.number(&["pss_kib_per_session"]));
        add("memory of the server (PSS), MiB".to_owned(), resident.map(|kib| kib / 1024.0));
        for (percentile, what) in [("50", "p50"), ("99", "p99"), ("99.9", "p99.9")] {
            let ns = self.number(&["latency", "percentiles_ns", percentile]);
            add(format!("latency {what}, ms"), ns.map(|ns| ns / 1e6));
        }
        // Measured and modelled watts, and those of two meters, are different things.
        if let (Some((power, _)), Some(how)) = (self.power_of(), self.power()) {
            let of = |key: &str| self.number(&[power, key]);
            add(format!("{operation} for a joule, {how}"), of("operations_per_joule"));
            add(format!("{operation} for a joule above idle, {how}"), of("operations_per_joule_above_idle"));
            add(format!("watts, {how}"), of("watts"));
            add(format!("watts above idle, {how}"), of("watts_above_idle"));
        }
        add(format!("{operation} a second"), a_second(operations));
        add(format!("context switches per {operation}"), each(switches));
        add("context switches a second".to_owned(), a_second(switches));
        add(format!("written, bytes per {operation}"), each(usage(&["write_bytes"])).filter(|bytes| *bytes > 0.0));
        add(format!("instructions per {operation}"), each(self.number(&["instructions"])));
        figures
    }
}

impl Run {
    /// The figures that are worth a place in a summary. A share of a core says something only where nothing is counted.
    pub(crate) fn headlines(&self) -> Vec<Figure> {
        let figures = self.figures();
        let per_operation = figures.iter().any(|figure| figure.what.starts_with("server CPU, µs per"));
        let left_out = |what: &str| match what {
            "server CPU, % of a core" | "context switches a second" => per_operation,
            "memory of the server (PSS), MiB" | "latency p99.9, ms" => true,
            what => what.starts_with("watts, ") || what.contains("for a joule above idle"),
        };
        figures.into_iter().filter(|figure| !left_out(&figure.what)).collect()
    }
}

/// The least, the middle and the largest of some values; of two in the middle the lower.
pub(crate) fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some((*sorted.first()?, sorted[(sorted.len() - 1) / 2], *sorted.last()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Run, spread};
    use serde_json::{Value, json};

    #[test]
    fn figures_are_those_of_the_operation() {
        let json = json!({
            "scene": "chat", "machine": { "processes": [{ "pid": 7 }] }, "operation": "delivered", "operations": 2_000, "measured_s": 10.0,
            "server_usage": { "cpu_ns": 4_000_000, "voluntary_switches": 100, "involuntary_switches": 0 },
            "latency": { "percentiles_ns": { "50": 1_500_000 } },
        });
        let run = Run { name: String::new(), json };
        let figures = run.figures();
        let of = |what: &str| figures.iter().find(|f| f.what == what).map(|f| f.value);
        assert_eq!(of("server CPU, µs per delivered"), Some(2.0));
        assert_eq!(of("server CPU, % of a core"), Some(0.04));
        assert_eq!(of("latency p50, ms"), Some(1.5));
        assert_eq!(of("delivered a second"), Some(200.0));
        assert_eq!(of("context switches per delivered"), Some(0.05));
        assert_eq!(of("written, bytes per delivered"), None);
    }

    #[test]
    fn what_was_not_measured_is_no_zero() {
        let run = |processes: Value| {
            let machine = json!({ "processes": processes });
            let usage = json!({ "cpu_ns": 0, "voluntary_switches": 0, "involuntary_switches": 0 });
            let json = json!({ "scene": "idle", "machine": machine, "measured_s": 1.0, "server_usage": usage });
            Run { name: String::new(), json }
        };
        assert_eq!(run(json!([])).figures(), []);
        let slept: Vec<f64> = run(json!([{ "pid": 7 }])).figures().iter().map(|figure| figure.value).collect();
        assert_eq!(slept, [0.0, 0.0]);
    }

    #[test]
    fn what_two_meters_say_is_not_the_same_figure() {
        let of = |kind: &str, meter: &str| {
            let power = json!({ "meter": { "name": meter }, "watts": 4.0, "watts_above_idle": 1.0, "operations_per_joule": 50.0 });
            let json = json!({ "scene": "chat", "operation": "delivered", kind: power });
            Run { name: String::new(), json }.figures().into_iter().map(|figure| figure.what).collect::<Vec<_>>()
        };
        let measured = of("power_measured", "hwmon ina226/1");
        assert_eq!(measured[0], "delivered for a joule, measured by hwmon ina226/1");
        assert_eq!(measured.len(), 3);
        for other in [of("power_modelled", "hwmon ina226/1"), of("power_measured", "powercap package-0")] {
            assert!(other.iter().all(|what| !measured.contains(what)));
        }
    }

    #[test]
    fn the_middle_is_one_of_them() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0]), Some((1.0, 1.0, 4.0)));
        assert_eq!(spread(&[]), None);
    }
}

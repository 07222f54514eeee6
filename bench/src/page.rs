//! A result as a page for people: one HTML file that needs nothing else, with plots.

use serde_json::Value;

use crate::hdr;
use crate::plots::{self, Line};
use crate::result::Run;
use crate::table::number;

/// The page of a result, as the file of raw figures has it.
pub(crate) fn html(run: &Run) -> Result<String, String> {
    let title = [run.scene(), "scene of wattle-bench"].join(", ");
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n",
        escape(&title)
    );
    page += &head(run);
    page += &tiles(run);
    page += &figures(run)?;
    page += &tables(run);
    page += "</body>\n</html>\n";
    Ok(page)
}

const STYLE: &str = include_str!("page.css");

/// What stands in HTML as it was.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // A label from elsewhere may hold what no page may.
            c if c.is_control() && c != '\n' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
        escaped
    })
}

fn head(run: &Run) -> String {
    let name = if run.name.is_empty() { run.text(&["server_version"]) } else { run.name.clone() };
    let under: Vec<String> =
        [run.text(&["server_version"]), machine(run), date(run)].into_iter().filter(|t| !t.is_empty()).collect();
    let mut head = format!(
        "<header>\n<p class=\"scene\">{}</p>\n<h1>{}</h1>\n<p class=\"under\">{}</p>\n",
        escape(run.scene()),
        escape(if name.is_empty() { run.scene() } else { &name }),
        escape(&under.join(" · "))
    );
    if run.is_valid() {
        head += "<p class=\"verdict valid\">valid</p>\n";
    } else {
        head += &format!("<p class=\"verdict invalid\">not valid: {}</p>\n", escape(&run.complaints()));
    }
    for warning in run.warnings() {
        head += &format!("<p class=\"verdict warning\">{}</p>\n", escape(warning));
    }
    head + "</header>\n"
}

fn machine(run: &Run) -> String {
    let board = run.text(&["machine", "board"]);
    if board.is_empty() { run.text(&["machine", "cpu"]) } else { board }
}

/// When it was, in UTC.
fn date(run: &Run) -> String {
    let Some(seconds) = run.json["started_unix_s"].as_i64() else { return String::new() };
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", of_day / 3_600, of_day / 60 % 60)
}

/// The day so many days after 1970-01-01, counting years from March on, so that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// The headlines, large.
fn tiles(run: &Run) -> String {
    let mut tiles = String::from("<section class=\"tiles\">\n");
    for figure in run.headlines() {
        let (what, unit) = figure.what.rsplit_once(", ").unwrap_or((&figure.what, ""));
        // The meter's name is beside its plot.
        let unit = unit.split(" by ").next().unwrap_or_default();
        tiles += &format!(
            "<div class=\"tile\"><p class=\"what\">{}</p><p class=\"value\">{}</p><p class=\"unit\">{}</p></div>\n",
            escape(what),
            number(figure.value),
            escape(unit)
        );
    }
    tiles + "</section>\n"
}

/// The plots that there is something for.
fn figures(run: &Run) -> Result<String, String> {
    let mut figures = String::new();
    if let Some(histogram) = hdr::read(&run.json["latency"]).filter(|histogram| !histogram.is_empty()) {
        let caption = format!("{} times; each step to the right is ten times rarer", histogram.len());
        figures += &figure("Latency", &caption, &plots::percentiles(&histogram)?);
    }
    let series = &run.json["series"];
    let rate = format!("{} a second", run.json["operation"].as_str().unwrap_or("operations"));
    let power = run.power().unwrap_or_default();
    let over_time = [
        ("Throughput", rate.as_str(), rate.as_str(), rates(series, "at_s", "operations", 1.0)),
        ("Server CPU", "all threads of the server", "% of a core", rates(series, "at_s", "server_cpu_ns", 1e-7)),
        ("Power of the host", &power, "W", rates(series, "energy_at_s", "joules", 1.0)),
    ];
    for (title, caption, y, points) in over_time {
        if points.len() > 1 && points.iter().any(|(_, y)| *y > 0.0) {
            let line = Line { points, x: "seconds of the measured time", y };
            figures += &figure(title, caption, &plots::line(&line)?);
        }
    }
    let memory = pairs(&run.json["muster"], "clients", "server_resident_kib");
    // Who logs in to measure the login leaves at once.
    if run.scene() != "login" && memory.len() > 2 && memory.iter().any(|(_, kib)| *kib > 0.0) {
        let each = slope(&memory).map_or(String::new(), |kib| format!(", {} KiB for each", number(kib)));
        let points = memory.into_iter().map(|(clients, kib)| (clients, kib / 1024.0)).collect();
        let line = Line { points, x: "sessions online", y: "resident, MiB" };
        figures += &figure("Memory by sessions", &format!("while they came{each}"), &plots::line(&line)?);
    }
    Ok(format!("<section class=\"figures\">\n{figures}</section>\n"))
}

fn figure(title: &str, caption: &str, svg: &str) -> String {
    format!("<figure>\n<h2>{}</h2>\n<p>{}</p>\n{svg}</figure>\n", escape(title), escape(caption))
}

/// Two columns, row by row, where both have a number.
fn pairs(columns: &Value, x: &str, y: &str) -> Vec<(f64, f64)> {
    let column = |name: &str| columns[name].as_array().into_iter().flatten().map(Value::as_f64).collect::<Vec<_>>();
    column(x).into_iter().zip(column(y)).filter_map(|(x, y)| Some((x?, y?))).collect()
}

/// What a column that only grows grew by a second, at the end of each interval.
fn rates(columns: &Value, at: &str, sum: &str, scale: f64) -> Vec<(f64, f64)> {
    let sums = pairs(columns, at, sum);
    let steps = sums.windows(2).filter(|pair| pair[1].0 > pair[0].0);
    steps.map(|pair| (pair[1].0, scale * (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0))).collect()
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    (spread > 0.0).then(|| points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread)
}

fn tables(run: &Run) -> String {
    let rows = run.json["rows"].as_array().into_iter().flatten();
    let report: Vec<(String, String)> = rows
        .filter_map(|row| Some((row[0].as_str()?.to_owned(), row[1].as_str()?.to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let mut tables = String::from("<section class=\"tables\">\n");
    tables += &table("What the terminal said", &report);
    tables += &table("Settings", &entries(&run.json["settings"]));
    tables += &table("Machine", &entries(&run.json["machine"]));
    tables += &table("Bench", &entries(&run.json["bench"]));
    tables + "</section>\n"
}

fn table(title: &str, rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: String = rows
        .iter()
        .map(|(key, value)| format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(key), escape(value)))
        .collect();
    format!("<div>\n<h2>{title}</h2>\n<table>\n{rows}</table>\n</div>\n")
}

/// An object's entries, in words. What is not said is left out.
fn entries(object: &Value) -> Vec<(String, String)> {
    let entries = object.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    entries.map(|(key, value)| (key.replace('_', " "), words(value))).filter(|(_, text)| !text.is_empty()).collect()
}

fn words(value: &Value) -> String {
    let joined = |values: &[Value], between| values.iter().map(words).collect::<Vec<_>>().join(between);
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().any(Value::is_object) => joined(values, "; "),
        Value::Array(values) => joined(values, " "),
        Value::Object(_) => {
            entries(value).iter().map(|(key, text)| format!("{key} {text}")).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{civil, html, rates, slope};
    use crate::report::histogram;
    use crate::result::Run;
    use serde_json::{Value, json};

    /// A result with all that a page can show.
    fn full() -> Value {
        let mut times = histogram().unwrap();
        (1..=1_000).for_each(|n| times.saturating_record(n * n * 1_000));
        json!({
            "scene": "chat", "label": "a <b> & \"c\" '", "valid": true, "started_unix_s": 1_795_000_000,
            "operation": "delivered", "operations": 900, "measured_s": 3.0,
            "machine": { "cpu": "A72", "kernel": "6.1", "processes": [{ "pid": 7, "command": "</td><script>" }] },
            "server_usage": { "cpu_ns": 30_000_000, "voluntary_switches": 5, "involuntary_switches": 0 },
            "latency": crate::hdr::json(&times).unwrap(),
            "series": {
                "at_s": [0.0, 1.0, 2.0, 3.0], "operations": [0, 300, 500, 900],
                "server_cpu_ns": [0, 10_000_000, 17_000_000, 30_000_000],
                "energy_at_s": [0.0, 1.0, 2.0, 3.0], "joules": [0.0, 2.5, 5.1, 7.6],
            },
            "power_measured": { "watts": 2.5, "meter": { "name": "ina226", "measured": true } },
            "muster": { "clients": [0, 50, 100], "server_resident_kib": [1_000, 1_500, 2_000] },
            "rows": [["label", "a <b>"], ["load", "3 s"], ["server", ""]],
            "settings": { "rate": null, "pairs": 10 },
            "bench": { "version": "wattle-bench 0.1.0", "command_line": ["wattle-bench", "chat"] },
        })
    }

    fn page(json: Value) -> String {
        html(&Run { name: json["label"].as_str().unwrap_or_default().to_owned(), json }).unwrap()
    }

    /// Every element that is opened is closed, in order, and no attribute runs away.
    fn assert_well_formed(page: &str) {
        let mut open = Vec::new();
        for tag in page.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect(tag);
            assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "<{tag}>{text}");
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
            match () {
                () if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "<{tag}>"),
                () if tag.ends_with('/') || ["meta", "!doctype"].contains(&name) => {}
                () => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_page_is_whole_and_needs_nothing_else() {
        let page = page(full());
        // The style has the only greater-than signs that are no tag's.
        let (head, rest) = page.split_once("<style>").unwrap();
        let (style, body) = rest.split_once("</style>").unwrap();
        assert_well_formed(&format!("{head}{body}"));
        for outside in ["http", "src=", "href=", "<link", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(style.contains("prefers-color-scheme: dark"));
        assert!(!body.contains("#0"), "a colour that the style does not know");
        for title in ["Latency", "Throughput", "Server CPU", "Power of the host", "Memory by sessions"] {
            assert!(page.contains(&format!("<h2>{title}</h2>")), "{title}");
        }
        assert_eq!(page.matches("<svg ").count(), 5);
        assert!(page.contains("<h1>a &lt;b&gt; &amp; &quot;c&quot; &#39;</h1>"));
        assert!(page.contains("<p>measured by ina226</p>"));
        assert!(
            page.contains("<td>wattle-bench chat</td>") && page.contains("command &lt;/td&gt;&lt;script&gt;, pid 7")
        );
        assert!(page.contains("10.0 KiB for each") && page.contains("2026-11-18 11:06 UTC"), "{page}");
    }

    #[test]
    fn what_is_not_there_is_not_shown() {
        let page = page(json!({ "scene": "idle", "valid": false, "complaints": ["it <went> away"], "series": null }));
        assert!(!page.contains("<svg") && !page.contains("<h2>"));
        assert!(page.contains("not valid: it &lt;went&gt; away"));
    }

    #[test]
    fn rates_are_of_each_interval() {
        let columns = json!({ "at_s": [0.0, 1.0, 1.0, 3.0], "operations": [0, 5, 6, 10] });
        assert_eq!(rates(&columns, "at_s", "operations", 10.0), [(1.0, 50.0), (3.0, 20.0)]);
        assert_eq!(rates(&Value::Null, "at_s", "operations", 1.0), []);
    }

    #[test]
    fn growth_is_that_of_the_nearest_line() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), Some(2.0));
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        for (days, date) in [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_785, (2026, 11, 28))] {
            assert_eq!(civil(days), date);
        }
    }
}

//! What this bench is: its version, the commit and the compiler it was made of, and how it was called.

use serde_json::{Value, json};

use crate::power;

/// Options whose value is a secret.
const SECRETS: [&str; 2] = ["--password", "--token"];

/// For the result. The secrets of the command line are not in it.
pub(crate) fn describe() -> Value {
    let arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    json!({
        "version": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        "commit": option_env!("WATTLE_BENCH_COMMIT"),
        "rustc": option_env!("WATTLE_BENCH_RUSTC"),
        "optimised": !cfg!(debug_assertions),
        // Where the program stood is nobody's affair.
        "command_line": shown(["wattle-bench".to_owned()].into_iter().chain(arguments)),
    })
}

fn shown(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut secret = false;
    words
        .map(|word| {
            let told = SECRETS.iter().any(|option| word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')));
            // A meter's command may have secrets among its arguments.
            let (option, value) = word.strip_prefix("--power=").map_or(("", &*word), |value| ("--power=", value));
            let shown = match value.strip_prefix("command:") {
                _ if secret || told => "…".to_owned(),
                Some(line) => {
                    option.to_owned() + &power::shown(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
                }
                None => word.clone(),
            };
            secret = SECRETS.contains(&word.as_str());
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets_are_not_shown() {
        let words = |line: &str| super::shown(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(words("bench chat --password secret --pairs 3"), "bench chat --password … --pairs 3");
        assert_eq!(words("bench chat --password=secret"), "bench chat …");
        assert_eq!(words("bench chat --token secret --agent a:1"), "bench chat --token … --agent a:1");
        let metered = |option: &[&str]| super::shown(option.iter().map(|word| (*word).to_owned()));
        assert_eq!(metered(&["--power", "command:plug -u me:secret"]), ["--power", "command:plug …"]);
        assert_eq!(metered(&["--power=command:plug secret", "x"]), ["--power=command:plug …", "x"]);
        assert_eq!(metered(&["--power", "command:plug"]), ["--power", "command:plug"]);
    }
}

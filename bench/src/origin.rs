//! What this bench is: its version, the commit and the compiler it was made of, and how it was called.

use serde_json::{Value, json};

/// Options whose value is a secret.
const SECRETS: [&str; 2] = ["--password", "--token"];

/// For the result. The secrets of the command line are not in it.
pub(crate) fn describe() -> Value {
    json!({
        "version": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        "commit": option_env!("WATTLE_BENCH_COMMIT"),
        "rustc": option_env!("WATTLE_BENCH_RUSTC"),
        "optimised": !cfg!(debug_assertions),
        // Where the program stood is nobody's affair.
        "command_line": shown(["wattle-bench".to_owned()].into_iter().chain(std::env::args().skip(1))),
    })
}

fn shown(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut secret = false;
    words
        .map(|word| {
            let told = SECRETS.iter().any(|option| word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')));
            let shown = if secret || told { "…".to_owned() } else { word.clone() };
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
    }
}

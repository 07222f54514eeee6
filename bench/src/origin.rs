//! What this bench is: its version, the commit and the compiler it was made of, and how it was called.

use serde_json::{Value, json};

/// For the result. The password is not in it: it is the command line's only secret.
pub(crate) fn describe() -> Value {
    json!({
        "version": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        "commit": option_env!("WATTLE_BENCH_COMMIT"),
        "rustc": option_env!("WATTLE_BENCH_RUSTC"),
        "optimised": !cfg!(debug_assertions),
        "command_line": shown(std::env::args()),
    })
}

fn shown(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut secret = false;
    words
        .map(|word| {
            let shown = if secret || word.starts_with("--password=") { "…".to_owned() } else { word.clone() };
            secret = word == "--password";
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_password_is_not_shown() {
        let words = |line: &str| super::shown(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(words("bench chat --password secret --pairs 3"), "bench chat --password … --pairs 3");
        assert_eq!(words("bench chat --password=secret"), "bench chat …");
    }
}

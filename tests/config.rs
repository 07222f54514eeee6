//! `config/wattle.toml` is what the code says: every option, its default, nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use wattle::config::{Config, keys, template};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/wattle.toml");

/// With `WATTLE_WRITE_CONFIG` set, writes the file anew after an option was changed.
#[test]
fn the_file_is_the_table_of_options() {
    if std::env::var_os("WATTLE_WRITE_CONFIG").is_some() {
        std::fs::write(FILE, template()).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap();
    assert!(
        file == template(),
        "config/wattle.toml differs from src/config/options.rs: run `WATTLE_WRITE_CONFIG=1 cargo test -p wattle --test config`"
    );
}

#[test]
fn the_file_is_the_default() {
    assert_eq!(Config::parse(&template()).unwrap(), Config::default());
}

/// Every known key occurs, also those that are left out by default; and with all of them switched on the file is still right.
#[test]
fn every_key_occurs_and_every_example_is_right() {
    let all: String = template()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if !option.starts_with(' ') => format!("{option}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    Config::parse(&all).unwrap();
    let root: toml::Table = all.parse().unwrap();
    for key in keys() {
        let mut parts = key.split('.');
        let mut value = &root[parts.next().unwrap()];
        for part in parts {
            value = value.get(0).unwrap_or(value);
            value = value.get(part).unwrap_or_else(|| panic!("{key} is not in config/wattle.toml"));
        }
    }
}

/// A file that was cut off or has a wrong character somewhere is read or refused, with lines that are in it.
#[test]
fn damaged_files_are_told_by_line() {
    let whole = template();
    let damaged = |text: String| {
        if let Err(faults) = Config::parse(&text) {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!((1..=text.lines().count() + 1).contains(&fault.line), "{fault} in {text}");
            }
        }
    };
    for at in (0..whole.len()).filter(|at| at % 5 == 0 && whole.is_char_boundary(*at)) {
        damaged(whole[..at].to_owned());
        for wrong in ["\"", "[", "=", "0", "\n", "é"] {
            damaged(format!("{}{wrong}{}", &whole[..at], &whole[at + 1..]));
        }
    }
}

//! The README says what the table of features holds and what packages are called, and the first two laws of `src/README.md` hold.
#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wattle::features::FEATURES;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "no sources in {folder}");
    files
}

/// Tests stand in `tests.rs` or below `tests/`.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn readme_lists_the_features_table() {
    let mut table = String::from("\n| document | title | version |\n| --- | --- | --- |\n");
    let mut features: Vec<_> = FEATURES.iter().collect();
    features.sort_by_key(|feature| feature.document);
    for feature in features {
        writeln!(table, "| {} | {} | {} |", feature.document, feature.title, feature.version).unwrap();
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- xeps -->").unwrap();
    let (found, _) = rest.split_once("<!-- /xeps -->").unwrap();
    assert!(found == table, "the README's table of XEPs should read:\n{table}");
}

/// A pattern would take older packages too, which stay where they were put.
#[test]
fn readme_names_the_package_of_this_version() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let package = concat!("wattle_", env!("CARGO_PKG_VERSION"), "_arm64.deb");
    let named: Vec<_> = readme.split([' ', '/']).filter(|word| word.starts_with("wattle_")).collect();
    assert!(!named.is_empty() && named.iter().all(|word| *word == package), "{named:?} should all be {package}");
}

#[test]
fn every_feature_says_what_it_is() {
    for feature in FEATURES {
        assert!(!feature.document.is_empty() && !feature.title.is_empty());
        assert_eq!(feature.document.starts_with("XEP-"), !feature.version.is_empty(), "{}", feature.document);
    }
}

#[test]
fn the_library_touches_nothing_of_the_world() {
    let worldly = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::thread",
        "std::process",
        "std::env::",
        "Instant::now",
        "SystemTime",
        "SystemRandom",
        "tracing::",
        "glommio",
        "rusqlite",
        "tokio",
    ];
    for (path, text) in sources("src") {
        // What stands behind the tests' head is no part of the library.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in worldly {
            let touches = code.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(!touches || is_test(&path), "{} names {word}", path.display());
        }
    }
}

#[test]
fn the_program_names_no_element_of_xmpp() {
    for (path, text) in sources("shards") {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in [
                "jabber:",
                "urn:xmpp:",
                "urn:ietf:params:xml",
                "http://jabber.org",
                "etherx",
                "<message",
                "<iq",
                "<presence",
            ] {
                assert!(!line.contains(word) || is_test(&path), "{} names {word}", path.display());
            }
        }
    }
}

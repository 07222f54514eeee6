//! Tells the bench which commit and compiler it is made of, so that its results can say so.
#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

use std::path::Path;
use std::process::Command;

fn main() {
    for path in ["build.rs", "src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }
    if let Some(rustc) = said(&std::env::var("RUSTC").unwrap_or_default(), &["--version"]) {
        println!("cargo::rustc-env=WATTLE_BENCH_RUSTC={rustc}");
    }
    // A source package has no git, and says nothing of a commit.
    let Some(commit) = said("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]) else { return };
    println!("cargo::rustc-env=WATTLE_BENCH_COMMIT={commit}");
    // Every commit and every change of branch writes here.
    if let Some(log) = said("git", &["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// What a program answers in one line, if it is there and knows.
fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|line| !line.is_empty())
}

//! Manual pages and shell completions, made from the definitions of the command line when a package is built.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::Cli;

/// The pages of a command and of those below it, by name.
fn commands(command: &clap::Command, name: &str, all: &mut Vec<String>) {
    all.push(name.to_owned());
    for below in command.get_subcommands() {
        commands(below, &format!("{name}-{}", below.get_name()), all);
    }
}

/// With `WATTLE_PAGES` set they stay in that folder: this is how `cross/pack` makes them.
#[test]
fn every_command_has_its_page_and_is_completed() {
    let kept = std::env::var_os("WATTLE_PAGES").map(PathBuf::from);
    let folder =
        kept.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("wattle-pages-{}", std::process::id())));
    fs::create_dir_all(&folder).unwrap();
    // `wattle help` needs no page.
    let mut definitions = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(definitions.clone(), &folder).unwrap();
    let completions: Vec<_> = [Shell::Bash, Shell::Zsh, Shell::Fish]
        .map(|shell| generate_to(shell, &mut definitions, "wattle", &folder).unwrap())
        .map(|file| fs::read_to_string(file).unwrap())
        .into();
    let mut names = Vec::new();
    commands(&definitions, "wattle", &mut names);
    assert!(names.contains(&"wattle-user-add".to_owned()));
    for name in names {
        let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{name}: {page}");
        for word in name.split('-') {
            assert!(completions.iter().all(|completion| completion.contains(word)), "{word} is not completed");
        }
    }
    if kept.is_none() {
        fs::remove_dir_all(folder).unwrap();
    }
}

//! The scenes that need a server with rules play against the one of this house, and each says what a liar did.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod servers;

use std::thread;

use servers::liar::{Liar, Lie};
use servers::wattle::Wattle;
use servers::{Floor, play, text};

/// Each lie and what the scene has to say of it, in a word.
const LIES: [(Lie, &str); 6] = [
    (Lie::Lose, "lost"),
    (Lie::Double, "duplicated"),
    (Lie::Swap, "out of order"),
    (Lie::Refuse, "refused"),
    (Lie::Stall, "lost"),
    (Lie::Drop, "lost its connection"),
];

/// The accounts that a lie is tried on.
fn prefix(lie: usize) -> String {
    format!("lie{lie}x")
}

/// The scene is valid.
fn plays(port: &str, words: &str) -> String {
    let output = play(port, words);
    assert!(output.status.success(), "{words}: {}", text(&output));
    text(&output)
}

/// Plays against a liar for each of these lies, about a text with the number 3 and with accounts of its own; all must be
/// found out.
fn finds_out(server_tls_port: &str, words: &str, things: &str, lies: &[(Lie, &str)]) {
    thread::scope(|scope| {
        for (n, (lie, said)) in lies.iter().enumerate() {
            scope.spawn(move || {
                let liar = Liar::start(server_tls_port, *lie, 3);
                let output = play(&liar.port, &format!("{words} --direct-tls --user-prefix {}", prefix(n)));
                let told = text(&output);
                assert_eq!(output.status.code(), Some(1), "{lie:?}: {told}");
                let complaint = if *lie == Lie::Drop { said.to_string() } else { format!("{things} {said}") };
                let complained = told.lines().any(|line| line.contains("NOT VALID") && line.contains(&complaint));
                assert!(complained, "{lie:?}: {told}");
            });
        }
    });
}

#[test]
fn chat_finds_out_every_lie() {
    let floor = Floor::start();
    finds_out(&floor.port, "chat --pairs 1 --seconds 1 --warm 0 --window 4", "messages", &LIES);
}

#[test]
fn presence_reaches_whole_rosters() {
    let wattle = Wattle::start();
    wattle.add_accounts("bench", 8);
    // The first makes the friendships, the others find them.
    for words in ["--change status", "--change status --rate 50", "--change login", "--change login --rate 10"] {
        let words = format!("presence --accounts 8 --roster 3 --seconds 1 --warm 0 --threads 2 {words}");
        assert!(plays(&wattle.port, &words).contains("2 circles of 4"));
    }
    let stranger = play(&wattle.port, "presence --accounts 8 --roster 2 --seconds 1 --warm 0");
    assert_eq!(stranger.status.code(), Some(1));
    assert!(text(&stranger).contains("contacts that this scene does not know"), "{}", text(&stranger));
}

#[test]
fn rooms_reach_all_occupants() {
    let wattle = Wattle::start();
    wattle.add_accounts("bench", 8);
    for words in ["--window 2", "--rate 40", "--processes 2"] {
        let words = format!("room --accounts 8 --occupants 4 --seconds 1 --warm 0 --threads 2 {words}");
        assert!(plays(&wattle.port, &words).contains("2 rooms of 4"));
    }
    let nowhere = play(&wattle.port, "room --accounts 4 --occupants 4 --service localhost --patience 1");
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere).contains("no more came"), "{}", text(&nowhere));
}

#[test]
fn rooms_find_out_every_lie() {
    let wattle = Wattle::start();
    (0..LIES.len()).for_each(|lie| wattle.add_accounts(&prefix(lie), 2));
    let words = "room --accounts 2 --occupants 2 --seconds 1 --warm 0 --window 4";
    finds_out(&wattle.tls_port, words, "messages", &LIES);
}

#[test]
fn presence_finds_out_every_lie() {
    let wattle = Wattle::start();
    (0..LIES.len()).for_each(|lie| wattle.add_accounts(&prefix(lie), 3));
    let words = "presence --accounts 3 --roster 2 --seconds 1 --warm 0 --window 4";
    finds_out(&wattle.tls_port, words, "presences", &LIES);
}

//! What the log shows, what it hides, and how many lines a flood can cause.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;
use wattle::effect::{Level, Note};
use wattle::input::Conn;
use wattle::jid::Jid;

use super::{Flood, LINES};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written by `act` at a level.
fn written(level: LevelFilter, act: impl FnOnce()) -> String {
    let paper = Paper::default();
    let writer = paper.clone();
    let subscriber = fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn note(level: Level, what: &'static str) -> Note {
    Note {
        level,
        what,
        detail: Some("not-authorized".into()),
        who: Some(Jid::parse("juliet@example.org").unwrap()),
        conn: Some(Conn(7)),
    }
}

#[test]
fn addresses_at_debug_only() {
    // On threads of their own, for the count of lines belongs to a thread.
    let info =
        std::thread::spawn(|| written(LevelFilter::INFO, || super::write(3, &note(Level::Warn, "login failed"))));
    let debug =
        std::thread::spawn(|| written(LevelFilter::DEBUG, || super::write(3, &note(Level::Warn, "login failed"))));
    assert_eq!(info.join().unwrap(), " WARN login failed shard=3 conn=7 detail=\"not-authorized\"\n");
    assert_eq!(
        debug.join().unwrap(),
        " WARN login failed shard=3 conn=7 detail=\"not-authorized\" who=\"juliet@example.org\"\n"
    );
}

#[test]
fn nothing_below_the_level() {
    assert_eq!(written(LevelFilter::INFO, || super::write(0, &note(Level::Debug, "bound"))), "");
}

#[test]
fn no_line_can_be_forged() {
    let mut forged = note(Level::Info, "closed");
    forged.detail = Some("x\n ERROR forged".into());
    let text = std::thread::spawn(move || written(LevelFilter::INFO, || super::write(0, &forged))).join().unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_flood_is_ten_lines_a_second_and_a_count() {
    let mut flood = Flood::default();
    let start = Instant::now();
    let loud = note(Level::Warn, "peer broke a rule");
    let passed = (0..5_000).filter(|_| flood.passes(start, &loud)).count();
    assert_eq!(passed, LINES as usize);
    // Another kind is not touched by it.
    assert!(flood.passes(start, &note(Level::Warn, "login failed")));
    let mut told = Vec::new();
    flood.settle(start, |what, dropped| told.push((what, dropped)));
    assert_eq!(told, []);
    let later = start + Duration::from_millis(1_000);
    flood.settle(later, |what, dropped| told.push((what, dropped)));
    assert_eq!(told, [("peer broke a rule", 4_990)]);
    assert!(flood.passes(later, &loud));
    flood.settle(later + Duration::from_secs(9), |what, dropped| told.push((what, dropped)));
    assert_eq!(told.len(), 1);
}

#[test]
fn a_flood_through_the_door_is_bounded() {
    let text = std::thread::spawn(|| {
        written(LevelFilter::INFO, || {
            for _ in 0..1_000 {
                super::write(1, &note(Level::Warn, "stanza too large"));
            }
            super::finish(1);
        })
    })
    .join()
    .unwrap();
    let lines = text.lines().filter(|line| line.contains(" WARN stanza too large")).count();
    // A slow machine may see a second begin and end in between.
    assert!((LINES as usize..200).contains(&lines), "{lines}");
    assert!(text.contains("too many lines: stanza too large shard=1 dropped="), "{text}");
}

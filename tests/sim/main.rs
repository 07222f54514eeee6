//! The server under simulation: four shards in one thread, many clients, everything that happens chosen by one seed.
//!
//! `WATTLE_SIM_SEED=17 cargo test --test sim` plays one seed, `WATTLE_SIM_SEEDS=1000..2000` a range.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../world/mod.rs"]
mod world;

mod basics;
mod bounds;
mod chance;
mod checks;
mod crash;
mod drama;
mod found;
mod ledger;
mod phone;
mod story;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use story::{Plan, Story, Verdict};
use wattle::handoff::Handoff;
use wattle::stanza::{Kind, MessageType};
use world::Fate;

/// Seeds that every test run plays.
const SEEDS: std::ops::Range<u64> = 0..60;

/// The plan of a seed: some with four shards and many devices, some with one, some with a store that fails.
fn plan(seed: u64) -> Plan {
    Plan {
        shards: if seed % 5 == 4 { 1 } else { 4 },
        accounts: 4 + (seed % 3) as usize * 2,
        devices_each: 2 + (seed / 3 % 3) as usize,
        epochs: 6,
        steps: 1200,
        faults: if seed % 2 == 1 { 60 } else { 0 },
        falls: 0,
    }
}

/// Plays a story; what went wrong, with the last events.
fn play(seed: u64, plan: Plan, prepare: impl FnOnce(&mut Story)) -> Verdict {
    let trace: Rc<RefCell<VecDeque<String>>> = Rc::default();
    let kept = trace.clone();
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut story = Story::new(seed, plan, kept);
        prepare(&mut story);
        story.play()
    }));
    let why = match played {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => format!("panic: {text}"),
            (_, Some(text)) => format!("panic: {text}"),
            _ => "panic".into(),
        },
    };
    let lines: Vec<String> = trace.borrow().iter().cloned().collect();
    Err(format!("{}\n\nWATTLE_SIM_SEED={seed}: {why}", lines.join("\n")))
}

/// Plays the stories of all seeds that are wanted.
fn play_all(plan: impl Fn(u64) -> Plan) {
    let one = std::env::var("WATTLE_SIM_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let range = std::env::var("WATTLE_SIM_SEEDS").ok().map(|range| {
        let (from, to) = range.split_once("..").unwrap();
        from.parse::<u64>().unwrap()..to.parse::<u64>().unwrap()
    });
    for seed in one.map(|seed| seed..seed + 1).or(range).unwrap_or(SEEDS) {
        if let Err(why) = play(seed, plan(seed), |_| {}) {
            panic!("{why}");
        }
    }
}

#[test]
fn seeds() {
    play_all(plan);
}

/// The server is killed and stopped at any moment: what it acknowledged is kept, once, and whoever can come back misses nothing.
#[test]
fn seeds_with_falls() {
    play_all(|seed| Plan { faults: 0, falls: [5, 20, 100][(seed % 3) as usize], ..plan(seed) });
}

/// How many of these seeds the oracle objects to when one in fifty chat messages between shards has this fate.
fn found(fate: Fate) -> usize {
    let objects = |seed: &u64| {
        let plan = Plan { shards: 4, faults: 0, ..plan(*seed) };
        let mut messages = 0;
        let verdict = play(*seed, plan, |story| {
            story.world.post = Some(Box::new(move |handoff| {
                let Handoff::Stanza(stanza) = handoff else { return Fate::Arrives };
                if stanza.kind != Kind::Message(MessageType::Chat) {
                    return Fate::Arrives;
                }
                messages += 1;
                if messages % 50 == 10 { fate } else { Fate::Arrives }
            }));
        });
        verdict.is_err()
    };
    (0..6).filter(objects).count()
}

/// A server that loses a message is found out. Not by each seed: what was lost may have been on its way to somebody who
/// vanished.
#[test]
fn the_oracle_finds_what_is_lost() {
    let found = found(Fate::IsLost);
    assert!(found >= 4, "found in {found} of 6 stories");
}

/// So is one that doubles a message.
#[test]
fn the_oracle_finds_what_is_doubled() {
    let found = found(Fate::ArrivesTwice);
    assert!(found >= 3, "found in {found} of 6 stories");
}

/// Without a fault of the world's making, the same stories hold.
#[test]
fn the_oracle_objects_to_nothing_else() {
    assert_eq!(found(Fate::Arrives), 0);
}

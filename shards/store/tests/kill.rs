//! What was answered survives kill -9.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use crossbeam::channel;
use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{AccountKey, Answer};

use super::{Folder, child, config, create, keep, waiting};
use crate::store::Store;

/// Kills in a run of the suite; `WATTLE_KILLS` asks for more.
const KILLS: u32 = 30;
const ACCOUNT: &str = "romeo@montague.lit";

/// The child: stores rising numbers, up to 40 at a time, and says each when its answer is there. Until it is killed.
#[test]
#[ignore = "runs only as the child of the test below"]
fn pushes_until_killed() {
    let Some(folder) = child::folder() else { return };
    let (sender, receiver) = channel::unbounded();
    let store =
        Store::open(&config(&folder), Arc::new(move |_, Ticket(number), answer| drop(sender.send((number, answer)))));
    let store = store.unwrap();
    let ask = |number: u64| {
        let keep = keep(ACCOUNT, AccountKey(1), number + 1, &number.to_string());
        store.handle().ask(ShardIndex(0), Ticket(number), keep);
    };
    let first = waiting(&store.handle(), ACCOUNT).last().map_or(0, |last| last.parse::<u64>().unwrap() + 1);
    (first..first + 40).for_each(ask);
    for (number, answer) in receiver {
        assert_eq!(answer, Ok(Answer::Done));
        child::say(&format!("stored {number}"));
        ask(number + 40);
    }
}

#[test]
fn what_was_answered_survives_a_kill() {
    let kills = std::env::var("WATTLE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = Folder::new();
    assert_eq!(folder.open().handle().call(create(ACCOUNT)), Ok(Answer::Done));
    let mut told = Vec::new();
    for kill in 0..kills {
        let mut child = child::command("kill::pushes_until_killed", &folder.0).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("stored ")?.parse::<u64>().ok());
        // Different moments: in the first commit, among many, and once the log is long.
        let until = kill * kill % 97 + kill;
        let mut heard = 0;
        for number in numbers {
            told.push(number.to_string());
            if heard == until {
                child.kill().unwrap();
            }
            heard += 1;
        }
        assert!(!child.wait().unwrap().success());
        assert!(heard > until, "the child ended by itself");

        let store = folder.open();
        let kept = waiting(&store.handle(), ACCOUNT);
        let numbers: Vec<u64> = kept.iter().map(|number| number.parse().unwrap()).collect();
        // In order, once each; and the child began behind the last, so there is no gap either.
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{numbers:?}");
        assert!(told.iter().all(|number| number.parse::<usize>().unwrap() < kept.len()), "lost one of {told:?}");
        told.clear();
    }
}

//! Order, bound, and group commit.

use std::collections::HashMap;

use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::limits;
use wattle::store::{Answer, Question, StoreFault};

use super::{Folder, create, jid, push};

const ACCOUNTS: usize = 7;

fn account(shard: u16, number: usize) -> String {
    format!("user{number}@shard{shard}.example.org")
}

/// Reads and writes of several shards, mixed at random: about each account the answers come in the order of the
/// questions, and each read sees exactly the writes before it.
#[test]
fn questions_about_an_account_are_answered_in_order() {
    const SHARDS: u16 = 3;
    const QUESTIONS: u64 = 12_000;
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    for shard in 0..SHARDS {
        for number in 0..ACCOUNTS {
            assert_eq!(store.handle().call(create(&account(shard, number))), Ok(Answer::Done));
        }
    }
    std::thread::scope(|scope| {
        for shard in 0..SHARDS {
            let handle = store.handle();
            scope.spawn(move || {
                let mut seed = u64::from(shard) + 1;
                let mut stored = [0_u64; ACCOUNTS];
                for ticket in 0..QUESTIONS {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let number = (seed >> 33) as usize % ACCOUNTS;
                    let account = jid(&account(shard, number));
                    // Long runs of reads, so that both ways to both threads are taken.
                    let question = if (seed >> 50) % 8 == 0 {
                        stored[number] = ticket + 1;
                        Question::SaveLast { account, at_ms: ticket + 1, status: "".into() }
                    } else {
                        Question::Account { account }
                    };
                    // The ticket says what a read must see.
                    let expected = stored[number];
                    handle.ask(ShardIndex(shard), Ticket(ticket << 32 | expected << 8 | number as u64), question);
                    while handle.counters().waiting > 6_000 {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    let mut last: HashMap<(u16, u64), u64> = HashMap::new();
    let (mut reads, mut writes) = (0, 0);
    for _ in 0..u64::from(SHARDS) * QUESTIONS {
        let (shard, Ticket(ticket), answer) = answers.recv().unwrap();
        let (order, expected, number) = (ticket >> 32, ticket >> 8 & 0xff_ffff, ticket & 0xff);
        if let Some(before) = last.insert((shard.0, number), order) {
            assert!(before < order, "the answer to {order} came after that to {before}");
        }
        match answer {
            Ok(Answer::Done) => writes += 1,
            Ok(Answer::Account(Some(record))) => {
                assert_eq!(record.last.map_or(0, |(at_ms, _)| at_ms), expected);
                reads += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(reads > 10_000 && writes > 1_000, "{reads} reads, {writes} writes");
}

/// What waits while a commit runs becomes one transaction.
#[test]
fn waiting_questions_share_a_commit() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    let before = handle.counters();
    // Nobody else can write while this transaction is open, so everything gathers behind the first question.
    let conn = folder.connect();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    for ticket in 0..1000 {
        handle.ask(ShardIndex(0), Ticket(ticket), push("a@example.org", "<message/>"));
    }
    conn.execute_batch("COMMIT").unwrap();
    for ticket in 0..1000 {
        assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(ticket), Ok(Answer::Done))));
    }
    let after = handle.counters();
    assert_eq!(after.questions - before.questions, 1000);
    assert!(after.commits - before.commits <= 3, "{} commits", after.commits - before.commits);
    assert!(after.max_commit_us >= after.last_commit_us);
}

#[test]
fn beyond_the_bound_a_shard_hears_busy_and_others_do_not() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    let conn = folder.connect();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let bound = limits::STORE_QUESTIONS as u64;
    let last = |at_ms| Question::SaveLast { account: jid("a@example.org"), at_ms, status: "".into() };
    for ticket in 0..bound {
        handle.ask(ShardIndex(0), Ticket(ticket), last(ticket));
    }
    assert!(answers.is_empty());
    for ticket in bound..bound + 5 {
        handle.ask(ShardIndex(0), Ticket(ticket), last(ticket));
        assert_eq!(answers.try_recv(), Ok((ShardIndex(0), Ticket(ticket), Err(StoreFault::Busy))));
    }
    handle.ask(ShardIndex(1), Ticket(1), last(1));
    assert!(answers.is_empty());
    assert_eq!((handle.counters().busy, handle.counters().waiting), (5, bound + 1));
    conn.execute_batch("COMMIT").unwrap();
    for _ in 0..=bound {
        assert_eq!(answers.recv().unwrap().2, Ok(Answer::Done));
    }
    // There is room again.
    handle.ask(ShardIndex(0), Ticket(9), last(9));
    assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(9), Ok(Answer::Done))));
}

/// A login does not wait for the commit of somebody else, nor for that of its own account's shard.
#[test]
fn a_read_overtakes_writes_about_other_accounts() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    let handle = store.handle();
    assert_eq!(handle.call(create("a@example.org")), Ok(Answer::Done));
    let conn = folder.connect();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    handle.ask(ShardIndex(0), Ticket(1), push("a@example.org", "<message/>"));
    handle.ask(ShardIndex(0), Ticket(2), Question::Account { account: jid("a@example.org") });
    handle.ask(ShardIndex(0), Ticket(3), Question::Credentials { account: jid("b@example.org") });
    assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(3), Ok(Answer::Credentials(None)))));
    assert!(answers.is_empty());
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(1), Ok(Answer::Done))));
    match answers.recv() {
        Ok((ShardIndex(0), Ticket(2), Ok(Answer::Account(Some(record))))) => assert_eq!(record.waiting, 1),
        other => panic!("{other:?}"),
    }
}

/// Dropping the store carries out all that was asked before.
#[test]
fn closing_flushes() {
    let folder = Folder::new();
    let (store, answers) = folder.open_with_answers();
    assert_eq!(store.handle().call(create("a@example.org")), Ok(Answer::Done));
    for ticket in 0..3_000 {
        store.handle().ask(ShardIndex(0), Ticket(ticket), push("a@example.org", "<message/>"));
    }
    drop(store);
    let answers: Vec<_> = answers.try_iter().map(|(_, _, answer)| answer).collect();
    assert_eq!(answers.len(), 3_000);
    assert!(answers.iter().all(|answer| *answer == Ok(Answer::Done)));
    assert_eq!(super::waiting(&folder.open().handle(), "a@example.org").len(), 3_000);
}

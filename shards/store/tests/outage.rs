//! PostgreSQL falls, or drops its clients, under load: nothing that was answered is lost, nothing is there twice, and all
//! comes back by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{AccountKey, Answer, Question, StoreFault};

use super::cluster::{Cluster, psql};
use super::proxy;
use super::{Answers, Folder, create, jid, keep, open_with_answers, push, record, rooms, waiting};
use crate::store::{Handle, Store};

const ROMEO: &str = "romeo@montague.lit";
/// Questions that wait at a time.
const WINDOW: u64 = 200;

/// Messages by their number, and what was answered to each.
fn store_until(store: &Store, answers: &Answers, done: &AtomicBool) -> BTreeMap<u64, Result<Answer, StoreFault>> {
    let ask = |number: u64| {
        let question = keep(ROMEO, AccountKey(1), number, &number.to_string());
        store.handle().ask(ShardIndex(0), Ticket(number), question);
    };
    let mut heard = BTreeMap::new();
    (1..=WINDOW).for_each(ask);
    let mut asked = WINDOW;
    while heard.len() < asked as usize {
        let (_, Ticket(number), answer) = answers.recv().unwrap();
        assert!(heard.insert(number, answer).is_none(), "{number} was answered twice");
        if !done.load(Ordering::Relaxed) {
            asked += 1;
            ask(asked);
        }
    }
    heard
}

/// What was answered is there; what was not may be; and each message is there once.
fn check(handle: &Handle, database: &str, heard: &BTreeMap<u64, Result<Answer, StoreFault>>) {
    let kept: Vec<u64> = waiting(handle, ROMEO).iter().map(|number| number.parse().unwrap()).collect();
    let set: BTreeSet<u64> = kept.iter().copied().collect();
    assert_eq!(set.len(), kept.len(), "one is there twice");
    for (number, answer) in heard {
        assert!(
            set.contains(number) || *answer == Err(StoreFault::Failed),
            "{number} was answered {answer:?} and is lost"
        );
    }
    assert!(kept.iter().all(|number| heard.contains_key(number)));
    check_counts(database);
}

/// No message without its entry, and no entry without its message.
fn check_counts(database: &str) {
    let counts = "SELECT (SELECT count(*) FROM archive) = (SELECT count(*) FROM message) \
                  AND (SELECT count(*) FROM archive) = (SELECT sum(entries) FROM message)";
    assert_eq!(psql(database, counts), Ok("t\n".to_owned()));
}

/// Stores messages while `harm` is done.
fn under_load(database: &str, harm: impl FnOnce(&Store)) -> BTreeMap<u64, Result<Answer, StoreFault>> {
    let folder = Folder::new();
    let (store, answers) = open_with_answers(&folder.with_postgres(database));
    assert_eq!(store.handle().call(create(ROMEO)), Ok(Answer::Done));
    let done = AtomicBool::new(false);
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(|| store_until(&store, &answers, &done));
        harm(&store);
        done.store(true, Ordering::Relaxed);
        heard.join().unwrap()
    });
    check(&store.handle(), database, &heard);
    heard
}

/// Returns when `more` questions have been answered.
fn answered(store: &Store, more: u64) {
    let until = store.handle().counters().questions + more;
    while store.handle().counters().questions < until {
        std::thread::yield_now();
    }
}

#[test]
fn nothing_answered_is_lost_when_the_server_is_killed() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let heard = under_load(&database, |store| {
        for round in 0..4 {
            answered(store, 500 + 37 * round);
            cluster.kill();
            cluster.start_again();
        }
        answered(store, 500);
    });
    assert!(heard.len() > 2_000, "{} answers", heard.len());
}

/// Faster than a question's patience: nobody notices.
#[test]
fn dropped_connections_are_made_again() {
    let database = Cluster::shared().database();
    let drop_all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name LIKE 'wattle %'";
    let heard = under_load(&database, |store| {
        for round in 0..30 {
            answered(store, round * 7 % 300);
            psql(&database, drop_all).unwrap();
            // The reader has lost its connection, too, and must not see less than was written.
            record(&store.handle(), ROMEO);
        }
        assert!(store.handle().counters().connections_lost > 0);
    });
    assert!(heard.values().all(|answer| *answer == Ok(Answer::Done)), "{heard:?}");
}

/// A commit whose answer is lost is neither forgotten nor taken for another's.
#[test]
fn accounts_and_rooms_are_made_and_removed_once_whatever_happens_to_the_connection() {
    let database = Cluster::shared().database();
    let folder = Folder::new();
    let (store, _answers) = open_with_answers(&folder.with_postgres(&database));
    let handle = store.handle();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let drop_writer = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks \
                               WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            while !done.load(Ordering::Relaxed) {
                psql(&database, drop_writer).unwrap();
            }
        });
        for number in 0..60 {
            let account = format!("user{number}@example.org");
            assert_eq!(handle.call(create(&account)), Ok(Answer::Done), "{account}");
            assert_eq!(handle.call(create(&account)), Ok(Answer::Exists), "{account}");
            if number % 2 == 0 {
                let remove = || Question::RemoveAccount { account: jid(&account) };
                assert_eq!(handle.call(remove()), Ok(Answer::Done), "{account}");
                assert_eq!(handle.call(remove()), Ok(Answer::Missing), "{account}");
                let room = format!("room{number}@rooms.example.org");
                let made = rooms::made(&handle, &room, Some(&account), rooms::setup("", false));
                assert_eq!(made.members.len(), 1, "{room}");
                let remove = || Question::RemoveRoom { room: jid(&room) };
                assert_eq!(handle.call(remove()), Ok(Answer::Done), "{room}");
                assert_eq!(handle.call(remove()), Ok(Answer::Missing), "{room}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(handle.counters().connections_lost > 0);
    assert_eq!(psql(&database, "SELECT count(*) FROM account"), Ok("30\n".to_owned()));
    assert_eq!(psql(&database, "SELECT count(*) FROM room"), Ok("0\n".to_owned()));
}

/// The commit took place, and nobody was told.
#[test]
fn a_commit_whose_answer_is_lost_is_neither_lost_nor_done_twice() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let (port, trap) = proxy::start(cluster.port());
    let folder = Folder::new();
    let through = database.replace(&cluster.port().to_string(), &port.to_string());
    let (store, _answers) = open_with_answers(&folder.with_postgres(&through));
    let handle = store.handle();
    // Otherwise it may be the sweep that is trapped.
    while handle.counters().passes == 0 {
        std::thread::yield_now();
    }
    let trapped = |words, question| {
        let before = handle.counters().connections_lost;
        trap.set(words);
        let answer = handle.call(question);
        assert!(
            !trap.is_set() && handle.counters().connections_lost == before + 1,
            "{words} did not lose the connection"
        );
        answer
    };
    assert_eq!(trapped("COMMIT", create(ROMEO)), Ok(Answer::Done));
    assert_eq!(handle.call(create(ROMEO)), Ok(Answer::Exists));
    let key = record(&handle, ROMEO).key;
    assert_eq!(trapped("not heard of", keep(ROMEO, key, 1, "not heard of")), Ok(Answer::Done));
    assert_eq!(handle.call(keep(ROMEO, key, 2, "heard of")), Ok(Answer::Done));
    assert_eq!(waiting(&handle, ROMEO), ["not heard of", "heard of"]);
    check_counts(&database);
    let remove = || Question::RemoveAccount { account: jid(ROMEO) };
    assert_eq!(trapped("COMMIT", remove()), Ok(Answer::Done));
    assert_eq!(handle.call(remove()), Ok(Answer::Missing));
}

#[test]
fn a_database_that_stays_away_is_said_to_and_comes_back_by_itself() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let folder = Folder::new();
    let (store, answers) = open_with_answers(&folder.with_postgres(&database));
    let handle = store.handle();
    assert_eq!(handle.call(create(ROMEO)), Ok(Answer::Done));
    cluster.quit();
    for ticket in 0..100 {
        handle.ask(ShardIndex(0), Ticket(ticket), push(ROMEO, "while it is gone"));
    }
    for ticket in 0..100 {
        assert_eq!(answers.recv(), Ok((ShardIndex(0), Ticket(ticket), Err(StoreFault::Failed))));
    }
    assert_eq!(handle.call(Question::Account { account: jid(ROMEO) }), Err(StoreFault::Failed));
    assert_eq!(handle.counters().connections_gone, 2);
    cluster.start_again();
    // Nobody asks, and it is looked for all the same.
    while handle.counters().connections_gone > 0 {
        std::thread::yield_now();
    }
    assert_eq!(handle.call(push(ROMEO, "and it is back")), Ok(Answer::Done));
    assert_eq!(waiting(&handle, ROMEO), ["and it is back"]);
}

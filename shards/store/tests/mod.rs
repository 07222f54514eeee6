//! Tests of the store, on real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod archive;
mod cases;
mod child;
#[path = "../../../tests/postgres/mod.rs"]
mod cluster;
mod faults;
mod figures;
mod kill;
mod opening;
mod order;
mod outage;
mod postgres;
mod proxy;
mod questions;
mod retention;
mod rooms;
mod texts;
mod twin;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam::channel::{self, Receiver};
use wattle::config::{Config, Database};
use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::jid::Jid;
use wattle::store::{AccountKey, AccountRecord, Answer, Entry, Keep, Question, StoreFault, Uses, Verifier, Verifiers};

use super::{Handle, Store};

/// A data folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wattle-store-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Store {
        Store::open(&config(&self.0), Arc::new(|_, _, _| {})).unwrap()
    }

    fn open_with_answers(&self) -> (Store, Answers) {
        open_with_answers(&config(&self.0))
    }

    /// A configuration whose data folder it is, and whose store is a database of PostgreSQL.
    fn with_postgres(&self, database: &str) -> Config {
        let mut config = config(&self.0);
        config.store.database = Database::Postgres(database.into());
        config
    }

    /// A connection of somebody else, as an operator's `sqlite3` would be.
    fn connect(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(super::sqlite::path(&self.0)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Answers = Receiver<(ShardIndex, Ticket, Result<Answer, StoreFault>)>;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn verifiers(seed: u8) -> Box<Verifiers> {
    let verifier = |length: usize, seed: u8| Verifier {
        salt: [seed; 16].into(),
        iterations: 10_000 + u32::from(seed),
        stored_key: vec![seed + 1; length].into(),
        server_key: vec![seed + 2; length].into(),
    };
    Box::new(Verifiers { sha1: verifier(20, seed), sha256: verifier(32, seed + 10) })
}

fn create(account: &str) -> Question {
    Question::CreateAccount { account: jid(account), verifiers: verifiers(1), at_ms: 1_700_000_000_000 }
}

/// A message that waits for the account of the lowest number, and comes after all that were made before it.
fn push(account: &str, stanza: &str) -> Question {
    static NEWEST: AtomicU64 = AtomicU64::new(1);
    keep(account, AccountKey(1), NEWEST.fetch_add(1, Ordering::Relaxed), stanza)
}

/// A message that waits.
fn keep(account: &str, key: AccountKey, id: u64, stanza: &str) -> Question {
    let uses = Uses { archived: false, waits: true };
    let entry = Entry { key, id, peer: 7, uses, trace: [].into() };
    Question::Keep(Box::new(Keep { account: jid(account), stanza: stanza.as_bytes().into(), entries: vec![entry] }))
}

fn record(handle: &Handle, account: &str) -> AccountRecord {
    match handle.call(Question::Account { account: jid(account) }) {
        Ok(Answer::Account(Some(record))) => *record,
        other => panic!("{other:?}"),
    }
}

/// The stanzas that wait for an account, oldest first.
fn waiting(handle: &Handle, account: &str) -> Vec<String> {
    let key = record(handle, account).key;
    let question = Question::ReadWaiting { account: jid(account), key, after: 0, limit: u32::MAX };
    let Ok(Answer::Messages(messages)) = handle.call(question) else { panic!("no answer") };
    assert!(messages.is_sorted_by(|a, b| a.id < b.id));
    messages.into_iter().map(|message| String::from_utf8(message.stanza.into()).unwrap()).collect()
}

fn open_with_answers(config: &Config) -> (Store, Answers) {
    let (sender, receiver) = channel::unbounded();
    let store = Store::open(config, Arc::new(move |shard, ticket, answer| drop(sender.send((shard, ticket, answer)))));
    (store.unwrap(), receiver)
}

/// A configuration whose store lies in `folder`, and keeps messages of 1970 too.
fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.archive.days = 0;
    config.server.data = folder.into();
    config
}

//! Tests of the store, on real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod child;
mod faults;
mod figures;
mod kill;
mod opening;
mod order;
mod questions;
mod texts;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam::channel::{self, Receiver};
use wattle::handoff::ShardIndex;
use wattle::input::Ticket;
use wattle::jid::Jid;
use wattle::store::{Answer, Question, StoreFault, Verifier, Verifiers};

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
        Store::open(&self.0, Arc::new(|_, _, _| {})).unwrap()
    }

    fn open_with_answers(&self) -> (Store, Answers) {
        let (sender, receiver) = channel::unbounded();
        let store =
            Store::open(&self.0, Arc::new(move |shard, ticket, answer| drop(sender.send((shard, ticket, answer)))));
        (store.unwrap(), receiver)
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

fn push(account: &str, stanza: &str) -> Question {
    Question::PushOffline { account: jid(account), at_ms: 7, stanza: stanza.as_bytes().into(), limit: 1000 }
}

/// The stanzas that wait for an account, oldest first.
fn waiting(handle: &Handle, account: &str) -> Vec<String> {
    let question = Question::ReadOffline { account: jid(account), after: 0, limit: u32::MAX };
    let Ok(Answer::Offline(messages)) = handle.call(question) else { panic!("no answer") };
    assert!(messages.is_sorted_by(|a, b| a.sequence < b.sequence));
    messages.into_iter().map(|message| String::from_utf8(message.stanza.into()).unwrap()).collect()
}

//! Plays the conversations of `tests/scripts` against the real program over TLS: one shard and four, on either store.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod link;
#[path = "../scripts/player/mod.rs"]
mod player;
#[path = "../postgres/mod.rs"]
mod postgres;
#[allow(dead_code, reason = "the crash tests use another part of it")]
mod server;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use link::Link;
use player::{Door, PASSWORD, Patience, Read, Script, Stage};
use postgres::{Cluster, psql};
use server::Server;

/// Conversations at a time: they mostly wait for each other.
const WORKERS: usize = 6;

#[test]
fn on_one_shard() {
    play_all(1, sqlite);
}

#[test]
fn on_four_shards() {
    play_all(4, sqlite);
}

#[test]
fn on_one_shard_with_postgresql() {
    play_all(1, postgresql);
}

#[test]
fn on_four_shards_with_postgresql() {
    play_all(4, postgresql);
}

/// Makes a database for one server; none for the one that SQLite keeps in its data folder.
type Store = fn() -> Option<String>;

fn sqlite() -> Option<String> {
    None
}

fn postgresql() -> Option<String> {
    Some(Cluster::shared().database())
}

fn configured(database: Option<&String>) -> String {
    database.map(|database| format!("store.database = {database:?}\n")).unwrap_or_default()
}

fn play_all(shards: u16, store: Store) {
    let scripts = player::all();
    let played: Vec<(usize, &Script)> =
        scripts.iter().enumerate().filter(|(_, script)| script.is_virtual().is_none()).collect();
    // Each conversation has domains of its own, all of one process.
    let names: Vec<String> = played.iter().flat_map(|(number, _)| domains(*number)).collect();
    let database = store();
    let shared = Server::start(shards, &names, &configured(database.as_ref()));
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((number, script)) = played.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let script = script.at(&prefix(*number));
                    let outcome = if script.is_alone() {
                        let config = configured(store().as_ref()) + &script.config;
                        let own = Server::start(shards, &domains(*number), &config);
                        let outcome = player::play(&script, &mut Wire::new(&own, &script));
                        own.stop();
                        outcome
                    } else {
                        player::play(&script, &mut Wire::new(&shared, &script))
                    };
                    faults.lock().unwrap().extend(outcome.err());
                }
            });
        }
    });
    shared.stop();
    if let Some(database) = database {
        assert_eq!(psql(&database, "SELECT count(*) > 0 FROM account"), Ok("t\n".to_owned()), "it was kept elsewhere");
    }
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} of {} went wrong\n{}", faults.len(), played.len(), faults.join("\n"));
}

fn prefix(number: usize) -> String {
    format!("s{number}")
}

fn domains(number: usize) -> [String; 2] {
    [format!("{}.example.com", prefix(number)), format!("{}.example.net", prefix(number))]
}

/// Clients with sockets.
struct Wire<'a> {
    server: &'a Server,
    links: Vec<Option<Link>>,
    names: Vec<String>,
}

impl<'a> Wire<'a> {
    fn new(server: &'a Server, script: &Script) -> Self {
        server.add_accounts(&script.all_accounts(), PASSWORD);
        let domain = |account: &str| account.split_once('@').unwrap().1.to_owned();
        Self {
            server,
            links: script.cast.iter().map(|_| None).collect(),
            names: script.cast.iter().map(|role| domain(&role.account)).collect(),
        }
    }

    fn link(&mut self, client: usize) -> &mut Link {
        self.links[client].as_mut().unwrap()
    }
}

impl Stage for Wire<'_> {
    fn open(&mut self, client: usize, door: Door) {
        let mut link =
            Link::connect(if door.direct { self.server.at().tls } else { self.server.at().clear }, door.tls12).unwrap();
        if door.direct {
            link.start_tls(&self.names[client]).unwrap();
        }
        self.links[client] = Some(link);
    }

    fn start_tls(&mut self, client: usize) {
        let name = self.names[client].clone();
        self.link(client).start_tls(&name).unwrap();
    }

    fn binding(&mut self, client: usize, kind: &str) -> Option<Vec<u8>> {
        self.link(client).binding(kind)
    }

    fn write(&mut self, client: usize, bytes: &[u8]) {
        self.link(client).write(bytes);
    }

    fn read(&mut self, client: usize, patience: Patience) -> Read {
        // Nothing can be known to come never; this long it would have taken on no machine that has nothing else to do.
        let wait = match patience {
            Patience::Expecting => Duration::from_secs(20),
            Patience::Doubting => Duration::from_millis(150),
        };
        self.link(client).read(wait)
    }

    fn cut(&mut self, client: usize) {
        self.links[client] = None;
    }

    fn pass(&mut self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn shut_down(&mut self) {
        self.server.ask_to_end();
    }

    fn restart(&mut self) {
        self.server.start_again();
    }

    fn fail_store(&mut self, _: bool) {}

    fn empty_archive(&mut self, _: &str) {}
}

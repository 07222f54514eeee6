//! Plays the conversations of this folder on plain shards in virtual time, on one shard and on four.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod player;
#[path = "../world/mod.rs"]
mod world;

use player::{Door, PASSWORD, Patience, Read, Script, Stage};
use wattle::input::Listener;
use wattle::store::StoreFault;
use world::{END_POINT, EXPORTER, End, World};

#[test]
fn on_one_shard() {
    play_all(1);
}

#[test]
fn on_four_shards() {
    play_all(4);
}

/// A player that lets everything pass would be worth nothing.
#[test]
fn what_goes_otherwise_is_noticed() {
    let head = "=== x\nclause: x\njuliet is juliet@example.com/balcony\nromeo is romeo@example.net/orchard\n\n";
    let ping = "juliet connects\njuliet sends:\n    <iq type='get' id='p' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>\n";
    let faulty = [
        (format!("{ping}juliet receives nothing\n"), "received <iq"),
        (format!("{ping}romeo connects\n"), "after the last step"),
        (format!("{ping}juliet receives:\n    <iq id='q' type='result'/>\n"), "is not q"),
        (format!("{ping}juliet receives:\n    <iq id='p'/>\n"), "has a type"),
        (format!("{ping}juliet receives:\n    <iq type='result' from='{{absent}}'/>\n"), "should be absent"),
        (format!("{ping}juliet receives:\n    <iq type='result' h='1'/>\n"), "no h in"),
        (format!("{ping}juliet receives:\n    <iq type='result'><a/></iq>\n"), "0 children instead of 1"),
        (format!("{ping}juliet receives:\n    <iq type='result'>...<a/></iq>\n"), "is missing"),
        (format!("{ping}juliet receives:\n    <iq type='result'>text</iq>\n"), "text \"\" in <iq>"),
        (format!("{ping}juliet receives:\n    <iq xmlns='urn:x' type='result'/>\n"), "instead of <iq xmlns='urn:x'>"),
        (format!("{ping}juliet is closed\n"), "something else"),
        (format!("{ping}juliet receives:\n    <iq type='result'/>\n    <message/>\n"), "nothing came"),
    ];
    for (steps, fault) in faulty {
        let script = &player::read("x", &format!("{head}{steps}")).unwrap()[0];
        let outcome = player::play(script, &mut Shards::new(script, 1));
        assert!(outcome.as_ref().is_err_and(|said| said.contains(fault)), "{fault}: {outcome:?}\n{steps}");
    }
}

fn play_all(shards: u16) {
    let scripts = player::all();
    let faults: Vec<String> =
        scripts.iter().filter_map(|script| player::play(script, &mut Shards::new(script, shards)).err()).collect();
    assert!(faults.is_empty(), "{} of {} went wrong\n{}", faults.len(), scripts.len(), faults.join("\n"));
}

/// A server of plain shards.
struct Shards {
    world: World,
    config: String,
    ends: Vec<Option<End>>,
    opened: u16,
}

impl Shards {
    fn new(script: &Script, shards: u16) -> Self {
        let config = format!("domains = [\"example.com\", \"example.net\"]\n{}", script.config);
        let mut world = World::new(shards, &config, 7);
        for account in script.all_accounts() {
            world.add_account(account, PASSWORD);
        }
        Self { world, config, ends: script.cast.iter().map(|_| None).collect(), opened: 0 }
    }

    fn end(&self, client: usize) -> End {
        self.ends[client].unwrap()
    }
}

impl Stage for Shards {
    fn open(&mut self, client: usize, door: Door) {
        let listener = if door.direct { Listener::ClientTls } else { Listener::Client };
        self.world.tls13 = !door.tls12;
        // Each arrives at the next shard, so that connections move.
        self.opened += 1;
        let shard = self.opened % self.world.count();
        self.ends[client] = Some(self.world.connect(shard, listener));
    }

    fn start_tls(&mut self, _: usize) {}

    fn binding(&mut self, _: usize, kind: &str) -> Option<Vec<u8>> {
        match kind {
            "tls-exporter" => Some(EXPORTER.to_vec()),
            "tls-server-end-point" => Some(END_POINT.to_vec()),
            _ => None,
        }
    }

    fn write(&mut self, client: usize, bytes: &[u8]) {
        let end = self.end(client);
        self.world.write(end, bytes);
        self.world.run();
    }

    fn read(&mut self, client: usize, _: Patience) -> Read {
        let end = self.end(client);
        match self.world.read(end) {
            bytes if !bytes.is_empty() => Read::Bytes(bytes),
            _ if self.world.is_over(end) => Read::Closed,
            _ => Read::Nothing,
        }
    }

    fn cut(&mut self, client: usize) {
        let end = self.end(client);
        self.world.cut(end);
        self.world.notice(end);
        self.world.run();
    }

    fn pass(&mut self, ms: u64) {
        self.world.run_for(ms);
    }

    fn shut_down(&mut self) {
        self.world.shut_down();
        self.world.run();
    }

    fn restart(&mut self) {
        let mut world = World::new(self.world.count(), &self.config, 8);
        std::mem::swap(&mut world.store, &mut self.world.store);
        world.now = self.world.now;
        self.world = world;
    }

    fn fail_store(&mut self, fails: bool) {
        self.world.weather = if fails { Some(Box::new(|_| Some(StoreFault::Failed))) } else { None };
    }

    fn empty_archive(&mut self, account: &str) {
        self.world.store.empty(account);
    }
}

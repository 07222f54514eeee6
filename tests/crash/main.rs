//! The promise (XEP-0198, XEP-0313): what a sender saw acknowledged is never lost, whatever becomes of the server.
//!
//! Pairs of real clients send numbered messages to each other at full speed over TLS. At random moments something falls on
//! them: their connections are cut, the server is killed with SIGKILL, or it is ended in order, or PostgreSQL is killed
//! under it. Each time every client resumes its stream, if it lost it, and goes on. At no time may a client hear a number that
//! is not the next one, or find one missing, double or out of order in its archive; but what came back as an error while
//! PostgreSQL was away may be missing.
//!
//! `WATTLE_CRASH_ROUNDS=200 cargo test -p wattle-shards --test crash killed` is the long run; `WATTLE_CRASH_SEED=17` rolls
//! the same dice again, though threads and sockets make no two runs the same.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stdout, reason = "a long run says what it came to")]

mod archive;
mod client;
mod disk;
mod eyes;
mod field;
mod refusals;
mod session;
mod stream;

#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "../sim/chance.rs"]
mod chance;
#[allow(dead_code, reason = "the conversations use more of it")]
#[path = "../wire/link.rs"]
mod link;
#[allow(unused_imports, reason = "nothing is played here; what reads a stream is taken from it")]
#[path = "../scripts/player/mod.rs"]
mod player;
#[path = "../postgres/mod.rs"]
mod postgres;
#[allow(dead_code, reason = "the conversations use more of it")]
#[path = "../wire/server.rs"]
mod server;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use chance::Chance;
use client::Client;
use disk::Disk;
use field::Field;
use player::PASSWORD;
use postgres::Cluster;
use server::Server;

const DOMAIN: &str = "crash.example.com";
/// Clients, each the partner of its neighbour.
const CLIENTS: usize = 12;
/// How often something falls in a run of the suite.
const ROUNDS: usize = 6;
/// Messages that each client says between two blows: more than fit.
const ALLOWANCE: u32 = 400;

/// What falls on the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// Each client loses its connection, and nothing else happens.
    Cut,
    /// The server is killed, and started again.
    Kill,
    /// The server is ended in order, and started again.
    End,
    /// The server's PostgreSQL is killed, is away for a moment, and is started again.
    Database,
}

/// One run.
#[derive(Clone, Copy)]
struct Plan {
    blow: Blow,
    shards: u16,
    /// The archive is looked into.
    archive: bool,
    postgres: bool,
    disk: Disk,
}

const CUT: Plan = Plan { blow: Blow::Cut, shards: 1, archive: true, postgres: false, disk: Disk::Plain };
const ENDED: Plan = Plan { blow: Blow::End, archive: true, ..CUT };
const KILLED: Plan = Plan { blow: Blow::Kill, archive: true, ..CUT };

#[test]
fn cut_on_one_shard() {
    run(&CUT);
}

#[test]
fn cut_on_four_shards() {
    run(&Plan { shards: 4, ..CUT });
}

#[test]
fn ended_on_one_shard() {
    run(&ENDED);
}

#[test]
fn ended_on_four_shards() {
    run(&Plan { shards: 4, ..ENDED });
}

#[test]
fn ended_with_postgresql() {
    run(&Plan { shards: 4, postgres: true, ..ENDED });
}

#[test]
fn killed_on_one_shard() {
    run(&KILLED);
}

#[test]
fn killed_on_four_shards() {
    run(&Plan { shards: 4, ..KILLED });
}

#[test]
fn killed_with_postgresql() {
    run(&Plan { shards: 4, postgres: true, ..KILLED });
}

#[test]
fn killed_on_a_slow_disk() {
    run(&Plan { shards: 4, disk: Disk::Slow, ..KILLED });
}

/// What a kill leaves in the system's memory is lost here.
#[test]
fn plug_pulled() {
    run(&Plan { shards: 4, disk: Disk::Unplugged, ..KILLED });
}

#[test]
fn postgresql_killed() {
    run(&Plan { blow: Blow::Database, shards: 4, archive: true, postgres: true, ..CUT });
}

fn run(plan: &Plan) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed: u64 = number("WATTLE_CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(std::process::id()));
    let rounds = number("WATTLE_CRASH_ROUNDS").map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    let mut chance = Chance::new(seed);

    let cluster = plan.postgres.then(Cluster::start);
    let database = cluster.as_ref().map(|cluster| format!("store.database = {:?}", cluster.database()));
    let (domains, config) = ([DOMAIN.to_owned()], database.unwrap_or_default());
    let server = Server::start_with(plan.shards, &domains, &config, plan.disk.environment());
    let accounts: Vec<String> = (0..CLIENTS).map(|number| format!("c{number}@{DOMAIN}")).collect();
    server.add_accounts(&accounts.iter().map(String::as_str).collect::<Vec<_>>(), PASSWORD);
    let field = Field::new(CLIENTS, server.at());
    let outcome = std::thread::scope(|scope| {
        for (number, account) in accounts.iter().enumerate() {
            let partner = number ^ 1;
            let client = Client::new(plan, number, account, &accounts[partner], chance.next());
            let field = &field;
            scope.spawn(move || field.report(move || client.live(field)));
        }
        let stage = Stage { plan, server: &server, cluster: cluster.as_ref(), field: &field };
        let outcome = stage.direct(rounds, &mut chance);
        if outcome.is_err() {
            // Those who wait for bytes hear the end.
            field.give_up();
            server.kill();
        }
        outcome
    });
    let faults = field.faults();
    if outcome.is_err() || !faults.is_empty() {
        let log = server.log();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        panic!(
            "WATTLE_CRASH_SEED={seed} {:?} on {} shards, {:?} disk: {}\n{}\nthe server's last words:\n{}",
            plan.blow,
            plan.shards,
            plan.disk,
            outcome.err().unwrap_or_default(),
            faults.join("\n"),
            tail.join("\n")
        );
    }
    server.stop();
    println!(
        "WATTLE_CRASH_SEED={seed} {:?} on {} shards, {rounds} rounds: {}",
        plan.blow,
        plan.shards,
        field.summary()
    );
}

/// Where it happens.
struct Stage<'a> {
    plan: &'a Plan,
    server: &'a Server,
    cluster: Option<&'a Cluster>,
    field: &'a Field,
}

impl Stage<'_> {
    /// Lets the clients work, lets blows fall, and looks into some archives between them.
    fn direct(&self, rounds: usize, chance: &mut Chance) -> Result<(), String> {
        let field = self.field;
        field.until("all are ready", |state| state.ready == CLIENTS)?;
        for _ in 0..rounds {
            // Some blows fall while clients are on their way back from the one before.
            let most = CLIENTS * ALLOWANCE as usize;
            let beats = if chance.percent(20) { chance.below(2 * CLIENTS) } else { 200 + chance.below(most * 3 / 4) };
            field.allow(ALLOWANCE);
            field.until_beats(beats as u64)?;
            // Beats come right after the server has committed and written; this is any moment between.
            moment(chance, 20);
            self.strike(chance)?;
            if self.plan.archive && chance.percent(70) {
                field.want_audit(chance.below(CLIENTS));
                field.want_audit(chance.below(CLIENTS));
                field.until("the archives are looked into", |state| state.audits_wanted() == 0)?;
            }
        }
        field.stop();
        field.until("all is said, heard and found", |state| state.finished == CLIENTS)
    }

    fn strike(&self, chance: &mut Chance) -> Result<(), String> {
        match self.plan.blow {
            Blow::Cut => {}
            Blow::Kill => self.server.kill_and_start_again(|folder| self.plan.disk.lose(folder)),
            Blow::End => {
                self.server.ask_to_end();
                self.server.start_again();
            }
            Blow::Database => {
                let cluster = self.cluster.unwrap();
                cluster.kill();
                moment(chance, 1_000);
                cluster.start_again();
                self.field.allow(ALLOWANCE);
                return self.field.until_all_hear();
            }
        }
        let generation = self.field.next_generation(self.server.at());
        if chance.percent(70) {
            self.field.until("all have resumed", |state| state.resumed_in(generation) == CLIENTS)?;
        }
        Ok(())
    }
}

/// Less than so many milliseconds.
fn moment(chance: &mut Chance, below_ms: usize) {
    std::thread::sleep(Duration::from_micros(chance.below(1_000 * below_ms) as u64));
}

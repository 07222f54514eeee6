//! Prints what a question costs in time, bytes and memory. `cargo test --release store::tests::figures -- --ignored --nocapture`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam::channel;
use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::jid::Jid;
use wattle::store::{AccountKey, Entry, Keep, Question, RosterItem, Uses};

use super::{Answers, Folder, child, config, create, jid, push};
use crate::store::{Handle, Store};

const ACCOUNTS: usize = 1_000;

fn accounts() -> Vec<Jid> {
    (0..ACCOUNTS).map(|number| jid(&format!("user{number}@example.org"))).collect()
}

/// A number out of a file of /proc/self.
fn proc(file: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// CPU microseconds of the whole process.
fn cpu_us() -> u64 {
    // SAFETY: an all-zero rusage is a valid value, and the call only writes to it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let us = |time: libc::timeval| time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned();
    us(usage.ru_utime) + us(usage.ru_stime)
}

/// Asks `total` questions, `batch` at a time, and says what one costs.
fn measure(what: &str, handle: &Handle, answers: &Answers, batch: u64, total: u64, question: impl Fn(u64) -> Question) {
    let (commits, bytes, cpu, start) =
        (handle.counters().commits, proc("io", "write_bytes:"), cpu_us(), Instant::now());
    for round in 0..total / batch {
        for number in round * batch..(round + 1) * batch {
            handle.ask(ShardIndex(0), Ticket(number), question(number));
        }
        for _ in 0..batch {
            assert!(answers.recv().unwrap().2.is_ok());
        }
    }
    let each = |figure: u64| figure as f64 / total as f64;
    let elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap();
    child::say(&format!(
        "{what:12} at a time {batch:5}: {:7.2} us, {:7.2} us CPU, {:6.3} commits, {:7.0} bytes written, max commit {} us",
        each(elapsed_us),
        each(cpu_us() - cpu),
        each(handle.counters().commits - commits),
        each(proc("io", "write_bytes:") - bytes),
        handle.counters().max_commit_us,
    ));
}

#[test]
#[ignore = "prints figures, proves nothing"]
fn time_bytes_and_memory() {
    let folder = Folder::new();
    let memory = || proc("status", "VmRSS:");
    let before = memory();
    drop(folder.open());
    let warm = memory();
    let (sender, answers) = channel::unbounded();
    let store = Store::open(
        &config(&folder.0),
        Arc::new(move |shard, ticket, answer| drop(sender.send((shard, ticket, answer)))),
    );
    let store = store.unwrap();
    let handle = store.handle();
    child::say(&format!(
        "memory: {before} KiB before, {} KiB open, {} KiB of them once",
        memory() - before,
        warm - before
    ));
    let accounts = accounts();
    for account in &accounts {
        handle.ask(ShardIndex(0), Ticket(0), create(account.as_str()));
        assert!(answers.recv().unwrap().2.is_ok());
    }
    for (number, account) in accounts.iter().enumerate() {
        for item in 0..20 {
            let item = RosterItem {
                jid: accounts[(number + item * 37 + 1) % ACCOUNTS].clone(),
                name: Some("A contact".into()),
                subscription: wattle::store::Subscription::Both,
                ask: false,
                approved: false,
                groups: vec!["Friends".into()],
                version: item as u64 + 1,
            };
            handle.ask(
                ShardIndex(0),
                Ticket(0),
                Question::SaveRosterItem { account: account.clone(), item: Box::new(item) },
            );
        }
        if number % 100 == 99 {
            (0..2000).for_each(|_| assert!(answers.recv().unwrap().2.is_ok()));
        }
    }
    let of = |number: u64| accounts[(number * 7919) as usize % ACCOUNTS].clone();
    let stanza = "m".repeat(325);
    for batch in [1, 10, 100, 1000] {
        measure("push", &handle, &answers, batch, 8_000, |number| push(of(number).as_str(), &stanza));
        measure("end waiting", &handle, &answers, batch, 1_000, |number| Question::EndWaiting {
            account: accounts[number as usize].clone(),
            key: AccountKey(1),
            ids: vec![number + 1],
        });
    }
    for batch in [1, 10, 100, 400, 1000] {
        let total = if batch == 1 { 4_000 } else { 40_000 };
        measure("archive", &handle, &answers, batch, total, |number| archive(&accounts, number, &stanza));
    }
    for batch in [1, 10, 100, 1000] {
        measure("credentials", &handle, &answers, batch, 20_000, |number| Question::Credentials {
            account: of(number),
        });
        measure("account", &handle, &answers, batch, 5_000, |number| Question::Account { account: of(number) });
    }
    child::say(&format!("memory: {} KiB open after work", memory() - before));
    logins_beside_writes(&handle, &answers, &accounts);
}

/// A message of one account to another, of a hundred that are busy.
fn archive(accounts: &[Jid], number: u64, stanza: &str) -> Question {
    static NEWEST: AtomicU64 = AtomicU64::new(1 << 60);
    let (id, uses) = (NEWEST.fetch_add(1 << 18, Ordering::Relaxed), Uses { archived: true, waits: false });
    let of = |number: u64| number * 37 % 100;
    let entry = |number: u64| {
        let key = AccountKey(of(number).cast_signed() + 1);
        Entry { key, id, peer: (number + 1) * 0x0012_3456_789a, uses, trace: [1; 12].into() }
    };
    let keep = Keep {
        account: accounts[of(number) as usize].clone(),
        stanza: stanza.as_bytes().into(),
        entries: vec![entry(number), entry(number + 1)],
    };
    Question::Keep(Box::new(keep))
}

/// How long a login's read takes while messages are stored without pause. To see a slow disk, let a preloaded library
/// delay fdatasync.
fn logins_beside_writes(handle: &Handle, answers: &Answers, accounts: &[Jid]) {
    const LOGINS: usize = 300;
    let stanza = "m".repeat(325);
    let write = |number: u64| {
        handle.ask(ShardIndex(0), Ticket(number), push(accounts[number as usize % ACCOUNTS].as_str(), &stanza))
    };
    (0..64).for_each(write);
    let mut taken = Vec::new();
    let mut start = Instant::now();
    handle.ask(ShardIndex(0), Ticket(u64::MAX), Question::Credentials { account: accounts[500].clone() });
    let mut next = 64;
    while taken.len() < LOGINS {
        if answers.recv().unwrap().1 == Ticket(u64::MAX) {
            taken.push(start.elapsed());
            start = Instant::now();
            let account = accounts[taken.len() * 31 % ACCOUNTS].clone();
            handle.ask(ShardIndex(0), Ticket(u64::MAX), Question::Credentials { account });
        } else {
            write(next);
            next += 1;
        }
    }
    taken.sort();
    child::say(&format!(
        "credentials while {next} messages were stored: median {:?}, 99th percentile {:?}, most {:?}; last commit {} us",
        taken[LOGINS / 2],
        taken[LOGINS * 99 / 100],
        taken[LOGINS - 1],
        handle.counters().last_commit_us
    ));
}

//! Mailboxes between real shards' threads: nothing is lost, each sender's order is kept, nobody stays asleep.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::mpsc::{Receiver, channel};

use wattle::stanza::{Kind, MessageType, Stanza};

use super::*;
use crate::cores::allowed;
use crate::engine;
use crate::poller::Events;

/// How long a run may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(120);

fn note(from: u16, number: u64) -> Parcel {
    // A ticket is the only number that a parcel carries; its upper bits tell the sender.
    Parcel::Stored { ticket: Ticket(u64::from(from) << 48 | number), answer: Box::new(Ok(Answer::Done)) }
}

fn stanza(from: u16, number: u64, payload: &Arc<[u8]>) -> Parcel {
    let mut stanza = Stanza::new(Kind::Message(MessageType::Chat), None, None);
    stanza.id = Some((u64::from(from) << 48 | number).to_string().into());
    stanza.payload = payload.clone();
    Parcel::Handoff(Handoff::Stanza(Box::new(stanza)))
}

fn read(parcel: &Parcel) -> (u16, u64) {
    let ticket = match parcel {
        Parcel::Stored { ticket: Ticket(ticket), .. } => *ticket,
        Parcel::Handoff(Handoff::Stanza(stanza)) => stanza.id.as_ref().unwrap().parse().unwrap(),
        _ => panic!("another parcel"),
    };
    (u16::try_from(ticket >> 48).unwrap(), ticket & 0xffff_ffff_ffff)
}

/// One shard's end: its mailbox, and what it sleeps at.
struct Shard {
    me: ShardIndex,
    all: Arc<[Mailbox]>,
    poller: Poller,
    events: Events,
}

impl Shard {
    fn own(&self) -> &Mailbox {
        &self.all[usize::from(self.me.0)]
    }

    /// Sleeps as a core does, without a timeout: what is not rung for is never heard.
    fn sleep(&mut self) {
        let Self { me, all, poller, events } = self;
        all[usize::from(me.0)].wait(|may_sleep| poller.wait(events, if may_sleep { None } else { Some(0) })).unwrap();
    }
}

/// Starts `count` shards that run `task`, and returns where they tell that they are done.
fn start(
    count: u16,
    task: impl Fn(Shard) + Clone + Send + 'static,
) -> (Arc<[Mailbox]>, Vec<engine::Running>, Receiver<ShardIndex>) {
    let mailboxes = Mailbox::all(count).unwrap();
    let (sender, done) = channel();
    let cpus = allowed();
    let running = (0..count)
        .map(|index| {
            let (all, sender, task) = (mailboxes.clone(), sender.clone(), task.clone());
            let (me, poller) = (ShardIndex(index), Poller::new().unwrap());
            all[usize::from(index)].hang_at(&poller).unwrap();
            engine::start("test", cpus[usize::from(index) % cpus.len()], move || {
                task(Shard { me, all, poller, events: Events::new() });
                sender.send(me).unwrap();
            })
            .unwrap()
        })
        .collect();
    (mailboxes, running, done)
}

fn finish(running: Vec<engine::Running>, done: &Receiver<ShardIndex>) {
    for _ in &running {
        done.recv_timeout(STUCK).expect("a shard sleeps for ever");
    }
    for one in running {
        one.join().unwrap();
    }
}

/// Every shard sends `each` parcels to every other as fast as it can, and reads nothing else while it is stuck.
fn flood(shards: u16, each: u64, batch: u64, parcel: impl Fn(u16, u64) -> Parcel + Clone + Send + 'static) {
    let (mailboxes, running, done) = start(shards, move |mut shard| {
        let me = shard.me;
        let mut outgoing = Outgoing::new(me, shard.all.clone());
        let others: Vec<_> = (0..shards).filter(|other| *other != me.0).map(ShardIndex).collect();
        let mut heard = vec![0; usize::from(shards)];
        let mut sent = 0;
        let expected = each * u64::from(shards - 1);
        while sent < each || heard.iter().sum::<u64>() < expected || outgoing.is_stuck() {
            if sent == each || outgoing.is_stuck() {
                shard.sleep();
            }
            let mut taken = 0;
            while let Some(parcel) = shard.own().take() {
                let (from, number) = read(&parcel);
                assert_eq!(number, heard[usize::from(from)], "the order of one sender");
                heard[usize::from(from)] += 1;
                taken += 1;
            }
            if taken > 0 {
                shard.own().made_room(&shard.all);
            }
            // What a socket would bring is not read while something found no room.
            if !outgoing.is_stuck() {
                for _ in 0..batch.min(each - sent) {
                    for other in &others {
                        outgoing.send(*other, parcel(me.0, sent));
                    }
                    sent += 1;
                }
            }
            outgoing.ring();
        }
    });
    finish(running, &done);
    assert!(mailboxes.iter().all(|mailbox| mailbox.bytes.load(Ordering::SeqCst) == 0));
}

#[test]
fn millions_of_parcels_arrive_in_order() {
    flood(2, 1_000_000, 64, note);
    flood(4, 100_000, 300, note);
    // Batches that never fit: the spill carries them.
    flood(3, 60_000, 3 * MAILBOX_VALUES as u64, note);
    flood(4, 20_000, 1, note);
}

#[test]
fn large_stanzas_arrive_in_order_though_few_fit() {
    let (eighth, whole) = (vec![b' '; MAILBOX_BYTES / 8].into(), vec![b' '; MAILBOX_BYTES].into());
    let (small, none) = (vec![b' '; 4_000].into(), vec![].into());
    let eighths = move |from, number| stanza(from, number, &eighth);
    flood(2, 200_000, 1, eighths.clone());
    flood(4, 50_000, 20, eighths);
    // One fills it, and what weighs nothing must not overtake one that waits.
    flood(
        3,
        100_000,
        3,
        move |from, number| {
            if number % 3 == 0 { note(from, number) } else { stanza(from, number, &whole) }
        },
    );
    // Sometimes the bytes are full, and sometimes the places.
    flood(4, 100_000, 300, move |from, number| {
        stanza(from, number, if number / 10_000 % 2 == 0 { &none } else { &small })
    });
}

#[test]
fn a_full_mailbox_holds_its_bytes_and_one_stanza_more() {
    let all = Mailbox::all(2).unwrap();
    let mut outgoing = Outgoing::new(ShardIndex(0), all.clone());
    let payload = vec![b' '; 100_000].into();
    for number in 0..1_000 {
        outgoing.send(ShardIndex(1), stanza(0, number, &payload));
    }
    assert!(!outgoing.ring());
    assert_eq!(all[1].depth(), MAILBOX_BYTES.div_ceil(stanza(0, 100, &payload).weight()));
    let mut heard = 0;
    while let Some(parcel) = all[1].take() {
        assert_eq!(read(&parcel), (0, heard));
        heard += 1;
        all[1].made_room(&all);
        assert!(all[0].has_room.swap(false, Ordering::SeqCst) || !outgoing.is_stuck());
        outgoing.ring();
    }
    assert_eq!(heard, 1_000);
    assert!(!outgoing.is_stuck());
}

#[test]
fn sleeping_shards_wake_each_other() {
    const ROUNDS: u64 = 50_000;
    for shards in [2, 4] {
        let (mailboxes, running, done) = start(shards, move |mut shard| {
            let me = shard.me;
            let mut outgoing = Outgoing::new(me, shard.all.clone());
            let next = ShardIndex((me.0 + 1) % shards);
            loop {
                shard.sleep();
                let mut last = false;
                while let Some(parcel) = shard.own().take() {
                    let (_, number) = read(&parcel);
                    // The token goes round; each shard passes on the first number behind the end, and ends.
                    outgoing.send(next, note(me.0, number + 1));
                    last = number >= ROUNDS;
                }
                outgoing.ring();
                if last {
                    return;
                }
            }
        });
        mailboxes[0].post(note(0, 0));
        finish(running, &done);
    }
}

#[test]
fn foreign_threads_wait_for_room() {
    let each = 10 * MAILBOX_VALUES as u64;
    let (mailboxes, running, done) = start(1, move |mut shard| {
        let mut heard = [0; 3];
        while heard.iter().sum::<u64>() < 3 * each {
            shard.sleep();
            while let Some(parcel) = shard.own().take() {
                let (from, number) = read(&parcel);
                assert_eq!(number, heard[usize::from(from)]);
                heard[usize::from(from)] += 1;
            }
        }
    });
    std::thread::scope(|scope| {
        for from in 0..3 {
            let mailboxes = &mailboxes;
            scope.spawn(move || (0..each).for_each(|number| mailboxes[0].post(note(from, number))));
        }
    });
    finish(running, &done);
}

#[test]
fn what_a_shard_posts_to_itself_is_found_before_it_sleeps() {
    let (_, running, done) = start(1, |mut shard| {
        let count = 3 * MAILBOX_VALUES as u64;
        shard.own().post(note(0, 0));
        shard.sleep();
        // More than fits: a shard never waits for itself.
        (1..count).for_each(|number| shard.own().post(note(0, number)));
        let mut heard = 0;
        while heard < count {
            while let Some(parcel) = shard.own().take() {
                assert_eq!(read(&parcel), (0, heard));
                heard += 1;
                if heard % 7 == 0 {
                    shard.sleep();
                }
            }
        }
    });
    finish(running, &done);
}

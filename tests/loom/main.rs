//! The wake-up protocols of `shards/` under every order of loads and stores that a weakly ordered memory allows (loom): nobody
//! sleeps for ever. The very files of the program are compiled here over the model's atomics.
//!
//! To show that the model would find a mistake, each story is also played without the fences, where it must go wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod poller;
mod sync;

#[path = "../../shards/doorbell.rs"]
mod doorbell;
#[allow(dead_code, reason = "the store asks for more than these stories")]
#[path = "../../shards/store/inbox.rs"]
mod inbox;
#[path = "../../shards/mailbox/starved.rs"]
mod starved;

use std::panic::catch_unwind;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use doorbell::Doorbell;
use inbox::{Inbox, Woken};
use poller::Poller;
use starved::Starved;
use sync::{AtomicBool, Ordering, Queue};

/// How often one thread may be interrupted by others in one course of events. Each mistake that is known shows with two.
const PREEMPTIONS: usize = 3;

/// Plays `story` in every order; with the fences it must end well, and without them some order must hang or fail.
fn play(story: fn()) {
    let mut model = Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(story);
    let without = catch_unwind(|| {
        let _none = sync::WithoutFences::begin();
        let mut model = Builder::new();
        model.preemption_bound = Some(PREEMPTIONS);
        model.check(story);
    });
    assert!(without.is_err(), "the story holds without fences: it does not show what they are for");
}

/// A shard's end: its doorbell, and what it sleeps at.
struct Shard {
    bell: Arc<Doorbell>,
    poller: Poller,
}

impl Shard {
    fn new() -> Self {
        let (bell, poller) = (Arc::new(Doorbell::new().unwrap()), Poller::default());
        bell.hang_at(&poller).unwrap();
        Self { bell, poller }
    }

    /// As `Mailbox::wait` does it.
    fn sleep(&self, is_empty: impl FnOnce() -> bool) {
        if self.bell.fall_asleep(is_empty) {
            self.poller.wait();
        }
        self.bell.wake_up();
    }
}

#[test]
fn two_producers_wake_a_shard() {
    play(|| {
        let shard = Shard::new();
        let queue = Arc::new(Queue::new());
        for value in 0..2 {
            let (queue, bell) = (queue.clone(), shard.bell.clone());
            thread::spawn(move || {
                queue.push(value);
                bell.ring();
            });
        }
        let mut taken = 0;
        while taken < 2 {
            shard.sleep(|| queue.is_empty());
            while queue.pop().is_some() {
                taken += 1;
            }
        }
    });
}

#[test]
fn a_sender_that_found_no_room_is_told() {
    play(|| {
        let sender = Shard::new();
        let has_room = Arc::new(AtomicBool::new(false));
        let starved = Arc::new(Starved::new(1));
        // One place, which is taken.
        let queue = Arc::new(Queue::new());
        queue.push(0);
        let receiver = {
            let (queue, starved, has_room, bell) =
                (queue.clone(), starved.clone(), has_room.clone(), sender.bell.clone());
            thread::spawn(move || {
                queue.pop().unwrap();
                starved.made(|_| {
                    has_room.store(true, Ordering::SeqCst);
                    bell.ring();
                });
            })
        };
        // As `Outgoing::unspill` does it: announce, then try once more.
        while !queue.is_empty() {
            starved.lack(0);
            if queue.is_empty() {
                break;
            }
            sender.sleep(|| !has_room.load(Ordering::SeqCst));
            has_room.store(false, Ordering::SeqCst);
        }
        receiver.join().unwrap();
    });
}

#[test]
fn the_store_hears_every_question_and_the_end() {
    play(|| {
        let inbox = Arc::new(Inbox::new());
        let asking = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                inbox.push(1);
                inbox.push(2);
                inbox.close();
            })
        };
        let mut heard = Vec::new();
        while inbox.wait(None) == Woken::Waiting {
            while let Some(question) = inbox.pop() {
                heard.push(question);
            }
        }
        assert_eq!(heard, [1, 2]);
        asking.join().unwrap();
    });
}

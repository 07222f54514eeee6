//! How a shard, or any other thread, asks the store.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crossbeam::channel::{self, Sender};
use wattle::config::Config;
use wattle::home::ShardIndex;
use wattle::input::Ticket;
use wattle::store::{Answer, Question, StoreFault};

use super::counters::{Counters, Counting};
use super::inbox::Inbox;
use super::lane::{self, Lane, Worker};
use super::retention::Retention;

/// Takes an answer to the shard that asked. Called on the store's threads, and for [`StoreFault::Busy`] on the thread
/// that asks; must not block and must not ask.
pub(crate) type Deliver = dyn Fn(ShardIndex, Ticket, Result<Answer, StoreFault>) + Send + Sync;

/// Shards above this number share lanes, and with them the bound of what may wait.
const LANES: usize = 256;

/// A question on its way.
pub(super) struct Asked {
    origin: Origin,
    pub(super) question: Question,
}

enum Origin {
    Shard { from: ShardIndex, ticket: Ticket, slot: u16 },
    Call(Sender<Result<Answer, StoreFault>>),
}

/// What the two threads and all handles have in common.
pub(super) struct Shared {
    pub(super) reader: Inbox<Asked>,
    pub(super) writer: Inbox<Asked>,
    pub(super) counting: Counting,
    /// Both threads have ended.
    closed: AtomicBool,
    lanes: Box<[OnceLock<Lane>]>,
    retention: Mutex<Arc<Retention>>,
    deliver: Arc<Deliver>,
}

impl Shared {
    pub(super) fn new(config: &Config, deliver: Arc<Deliver>) -> Self {
        Self {
            retention: Mutex::new(Arc::new(Retention::of(config))),
            reader: Inbox::new(),
            writer: Inbox::new(),
            counting: Counting::default(),
            closed: AtomicBool::new(false),
            lanes: (0..LANES).map(|_| OnceLock::new()).collect(),
            deliver,
        }
    }

    /// How long messages are kept.
    pub(super) fn retention(&self) -> Arc<Retention> {
        Arc::clone(&self.retention.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lane(&self, shard: ShardIndex) -> &Lane {
        self.lanes[usize::from(shard.0) % LANES].get_or_init(Lane::new)
    }

    /// Gives an answer back and forgets the question.
    pub(super) fn answer(&self, asked: Asked, worker: Worker, answer: Result<Answer, StoreFault>) {
        if answer.is_err() {
            self.counting.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.counting.answered.fetch_add(1, Ordering::Relaxed);
        match asked.origin {
            Origin::Shard { from, ticket, slot } => {
                (self.deliver)(from, ticket, answer);
                // Behind the delivery, because a later answer must not overtake this one.
                self.lane(from).leave(slot, worker);
            }
            // Whoever called has waited for it; if it is gone, nobody wants to know.
            Origin::Call(caller) => drop(caller.send(answer)),
        }
    }

    /// For the reader, when everything before this question is delivered: must the writer have it?
    pub(super) fn must_pass_on(&self, asked: &Asked) -> bool {
        match asked.origin {
            Origin::Shard { from, slot, .. } => self.lane(from).slot(slot).must_write(lane::writes(&asked.question)),
            Origin::Call(_) => false,
        }
    }

    /// For the reader: gives the writer a question.
    pub(super) fn pass_on(&self, asked: Asked) {
        match asked.origin {
            Origin::Shard { from, slot, .. } => self.lane(from).slot(slot).pass_on(|| self.writer.push(asked)),
            Origin::Call(_) => self.writer.push(asked),
        }
    }

    /// Nothing is carried out from here on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.refuse_if_closed();
    }

    fn push(&self, worker: Worker, asked: Asked) {
        self.counting.asked.fetch_add(1, Ordering::Relaxed);
        match worker {
            Worker::Reader => self.reader.push(asked),
            Worker::Writer => self.writer.push(asked),
        }
        self.refuse_if_closed();
    }

    /// Answers what no thread will answer any more, whoever comes last.
    fn refuse_if_closed(&self) {
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            while let Some(asked) = self.reader.pop() {
                self.answer(asked, Worker::Reader, Err(StoreFault::Failed));
            }
            while let Some(asked) = self.writer.pop() {
                self.answer(asked, Worker::Writer, Err(StoreFault::Failed));
            }
        }
    }
}

/// Asks the store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle(pub(super) Arc<Shared>);

impl Handle {
    /// Asks for a shard; the answer is delivered with its ticket. Never blocks. Beyond `limits::STORE_QUESTIONS` waiting
    /// questions of a shard the answer is [`StoreFault::Busy`], delivered at once.
    ///
    /// Questions of one shard about one account are carried out and answered in the order they were asked, if one
    /// thread asks for that shard.
    pub(crate) fn ask(&self, from: ShardIndex, ticket: Ticket, question: Question) {
        let lane = self.0.lane(from);
        if !lane.enter() {
            self.0.counting.busy.fetch_add(1, Ordering::Relaxed);
            (self.0.deliver)(from, ticket, Err(StoreFault::Busy));
            return;
        }
        let slot = Lane::slot_of(&question);
        let worker = lane.slot(slot).enter(lane::writes(&question));
        self.0.push(worker, Asked { origin: Origin::Shard { from, ticket, slot }, question });
    }

    /// Asks and waits for the answer. For threads that may block, never for a shard.
    ///
    /// # Errors
    /// [`StoreFault::Failed`] if it could not be carried out or the store is closed.
    pub(crate) fn call(&self, question: Question) -> Result<Answer, StoreFault> {
        let (sender, receiver) = channel::bounded(1);
        let worker = if lane::writes(&question) { Worker::Writer } else { Worker::Reader };
        self.0.push(worker, Asked { origin: Origin::Call(sender), question });
        receiver.recv().unwrap_or(Err(StoreFault::Failed))
    }

    /// Takes a configuration that was read again: how long messages are kept, from the next pass on.
    pub(crate) fn configured(&self, config: &Config) {
        let retention = Arc::new(Retention::of(config));
        *self.0.retention.lock().unwrap_or_else(PoisonError::into_inner) = retention;
    }

    /// Figures since the store was opened.
    pub(crate) fn counters(&self) -> Counters {
        self.0.counting.read()
    }
}

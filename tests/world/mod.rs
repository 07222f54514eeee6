//! A whole server without a program: shards, a store in memory, queues between the shards, connections as bytes, and a
//! clock that moves when it is told to. What happens next is chosen by whoever drives it.
#![allow(dead_code, unused_imports, reason = "each test target uses its own part of the world")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod client;
mod reader;
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use wattle::config::Config;
use wattle::effect::{AdminReply, Effect, Effects, HashJob, Note};
use wattle::handoff::{Arrival, Handoff};
use wattle::home::ShardIndex;
use wattle::input::{AdminQuestion, Conn, Gone, Hashed, Input, Listener, Now, Ticket, TlsFacts};
use wattle::jid::Jid;
use wattle::sasl::{check_password, make_verifiers};
use wattle::shard::{Secrets, Shard};
use wattle::store::{Answer, Question, StoreFault};

pub(crate) use client::{Client, Stage};
pub(crate) use reader::Reader;
pub(crate) use store::Store;

/// The client's end of a connection; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct End(pub(crate) usize);

/// The exporter data of every connection, for channel binding.
pub(crate) const EXPORTER: [u8; 32] = [9; 32];

/// The certificate hash of every connection.
pub(crate) const END_POINT: [u8; 32] = [5; 32];

/// Something that can happen next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    /// The shard reads bytes that this client sent.
    Bytes(End),
    /// The shard hears that this connection is gone, and all its bytes were read.
    Gone(End),
    /// The oldest value of a queue between two shards arrives.
    Lane(u16, u16),
    /// The store carries out the oldest question of this shard.
    Store(u16),
    /// The oldest answer of the store reaches this shard.
    Answer(u16),
    /// The oldest password of this shard is hashed.
    Hash(u16),
    /// A deadline of this shard has passed.
    Tick(u16),
}

/// A value between two shards.
enum Parcel {
    Hand(Handoff),
    Moved(End, Box<Arrival>),
}

/// One connection, both directions.
#[derive(Default)]
struct Wire {
    /// Where the server has it; none while it moves, and when the server has closed it.
    at: Option<(u16, Conn)>,
    to_server: VecDeque<u8>,
    /// Bytes that shards were given.
    taken: usize,
    to_client: Vec<u8>,
    paused: bool,
    /// The server closed it; what is in `to_client` can still be read.
    closed: bool,
    /// The client has hung up: what the server writes is lost.
    deaf: bool,
    /// The server may notice that the client is gone.
    noticed: Option<Gone>,
    /// What was lost: written by the server and never read.
    lost: Vec<u8>,
}

/// New shards, with nobody on them; each start has dice of its own.
fn make_shards(count: u16, config: &Arc<Config>, seed: u64, starts: u32) -> Vec<Shard> {
    let shard = |index: u16| {
        let mut secrets = Secrets { seed: [0; 32], installation: [7; 32] };
        secrets.seed[..8].copy_from_slice(&seed.to_be_bytes());
        secrets.seed[8..10].copy_from_slice(&index.to_be_bytes());
        secrets.seed[10..14].copy_from_slice(&starts.to_be_bytes());
        Shard::new(ShardIndex(index), count, config.clone(), &secrets)
    };
    (0..count).map(shard).collect()
}

/// Decides about each question of a shard whether it fails.
pub(crate) type Weather = Box<dyn FnMut(&Question) -> Option<StoreFault>>;

/// Sees each value that one shard hands to another: how often it arrives.
pub(crate) type Post = Box<dyn FnMut(&Handoff) -> Fate>;

/// What becomes of a value on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Arrives,
    IsLost,
    ArrivesTwice,
}

/// A store that is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lie {
    /// It answers before it carries out.
    AnswersEarly,
    /// It stores messages without their traces.
    ForgetsTraces,
}

/// The server, and everything around it.
pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) store: Store,
    /// What the shards wrote to the log, while `keep_notes`.
    pub(crate) notes: Vec<Note>,
    pub(crate) keep_notes: bool,
    /// Handshakes agree on TLS 1.3, else on 1.2.
    pub(crate) tls13: bool,
    /// Makes questions fail; none: they never do.
    pub(crate) weather: Option<Weather>,
    /// Loses or doubles values between shards: a server that is broken on purpose.
    pub(crate) post: Option<Post>,
    /// What the store does wrong.
    pub(crate) lie: Option<Lie>,
    shards: Vec<Shard>,
    config: Arc<Config>,
    seed: u64,
    starts: u32,
    wires: Vec<Wire>,
    ends: BTreeMap<(u16, Conn), End>,
    lanes: BTreeMap<(u16, u16), VecDeque<Parcel>>,
    asked: Vec<VecDeque<(Ticket, Question)>>,
    answered: Vec<VecDeque<(Ticket, Result<Answer, StoreFault>)>>,
    hashing: Vec<VecDeque<(Ticket, HashJob)>>,
    replies: BTreeMap<u64, AdminReply>,
    next_conn: u64,
    next_request: u64,
    salts: u8,
    effects: Effects,
}

impl World {
    /// A server of `shards` shards with this configuration, whose dice fall as `seed` says.
    pub(crate) fn new(shards: u16, config: &str, seed: u64) -> Self {
        let config = Arc::new(Config::parse(config).unwrap());
        Self {
            now: Now { mono_ms: 1_000, unix_ms: 1_795_353_723_000 },
            store: Store::default(),
            notes: Vec::new(),
            keep_notes: false,
            tls13: true,
            weather: None,
            post: None,
            lie: None,
            shards: make_shards(shards, &config, seed, 0),
            config,
            seed,
            starts: 0,
            wires: Vec::new(),
            ends: BTreeMap::new(),
            lanes: BTreeMap::new(),
            asked: (0..shards).map(|_| VecDeque::new()).collect(),
            answered: (0..shards).map(|_| VecDeque::new()).collect(),
            hashing: (0..shards).map(|_| VecDeque::new()).collect(),
            replies: BTreeMap::new(),
            next_conn: 0,
            next_request: 0,
            salts: 0,
            effects: Effects::default(),
        }
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap()
    }

    /// Makes an account. One round of PBKDF2, so that thousands log in in a second.
    pub(crate) fn add_account(&mut self, account: &str, password: &str) {
        let verifiers = make_verifiers(password, &[1; 16], &[2; 16], NonZeroU32::MIN);
        self.store.create(&Jid::parse(account).unwrap(), verifiers);
    }

    /// The home shard of an address.
    pub(crate) fn home(&self, address: &str) -> u16 {
        ShardIndex::home(&Jid::parse(address).unwrap(), self.count()).0
    }

    /// How many connections there have been: their ends are numbered from 0.
    pub(crate) fn connections(&self) -> usize {
        self.wires.len()
    }

    /// A client connects to one shard.
    pub(crate) fn connect(&mut self, shard: u16, listener: Listener) -> End {
        let end = End(self.wires.len());
        let conn = self.number(shard, end);
        self.wires.push(Wire { at: Some((shard, conn)), ..Wire::default() });
        self.give(shard, Input::Opened { conn, listener, peer: None });
        if listener == Listener::ClientTls {
            self.secure(shard, conn);
        }
        end
    }

    fn number(&mut self, shard: u16, end: End) -> Conn {
        self.next_conn += 1;
        let conn = Conn(self.next_conn);
        self.ends.insert((shard, conn), end);
        conn
    }

    fn secure(&mut self, shard: u16, conn: Conn) {
        let tls = TlsFacts {
            tls13: self.tls13,
            server_name: None,
            // RFC 9266 section 2: TLS 1.2 has one only with extended master secrets.
            exporter: self.tls13.then_some(EXPORTER),
            end_point: Some(END_POINT.into()),
        };
        self.give(shard, Input::Secured { conn, tls: Box::new(tls) });
    }

    /// The client writes. The shard reads it in [`Job::Bytes`].
    pub(crate) fn write(&mut self, end: End, bytes: &[u8]) {
        let wire = &mut self.wires[end.0];
        if !wire.deaf {
            wire.to_server.extend(bytes);
        }
    }

    /// How many bytes of the client shards were given, since it connected. Those that were on their way when the server closed the
    /// connection are not among them.
    pub(crate) fn taken(&self, end: End) -> usize {
        self.wires[end.0].taken
    }

    /// How many bytes the client wrote since it connected.
    pub(crate) fn written(&self, end: End) -> usize {
        self.wires[end.0].taken + self.wires[end.0].to_server.len()
    }

    /// The client reads what is there.
    pub(crate) fn read(&mut self, end: End) -> Vec<u8> {
        std::mem::take(&mut self.wires[end.0].to_client)
    }

    /// How many bytes wait for the client.
    pub(crate) fn readable(&self, end: End) -> usize {
        self.wires[end.0].to_client.len()
    }

    /// The client reads some of what is there.
    pub(crate) fn read_some(&mut self, end: End, at_most: usize) -> Vec<u8> {
        let bytes = &mut self.wires[end.0].to_client;
        bytes.drain(..at_most.min(bytes.len())).collect()
    }

    /// The server has closed the connection, and the client has read everything.
    pub(crate) fn is_over(&self, end: End) -> bool {
        let wire = &self.wires[end.0];
        wire.closed && wire.to_client.is_empty()
    }

    /// The server still has the connection, or moves it.
    pub(crate) fn is_open(&self, end: End) -> bool {
        !self.wires[end.0].closed
    }

    /// The shard that has the connection.
    pub(crate) fn shard_of(&self, end: End) -> Option<u16> {
        self.wires[end.0].at.map(|(shard, _)| shard)
    }

    /// The client hangs up in order: what it wrote is still read, what it did not read is lost.
    pub(crate) fn hang_up(&mut self, end: End) {
        self.deafen(end);
        self.wires[end.0].noticed = Some(Gone::Ended);
    }

    /// The client's network is gone: what was under way in both directions is lost, and the server knows nothing of it
    /// until [`World::notice`].
    pub(crate) fn cut(&mut self, end: End) {
        self.deafen(end);
        self.wires[end.0].to_server.clear();
    }

    /// The server finds that a cut connection is dead.
    pub(crate) fn notice(&mut self, end: End) {
        self.wires[end.0].noticed = Some(Gone::Broken);
    }

    fn deafen(&mut self, end: End) {
        let wire = &mut self.wires[end.0];
        wire.deaf = true;
        let unread = std::mem::take(&mut wire.to_client);
        wire.lost.extend_from_slice(&unread);
    }

    /// The client had read these bytes of a stanza whose rest is lost.
    pub(crate) fn lose_tail(&mut self, end: End, tail: &[u8]) {
        self.wires[end.0].lost.splice(..0, tail.iter().copied());
    }

    /// What the server wrote and the client never read, since the last call.
    pub(crate) fn take_lost(&mut self, end: End) -> Vec<u8> {
        std::mem::take(&mut self.wires[end.0].lost)
    }

    /// The writer of this connection is full, or has room again.
    pub(crate) fn congest(&mut self, end: End, full: bool) {
        let Some((shard, conn)) = self.wires[end.0].at else { return };
        self.give(shard, if full { Input::Congested { conn } } else { Input::Drained { conn } });
    }

    /// The operator asks a shard.
    pub(crate) fn ask(&mut self, shard: u16, question: AdminQuestion) -> AdminReply {
        self.next_request += 1;
        let request = self.next_request;
        self.give(shard, Input::Admin { request, question });
        self.replies.remove(&request).unwrap()
    }

    /// A counter, summed over all shards.
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        (0..self.count())
            .map(|shard| match self.ask(shard, AdminQuestion::Stats) {
                AdminReply::Stats(stats) => stats.iter().find(|stat| stat.0 == name).unwrap().1,
                reply => panic!("{reply:?}"),
            })
            .sum()
    }

    /// All shards stop.
    pub(crate) fn shut_down(&mut self) {
        for shard in 0..self.count() {
            self.give(shard, Input::Shutdown);
        }
    }

    /// The server is killed and started again: what the store did not carry out is lost, and so is every connection.
    pub(crate) fn crash(&mut self) {
        for queue in &mut self.asked {
            queue.clear();
        }
        for queue in &mut self.answered {
            queue.clear();
        }
        for queue in &mut self.hashing {
            queue.clear();
        }
        self.lanes.clear();
        self.ends.clear();
        for wire in &mut self.wires {
            if !wire.closed {
                wire.to_server.clear();
                (wire.at, wire.closed) = (None, true);
            }
        }
        self.starts += 1;
        self.shards = make_shards(self.count(), &self.config, self.seed, self.starts);
        for shard in 0..self.count() {
            self.give(shard, Input::Started);
        }
    }

    /// The server is stopped in order and started again.
    pub(crate) fn restart(&mut self) {
        self.shut_down();
        self.run();
        self.crash();
    }

    /// The next deadline of any shard.
    pub(crate) fn deadline_ms(&mut self) -> Option<u64> {
        self.shards.iter_mut().filter_map(Shard::deadline_ms).min()
    }

    /// Time passes; deadlines become [`Job::Tick`].
    pub(crate) fn advance(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.unix_ms += ms;
    }

    /// Everything that can happen now, in a fixed order.
    pub(crate) fn jobs(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (index, wire) in self.wires.iter().enumerate() {
            if wire.at.is_none() {
                continue;
            }
            if !wire.to_server.is_empty() && !wire.paused {
                jobs.push(Job::Bytes(End(index)));
            } else if wire.noticed.is_some() && (wire.to_server.is_empty() || wire.paused) {
                jobs.push(Job::Gone(End(index)));
            }
        }
        jobs.extend(self.lanes.iter().filter(|lane| !lane.1.is_empty()).map(|lane| Job::Lane(lane.0.0, lane.0.1)));
        for shard in 0..self.count() {
            let index = usize::from(shard);
            if !self.asked[index].is_empty() {
                jobs.push(Job::Store(shard));
            }
            if !self.answered[index].is_empty() {
                jobs.push(Job::Answer(shard));
            }
            if !self.hashing[index].is_empty() {
                jobs.push(Job::Hash(shard));
            }
            if self.shards[index].deadline_ms().is_some_and(|due| due <= self.now.mono_ms) {
                jobs.push(Job::Tick(shard));
            }
        }
        jobs
    }

    /// Lets one thing happen that [`World::jobs`] named; a shard reads at most `at_most` bytes.
    pub(crate) fn perform(&mut self, job: Job, at_most: usize) {
        match job {
            Job::Bytes(end) => self.deliver(end, at_most),
            Job::Gone(end) => {
                let wire = &mut self.wires[end.0];
                let (Some((shard, conn)), Some(why)) = (wire.at.take(), wire.noticed) else { return };
                wire.closed = true;
                self.ends.remove(&(shard, conn));
                self.give(shard, Input::Closed { conn, why });
            }
            Job::Lane(from, to) => match self.lanes.get_mut(&(from, to)).and_then(VecDeque::pop_front) {
                Some(Parcel::Hand(handoff)) => {
                    let fate = self.post.as_mut().map_or(Fate::Arrives, |post| post(&handoff));
                    if fate == Fate::ArrivesTwice
                        && let Handoff::Stanza(stanza) = &handoff
                    {
                        self.give(to, Input::Handed(Handoff::Stanza(stanza.clone())));
                    }
                    if fate != Fate::IsLost {
                        self.give(to, Input::Handed(handoff));
                    }
                }
                Some(Parcel::Moved(end, arrival)) => {
                    let conn = self.number(to, end);
                    let wire = &mut self.wires[end.0];
                    (wire.at, wire.paused) = (Some((to, conn)), false);
                    self.give(to, Input::Arrived { conn, arrival });
                }
                None => {}
            },
            Job::Store(shard) => {
                let Some((ticket, question)) = self.asked[usize::from(shard)].pop_front() else { return };
                let fault = self.weather.as_mut().and_then(|weather| weather(&question));
                let answer = fault.map_or_else(|| Ok(self.carry_out(question)), Err);
                self.answered[usize::from(shard)].push_back((ticket, answer));
            }
            Job::Answer(shard) => {
                let Some((ticket, answer)) = self.answered[usize::from(shard)].pop_front() else { return };
                self.give(shard, Input::Stored { ticket, answer });
            }
            Job::Hash(shard) => {
                let Some((ticket, job)) = self.hashing[usize::from(shard)].pop_front() else { return };
                let hashed = self.hash(job);
                self.give(shard, Input::Hashed { ticket, hashed });
            }
            Job::Tick(shard) => self.give(shard, Input::Tick),
        }
    }

    fn carry_out(&mut self, mut question: Question) -> Answer {
        if let (Question::Keep(keep), Some(Lie::ForgetsTraces)) = (&mut question, self.lie) {
            keep.entries.iter_mut().for_each(|entry| entry.trace = [].into());
        }
        self.store.answer(&question)
    }

    fn deliver(&mut self, end: End, at_most: usize) {
        let wire = &mut self.wires[end.0];
        let Some((shard, conn)) = wire.at.filter(|_| !wire.paused) else { return };
        let bytes: Vec<u8> = wire.to_server.drain(..at_most.min(wire.to_server.len())).collect();
        self.give(shard, Input::Received { conn, bytes: &bytes });
        // Where in them the server stopped when it closed the connection is not known.
        let wire = &mut self.wires[end.0];
        if !wire.closed {
            wire.taken += bytes.len();
        }
    }

    fn hash(&mut self, job: HashJob) -> Hashed {
        match job {
            HashJob::Check { password, verifiers } => Hashed::Checked(check_password(&password, &verifiers)),
            HashJob::Make { password } => {
                self.salts = self.salts.wrapping_add(1);
                let verifiers = make_verifiers(&password, &[self.salts; 16], &[!self.salts; 16], NonZeroU32::MIN);
                Hashed::Made(Box::new(verifiers))
            }
        }
    }

    /// Lets everything happen that can happen without time passing.
    pub(crate) fn run(&mut self) {
        for _ in 0..1_000_000 {
            let jobs = self.jobs();
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                self.perform(job, usize::MAX);
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass and everything happen that is due, deadline by deadline.
    pub(crate) fn run_for(&mut self, ms: u64) {
        let until = self.now.mono_ms + ms;
        self.run();
        while let Some(due) = self.deadline_ms().filter(|due| *due <= until) {
            self.advance(due.saturating_sub(self.now.mono_ms));
            self.run();
        }
        self.advance(until - self.now.mono_ms);
        self.run();
    }

    /// Questions, answers, hashes and values that are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.lanes.values().map(VecDeque::len).sum::<usize>()
            + self.asked.iter().map(VecDeque::len).sum::<usize>()
            + self.answered.iter().map(VecDeque::len).sum::<usize>()
            + self.hashing.iter().map(VecDeque::len).sum::<usize>()
    }

    fn give(&mut self, shard: u16, input: Input<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.shards[usize::from(shard)].handle(self.now, input, &mut effects);
        let mut secured = Vec::new();
        for effect in effects.list.drain(..) {
            match effect {
                Effect::Send { conn, range } => {
                    let wire = &mut self.wires[self.ends[&(shard, conn)].0];
                    let unread = if wire.deaf { &mut wire.lost } else { &mut wire.to_client };
                    unread.extend_from_slice(&effects.bytes[range]);
                }
                Effect::Secure { conn } => secured.push(conn),
                Effect::Close { conn } => {
                    let wire = &mut self.wires[self.ends.remove(&(shard, conn)).unwrap().0];
                    (wire.at, wire.closed) = (None, true);
                    wire.to_server.clear();
                }
                Effect::Pause { conn } => self.wires[self.ends[&(shard, conn)].0].paused = true,
                Effect::Resume { conn } => self.wires[self.ends[&(shard, conn)].0].paused = false,
                Effect::Move { conn, to, arrival } => {
                    let end = self.ends.remove(&(shard, conn)).unwrap();
                    self.wires[end.0].at = None;
                    self.lanes.entry((shard, to.0)).or_default().push_back(Parcel::Moved(end, arrival));
                }
                Effect::Hand { to, handoff } => {
                    assert_ne!(to.0, shard, "a shard hands nothing to itself");
                    self.lanes.entry((shard, to.0)).or_default().push_back(Parcel::Hand(handoff));
                }
                Effect::Ask { ticket, question } => {
                    let writes = matches!(question, Question::Keep(_) | Question::SaveSession { .. });
                    if self.lie == Some(Lie::AnswersEarly) && writes {
                        self.answered[usize::from(shard)].push_back((ticket, Ok(Answer::Done)));
                    }
                    self.asked[usize::from(shard)].push_back((ticket, question));
                }
                Effect::Hash { ticket, job } => self.hashing[usize::from(shard)].push_back((ticket, job)),
                Effect::Reply { request, reply } => {
                    self.replies.insert(request, reply);
                }
                Effect::Note(note) => {
                    if self.keep_notes {
                        self.notes.push(note);
                    }
                }
            }
        }
        effects.clear();
        self.effects = effects;
        // The handshake costs nothing here: it is done as soon as it begins.
        for conn in secured {
            self.secure(shard, conn);
        }
    }
}

//! A short story that is played to its end again and again, with the server lost at another moment each time.

use crate::chance::Chance;
use crate::ledger::Via;
use crate::phone::Phone;
use crate::world::{Job, World};

/// In which order things happen that may happen in any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Haste {
    /// By chance.
    None,
    /// The store works only when nothing else can happen.
    StoreLast,
    /// Its answers arrive only when nothing else can happen.
    AnswersLast,
    /// Values between shards arrive only when nothing else can happen.
    LanesLast,
}

/// How the server is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fall {
    /// Killed.
    Crash,
    /// Stopped in order.
    Restart,
}

/// How a drama is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staging {
    pub(crate) shards: u16,
    pub(crate) haste: Haste,
    /// In so many of a hundred moments a phone reads what is there.
    pub(crate) reads: usize,
    /// So many things happen before the next line of the script is said; none: all that can.
    pub(crate) pace: Option<usize>,
    pub(crate) seed: u64,
}

impl std::fmt::Display for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { shards, haste, reads, pace, seed } = self;
        write!(f, "{shards} shards, {haste:?}, reads {reads}, pace {pace:?}, seed {seed}:")
    }
}

/// One line of the script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    /// This phone sends a message to this address.
    Chat(usize, &'static str),
    /// This phone sends something else that counts.
    Say(usize, &'static str),
    /// This phone asks for an acknowledgement, and gives one.
    Ask(usize),
    /// This phone loses its connection, and the server knows it at once.
    Lose(usize),
    /// It comes back.
    Return(usize),
}

/// A message of the story.
pub(crate) struct Letter {
    pub(crate) from: usize,
    pub(crate) to: &'static str,
    /// Which of the phone's stanzas it is.
    pub(crate) place: usize,
}

pub(crate) struct Drama {
    pub(crate) world: World,
    pub(crate) phones: Vec<Phone>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) staging: Staging,
    chance: Chance,
    /// How many things happened since the curtain rose.
    pub(crate) happened: usize,
    /// Before this thing happens the server is lost.
    pub(crate) falls: Vec<(usize, Fall)>,
    pub(crate) has_crashed: bool,
    /// Messages may be refused.
    pub(crate) store_fails: bool,
}

impl Drama {
    pub(crate) fn new(
        staging: Staging,
        accounts: &[&str],
        phones: Vec<Phone>,
        prepare: impl FnOnce(&mut World),
    ) -> Self {
        let mut world = World::new(staging.shards, "domains = [\"example.com\"]", staging.seed);
        for account in accounts {
            world.add_account(account, "secret");
        }
        prepare(&mut world);
        let chance = Chance::new(staging.seed ^ 0x5eed);
        Self {
            world,
            phones,
            letters: Vec::new(),
            staging,
            chance,
            happened: 0,
            falls: Vec::new(),
            has_crashed: false,
            store_fails: false,
        }
    }

    fn shard(&mut self) -> u16 {
        u16::try_from(self.chance.below(usize::from(self.staging.shards))).unwrap()
    }

    /// All phones log in.
    pub(crate) fn log_in(&mut self) {
        for phone in 0..self.phones.len() {
            let shard = self.shard();
            self.phones[phone].connect(&mut self.world, shard);
        }
    }

    /// Plays the script; at its end everything that can happen has happened, and everybody knows what was handled.
    pub(crate) fn play(&mut self, script: &[Line]) {
        for line in script {
            self.perform(*line);
            for _ in 0..self.staging.pace.unwrap_or(usize::MAX) {
                if !self.happen() {
                    break;
                }
            }
        }
        self.rest();
    }

    pub(crate) fn rest(&mut self) {
        for _ in 0..4 {
            while self.happen() {}
            for phone in 0..self.phones.len() {
                if self.phones[phone].client.is_none() {
                    let shard = self.shard();
                    self.phones[phone].connect(&mut self.world, shard);
                }
                self.phones[phone].ask(&mut self.world);
            }
        }
        while self.happen() {}
    }

    fn perform(&mut self, line: Line) {
        match line {
            Line::Chat(phone, to) => {
                let id = self.letters.len();
                let from = &mut self.phones[phone];
                self.letters.push(Letter { from: phone, to, place: from.sent.len() });
                from.say(
                    &mut self.world,
                    format!("<message type='chat' to='{to}' id='m{id}'><body>m{id}</body></message>"),
                );
            }
            Line::Say(phone, xml) => self.phones[phone].say(&mut self.world, xml.into()),
            Line::Ask(phone) => self.phones[phone].ask(&mut self.world),
            Line::Lose(phone) => {
                let reads = self.chance.percent(self.staging.reads);
                self.phones[phone].lose(&mut self.world, reads);
            }
            Line::Return(phone) => {
                if self.phones[phone].client.is_none() {
                    let shard = self.shard();
                    self.phones[phone].connect(&mut self.world, shard);
                }
            }
        }
    }

    /// Lets one thing happen. False if nothing can, and everybody has read everything.
    pub(crate) fn happen(&mut self) -> bool {
        if let Some(place) = self.falls.iter().position(|fall| fall.0 == self.happened) {
            let (_, fall) = self.falls.remove(place);
            self.fall(fall);
        }
        let job = self.choose();
        if let Some(job) = job {
            self.happened += 1;
            let at_most = if self.chance.percent(25) { 1 + self.chance.below(200) } else { usize::MAX };
            self.world.perform(job, at_most);
        }
        let mut read = false;
        for phone in &mut self.phones {
            if job.is_none() || self.chance.percent(self.staging.reads) {
                read |= phone.poll(&mut self.world);
            }
        }
        job.is_some() || read
    }

    fn choose(&mut self) -> Option<Job> {
        let jobs = self.world.jobs();
        let haste = self.staging.haste;
        let last = |job: &Job| match job {
            Job::Store(_) => haste == Haste::StoreLast,
            Job::Answer(_) => haste == Haste::AnswersLast,
            Job::Lane(..) => haste == Haste::LanesLast,
            _ => false,
        };
        let first: Vec<Job> = jobs.iter().copied().filter(|job| !last(job)).collect();
        let from = if first.is_empty() { &jobs } else { &first };
        (!from.is_empty()).then(|| *self.chance.pick(from))
    }

    /// The server is lost, and everybody comes back.
    fn fall(&mut self, fall: Fall) {
        self.has_crashed |= fall == Fall::Crash;
        match fall {
            Fall::Crash => self.world.crash(),
            Fall::Restart => self.world.restart(),
        }
        for phone in 0..self.phones.len() {
            if self.phones[phone].client.is_some() {
                let reads = self.chance.percent(self.staging.reads);
                self.phones[phone].lose(&mut self.world, reads);
                let shard = self.shard();
                self.phones[phone].connect(&mut self.world, shard);
            }
        }
    }

    /// Who must get a letter, and how: every phone is available and has carbons.
    pub(crate) fn readers(&self, letter: &Letter) -> Vec<(usize, Via)> {
        let bare = |full: &str| full.split_once('/').map_or(full, |(bare, _)| bare).to_owned();
        let (to, from) = (bare(letter.to), bare(&self.phones[letter.from].full));
        let mut readers = Vec::new();
        for (index, phone) in self.phones.iter().enumerate() {
            if bare(&phone.full) == to {
                let direct = letter.to == to || letter.to == phone.full;
                readers.push((index, if direct { Via::Direct } else { Via::CarbonReceived }));
            } else if bare(&phone.full) == from && index != letter.from {
                readers.push((index, Via::CarbonSent));
            }
        }
        readers
    }

    /// The letters in the archive of an account, in order.
    pub(crate) fn archive(&self, account: &str) -> Vec<usize> {
        let Some(row) = self.world.store.row(account) else { return Vec::new() };
        let archived = self.world.store.of(row.record.key).filter(|(_, message)| message.uses.archived);
        archived.flat_map(|(_, message)| crate::ledger::message_ids(&message.stanza)).collect()
    }
}

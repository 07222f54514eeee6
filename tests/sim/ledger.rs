//! What was said and done so far, as the clients know it: the oracle's memory.

use std::collections::BTreeMap;

use crate::world::{End, World};

/// A moment of the story: the number of its step.
pub(crate) type Step = u64;

/// A place in the bytes of a client, behind a stanza: once the server has taken so many, it has the stanza.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) end: End,
    pub(crate) written: usize,
}

impl Mark {
    pub(crate) fn is_taken(self, world: &World) -> bool {
        world.taken(self.end) >= self.written
    }
}

/// How a message came to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    Direct,
    CarbonSent,
    CarbonReceived,
}

/// A chat message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: usize,
    pub(crate) from_account: usize,
    pub(crate) to_account: usize,
    /// The device that its full JID names.
    pub(crate) to_device: Option<usize>,
    pub(crate) sent: Step,
    /// More than one if the client sent it again after a resumption.
    pub(crate) marks: Vec<Mark>,
    pub(crate) got: Vec<(usize, Step, Via)>,
    /// Its sender was told that it is handled (XEP-0198).
    pub(crate) acknowledged: bool,
    /// Its sender was told that it did not arrive.
    pub(crate) bounced: bool,
    /// A fault of the store stood in its way.
    pub(crate) faulted: bool,
    /// It was written to a session that nobody could resume, and never read.
    pub(crate) lost: bool,
    /// The store could not forget it.
    pub(crate) may_repeat: bool,
    /// It may lie with a session that is down.
    pub(crate) may_lie: bool,
    /// Somebody may have blocked somebody while it was under way.
    pub(crate) blocked: bool,
}

impl Message {
    pub(crate) fn is_taken(&self, world: &World) -> bool {
        self.marks.iter().any(|mark| mark.is_taken(world))
    }

    pub(crate) fn copies(&self, session: usize, via: Via) -> usize {
        self.got.iter().filter(|got| got.0 == session && got.2 == via).count()
    }
}

/// Presence that a session said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) available: bool,
    pub(crate) priority: i8,
    pub(crate) marks: Vec<Mark>,
}

/// What a client knows of a switch that it asked the server to throw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known<T> {
    /// It asked, and has no answer.
    Unsure,
    /// It has been so since.
    Since(Step, T),
}

impl<T: PartialEq + Copy> Known<T> {
    /// True if it was surely `value` when `step` came.
    pub(crate) fn was(self, value: T, step: Step) -> bool {
        matches!(self, Self::Since(since, known) if known == value && since < step)
    }
}

/// A session as its client sees it, over all connections that it has.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) device: usize,
    pub(crate) account: usize,
    pub(crate) jid: String,
    pub(crate) end: End,
    pub(crate) bound: Step,
    /// Priority while available and its own presence came back; none while not available.
    pub(crate) shown: Known<Option<i8>>,
    pub(crate) said: Vec<Said>,
    pub(crate) carbons: Known<bool>,
    /// Others may have these carbons: it asked for them once.
    pub(crate) carbons_asked: bool,
    pub(crate) wants_roster: bool,
    pub(crate) roster: BTreeMap<String, String>,
    pub(crate) inactive: bool,
    /// Stream management: asked for, granted.
    pub(crate) asked_managed: bool,
    pub(crate) managed: bool,
    /// Its token and seconds.
    pub(crate) token: Option<String>,
    pub(crate) received: u32,
    pub(crate) owes_ack: bool,
    pub(crate) sent: u32,
    /// Stanzas that the server did not acknowledge: their numbers, what they are, and their text.
    pub(crate) unacknowledged: Vec<(u32, Sent, String)>,
    pub(crate) acknowledged: u32,
    /// What it sees of others: full JID to the id of the presence.
    pub(crate) view: BTreeMap<String, String>,
    /// Times in which its connection was down or it was gone.
    pub(crate) downs: Vec<(Step, Step)>,
    /// When the connection was lost.
    pub(crate) cut_ms: Option<u64>,
    /// When the server learnt of it.
    pub(crate) detached_ms: Option<u64>,
    /// It may have ended on the server for another reason than time.
    pub(crate) may_be_gone: bool,
    /// Its client ended the stream.
    pub(crate) left: bool,
    /// It has surely ended.
    pub(crate) gone: bool,
    /// Its writer was full at some time.
    pub(crate) congested: bool,
}

/// What a client sent, to be sent again after a resumption.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    Message(usize),
    Presence(usize),
    Other,
}

impl Session {
    pub(crate) fn new(device: usize, account: usize, jid: String, end: End, bound: Step) -> Self {
        Self {
            device,
            account,
            jid,
            end,
            bound,
            shown: Known::Since(bound, None),
            said: Vec::new(),
            carbons: Known::Since(bound, false),
            carbons_asked: false,
            wants_roster: false,
            roster: BTreeMap::new(),
            inactive: false,
            asked_managed: false,
            managed: false,
            token: None,
            received: 0,
            owes_ack: false,
            sent: 0,
            unacknowledged: Vec::new(),
            acknowledged: 0,
            view: BTreeMap::new(),
            downs: Vec::new(),
            cut_ms: None,
            detached_ms: None,
            may_be_gone: false,
            left: false,
            gone: false,
            congested: false,
        }
    }

    /// The presence that the server has of it.
    pub(crate) fn current(&self, world: &World) -> Option<&Said> {
        self.said
            .iter()
            .rev()
            .find(|said| said.marks.iter().any(|mark| mark.is_taken(world)))
            .filter(|said| said.available)
    }

    pub(crate) fn go_down(&mut self, step: Step, now_ms: u64) {
        if self.downs.last().is_none_or(|down| down.1 != Step::MAX) {
            self.downs.push((step, Step::MAX));
            self.cut_ms = Some(now_ms);
        }
    }

    pub(crate) fn come_up(&mut self, step: Step) {
        if let Some(down) = self.downs.last_mut().filter(|down| down.1 == Step::MAX) {
            down.1 = step;
        }
        (self.cut_ms, self.detached_ms) = (None, None);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.downs.last().is_some_and(|down| down.1 == Step::MAX)
    }

    pub(crate) fn was_down(&self, from: Step, to: Step) -> bool {
        self.downs.iter().any(|down| down.0 <= to && down.1 >= from)
    }
}

/// Whether one account blocks another, as its clients know it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) state: Known<bool>,
    pub(crate) asked: u32,
    pub(crate) muddled: bool,
    /// The last step at which it changed or may have changed.
    pub(crate) touched: Step,
}

/// Numbers of the messages named in these bytes.
pub(crate) fn message_ids(bytes: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(bytes);
    text.split("id='m")
        .skip(1)
        .filter_map(|rest| rest.split_once('\'').and_then(|(number, _)| number.parse().ok()))
        .collect()
}

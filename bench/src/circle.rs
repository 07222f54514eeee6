//! A circle of clients who all have one another on their rosters: what each announced, who does not know it yet, and who
//! is away.
//!
//! What a member hears of itself does not count, because servers differ there.

use std::collections::BTreeSet;
use std::mem;

use crate::engine::Engine;
use crate::frame;
use crate::ladder::Account;
use crate::ledger::{Arrival, Counts, Ledger, Sent};
use crate::mark::Mark;

/// One circle; its members sit in slots that follow one another.
pub(crate) struct Circle {
    first_slot: usize,
    accounts: Vec<Account>,
    domain: String,
    mark: Mark,
    /// What each member announced, for all others.
    ledgers: Vec<Ledger>,
    /// Announcements that somebody who is there does not know.
    owed: u64,
    /// Whose presence the one that came last has not heard.
    welcome: BTreeSet<usize>,
    door: Door,
}

/// Who is on the way, in or out. One at a time, so that all others hear of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// All are there.
    Shut,
    Leaves {
        member: usize,
        gone: bool,
    },
    Away {
        member: usize,
    },
    Comes {
        member: usize,
        sent: Sent,
        online: bool,
    },
}

/// What a member heard.
pub(crate) enum Heard {
    /// Nothing of this circle's, or itself.
    Nothing,
    News(Arrival),
    /// What was announced before it came.
    Welcome,
    Wrong,
}

impl Circle {
    pub(crate) fn new(first_slot: usize, accounts: Vec<Account>, domain: String, mark: Mark) -> Self {
        Self {
            first_slot,
            domain,
            mark,
            ledgers: accounts.iter().map(|_| Ledger::new(accounts.len() - 1)).collect(),
            accounts,
            owed: 0,
            welcome: BTreeSet::new(),
            door: Door::Shut,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.accounts.len()
    }

    pub(crate) fn door(&self) -> Door {
        self.door
    }

    /// What is on its way.
    pub(crate) fn owed(&self) -> u64 {
        self.owed
    }

    /// A member says what is new with it.
    pub(crate) fn announce(&mut self, engine: &mut Engine<'_>, member: usize, sent: Sent) {
        self.say(engine, member, sent, "<presence>");
    }

    fn say(&mut self, engine: &mut Engine<'_>, member: usize, sent: Sent, tag: &str) {
        let slot = self.first_slot + member;
        let number = self.ledgers[member].send(sent);
        self.owed += self.size() as u64 - 1;
        let mut presence = format!("{tag}<status>").into_bytes();
        self.mark.write(&mut presence, slot, number, Mark::BYTES_MIN);
        presence.extend_from_slice(b"</status></presence>");
        engine.send(slot, &presence);
    }

    /// A member says that it leaves, and ends its stream.
    pub(crate) fn leave(&mut self, engine: &mut Engine<'_>, member: usize, sent: Sent) {
        self.say(engine, member, sent, "<presence type='unavailable'>");
        engine.close(self.first_slot + member);
        self.door = Door::Leaves { member, gone: false };
    }

    /// Who is away logs in again.
    pub(crate) fn come(&mut self, engine: &mut Engine<'_>, member: usize, sent: Sent) {
        self.door = Door::Comes { member, sent, online: false };
        if let Err(why) = engine.connect(self.first_slot + member, &self.accounts[member], "bench".to_owned()) {
            engine.control.fail(why);
        }
    }

    /// Whether it is this member that was awaited, and now is online.
    pub(crate) fn arrived(&mut self, engine: &mut Engine<'_>, member: usize) -> bool {
        let Door::Comes { member: comer, sent, online: online @ false } = &mut self.door else { return false };
        if *comer != member {
            return false;
        }
        *online = true;
        let sent = *sent;
        self.welcome = (0..self.size()).filter(|other| *other != member).collect();
        self.owed += self.welcome.len() as u64;
        self.announce(engine, member, sent);
        true
    }

    /// Whether it is this member that was to go, and now is gone.
    pub(crate) fn left(&mut self, member: usize) -> bool {
        match &mut self.door {
            Door::Leaves { member: leaver, gone } if *leaver == member => !mem::replace(gone, true),
            _ => false,
        }
    }

    /// When all that was on its way has come, and whoever is in the door has passed: the door as it is then.
    pub(crate) fn settle(&mut self) -> Option<Door> {
        let passed = self.door;
        self.door = match passed {
            _ if self.owed > 0 => return None,
            Door::Leaves { gone: false, .. } | Door::Comes { online: false, .. } => return None,
            Door::Leaves { member, gone: true } => Door::Away { member },
            Door::Comes { .. } => Door::Shut,
            Door::Shut | Door::Away { .. } => passed,
        };
        Some(passed)
    }

    /// Counts what a member heard.
    pub(crate) fn hear(&mut self, listener: usize, presence: &[u8], counts: &mut Counts) -> Heard {
        let Some(text) = frame::text(presence, "status") else { return Heard::Nothing };
        let from = frame::attribute(presence, b"from").unwrap_or_default();
        let said = self.mark.read(text).and_then(|(slot, number)| Some((slot.checked_sub(self.first_slot)?, number)));
        let Some((speaker, number)) = said.filter(|(speaker, _)| self.is_from(*speaker, from)) else {
            counts.strange += 1;
            return Heard::Wrong;
        };
        if speaker == listener {
            return Heard::Nothing;
        }
        let ledger = &mut self.ledgers[speaker];
        let comes = matches!(self.door, Door::Comes { member, .. } if member == listener);
        if comes && number + 1 == ledger.sent() && self.welcome.remove(&speaker) {
            counts.delivered += 1;
            self.owed -= 1;
            return Heard::Welcome;
        }
        let receiver = if listener > speaker { listener - 1 } else { listener };
        // The first one may also be the late answer to the probe at the listener's login.
        if number == 0 && ledger.has(receiver, 0) {
            return Heard::Nothing;
        }
        let Some(arrival) = ledger.arrived(receiver, number, counts) else { return Heard::Wrong };
        self.owed -= 1;
        Heard::News(arrival)
    }

    fn is_from(&self, speaker: usize, from: &[u8]) -> bool {
        let Some(account) = self.accounts.get(speaker) else { return false };
        let after = from.strip_prefix(account.localpart.as_bytes()).and_then(|rest| rest.strip_prefix(b"@"));
        after.and_then(|rest| rest.strip_prefix(self.domain.as_bytes())).is_some_and(|rest| rest.starts_with(b"/"))
    }
}

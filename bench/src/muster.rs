//! Brings one thread's share of the clients online, a bounded number at once, and keeps them counted.

use std::time::Instant;

use crate::engine::{Engine, Event};
use crate::ladder::Account;

/// One thread's clients: slot n is account n.
pub(crate) struct Muster {
    accounts: Vec<Account>,
    /// Logins under way at once.
    at_once: usize,
    started: usize,
    online: usize,
    /// When the last one got online.
    pub(crate) last: Option<Instant>,
}

impl Muster {
    pub(crate) fn new(accounts: Vec<Account>, at_once: usize) -> Self {
        Self { accounts, at_once: at_once.max(1), started: 0, online: 0, last: None }
    }

    /// Starts as many as may be under way. To be called in each turn.
    pub(crate) fn turn(&mut self, engine: &mut Engine<'_>) {
        while self.started < self.accounts.len() && self.started - self.online < self.at_once {
            let slot = self.started;
            self.started += 1;
            if let Err(why) = engine.connect(slot, &self.accounts[slot], "bench".to_owned()) {
                engine.control.fail(why);
                return;
            }
        }
    }

    /// Notes who came and who went; a client lost makes the scene invalid. Gives back the stanza if it was one.
    pub(crate) fn event<'a>(&mut self, engine: &Engine<'_>, slot: usize, event: Event<'a>) -> Option<&'a [u8]> {
        match event {
            Event::Online => {
                self.online += 1;
                self.last = Some(engine.now);
                None
            }
            Event::Stanza(stanza) => Some(stanza),
            Event::Gone { why, .. } => {
                let who = &self.accounts[slot].localpart;
                let (online, all) = (self.online, self.accounts.len());
                engine
                    .control
                    .fail(format!("{who} lost its connection ({online} of {all} of its thread had logged in): {why}"));
                None
            }
        }
    }

    pub(crate) fn online(&self) -> usize {
        self.online
    }

    pub(crate) fn complete(&self) -> bool {
        self.online == self.accounts.len()
    }
}

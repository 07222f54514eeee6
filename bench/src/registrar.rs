//! One thread's share of the accounts that strangers register: a bounded number at once, each on a connection of its own.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::control::Phase;
use crate::engine::{Engine, Event, Part};
use crate::ladder::Account;

/// Registers each account once.
pub(crate) struct Registrar {
    accounts: Vec<Account>,
    at_once: usize,
    started: usize,
    done: usize,
    outcome: Outcome,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) made: usize,
    /// Already there.
    pub(crate) found: usize,
}

impl Registrar {
    pub(crate) fn new(accounts: Vec<Account>, at_once: usize) -> Self {
        Self { accounts, at_once: at_once.max(1), started: 0, done: 0, outcome: Outcome::default() }
    }
}

impl Part for Registrar {
    type Outcome = Outcome;

    fn turn(&mut self, engine: &mut Engine<'_>, _: Phase) -> Option<Instant> {
        while self.started < self.accounts.len() && self.started - self.done < self.at_once {
            let slot = self.started;
            self.started += 1;
            if let Err(why) = engine.connect(slot, &self.accounts[slot], String::new()) {
                engine.control.fail(why);
                return None;
            }
        }
        None
    }

    fn event(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'_>) {
        match event {
            Event::Online => {
                let made = engine.client(slot).is_some_and(|client| client.ladder.made);
                *(if made { &mut self.outcome.made } else { &mut self.outcome.found }) += 1;
                engine.close(slot);
            }
            Event::Stanza(_) => {}
            Event::Gone { asked: true, .. } => self.done += 1,
            Event::Gone { asked: false, why } => {
                engine.control.fail(format!("{}: {why}", self.accounts[slot].localpart));
            }
        }
    }

    fn counted(&self) -> u64 {
        self.done as u64
    }

    fn progress(&self) -> usize {
        self.done
    }

    fn ready(&self) -> bool {
        self.done == self.accounts.len()
    }

    fn drained(&self) -> bool {
        self.ready()
    }

    fn outcome(self) -> Outcome {
        self.outcome
    }
}

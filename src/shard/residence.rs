//! Accounts that are in memory: loaded once, kept while they have sessions and a while after.

use std::collections::VecDeque;

use crate::account::Account;
use crate::input::Conn;
use crate::jid::Jid;
use crate::limits;
use crate::map::Map;
use crate::session::SessionId;
use crate::stanza::Stanza;

/// Something that waits for its account.
#[derive(Debug)]
pub(super) enum Visitor {
    /// A stanza for it.
    Stanza(Stanza),
    /// A stream of it that wants a resource.
    Bind {
        /// The stream's connection.
        conn: Conn,
        /// Of the iq.
        id: Box<str>,
        /// As the client wrote it.
        resource: Option<Box<str>>,
    },
    /// A stream of it that wants to come back to a session.
    Resume {
        /// The stream's connection.
        conn: Conn,
        /// Names the session.
        previous: Box<str>,
        /// What the client got of it.
        handled: u32,
    },
    /// Nobody, but it has sessions that somebody may come back to.
    Sessions,
}

#[derive(Debug)]
enum Residence {
    Loading(Vec<Visitor>),
    Here(Box<Account>),
}

/// What is to be done with a visitor.
#[derive(Debug)]
pub(super) enum Door {
    /// The account is here: go on.
    Open(Visitor),
    /// The account is being loaded; this one asked first, so ask the store.
    Load,
    /// The account is being loaded; the visitor waits.
    Wait,
    /// Too many wait.
    Full(Visitor),
}

/// All accounts of the shard that are here or on their way.
#[derive(Debug, Default)]
pub(super) struct Residences {
    /// By the text of the bare JID, so that a full JID finds its account without being copied.
    accounts: Map<Box<str>, Residence>,
    /// Accounts that had no session when they were put here, oldest first.
    idle: VecDeque<Jid>,
}

impl Residences {
    pub(super) fn get(&self, jid: &Jid) -> Option<&Account> {
        match self.accounts.get(jid.bare_str())? {
            Residence::Here(account) => Some(account),
            Residence::Loading(_) => None,
        }
    }

    pub(super) fn get_mut(&mut self, jid: &Jid) -> Option<&mut Account> {
        match self.accounts.get_mut(jid.bare_str())? {
            Residence::Here(account) => Some(account),
            Residence::Loading(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter_map(|residence| match residence {
            Residence::Here(account) => Some(&**account),
            Residence::Loading(_) => None,
        })
    }

    /// Every session of the shard.
    pub(super) fn sessions(&self) -> Vec<(Jid, SessionId)> {
        let mut all: Vec<_> = self
            .accounts()
            .flat_map(|account| account.sessions.iter().map(|session| (account.jid.clone(), session.id)))
            .collect();
        // The map's order is nobody's business.
        all.sort();
        all
    }

    /// Knocks at an account's door.
    pub(super) fn knock(&mut self, jid: &Jid, visitor: Visitor) -> Door {
        match self.accounts.get_mut(jid.bare_str()) {
            Some(Residence::Here(_)) => Door::Open(visitor),
            Some(Residence::Loading(visitors)) if visitors.len() >= limits::LOADING_STANZAS => Door::Full(visitor),
            Some(Residence::Loading(visitors)) => {
                visitors.push(visitor);
                Door::Wait
            }
            None => {
                self.accounts.insert(jid.bare_str().into(), Residence::Loading(vec![visitor]));
                Door::Load
            }
        }
    }

    /// The account was loaded, or there is none: gives those who wait.
    pub(super) fn loaded(&mut self, jid: &Jid, account: Option<Account>) -> Vec<Visitor> {
        let visitors = match self.accounts.remove(jid.bare_str()) {
            Some(Residence::Loading(visitors)) => visitors,
            Some(here @ Residence::Here(_)) => {
                self.accounts.insert(jid.bare_str().into(), here);
                return Vec::new();
            }
            None => Vec::new(),
        };
        if let Some(account) = account {
            self.accounts.insert(jid.bare_str().into(), Residence::Here(Box::new(account)));
        }
        visitors
    }

    /// The account has no session: it may leave when room is needed, and must if the store does not hold what it says.
    pub(super) fn idle(&mut self, jid: &Jid) {
        if self.get(jid).is_some_and(|account| account.is_ahead && account.is_at_rest()) {
            self.remove(jid);
            return;
        }
        self.idle.push_back(jid.clone());
        // Once around at most: what is on its way into the store or out of it keeps an account here.
        let mut looked_at = 0;
        while self.idle.len() > limits::IDLE_ACCOUNTS && looked_at < limits::IDLE_ACCOUNTS {
            looked_at += 1;
            let Some(oldest) = self.idle.pop_front() else { break };
            match self.get(&oldest).map(|account| (account.sessions.is_empty(), account.is_at_rest())) {
                Some((true, true)) => drop(self.accounts.remove(oldest.bare_str())),
                Some((true, false)) => self.idle.push_back(oldest),
                _ => {}
            }
        }
    }

    /// Forgets an account; without sessions nothing is lost, for the store has the rest.
    pub(super) fn remove(&mut self, jid: &Jid) {
        if self.get(jid).is_some_and(|account| account.sessions.is_empty()) {
            self.accounts.remove(jid.bare_str());
        }
    }
}

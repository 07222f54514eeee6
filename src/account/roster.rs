//! The roster of one account in memory (RFC 6121 section 2): lookup, change, and versions (section 2.6).

mod payload;
mod set;

use crate::jid::Jid;
use crate::store::{RosterItem, Subscription};

use super::subscription::State;

pub use payload::{push, push_removed};
pub use set::{RosterChange, SetError, parse_set};

/// The roster of one account. Thousands of them are resident, so it is one sorted list without slack and without an index;
/// a lookup is a binary search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    /// Ordered by the text of the JID, each once.
    items: Vec<RosterItem>,
    /// Of the last change; 0 for never.
    version: u64,
    /// Of the last removal; 0 for never.
    removed_version: u64,
}

/// The limit of items is reached; refuse with `not-allowed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RosterFull;

/// What a client gets that asks for the roster (section 2.6.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RosterAnswer<'a> {
    /// A result with this payload: the whole roster.
    Full(Vec<u8>),
    /// A result without payload: the client has it all.
    Nothing,
    /// A result without payload, then one [`push()`] for each item, in this order.
    Changes(Vec<&'a RosterItem>),
}

impl Roster {
    /// The roster as the store had it. A list longer than the limit is kept: nothing of a user's is thrown away.
    #[must_use]
    pub fn from_record(mut items: Vec<RosterItem>, version: u64, removed_version: u64) -> Self {
        items.sort_unstable_by(|a, b| a.jid.as_str().cmp(b.jid.as_str()));
        items.dedup_by(|a, b| a.jid.as_str() == b.jid.as_str());
        items.shrink_to_fit();
        Self { items, version, removed_version }
    }

    /// The item whose JID is exactly `contact`, a prepared JID's text: `jid.bare_str()` for presence, `jid.as_str()` else.
    #[must_use]
    pub fn get(&self, contact: &str) -> Option<&RosterItem> {
        self.find(contact).ok().map(|index| &self.items[index])
    }

    /// All items, ordered by the text of their JID.
    #[must_use]
    pub fn items(&self) -> &[RosterItem] {
        &self.items
    }

    /// Contacts who see the user: they get presence (section 4.2.2).
    pub fn subscribers(&self) -> impl Iterator<Item = &Jid> {
        self.items
            .iter()
            .filter(|item| matches!(item.subscription, Subscription::From | Subscription::Both))
            .map(|item| &item.jid)
    }

    /// Contacts whom the user sees: they get probes (section 4.3.1).
    pub fn subscriptions(&self) -> impl Iterator<Item = &Jid> {
        self.items
            .iter()
            .filter(|item| matches!(item.subscription, Subscription::To | Subscription::Both))
            .map(|item| &item.jid)
    }

    /// Of the last change; 0 for never. As text it is what clients see in `ver`.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Of the last removal; 0 for never.
    #[must_use]
    pub fn removed_version(&self) -> u64 {
        self.removed_version
    }

    /// Does what the user's client asked (sections 2.3 and 2.4): names and sorts a contact, and leaves alone who sees whom.
    /// Returns the item to save and to push.
    ///
    /// # Errors
    /// If the contact is new and the roster full.
    pub fn set(
        &mut self,
        contact: &Jid,
        name: Option<Box<str>>,
        groups: Vec<Box<str>>,
        limit: usize,
        now_ms: u64,
    ) -> Result<&RosterItem, RosterFull> {
        self.change(contact, limit, now_ms, |item| {
            item.name = name;
            item.groups = groups;
        })
    }

    /// Takes over a new subscription state ([`super::subscription`]); `pending_in` is no part of a roster. Returns the item to
    /// save and to push. To be called only if the outcome says `push`.
    ///
    /// # Errors
    /// If the contact is new and the roster full.
    pub fn set_state(
        &mut self,
        contact: &Jid,
        state: State,
        limit: usize,
        now_ms: u64,
    ) -> Result<&RosterItem, RosterFull> {
        self.change(contact, limit, now_ms, |item| {
            item.subscription = state.subscription;
            item.ask = state.ask;
            item.approved = state.approved;
        })
    }

    /// Removes an item (section 2.5). Returns it as it was, and the version of the removal, to save and for
    /// [`push_removed()`]; nothing if there is none, which is answered with `item-not-found`.
    pub fn remove(&mut self, contact: &str, now_ms: u64) -> Option<(RosterItem, u64)> {
        let index = self.find(contact).ok()?;
        let item = self.items.remove(index);
        self.version = self.next_version(now_ms);
        self.removed_version = self.version;
        Some((item, self.version))
    }

    /// What a client gets that asks for the roster with this `ver` attribute (section 2.6.3). Removals leave no trace but the
    /// version of the last one, so a client that is older gets the whole roster; as does one with a version that this server
    /// never gave, and one for which pushes would cost more than the whole.
    #[must_use]
    pub fn answer(&self, client_version: Option<&str>) -> RosterAnswer<'_> {
        let Some(seen) = client_version.and_then(parse_version) else { return RosterAnswer::Full(self.full()) };
        if seen == self.version {
            return RosterAnswer::Nothing;
        }
        if seen > self.version || seen < self.removed_version {
            return RosterAnswer::Full(self.full());
        }
        let mut changes: Vec<&RosterItem> = self.items.iter().filter(|item| item.version > seen).collect();
        // A push is an iq of its own, about as long again as the item in it.
        if changes.len() * 2 > self.items.len() {
            return RosterAnswer::Full(self.full());
        }
        changes.sort_unstable_by_key(|item| item.version);
        RosterAnswer::Changes(changes)
    }

    fn find(&self, contact: &str) -> Result<usize, usize> {
        self.items.binary_search_by(|item| item.jid.as_str().cmp(contact))
    }

    fn change(
        &mut self,
        contact: &Jid,
        limit: usize,
        now_ms: u64,
        change: impl FnOnce(&mut RosterItem),
    ) -> Result<&RosterItem, RosterFull> {
        let version = self.next_version(now_ms);
        let index = match self.find(contact.as_str()) {
            Ok(index) => index,
            Err(_) if self.items.len() >= limit => return Err(RosterFull),
            Err(index) => {
                // Room for one, not for twice as many: a roster hardly grows once it is there.
                self.items.reserve_exact(1);
                self.items.insert(
                    index,
                    RosterItem {
                        jid: contact.clone(),
                        name: None,
                        subscription: Subscription::None,
                        ask: false,
                        approved: false,
                        groups: Vec::new(),
                        version,
                    },
                );
                index
            }
        };
        let item = &mut self.items[index];
        change(item);
        item.version = version;
        self.version = version;
        Ok(item)
    }

    /// Versions ascend, and follow the clock (unix ms): so an account that was removed and made again, or a store that was
    /// put back from a backup, does not give the same version to two different rosters.
    fn next_version(&self, now_ms: u64) -> u64 {
        now_ms.max(self.version + 1)
    }
}

/// Only what [`Roster::version`] looks like as text; `ver` is opaque to clients, so anything else was never given out.
fn parse_version(text: &str) -> Option<u64> {
    let canonical = !text.starts_with(['+', '0']) || text == "0";
    text.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests;

//! Whose presence the clients see.

use std::collections::BTreeMap;

use wattle::jid::Jid;
use wattle::store::Subscription;

use crate::ledger::Known;
use crate::story::{RESUME_SECONDS, Story, Verdict};

impl Story {
    /// Sessions that the server must have, with their presence: full JID and id by account. None if one may have ended.
    fn present(&self, account: usize) -> Option<BTreeMap<String, String>> {
        let mut present = BTreeMap::new();
        let now_ms = self.world.now.mono_ms;
        for (index, session) in self.sessions.iter().enumerate().filter(|(_, session)| session.account == account) {
            if session.gone {
                continue;
            }
            let up = self.connected(session.device) == Some(index);
            if !up {
                let expired = session.detached_ms.is_some_and(|at| now_ms >= at + RESUME_SECONDS * 1000);
                if expired {
                    continue;
                }
                // One that hung up before it heard of its stream management may have it all the same.
                if session.may_be_gone || session.congested || session.token.is_none() {
                    return None;
                }
            }
            if let Some(said) = session.current(&self.world) {
                present.insert(session.jid.clone(), said.id.clone());
            }
        }
        Some(present)
    }

    pub(super) fn check_presence(&self) -> Verdict {
        for device in 0..self.devices.len() {
            let Some(index) = self.connected(device) else { continue };
            let session = &self.sessions[index];
            if session.current(&self.world).is_none() {
                continue;
            }
            let own = session.account;
            for other in 0..self.accounts.len() {
                let seen: BTreeMap<String, String> = session
                    .view
                    .iter()
                    .filter(|(full, _)| self.account_index(full) == Some(other))
                    .map(|(full, id)| (full.clone(), id.clone()))
                    .collect();
                let Some(truth) = self.present(other) else { continue };
                let sees = own == other || self.subscribed(own, other, Side::Sees);
                let seen_by = own == other || self.subscribed(other, own, Side::Seen);
                let blocks = |a: usize, b: usize| self.accounts[a].blocks[b].state != Known::Since(0, false);
                if blocks(own, other) || blocks(other, own) {
                    continue;
                }
                // Subscription stanzas that cross can leave the two rosters apart: RFC 6121 appendix A.2.1 lets a request go
                // out that its sender does not wait for, and the contact may grant it after it took the subscription away.
                if sees != seen_by {
                    continue;
                }
                let expected = if sees { truth } else { BTreeMap::new() };
                if seen != expected {
                    return Err(format!("{} sees {seen:?} of user{other}, which shows {expected:?}", session.jid));
                }
            }
        }
        Ok(())
    }

    fn subscribed(&self, account: usize, contact: usize, side: Side) -> bool {
        let row = self.world.store.row(&self.accounts[account].jid).unwrap();
        let contact = Jid::parse(&self.accounts[contact].jid).unwrap();
        let item = row.record.roster.iter().find(|item| item.jid == contact);
        item.is_some_and(|item| match side {
            Side::Sees => matches!(item.subscription, Subscription::To | Subscription::Both),
            Side::Seen => matches!(item.subscription, Subscription::From | Subscription::Both),
        })
    }
}

/// Of a subscription.
#[derive(Clone, Copy)]
enum Side {
    Sees,
    Seen,
}

//! What outlives the server: every message that was acknowledged, once (XEP-0198 section 4, XEP-0313).

use std::collections::BTreeMap;

use crate::ledger::{Known, Message, Via, message_ids};
use crate::story::{Story, Verdict};

impl Story {
    /// In a story in which the server is lost now and then.
    pub(super) fn check_kept(&self) -> Verdict {
        let archives: Vec<BTreeMap<usize, usize>> =
            self.accounts.iter().map(|account| self.archive(&account.jid)).collect();
        for (id, message) in self.messages.iter().enumerate() {
            let is_sure = message.acknowledged && !message.bounced && !self.is_blocked(message);
            for account in [message.from_account, message.to_account] {
                let copies = archives[account].get(&id).copied().unwrap_or(0);
                if copies > 1 || (is_sure && copies == 0) {
                    return Err(format!("user{account} has m{id} {copies} times in its archive: {message:?}"));
                }
            }
            if is_sure && message.sent > self.checked {
                self.check_readers(id, message)?;
            }
        }
        Ok(())
    }

    /// Whoever can resume a session, and was there as the message was sent, has it.
    fn check_readers(&self, id: usize, message: &Message) -> Verdict {
        for index in (0..self.devices.len()).filter_map(|device| self.connected(device)) {
            let session = &self.sessions[index];
            let is_for = match message.to_device {
                Some(device) => session.device == device,
                None => matches!(session.shown, Known::Since(since, Some(0..)) if since < message.sent),
            };
            let must = session.account == message.to_account
                && session.bound < message.sent
                && session.token.is_some()
                && !session.may_be_gone
                && is_for;
            if must && message.copies(index, Via::Direct) == 0 {
                return Err(format!("session {index} ({}) must have m{id}, and has not: {message:?}", session.jid));
            }
        }
        Ok(())
    }

    /// How often each message is in the archive of an account.
    fn archive(&self, account: &str) -> BTreeMap<usize, usize> {
        let mut copies = BTreeMap::new();
        let Some(row) = self.world.store.row(account) else { return copies };
        let archived = self.world.store.of(row.record.key).filter(|(_, message)| message.uses.archived);
        for id in archived.flat_map(|(_, message)| message_ids(&message.stanza)) {
            *copies.entry(id).or_default() += 1;
        }
        copies
    }
}

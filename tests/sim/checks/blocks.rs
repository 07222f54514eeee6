//! Whom a blocklist keeps from whom (XEP-0191).

use crate::ledger::{Known, Message, Session, Via, message_ids};
use crate::story::{Asked, Story};

impl Story {
    /// One blocks the other, or may have, since the message was sent.
    pub(super) fn is_blocked(&self, message: &Message) -> bool {
        let free = |from: usize, to: usize| {
            let block = &self.accounts[from].blocks[to];
            block.state.was(false, message.sent) && block.touched < message.sent
        };
        message.blocked
            || !free(message.from_account, message.to_account)
            || !free(message.to_account, message.from_account)
    }

    /// At rest the store knows who blocks whom. What was under way until now is not judged by it.
    pub(super) fn learn_blocks(&mut self) {
        for id in 0..self.messages.len() {
            // One that nobody got may lie with a lost session, and meet the blocklist when that gives it back.
            let message = &self.messages[id];
            let arrived = message.got.iter().any(|got| got.2 != Via::CarbonSent);
            let holds = |session: &Session| session.account == message.to_account && session.is_down() && !session.gone;
            let waiting = || self.world.store.waiting(&self.accounts[message.to_account].jid);
            let waits = || waiting().iter().any(|waiting| message_ids(&waiting.stanza).contains(&id));
            let lies = message.may_lie && !arrived && (self.sessions.iter().any(holds) || waits());
            let sender = &self.accounts[message.to_account].blocks[message.from_account];
            let refused = message.may_lie
                && !arrived
                && !(sender.state.was(false, message.sent) && sender.touched < message.sent);
            if refused || (message.sent > self.checked && self.is_blocked(message)) {
                self.messages[id].blocked = true;
            }
            self.messages[id].may_lie = lies;
        }
        for account in 0..self.accounts.len() {
            let row = self.world.store.row(&self.accounts[account].jid).unwrap();
            let blocked: Vec<String> = row.record.blocked.iter().map(|jid| jid.as_str().to_owned()).collect();
            for contact in 0..self.accounts.len() {
                let on = blocked.contains(&self.accounts[contact].jid);
                let step = self.step;
                // What a client may ask again after a resumption is not settled.
                let is_it = |asked: &&Asked| matches!(asked, Asked::Block(whom, _) if *whom == contact);
                let asked = self.devices.iter().filter(|device| device.account == account);
                let asked = asked.map(|device| device.asked.values().filter(is_it).count()).sum::<usize>();
                let block = &mut self.accounts[account].blocks[contact];
                (block.asked, block.muddled) = (u32::try_from(asked).unwrap(), asked > 0);
                if asked == 0 && !matches!(block.state, Known::Since(_, known) if known == on) {
                    (block.state, block.touched) = (Known::Since(step, on), step);
                }
            }
        }
    }
}

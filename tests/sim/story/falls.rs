//! The server is lost in the middle of a story, and what its clients know of it then.

use super::Story;
use crate::ledger::{Known, Sent, message_ids};

impl Story {
    /// The server is killed, or stopped in order; and started again.
    pub(super) fn fall(&mut self) {
        let is_killed = self.chance.percent(60);
        self.note(format!("-- the server is {}", if is_killed { "killed" } else { "stopped" }));
        if is_killed {
            self.world.crash();
        } else {
            self.world.restart();
        }
        self.fell = self.step;
        for account in &self.accounts {
            for waiting in self.world.store.waiting(&account.jid) {
                // It may have been read, and that it was is lost.
                for id in message_ids(&waiting.stanza) {
                    self.messages[id].may_repeat = true;
                }
            }
        }
        let (step, now_ms) = (self.step, self.world.now.mono_ms);
        for session in self.sessions.iter_mut().filter(|session| !session.gone) {
            session.go_down(step, now_ms);
            if session.token.is_some() && !session.left {
                // Its time begins anew.
                session.detached_ms = Some(now_ms);
            } else {
                session.may_be_gone = true;
            }
            session.carbons = Known::Unsure;
            if session.unacknowledged.iter().any(|stanza| matches!(stanza.1, Sent::Presence(_))) {
                session.shown = Known::Unsure;
            }
        }
        for device in 0..self.devices.len() {
            self.devices[device].dead.clear();
            let reads = self.chance.percent(50);
            let Some(client) = self.devices[device].client.as_ref().filter(|_| !reads) else { continue };
            let end = client.end;
            self.world.cut(end);
            self.drop_client(device, end);
            self.collect_lost(end);
        }
    }
}

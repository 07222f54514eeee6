//! Who may have a message, and who must.

use crate::ledger::{Known, Message, Step, Via};
use crate::story::{Story, Verdict};

impl Story {
    /// A copy of a message reaches a session: may it?
    pub(crate) fn got(&mut self, index: usize, id: usize, via: Via) -> Verdict {
        let step = self.step;
        let session = &self.sessions[index];
        let message = &self.messages[id];
        self.note(format!("session {index} ({}) gets m{id} {via:?}", session.jid));
        let sin = |what: &str| Err(format!("session {index} ({}) got m{id} {via:?}: {what}", session.jid));
        let own = match via {
            Via::Direct | Via::CarbonReceived => message.to_account,
            Via::CarbonSent => message.from_account,
        };
        if session.account != own {
            return sin("it is for somebody else");
        }
        if via != Via::Direct && (!session.carbons_asked || session.carbons.was(false, message.sent)) {
            return sin("it wants no carbons");
        }
        if via == Via::CarbonSent && message.from == index {
            return sin("it sent it itself");
        }
        let block = &self.accounts[message.to_account].blocks[message.from_account];
        if via != Via::CarbonSent && block.state.was(true, message.sent) {
            return sin("its sender is blocked");
        }
        // Whoever was away in between may get what a lost session gives back, for nobody knows that it had it.
        let constant = (0..=127).any(|priority| session.shown.was(Some(priority), message.sent));
        let given_back = !constant && self.is_disturbed(message, index, step);
        if message.copies(index, via) > 0 && !message.may_repeat && !given_back {
            return sin("a second time");
        }
        if via != Via::CarbonSent && !self.is_disturbed(message, index, step) {
            let other = if via == Via::Direct { Via::CarbonReceived } else { Via::Direct };
            if message.copies(index, other) > 0 {
                return sin("both directly and as a carbon");
            }
            let later = self.messages.iter().enumerate().skip(id + 1).find(|(_, later)| {
                later.from == message.from
                    && later.to_account == message.to_account
                    && later.to_device == message.to_device
                    && later.copies(index, via) > 0
                    // A full JID is reached before it is available, and what waited comes after that.
                    && (later.to_device.is_none() || !matches!(session.shown, Known::Since(since, _) if since >= later.sent))
            });
            // What was sent again after a fall comes behind what was not lost in it.
            if let Some((later, _)) = later.filter(|_| !message.may_repeat && message.sent > self.fell) {
                return sin(&format!("after m{later}, which was sent later"));
            }
        }
        self.messages[id].got.push((index, step, via));
        Ok(())
    }

    /// Another session of the account was down or ended while the message was under way: what it did not acknowledge may
    /// be given to others, later.
    fn is_disturbed(&self, message: &Message, index: usize, now: Step) -> bool {
        self.sessions.iter().enumerate().any(|(other, session)| {
            other != index
                && session.account == message.to_account
                && (session.was_down(message.sent, now) || session.congested || (session.may_be_gone && !session.gone))
        })
    }

    /// Obligations towards sessions that were there all the time.
    pub(super) fn check_messages(&self) -> Verdict {
        let up: Vec<usize> = (0..self.devices.len()).filter_map(|device| self.connected(device)).collect();
        for (id, message) in self.messages.iter().enumerate().filter(|(_, message)| message.sent > self.checked) {
            if !message.is_taken(&self.world) || self.is_blocked(message) {
                continue;
            }
            let unloadable = self.accounts[message.to_account].unloadable.iter().any(|step| *step >= message.sent);
            let must = |index: usize| {
                let session = &self.sessions[index];
                session.account == message.to_account
                    && session.bound < message.sent
                    && match message.to_device {
                        Some(device) => session.device == device,
                        None => (0..=127_i8).any(|priority| session.shown.was(Some(priority), message.sent)),
                    }
            };
            let mut live = false;
            for index in up.iter().copied().filter(|index| must(*index)) {
                live = true;
                let copies = message.copies(index, Via::Direct);
                if copies != 1 && !message.faulted && !unloadable {
                    return Err(format!("session {index} must have m{id} once, and has it {copies} times"));
                }
            }
            for index in up.iter().copied() {
                let session = &self.sessions[index];
                if !session.carbons.was(true, message.sent) || session.bound >= message.sent {
                    continue;
                }
                if session.account == message.from_account && message.from != index {
                    let copies = message.copies(index, Via::CarbonSent);
                    if copies != 1 && !message.faulted {
                        return Err(format!("session {index} must have a carbon of m{id} sent, has {copies}"));
                    }
                }
                let copies = message.copies(index, Via::Direct) + message.copies(index, Via::CarbonReceived);
                if session.account == message.to_account
                    && live
                    && copies != 1
                    && !message.faulted
                    && !self.is_disturbed(message, index, self.step)
                {
                    return Err(format!("session {index} must have m{id} or a carbon of it, has {copies}"));
                }
            }
        }
        Ok(())
    }
}

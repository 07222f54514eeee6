//! The oracle: brings the world to rest, and compares what the clients saw with what they must have seen.

mod blocks;
mod finale;
mod kept;
mod messages;
mod presence;
mod rest;
mod rosters;

use crate::story::{RESUME_SECONDS, Story, Verdict};

impl Story {
    pub(crate) fn check_epoch(&mut self) -> Verdict {
        self.close_downs();
        self.check_acknowledgements()?;
        if self.plan.falls == 0 {
            self.check_messages()?;
        }
        self.learn_blocks();
        if self.plan.falls == 0 {
            self.check_rosters()?;
            self.check_presence()?;
        } else {
            self.check_kept()?;
        }
        self.checked = self.step;
        Ok(())
    }

    /// Sessions that have surely ended disturb nothing any more.
    fn close_downs(&mut self) {
        let (step, now_ms) = (self.step, self.world.now.mono_ms);
        let mut newest = vec![0; self.devices.len()];
        for (index, session) in self.sessions.iter().enumerate() {
            newest[session.device] = index;
        }
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if !session.is_down() || session.gone {
                continue;
            }
            let expired = session.detached_ms.is_some_and(|at| now_ms > at + RESUME_SECONDS * 1000);
            // The next bind of its resource ends it, too.
            if session.left || !session.asked_managed || expired || newest[session.device] > index {
                session.gone = true;
                session.downs.last_mut().unwrap().1 = step;
            }
        }
    }

    fn check_acknowledgements(&self) -> Verdict {
        for device in 0..self.devices.len() {
            let Some(session) = self.connected(device) else { continue };
            let session = &self.sessions[session];
            if session.managed && session.acknowledged != session.sent {
                return Err(format!(
                    "{} sent {} stanzas, and the server handled {}",
                    session.jid, session.sent, session.acknowledged
                ));
            }
        }
        Ok(())
    }
}

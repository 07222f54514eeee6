//! The end of a story: everybody goes, and nothing is left.

use crate::ledger::Via;
use crate::story::{Story, Verdict};
use crate::world::{Client, End};

impl Story {
    /// Everybody leaves, all sessions end, each account comes once more and gets what waited; then nothing may be left.
    pub(crate) fn finale(&mut self) -> Verdict {
        self.note("-- finale".into());
        self.calm = true;
        for device in 0..self.devices.len() {
            if let Some(session) = self.connected(device) {
                self.log_out(device, session);
            } else if let Some(client) = self.devices[device].client.take() {
                self.world.cut(client.end);
                self.world.notice(client.end);
            }
            self.devices[device].session = None;
        }
        self.run()?;
        let sessions = self.world.stat("sessions");
        let detached = self.world.stat("sessions_detached");
        if sessions != detached {
            return Err(format!("{sessions} sessions are left, of which {detached} are detached"));
        }
        self.world.run_for(100_000);
        self.run()?;
        self.check_empty()?;
        for account in 0..self.accounts.len() {
            let device = account;
            let jid = format!("{}/last", self.accounts[account].jid);
            let mut entered = false;
            for password in self.accounts[account].passwords.clone().iter().rev() {
                let client = Client::connect(&mut self.world, 0, &jid, password);
                self.devices[device].client = Some(client);
                self.run()?;
                if let Some(session) = self.connected(device) {
                    self.show_as(device, session, true, 0);
                    self.run()?;
                    self.log_out(device, session);
                    entered = true;
                    break;
                }
                let client = self.devices[device].client.take().unwrap();
                self.world.hang_up(client.end);
            }
            if !entered {
                return Err(format!("user{account} cannot log in any more"));
            }
            self.run()?;
        }
        // Also of those that were bound and never knew it.
        for end in 0..self.world.connections() {
            self.collect_lost(End(end));
        }
        for (id, message) in self.messages.iter().enumerate() {
            let unloadable = self.accounts[message.to_account].unloadable.iter().any(|step| *step >= message.sent);
            let arrived = message.got.iter().any(|got| got.2 != Via::CarbonSent);
            // After a fall the archives tell, and not who read what: they were compared before.
            let excused =
                self.fell > 0 || message.bounced || message.faulted || message.lost || message.blocked || unloadable;
            if message.is_taken(&self.world) && !arrived && !excused {
                return Err(format!("m{id} was taken and never arrived: {message:?}"));
            }
        }
        self.world.run_for(100_000);
        self.run()?;
        self.check_empty()
    }

    /// After everybody has gone nothing is left.
    fn check_empty(&mut self) -> Verdict {
        for name in ["sessions", "connections"] {
            let left = self.world.stat(name);
            if left != 0 {
                return Err(format!("{left} {name} are left"));
            }
        }
        if let Some(due) = self.world.deadline_ms() {
            return Err(format!("a deadline is left: {due}"));
        }
        match self.world.under_way() {
            0 => Ok(()),
            left => Err(format!("{left} values are under way")),
        }
    }
}

//! Brings the world to rest.

use crate::story::{Story, Verdict};
use crate::world::Stage;

impl Story {
    /// Lets everything arrive: no faults, every lost connection noticed, every client reads and acknowledges.
    pub(crate) fn rest(&mut self) -> Verdict {
        self.note("-- rest".into());
        self.weather.set(0);
        self.calm = true;
        for device in 0..self.devices.len() {
            for end in std::mem::take(&mut self.devices[device].dead) {
                self.world.notice(end);
            }
            let Some(client) = &self.devices[device].client else { continue };
            let bound = client.stage == Stage::Bound;
            if let Some(session) = self.devices[device].session.filter(|_| bound) {
                self.world.congest(self.sessions[session].end, false);
                if self.sessions[session].inactive {
                    self.look(device, session, true);
                }
            }
        }
        self.run()?;
        for device in 0..self.devices.len() {
            if let Some(session) = self.connected(device) {
                self.acknowledge(device, session);
            }
        }
        self.run()?;
        for device in 0..self.devices.len() {
            if let Some(client) = &self.devices[device].client
                && (client.is_over(&self.world) || matches!(client.stage, Stage::Failed(_)))
            {
                let end = client.end;
                self.note(format!("{} finds its connection closed", self.name(device)));
                if let Stage::Failed(why) = &client.stage
                    && why == "not-authorized"
                {
                    self.devices[device].password += 1;
                }
                self.world.hang_up(end);
                self.drop_client(device, end);
            }
        }
        self.run()?;
        self.calm = false;
        Ok(())
    }

    /// Everything happens and everybody reads, until nothing is left.
    pub(super) fn run(&mut self) -> Verdict {
        for _ in 0..100_000 {
            self.step += 1;
            let jobs = self.world.jobs();
            for job in &jobs {
                self.perform(*job, usize::MAX);
            }
            let mut read = false;
            for device in 0..self.devices.len() {
                if self.devices[device].client.as_ref().is_some_and(|c| self.world.readable(c.end) > 0) {
                    read = true;
                    self.read(device, usize::MAX)?;
                }
            }
            if jobs.is_empty() && !read {
                return Ok(());
            }
        }
        Err("the world does not come to rest".into())
    }

    /// The session of a device whose connection is up.
    pub(crate) fn connected(&self, device: usize) -> Option<usize> {
        let client = self.devices[device].client.as_ref()?;
        (client.stage == Stage::Bound && !client.is_over(&self.world)).then_some(self.devices[device].session?)
    }
}

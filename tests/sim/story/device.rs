//! A device: how it comes and goes, and what it reads.

use std::collections::{BTreeMap, BTreeSet};

use wattle::ns;
use wattle::xml::Element;

use super::{Story, Verdict};
use crate::ledger::{Session, message_ids};
use crate::world::{Client, End, Stage};

/// A client program on somebody's device.
pub(crate) struct Device {
    pub(crate) account: usize,
    pub(crate) resource: String,
    pub(crate) client: Option<Client>,
    /// The session that it has, or may resume.
    pub(crate) session: Option<usize>,
    /// Which of the account's passwords it tries.
    pub(crate) password: usize,
    /// Questions that it waits for, by id.
    pub(crate) asked: BTreeMap<String, Asked>,
    /// Questions of its earlier sessions: a late answer to one comes to the full JID, so to the session of today.
    pub(crate) asked_before: BTreeSet<String>,
    /// The last bytes it read, from before the end of its last stanza on.
    pub(crate) tail: Vec<u8>,
    /// Unread bytes of earlier connections that the server does not know to be dead.
    pub(crate) dead: Vec<End>,
}

impl Device {
    /// Its session has ended.
    pub(super) fn forget(&mut self) {
        self.asked_before.extend(std::mem::take(&mut self.asked).into_keys());
    }
}

/// What an iq was for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Roster,
    Carbons(bool),
    Block(usize, bool),
    Password,
    Other,
}

impl Story {
    pub(crate) fn name(&self, device: usize) -> String {
        let device = &self.devices[device];
        format!("user{}/{}", device.account, device.resource)
    }

    /// A device without a connection comes back, one way or the other.
    pub(super) fn appear(&mut self, device: usize) {
        let shard = u16::try_from(self.chance.below(usize::from(self.plan.shards))).unwrap();
        let now_ms = self.world.now.mono_ms;
        let resumes = self.devices[device].session.filter(|session| self.sessions[*session].token.is_some());
        let account = &self.accounts[self.devices[device].account];
        let password = account.passwords[self.devices[device].password % account.passwords.len()].clone();
        let full = format!("{}/{}", account.jid, self.devices[device].resource);
        if let Some(session) = resumes.filter(|_| self.chance.percent(75)) {
            let (token, received) = (self.sessions[session].token.clone().unwrap(), self.sessions[session].received);
            self.note(format!("{} comes back to {token} with h={received}", self.name(device)));
            let client = Client::connect(&mut self.world, shard, &full, &password).resuming(&token, received);
            self.devices[device].client = Some(client);
            return;
        }
        if let Some(session) = self.devices[device].session.take() {
            self.give_up(session, now_ms);
        }
        self.note(format!("{} logs in at shard {shard}", self.name(device)));
        let client = Client::connect(&mut self.world, shard, &full, &password);
        self.devices[device].client = Some(client);
    }

    /// The device forgets a session that it could resume: the next bind of its resource ends it.
    pub(super) fn give_up(&mut self, session: usize, now_ms: u64) {
        let step = self.step;
        self.sessions[session].go_down(step, now_ms);
        self.sessions[session].may_be_gone = true;
    }

    /// The network of a device fails.
    pub(super) fn cut(&mut self, device: usize, noticed: bool) {
        let end = self.devices[device].client.as_ref().unwrap().end;
        self.world.cut(end);
        if noticed {
            self.world.notice(end);
        } else {
            self.devices[device].dead.push(end);
        }
        self.drop_client(device, end);
    }

    /// The client's program knows no more of its connection.
    pub(crate) fn drop_client(&mut self, device: usize, end: End) {
        self.devices[device].client = None;
        self.lose_tail(device, end);
        self.forget_questions(device);
        let (step, now_ms) = (self.step, self.world.now.mono_ms);
        if let Some(session) = self.devices[device].session.filter(|session| self.sessions[*session].end == end) {
            self.sessions[session].go_down(step, now_ms);
            self.settle_unsure(session);
            if self.sessions[session].token.is_none() {
                self.devices[device].session = None;
            }
        }
    }

    /// A stanza that the device had begun to read is lost with the rest.
    fn lose_tail(&mut self, device: usize, end: End) {
        let tail = std::mem::take(&mut self.devices[device].tail);
        self.world.lose_tail(end, &tail);
    }

    /// What the server wrote into a dead connection is lost, unless its session can be resumed.
    pub(crate) fn collect_lost(&mut self, end: End) {
        let lost = self.world.take_lost(end);
        if self.carries.get(&end).is_some_and(|session| self.sessions[*session].managed) {
            return;
        }
        for id in message_ids(&lost) {
            self.messages[id].lost = true;
        }
    }

    /// Switches whose answers will not come.
    fn settle_unsure(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        session.owes_ack = false;
        if session.token.is_none() {
            session.may_be_gone |= !session.managed;
        }
    }

    fn forget_questions(&mut self, device: usize) {
        // Questions of a session that is resumed may still be answered; the ids stay known for that.
        if self.devices[device].session.is_none_or(|session| self.sessions[session].token.is_none()) {
            self.devices[device].forget();
        }
    }

    /// The server has closed the connection.
    pub(super) fn lose_client(&mut self, device: usize, _by_server: bool) {
        let end = self.devices[device].client.as_ref().unwrap().end;
        self.drop_client(device, end);
    }

    pub(super) fn after_failure(&mut self, device: usize) {
        let Some(client) = &self.devices[device].client else { return };
        let (end, stage) = (client.end, client.stage.clone());
        self.note(format!("{} gives up: {stage:?}", self.name(device)));
        self.world.hang_up(end);
        self.devices[device].client = None;
        if stage == Stage::Failed("not-authorized".into()) {
            self.devices[device].password += 1;
        }
    }

    pub(crate) fn log_out(&mut self, device: usize, session: usize) {
        self.note(format!("{} logs out", self.name(device)));
        let (step, now_ms) = (self.step, self.world.now.mono_ms);
        let end = self.sessions[session].end;
        self.world.write(end, b"</stream:stream>");
        self.world.hang_up(end);
        self.lose_tail(device, end);
        self.sessions[session].go_down(step, now_ms);
        self.sessions[session].may_be_gone = true;
        self.sessions[session].left = true;
        self.devices[device].client = None;
        self.devices[device].session = None;
        self.devices[device].forget();
    }

    /// The device reads some of what waits for it.
    pub(crate) fn read(&mut self, device: usize, at_most: usize) -> Verdict {
        let Some(mut client) = self.devices[device].client.take() else { return Ok(()) };
        let bytes = self.world.read_some(client.end, at_most);
        let before = client.stage.clone();
        client.feed(&mut self.world, &bytes);
        let received: Vec<Element> = client.received.drain(..).collect();
        if !received.is_empty() {
            self.devices[device].tail.clear();
        }
        self.devices[device].tail.extend_from_slice(&bytes);
        let (end, after) = (client.end, client.stage.clone());
        let jid = client.jid.clone();
        self.devices[device].client = Some(client);
        if before != Stage::Bound && after == Stage::Bound && self.devices[device].client.is_some() {
            self.entered(device, end, jid, received.first());
        }
        for element in received {
            self.receive(device, &element)?;
        }
        Ok(())
    }

    /// A device is bound: to a new session, or again to the one it had.
    fn entered(&mut self, device: usize, end: End, jid: String, first: Option<&Element>) {
        let step = self.step;
        if let Some(resumed) = first.filter(|element| element.is("resumed", ns::SM)) {
            let index = self.devices[device].session.unwrap();
            self.note(format!("{} resumed, h={:?}", self.name(device), resumed.attr("h")));
            let session = &mut self.sessions[index];
            session.end = end;
            session.come_up(step);
            session.inactive = false;
            self.carries.insert(end, index);
            return;
        }
        let index = self.sessions.len();
        self.note(format!("{} is bound: session {index}", self.name(device)));
        self.sessions.push(Session::new(device, self.devices[device].account, jid, end, step));
        self.carries.insert(end, index);
        self.devices[device].session = Some(index);
        if self.calm {
            return;
        }
        if self.chance.percent(60) {
            self.manage(device, index);
        }
        if self.chance.percent(80) {
            self.fetch_roster(device, index);
        }
        if self.chance.percent(40) {
            self.switch_carbons(device, index, true);
        }
        if self.chance.percent(80) {
            self.show(device, index, true);
        }
    }
}

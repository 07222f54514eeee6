//! The oracle: brings the world to rest, and compares what the clients saw with what they must have seen.

use std::collections::BTreeMap;

use wattle::jid::Jid;
use wattle::store::{RosterItem, Subscription};

use crate::ledger::{Known, Message, Session, Step, Via, message_ids};
use crate::story::{Asked, RESUME_SECONDS, Story, Verdict};
use crate::world::{Client, End, Stage};

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
            if let Some((later, _)) = later.filter(|_| !message.may_repeat) {
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
    fn run(&mut self) -> Verdict {
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

    pub(crate) fn check_epoch(&mut self) -> Verdict {
        self.close_downs();
        self.check_acknowledgements()?;
        self.check_messages()?;
        self.learn_blocks();
        self.check_rosters()?;
        self.check_presence()?;
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

    /// Obligations towards sessions that were there all the time.
    fn check_messages(&self) -> Verdict {
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

    /// One blocks the other, or may have, since the message was sent.
    fn is_blocked(&self, message: &Message) -> bool {
        let free = |from: usize, to: usize| {
            let block = &self.accounts[from].blocks[to];
            block.state.was(false, message.sent) && block.touched < message.sent
        };
        message.blocked
            || !free(message.from_account, message.to_account)
            || !free(message.to_account, message.from_account)
    }

    /// At rest the store knows who blocks whom. What was under way until now is not judged by it.
    fn learn_blocks(&mut self) {
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

    fn check_rosters(&self) -> Verdict {
        for device in 0..self.devices.len() {
            let Some(index) = self.connected(device) else { continue };
            let session = &self.sessions[index];
            let waiting = self.devices[device].asked.values().any(|asked| matches!(asked, Asked::Roster));
            if !session.wants_roster || waiting {
                continue;
            }
            let row = self.world.store.row(&self.accounts[session.account].jid).unwrap();
            let truth: BTreeMap<String, String> =
                row.record.roster.iter().map(|item| (item.jid.as_str().to_owned(), written(item))).collect();
            if session.roster != truth {
                return Err(format!("{} sees the roster {:?}, and it is {truth:?}", session.jid, session.roster));
            }
        }
        Ok(())
    }

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

    fn check_presence(&self) -> Verdict {
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
            let excused = message.bounced || message.faulted || message.lost || message.blocked || unloadable;
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

/// Of a subscription.
#[derive(Clone, Copy)]
enum Side {
    Sees,
    Seen,
}

/// An item in the words of [`Story`]'s clients.
fn written(item: &RosterItem) -> String {
    let subscription = match item.subscription {
        Subscription::None => "none",
        Subscription::To => "to",
        Subscription::From => "from",
        Subscription::Both => "both",
    };
    let groups: Vec<String> = item.groups.iter().map(|group| group.to_string()).collect();
    format!("{:?} {:?} {} {} {groups:?}", item.name.as_deref(), Some(subscription), item.ask, item.approved)
}

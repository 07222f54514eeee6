//! One story from one seed: what the clients do, how fast bytes, values and answers travel, and what goes wrong.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use wattle::jid::Jid;
use wattle::ns;
use wattle::store::{Question, RosterItem, StoreFault, Subscription};
use wattle::xml::Element;

use crate::chance::Chance;
use crate::ledger::{Block, Known, Mark, Message, Said, Sent, Session, Step, Via, message_ids};
use crate::world::{Client, End, Job, Stage, World};

/// Seconds for which a session may be resumed.
pub(crate) const RESUME_SECONDS: u64 = 40;
/// Lines of the trace that a failure shows.
const TRACE: usize = 120;

/// How a story runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) shards: u16,
    pub(crate) accounts: usize,
    pub(crate) devices_each: usize,
    pub(crate) epochs: usize,
    pub(crate) steps: usize,
    /// Of a thousand questions, so many fail.
    pub(crate) faults: u32,
}

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
    fn forget(&mut self) {
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

/// What is known of an account.
pub(crate) struct AccountFacts {
    pub(crate) jid: String,
    pub(crate) passwords: Vec<String>,
    pub(crate) password_muddled: bool,
    pub(crate) blocks: Vec<Block>,
    /// Contacts that asked to see it.
    pub(crate) requests: Vec<usize>,
    /// It could not be loaded at these steps.
    pub(crate) unloadable: Vec<Step>,
}

pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) world: World,
    pub(crate) chance: Chance,
    pub(crate) step: Step,
    pub(crate) devices: Vec<Device>,
    pub(crate) accounts: Vec<AccountFacts>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) messages: Vec<Message>,
    /// Steps before this one were checked.
    pub(crate) checked: Step,
    /// The session that a connection carries.
    pub(crate) carries: BTreeMap<End, usize>,
    failed: Rc<RefCell<Vec<Question>>>,
    pub(crate) weather: Rc<Cell<u32>>,
    pub(crate) faulted_steps: Vec<Step>,
    next_id: usize,
    pub(crate) trace: Rc<RefCell<VecDeque<String>>>,
    /// The world is being brought to rest: clients do nothing of their own.
    pub(crate) calm: bool,
}

pub(crate) type Verdict = Result<(), String>;

impl Story {
    pub(crate) fn new(seed: u64, plan: Plan, trace: Rc<RefCell<VecDeque<String>>>) -> Self {
        let mut chance = Chance::new(seed);
        let mut world = World::new(plan.shards, "domains = [\"example.com\"]", seed);
        let mut accounts = Vec::new();
        for index in 0..plan.accounts {
            let jid = format!("user{index}@example.com");
            world.add_account(&jid, "secret0");
            accounts.push(AccountFacts {
                jid,
                passwords: vec!["secret0".into()],
                password_muddled: false,
                blocks: vec![
                    Block { state: Known::Since(0, false), asked: 0, muddled: false, touched: 0 };
                    plan.accounts
                ],
                requests: Vec::new(),
                unloadable: Vec::new(),
            });
        }
        // Some know each other when the story begins.
        for a in 0..plan.accounts {
            for b in 0..a {
                if chance.percent(60) {
                    befriend(&mut world, &accounts[a].jid, &accounts[b].jid);
                    befriend(&mut world, &accounts[b].jid, &accounts[a].jid);
                }
            }
        }
        let devices = (0..plan.accounts * plan.devices_each)
            .map(|index| Device {
                account: index % plan.accounts,
                resource: format!("device{}", index / plan.accounts),
                client: None,
                session: None,
                password: 0,
                asked: BTreeMap::new(),
                asked_before: BTreeSet::new(),
                tail: Vec::new(),
                dead: Vec::new(),
            })
            .collect();
        let failed: Rc<RefCell<Vec<Question>>> = Rc::default();
        let weather: Rc<Cell<u32>> = Rc::default();
        let (seen, rate) = (failed.clone(), weather.clone());
        let events = trace.clone();
        let mut luck = Chance::new(seed.rotate_left(32));
        world.weather = Some(Box::new(move |question| {
            if let Some(line) = told(question) {
                push(&events, line);
            }
            let fails = can_fail(question) && luck.below(1000) < rate.get() as usize;
            fails.then(|| {
                seen.borrow_mut().push(question.clone());
                if luck.percent(50) { StoreFault::Failed } else { StoreFault::Busy }
            })
        }));
        Self {
            plan,
            world,
            chance,
            step: 1,
            devices,
            accounts,
            sessions: Vec::new(),
            messages: Vec::new(),
            checked: 0,
            carries: BTreeMap::new(),
            failed,
            weather,
            faulted_steps: Vec::new(),
            next_id: 0,
            trace,
            calm: false,
        }
    }

    /// Plays the whole story.
    pub(crate) fn play(&mut self) -> Verdict {
        for epoch in 0..self.plan.epochs {
            self.weather.set(if epoch % 2 == 1 { self.plan.faults } else { 0 });
            for _ in 0..self.plan.steps {
                self.step += 1;
                self.happen()?;
            }
            self.rest()?;
            self.check_epoch()?;
        }
        self.finale()
    }

    pub(crate) fn note(&self, line: String) {
        push(&self.trace, format!("{:6} {:8}ms {line}", self.step, self.world.now.mono_ms));
    }

    fn happen(&mut self) -> Verdict {
        match self.chance.below(100) {
            0..55 => {
                let jobs = self.world.jobs();
                if !jobs.is_empty() {
                    let job = *self.chance.pick(&jobs);
                    let most = if self.chance.percent(30) { 40 } else { 2000 };
                    let at_most = 1 + self.chance.below(most);
                    self.perform(job, at_most);
                }
                Ok(())
            }
            55..80 => {
                let reading: Vec<usize> = (0..self.devices.len())
                    .filter(|d| self.devices[*d].client.as_ref().is_some_and(|c| self.world.readable(c.end) > 0))
                    .collect();
                if reading.is_empty() {
                    return Ok(());
                }
                let device = *self.chance.pick(&reading);
                let at_most = 1 + self.chance.below(3000);
                self.read(device, at_most)
            }
            80..98 => {
                let device = self.chance.below(self.devices.len());
                self.act(device);
                Ok(())
            }
            _ => {
                let ms = if self.chance.percent(3) { 15_000 } else { 100 };
                let ms = self.chance.below(ms) as u64;
                self.world.advance(ms);
                Ok(())
            }
        }
    }

    /// Lets the server do one thing, and sees what it means.
    pub(crate) fn perform(&mut self, job: Job, at_most: usize) {
        self.world.perform(job, at_most);
        if let Job::Gone(end) = job
            && let Some(session) = self.carries.get(&end)
        {
            let now_ms = self.world.now.mono_ms;
            let session = &mut self.sessions[*session];
            if session.end == end && session.is_down() {
                session.detached_ms = Some(now_ms);
                if session.token.is_none() {
                    session.may_be_gone = true;
                }
            }
            self.collect_lost(end);
        }
        let failed: Vec<Question> = self.failed.borrow_mut().drain(..).collect();
        for question in failed {
            self.faulted_steps.push(self.step);
            self.note(format!("store fails: {}", short(&format!("{question:?}"), 120)));
            match &question {
                Question::Keep(keep) => {
                    let stanza = &keep.stanza;
                    for id in message_ids(stanza) {
                        self.messages[id].faulted = true;
                    }
                }
                Question::Account { account } => {
                    let index = self.account_index(account.as_str()).unwrap();
                    let step = self.step;
                    self.accounts[index].unloadable.push(step);
                }
                Question::EndWaiting { account, upto, .. } => {
                    let kept: Vec<usize> = self
                        .world
                        .store
                        .waiting(account.as_str())
                        .iter()
                        .filter(|message| message.id <= *upto)
                        .flat_map(|message| message_ids(&message.stanza))
                        .collect();
                    for id in kept {
                        self.messages[id].may_repeat = true;
                    }
                }
                _ => {}
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

    pub(crate) fn account_index(&self, bare: &str) -> Option<usize> {
        bare.strip_prefix("user")?.split_once('@')?.0.parse().ok()
    }

    fn id(&mut self) -> String {
        self.next_id += 1;
        format!("q{}", self.next_id)
    }

    /// A device does something of its own.
    fn act(&mut self, device: usize) {
        let Some(client) = &self.devices[device].client else {
            return self.appear(device);
        };
        if client.is_over(&self.world) {
            return self.lose_client(device, true);
        }
        match client.stage {
            Stage::Bound => {}
            Stage::Failed(_) => return self.after_failure(device),
            _ => {
                if self.chance.percent(3) {
                    self.note(format!("{} vanishes while it logs in", self.name(device)));
                    let noticed = self.chance.percent(50);
                    self.cut(device, noticed);
                }
                return;
            }
        }
        let Some(session) = self.devices[device].session else { return };
        match self.chance.below(1000) {
            0..300 => self.chat(device, session, false),
            300..430 => self.chat(device, session, true),
            430..510 => self.show(device, session, true),
            510..530 => self.show(device, session, false),
            530..590 => {
                let kind = *self.chance.pick(&["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);
                let contact = self.other_account(device);
                self.subscription(device, kind, contact);
            }
            590..630 => {
                let requests = &self.accounts[self.devices[device].account].requests;
                if !requests.is_empty() {
                    let contact = *self.chance.pick(&requests.clone());
                    self.subscription(device, "subscribed", contact);
                    self.subscription(device, "subscribe", contact);
                }
            }
            630..670 => self.change_roster(device),
            670..690 => self.block(device, true),
            690..730 => self.block(device, false),
            730..770 => {
                let on = self.chance.percent(80);
                self.switch_carbons(device, session, on);
            }
            770..800 => {
                let inactive = self.chance.percent(60);
                self.look(device, session, !inactive);
            }
            800..850 => self.manage(device, session),
            850..900 => self.acknowledge(device, session),
            900..920 => {
                let full = self.chance.percent(50);
                self.sessions[session].congested |= full;
                let end = self.sessions[session].end;
                self.world.congest(end, full);
            }
            920..945 => {
                let noticed = self.chance.percent(50);
                self.note(format!("{} is cut{}", self.name(device), if noticed { "" } else { ", unnoticed" }));
                self.cut(device, noticed);
            }
            945..955 => {
                self.note(format!("{} hangs up", self.name(device)));
                let end = self.devices[device].client.as_ref().unwrap().end;
                self.world.hang_up(end);
                self.drop_client(device, end);
            }
            955..963 => self.log_out(device, session),
            963..965 => self.change_password(device),
            965..985 => self.fetch_roster(device, session),
            _ => {
                // The server may learn late that earlier connections are dead.
                for end in std::mem::take(&mut self.devices[device].dead) {
                    self.world.notice(end);
                }
            }
        }
    }

    pub(crate) fn name(&self, device: usize) -> String {
        let device = &self.devices[device];
        format!("user{}/{}", device.account, device.resource)
    }

    fn other_account(&mut self, device: usize) -> usize {
        let own = self.devices[device].account;
        (own + 1 + self.chance.below(self.plan.accounts - 1)) % self.plan.accounts
    }

    /// A device without a connection comes back, one way or the other.
    fn appear(&mut self, device: usize) {
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
    fn give_up(&mut self, session: usize, now_ms: u64) {
        let step = self.step;
        self.sessions[session].go_down(step, now_ms);
        self.sessions[session].may_be_gone = true;
    }

    /// The network of a device fails.
    fn cut(&mut self, device: usize, noticed: bool) {
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
    fn lose_client(&mut self, device: usize, _by_server: bool) {
        let end = self.devices[device].client.as_ref().unwrap().end;
        self.drop_client(device, end);
    }

    fn after_failure(&mut self, device: usize) {
        let Some(client) = &self.devices[device].client else { return };
        let (end, stage) = (client.end, client.stage.clone());
        self.note(format!("{} gives up: {stage:?}", self.name(device)));
        self.world.hang_up(end);
        self.devices[device].client = None;
        if stage == Stage::Failed("not-authorized".into()) {
            self.devices[device].password += 1;
        }
    }

    /// Writes a stanza of a bound session.
    fn say(&mut self, device: usize, sent: Sent, xml: &str) -> Mark {
        let end = self.devices[device].client.as_ref().unwrap().end;
        self.world.write(end, xml.as_bytes());
        let session = self.devices[device].session.unwrap();
        let session = &mut self.sessions[session];
        if session.asked_managed {
            session.sent += 1;
            session.unacknowledged.push((session.sent, sent, xml.into()));
        }
        Mark { end, written: self.world.written(end) }
    }

    fn question(&mut self, device: usize, what: Asked, kind: &str, payload: &str) {
        let id = self.id();
        self.devices[device].asked.insert(id.clone(), what);
        self.say(device, Sent::Other, &format!("<iq type='{kind}' id='{id}'>{payload}</iq>"));
    }

    fn chat(&mut self, device: usize, session: usize, full: bool) {
        let to_account = self.other_account(device);
        let to_device = full.then(|| to_account + self.plan.accounts * self.chance.below(self.plan.devices_each));
        let to = match to_device {
            Some(to) => format!("{}/{}", self.accounts[to_account].jid, self.devices[to].resource),
            None => self.accounts[to_account].jid.clone(),
        };
        let number = self.messages.len();
        self.note(format!("{} sends m{number} to {to}", self.name(device)));
        let xml = format!("<message type='chat' id='m{number}' to='{to}'><body>m{number}</body></message>");
        let mark = self.say(device, Sent::Message(number), &xml);
        self.messages.push(Message {
            from: session,
            from_account: self.devices[device].account,
            to_account,
            to_device,
            sent: self.step,
            marks: vec![mark],
            got: Vec::new(),
            bounced: false,
            faulted: false,
            lost: false,
            may_repeat: false,
            may_lie: true,
            blocked: false,
        });
    }

    pub(crate) fn show(&mut self, device: usize, session: usize, available: bool) {
        let priority: i8 = if available { *self.chance.pick(&[0, 0, 0, 5, -1]) } else { 0 };
        self.show_as(device, session, available, priority);
    }

    pub(crate) fn show_as(&mut self, device: usize, session: usize, available: bool, priority: i8) {
        if self.sessions[session].inactive {
            // Coalesced while inactive, its own leaving and coming back would look like nothing at all.
            self.look(device, session, true);
        }
        let id = self.id();
        self.note(format!("{} shows {available} {priority} ({id})", self.name(device)));
        let xml = if available {
            format!("<presence id='{id}'><priority>{priority}</priority></presence>")
        } else {
            format!("<presence type='unavailable' id='{id}'/>")
        };
        let index = self.sessions[session].said.len();
        let mark = self.say(device, Sent::Presence(index), &xml);
        self.sessions[session].said.push(Said { id, available, priority, marks: vec![mark] });
        self.sessions[session].shown = Known::Unsure;
    }

    fn subscription(&mut self, device: usize, kind: &str, contact: usize) {
        let to = self.accounts[contact].jid.clone();
        self.note(format!("{} {kind} {to}", self.name(device)));
        self.say(device, Sent::Other, &format!("<presence type='{kind}' to='{to}'/>"));
        let account = self.devices[device].account;
        if kind != "subscribe" && kind != "unsubscribe" {
            self.accounts[account].requests.retain(|known| *known != contact);
        }
    }

    fn change_roster(&mut self, device: usize) {
        let contact = self.other_account(device);
        let jid = self.accounts[contact].jid.clone();
        let item = if self.chance.percent(20) {
            format!("<item jid='{jid}' subscription='remove'/>")
        } else {
            let name = self.chance.below(1000);
            format!("<item jid='{jid}' name='n{name}'><group>g{}</group></item>", name % 7)
        };
        self.note(format!("{} sets {item}", self.name(device)));
        self.question(device, Asked::Other, "set", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
    }

    fn block(&mut self, device: usize, on: bool) {
        let contact = self.other_account(device);
        let account = self.devices[device].account;
        let jid = self.accounts[contact].jid.clone();
        let verb = if on { "block" } else { "unblock" };
        self.note(format!("{} {verb}s {jid}", self.name(device)));
        let step = self.step;
        let block = &mut self.accounts[account].blocks[contact];
        block.muddled |= block.asked > 0;
        block.asked += 1;
        block.state = Known::Unsure;
        block.touched = step;
        let payload = format!("<{verb} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{verb}>");
        self.question(device, Asked::Block(contact, on), "set", &payload);
    }

    fn switch_carbons(&mut self, device: usize, session: usize, on: bool) {
        self.note(format!("{} carbons {on}", self.name(device)));
        self.sessions[session].carbons = Known::Unsure;
        self.sessions[session].carbons_asked |= on;
        let verb = if on { "enable" } else { "disable" };
        self.question(device, Asked::Carbons(on), "set", &format!("<{verb} xmlns='urn:xmpp:carbons:2'/>"));
    }

    pub(crate) fn look(&mut self, device: usize, session: usize, active: bool) {
        self.sessions[session].inactive = !active;
        let end = self.sessions[session].end;
        let verb = if active { "active" } else { "inactive" };
        self.note(format!("{} is {verb}", self.name(device)));
        self.world.write(end, format!("<{verb} xmlns='urn:xmpp:csi:0'/>").as_bytes());
    }

    fn manage(&mut self, device: usize, session: usize) {
        if self.sessions[session].asked_managed {
            return;
        }
        self.note(format!("{} enables stream management", self.name(device)));
        self.sessions[session].asked_managed = true;
        let end = self.sessions[session].end;
        let resume = if self.chance.percent(80) { "resume='true'" } else { "" };
        self.world.write(end, format!("<enable xmlns='{}' {resume} max='{RESUME_SECONDS}'/>", ns::SM).as_bytes());
    }

    pub(crate) fn acknowledge(&mut self, _device: usize, session: usize) {
        let session = &mut self.sessions[session];
        if session.managed {
            let xml = format!("<a xmlns='{}' h='{}'/><r xmlns='{}'/>", ns::SM, session.received, ns::SM);
            session.owes_ack = false;
            self.world.write(session.end, xml.as_bytes());
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

    fn change_password(&mut self, device: usize) {
        let account = self.devices[device].account;
        let index = self.accounts[account].passwords.len();
        let password = format!("secret{index}");
        self.note(format!("{} changes its password to {password}", self.name(device)));
        self.accounts[account].passwords.push(password.clone());
        self.accounts[account].password_muddled = true;
        // From now on any session of the account may end.
        for other in self.sessions.iter_mut().filter(|other| other.account == account) {
            other.may_be_gone = true;
        }
        let payload = format!(
            "<query xmlns='jabber:iq:register'><username>user{account}</username><password>{password}</password></query>"
        );
        self.question(device, Asked::Password, "set", &payload);
    }

    pub(crate) fn fetch_roster(&mut self, device: usize, session: usize) {
        if !self.sessions[session].wants_roster {
            self.sessions[session].wants_roster = true;
            self.question(device, Asked::Roster, "get", "<query xmlns='jabber:iq:roster'/>");
        }
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

    fn receive(&mut self, device: usize, element: &Element) -> Verdict {
        if element.is("error", ns::STREAM) {
            return self.stream_error(device, element);
        }
        let Some(session) = self.devices[device].session else { return Ok(()) };
        if *element.ns == *ns::SM {
            return self.management(device, session, element);
        }
        if *element.ns != *ns::CLIENT {
            return Ok(());
        }
        if self.sessions[session].managed {
            self.sessions[session].received += 1;
        }
        if element.attr("to").is_some_and(|to| {
            let bare = &self.accounts[self.devices[device].account].jid;
            // A message for a device that is not there goes to the others as it is.
            let other_device = &*element.name == "message" && to.split_once('/').is_some_and(|(to, _)| to == bare);
            to != self.sessions[session].jid && to != bare && !other_device
        }) {
            return Err(format!("{} got what is for somebody else: {element:?}", self.name(device)));
        }
        match &*element.name {
            "message" => self.message(session, element),
            "presence" => self.presence(session, element),
            _ => self.iq(device, session, element),
        }
    }

    fn stream_error(&mut self, device: usize, error: &Element) -> Verdict {
        let condition = error.elements().next().map_or("", |child| &child.name).to_owned();
        self.note(format!("{} gets stream error {condition}", self.name(device)));
        let account = self.devices[device].account;
        let session = self.devices[device].session;
        let congested = session.is_some_and(|session| self.sessions[session].congested);
        let allowed = match &*condition {
            "not-authorized" => self.accounts[account].passwords.len() > 1,
            "internal-server-error" => self.faulted_steps.iter().any(|step| *step >= self.checked),
            "policy-violation" => !self.devices[device].client.as_ref().is_some_and(|c| c.stage == Stage::Bound),
            "resource-constraint" => congested,
            _ => false,
        };
        if !allowed {
            return Err(format!("{} gets stream error {condition}", self.name(device)));
        }
        if let Some(session) = session {
            self.sessions[session].may_be_gone = true;
        }
        Ok(())
    }

    fn management(&mut self, device: usize, index: usize, element: &Element) -> Verdict {
        let name = self.name(device);
        let h = element.attr("h").and_then(|h| h.parse::<u32>().ok());
        let session = &mut self.sessions[index];
        match &*element.name {
            "enabled" => {
                session.managed = true;
                session.token = element.attr("id").map(Into::into);
            }
            "r" => {
                session.owes_ack = true;
                if self.chance.percent(60) {
                    self.acknowledge(device, index);
                }
            }
            "a" => {
                let h = h.ok_or("an <a/> without h")?;
                if h > session.sent || h < session.acknowledged {
                    return Err(format!("{name}: h={h} of {} sent, {} before", session.sent, session.acknowledged));
                }
                session.acknowledged = h;
                session.unacknowledged.retain(|stanza| stanza.0 > h);
            }
            "resumed" => {
                let h = h.ok_or("a <resumed/> without h")?;
                if h > session.sent || h < session.acknowledged {
                    return Err(format!("{name}: resumed h={h} of {} sent, {}", session.sent, session.acknowledged));
                }
                session.acknowledged = h;
                let again: Vec<_> = std::mem::take(&mut session.unacknowledged);
                self.send_again(device, index, h, again)?;
            }
            "failed" => {
                let condition = element.elements().next().map_or("", |child| &child.name).to_owned();
                self.note(format!("{name}: failed {condition}"));
                let session = &self.sessions[index];
                let over = session.detached_ms.is_some_and(|at| self.world.now.mono_ms >= at + RESUME_SECONDS * 1000);
                if !session.may_be_gone && !over && !session.congested {
                    return Err(format!("{name} could not resume session {index} that must be there"));
                }
                let now_ms = self.world.now.mono_ms;
                self.give_up(index, now_ms);
                self.devices[device].session = None;
                self.devices[device].forget();
                let resource = self.devices[device].resource.clone();
                let mut client = self.devices[device].client.take().unwrap();
                client.bind_instead(&mut self.world, &resource);
                self.devices[device].client = Some(client);
            }
            _ => {}
        }
        Ok(())
    }

    /// After a resumption: what the server did not count is sent again.
    fn send_again(&mut self, device: usize, index: usize, h: u32, stanzas: Vec<(u32, Sent, String)>) -> Verdict {
        self.sessions[index].sent = h;
        for (number, sent, xml) in stanzas {
            if number <= h {
                continue;
            }
            let mark = self.say(device, sent.clone(), &xml);
            match sent {
                Sent::Message(message) => self.messages[message].marks.push(mark),
                Sent::Presence(said) => self.sessions[index].said[said].marks.push(mark),
                Sent::Other => {}
            }
        }
        Ok(())
    }

    fn message(&mut self, session: usize, element: &Element) -> Verdict {
        let number = |id: Option<&str>| id.and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<usize>().ok());
        let carbon = element.elements().find(|child| &*child.ns == "urn:xmpp:carbons:2");
        if let Some(carbon) = carbon {
            let via = if &*carbon.name == "sent" { Via::CarbonSent } else { Via::CarbonReceived };
            let inner = carbon.elements().next().and_then(|forwarded| forwarded.elements().next());
            let id = inner.and_then(|inner| number(inner.attr("id"))).ok_or("a carbon of nothing")?;
            return self.got(session, id, via);
        }
        let id = number(element.attr("id")).ok_or_else(|| format!("an unknown message: {element:?}"))?;
        if element.attr("type") == Some("error") {
            // It comes to the full JID, whose session may be another one by then.
            if self.sessions[self.messages[id].from].jid != self.sessions[session].jid {
                return Err(format!("session {session} got the error of m{id}"));
            }
            self.note(format!("m{id} comes back to session {session}"));
            self.messages[id].bounced = true;
            return Ok(());
        }
        self.got(session, id, Via::Direct)
    }

    fn presence(&mut self, index: usize, element: &Element) -> Verdict {
        let from = element.attr("from").ok_or("presence from nobody")?.to_owned();
        let session = &mut self.sessions[index];
        if from == session.jid && (element.attr("type").is_some() || !session.view.contains_key(&from)) {
            // Others' presence ends with its own, and begins with it: what came while it was not there was for an earlier
            // session of the resource.
            session.view.clear();
        }
        match element.attr("type") {
            None => {
                let id = element.attr("id").unwrap_or_default().to_owned();
                session.view.insert(from.clone(), id);
            }
            Some("unavailable") => {
                if from.contains('/') {
                    session.view.remove(&from);
                } else {
                    session.view.retain(|full, _| full.split_once('/').is_none_or(|(bare, _)| bare != from));
                }
            }
            Some("subscribe") => {
                let account = session.account;
                if let Some(contact) = self.account_index(&from)
                    && !self.accounts[account].requests.contains(&contact)
                {
                    self.accounts[account].requests.push(contact);
                }
                return Ok(());
            }
            Some(_) => return Ok(()),
        }
        // Its own presence came back.
        let step = self.step;
        let session = &mut self.sessions[index];
        if from == session.jid
            && let Some(last) = session.said.last()
            && element.attr("id") == Some(&last.id)
        {
            session.shown = Known::Since(step, last.available.then_some(last.priority));
        }
        Ok(())
    }

    fn iq(&mut self, device: usize, session: usize, element: &Element) -> Verdict {
        let id = element.attr("id").unwrap_or_default().to_owned();
        match element.attr("type") {
            Some("set") => {
                if let Some(query) = element.child("query", ns::ROSTER) {
                    for item in query.elements() {
                        self.roster_item(session, item);
                    }
                }
                self.say(device, Sent::Other, &format!("<iq type='result' id='{id}'/>"));
                Ok(())
            }
            Some(kind @ ("result" | "error")) => {
                let Some(asked) = self.devices[device].asked.remove(&id) else {
                    if self.devices[device].asked_before.remove(&id) {
                        return Ok(());
                    }
                    return Err(format!("{} got an answer to nothing: {element:?}", self.name(device)));
                };
                self.answered(session, asked, kind == "result", element);
                Ok(())
            }
            _ => Err(format!("{} got {element:?}", self.name(device))),
        }
    }

    fn answered(&mut self, session: usize, asked: Asked, done: bool, element: &Element) {
        let step = self.step;
        let account = self.sessions[session].account;
        match asked {
            Asked::Roster => {
                self.sessions[session].roster.clear();
                for item in element.elements().flat_map(Element::elements) {
                    self.roster_item(session, item);
                }
            }
            Asked::Carbons(on) => self.sessions[session].carbons = Known::Since(step, on),
            Asked::Block(contact, on) => {
                let block = &mut self.accounts[account].blocks[contact];
                block.asked = block.asked.saturating_sub(1);
                block.touched = step;
                if block.asked == 0 {
                    let sure = done && !block.muddled;
                    block.state = if sure { Known::Since(step, on) } else { Known::Unsure };
                    block.muddled = false;
                }
            }
            Asked::Password | Asked::Other => {}
        }
    }

    fn roster_item(&mut self, session: usize, item: &Element) {
        let jid = item.attr("jid").unwrap_or_default().to_owned();
        let roster = &mut self.sessions[session].roster;
        if item.attr("subscription") == Some("remove") {
            roster.remove(&jid);
            return;
        }
        let groups: Vec<String> = item.elements().map(|group| group.text().into_owned()).collect();
        let text = format!(
            "{:?} {:?} {} {} {groups:?}",
            item.attr("name"),
            item.attr("subscription"),
            item.attr("ask").is_some(),
            item.attr("approved").is_some()
        );
        roster.insert(jid, text);
    }
}

/// One more line of the trace.
fn push(trace: &RefCell<VecDeque<String>>, line: String) {
    let mut trace = trace.borrow_mut();
    if trace.len() == TRACE && std::env::var_os("WATTLE_SIM_SEED").is_none() {
        trace.pop_front();
    }
    trace.push_back(line);
}

/// What the trace tells of a question.
fn told(question: &Question) -> Option<String> {
    let numbers = |stanza: &[u8]| message_ids(stanza).iter().map(|id| format!("m{id} ")).collect::<String>();
    Some(match question {
        Question::Keep(keep) => format!("  store keeps {}for {}", numbers(&keep.stanza), keep.account),
        Question::ReadWaiting { account, after, .. } => format!("  store reads for {account} above {after}"),
        Question::EndWaiting { account, upto, .. } => format!("  store drops for {account} to {upto}"),
        Question::Account { account } => format!("  store loads {account}"),
        _ => return None,
    })
}

/// Faults of these leave memory and store apart, which is a story of its own.
fn can_fail(question: &Question) -> bool {
    matches!(
        question,
        Question::Credentials { .. }
            | Question::Account { .. }
            | Question::Keep(_)
            | Question::ReadWaiting { .. }
            | Question::EndWaiting { .. }
            | Question::SaveLast { .. }
            | Question::SetVerifiers { .. }
    )
}

pub(crate) fn befriend(world: &mut World, owner: &str, contact: &str) {
    let item = RosterItem {
        jid: Jid::parse(contact).unwrap(),
        name: None,
        subscription: Subscription::Both,
        ask: false,
        approved: false,
        groups: Vec::new(),
        version: 1,
    };
    let account = Jid::parse(owner).unwrap();
    world.store.answer(&Question::SaveRosterItem { account, item: Box::new(item) });
}

pub(crate) fn short(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

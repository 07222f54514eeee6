//! One story from one seed: what the clients do, how fast bytes, values and answers travel, and what goes wrong.

mod deeds;
mod device;
mod falls;
mod hearing;
mod trace;
mod weather;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use wattle::jid::Jid;
use wattle::store::{Question, RosterItem, Subscription};

use crate::chance::Chance;
use crate::ledger::{Block, Known, Message, Session, Step};
use crate::world::{End, Job, World};

pub(crate) use device::{Asked, Device};

/// Seconds for which a session may be resumed.
pub(crate) const RESUME_SECONDS: u64 = 40;

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
    /// Of ten thousand steps, before so many the server is lost.
    pub(crate) falls: usize,
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
    /// When the server was lost last; 0 for never.
    pub(crate) fell: Step,
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
        world.weather = Some(weather::make(seed, failed.clone(), weather.clone(), trace.clone()));
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
            fell: 0,
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

    fn happen(&mut self) -> Verdict {
        if self.plan.falls > 0 && self.chance.below(10_000) < self.plan.falls {
            self.fall();
        }
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
            self.learn_fault(&question);
        }
    }

    pub(crate) fn account_index(&self, bare: &str) -> Option<usize> {
        bare.strip_prefix("user")?.split_once('@')?.0.parse().ok()
    }

    fn id(&mut self) -> String {
        self.next_id += 1;
        format!("q{}", self.next_id)
    }
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

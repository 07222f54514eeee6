//! A shard, one core's slice of the server, as a value: the one place where the houses meet. All change passes
//! [`Shard::handle`], what happens here and what other shards hand over alike.

mod answers;
mod backlog;
mod connections;
mod login;
mod residence;
mod rooms;
mod timers;

use std::sync::Arc;

use crate::account::Account;
use crate::account::subscription::Action;
use crate::archive_id::IdKey;
use crate::config::Config;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::effect::{AdminReply, Effect, Effects};
use crate::handoff::Handoff;
use crate::home::ShardIndex;
use crate::input::{AdminQuestion, Conn, Input, Now, Ticket};
use crate::jid::Jid;
use crate::passage::{Cause, Passage};
use crate::policy;
use crate::room;
use crate::sasl::FakeSecret;
use crate::session::SessionId;
use crate::stanza::{Condition, Kind, Stanza};
use crate::stream::{Ending, Misbehaved};
use crate::turn::{Aftermath, Hashing, Reason, Then, Turn};
use backlog::Backlog;
use connections::Connections;
use residence::Residences;
use rooms::Rooms;
use timers::Timers;

/// One core's slice of the server.
#[derive(Debug)]
pub struct Shard {
    index: ShardIndex,
    count: u16,
    desk: Desk,
    connections: Connections,
    residences: Residences,
    rooms: Rooms,
    timers: Timers,
    /// Questions that the store has not answered, each with whose stanza waits for the answer.
    asked: Tickets<(Then, Option<Cause>)>,
    /// Passwords that are being hashed.
    hashing: Tickets<(Hashing, Option<Cause>)>,
    fake: FakeSecret,
    /// Of the ids in accounts' archives.
    ids: IdKey,
    /// The installation's.
    secret: [u8; 32],
    /// Elements of the stream features of a logged-in stream.
    bound_features: Vec<u8>,
    next_session: u64,
    backlog: Backlog,
}

/// What turns are made of.
#[derive(Debug)]
struct Desk {
    config: Arc<Config>,
    dice: Dice,
    counters: Counters,
    after: Aftermath,
    /// Of the stanza that is at work.
    passage: Passage,
    /// The server stops: what clients come back to is all that is left of it.
    is_stopping: bool,
}

impl Desk {
    fn turn<'a>(&'a mut self, now: Now, effects: &'a mut Effects) -> Turn<'a> {
        Turn {
            now,
            config: &self.config,
            dice: &mut self.dice,
            effects,
            counters: &mut self.counters,
            after: &mut self.after,
            passage: &mut self.passage,
            is_stopping: self.is_stopping,
        }
    }
}

/// What waits for answers.
#[derive(Debug)]
struct Tickets<T> {
    next: u64,
    waiting: crate::map::Map<Ticket, T>,
}

impl<T> Tickets<T> {
    fn new() -> Self {
        Self { next: 0, waiting: crate::map::Map::default() }
    }

    fn issue(&mut self, then: T) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.waiting.insert(ticket, then);
        ticket
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }

    fn redeem(&mut self, ticket: Ticket) -> Option<T> {
        self.waiting.remove(&ticket)
    }
}

/// What only the program knows when it makes a shard.
#[derive(Debug)]
pub struct Secrets {
    /// Seed of the shard's dice: fresh for each shard and each start.
    pub seed: [u8; 32],
    /// The installation's own: the same for all shards, and after a restart. Of it are the salts of accounts that do not exist,
    /// and the ids in archives.
    pub installation: [u8; 32],
}

impl Shard {
    /// A shard with nobody on it.
    #[must_use]
    pub fn new(index: ShardIndex, count: u16, config: Arc<Config>, secrets: &Secrets) -> Self {
        let bound_features = crate::features::stream_features(&config);
        Self {
            index,
            count,
            desk: Desk {
                config,
                dice: Dice::new(&secrets.seed),
                counters: Counters::default(),
                after: Aftermath::default(),
                passage: Passage::default(),
                is_stopping: false,
            },
            connections: Connections::default(),
            residences: Residences::default(),
            rooms: Rooms::default(),
            timers: Timers::default(),
            asked: Tickets::new(),
            hashing: Tickets::new(),
            fake: FakeSecret::new(&secrets.installation),
            ids: IdKey::new(&secrets.installation, "ids in archives of accounts"),
            secret: secrets.installation,
            bound_features,
            next_session: 0,
            backlog: Backlog::new(count),
        }
    }

    /// Lets something happen. What is to be done about it is appended to `effects`.
    pub fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        match input {
            Input::Opened { conn, .. } => self.opened(conn, now, effects),
            Input::Secured { conn, tls } => self.connections.secured(conn, tls),
            Input::Received { conn, bytes } => self.received(conn, bytes, now, effects),
            Input::Closed { conn, .. } => self.closed(conn, now, effects),
            Input::Congested { conn } => self.congested(conn),
            Input::Drained { conn } => self.drained(conn, now, effects),
            Input::Arrived { conn, arrival } => self.arrived(conn, *arrival, now, effects),
            Input::Handed(Handoff::Stanza(stanza)) => self.route(*stanza, now, effects),
            Input::Handed(Handoff::Done(done)) => self.done(&done, now, effects),
            Input::Handed(Handoff::Gone(account)) => self.leave_rooms(&account, now, effects),
            Input::Started => self.list_sessions(None, effects),
            Input::Stored { ticket, answer } => self.stored(ticket, answer, now, effects),
            Input::Hashed { ticket, hashed } => self.hashed(ticket, hashed, now, effects),
            Input::Tick => self.tick(now, effects),
            Input::Admin { request, question } => self.admin(request, &question, now, effects),
            Input::Configured(config) => {
                self.bound_features = crate::features::stream_features(&config);
                self.desk.config = config;
            }
            Input::Shutdown => self.shut_down(now, effects),
        }
        self.settle(now, effects);
    }

    /// Nothing is asked that was not answered.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.asked.waiting.is_empty() && self.hashing.waiting.is_empty()
    }

    /// When [`Input::Tick`] is due, on the monotonic clock; none while nothing waits for time.
    pub fn deadline_ms(&mut self) -> Option<u64> {
        if self.desk.is_stopping {
            return None;
        }
        let Self { timers, connections, residences, .. } = self;
        timers.next(connections, residences)
    }

    /// Does what a turn left behind, until nothing is left. Bounded: a stanza causes fewer than its sender's roster has items,
    /// and none of those causes more than one answer, which is never answered.
    fn settle(&mut self, now: Now, effects: &mut Effects) {
        loop {
            if let Some((account, session, reason)) = self.desk.after.endings.pop() {
                self.end_session(&account, session, reason, now, effects);
            } else if let Some(stanza) = self.desk.after.stanzas.pop_front() {
                self.route(stanza, now, effects);
            } else if let Some((account, session)) = self.desk.after.saves.pop() {
                if let Some(account) = self.residences.get_mut(&account) {
                    policy::saving::save(account, session, &mut self.desk.turn(now, effects));
                }
            } else {
                break;
            }
        }
        for (question, then, cause) in self.desk.after.questions.drain(..) {
            effects.push(Effect::Ask { ticket: self.asked.issue((then, cause)), question });
        }
        for (job, then, cause) in self.desk.after.hashes.drain(..) {
            effects.push(Effect::Hash { ticket: self.hashing.issue((then, cause)), job });
        }
    }

    /// Names the one place where a stanza goes: here, another shard, the domain itself, or nowhere.
    fn route(&mut self, mut stanza: Stanza, now: Now, effects: &mut Effects) {
        if let Some(to) = stanza.to.as_ref()
            && self.desk.config.room_service(to.domain()).is_some()
        {
            return self.route_to_room(stanza, now, effects);
        }
        let is_served = stanza.to.as_ref().is_some_and(|to| self.desk.config.serves(to.domain()));
        let Some(to) = stanza.to.as_ref().filter(|to| is_served && to.local().is_some()) else {
            let passage = self.begin(stanza.passage.take());
            if is_served {
                self.visit_domain(stanza, now, effects);
            } else if stanza.to.is_some()
                // Presence that only informs needs no answer: a roster of strangers would bring one for each.
                && !matches!(stanza.kind, Kind::Presence(kind) if Action::of(kind).is_none())
            {
                self.desk.turn(now, effects).refuse(&stanza, &Condition::RemoteServerNotFound.into());
            }
            self.end(passage, now, effects);
            return;
        };
        let home = ShardIndex::home(to, self.count);
        if home == self.index {
            self.deliver_home(stanza, now, effects);
        } else {
            self.desk.counters.stanzas_handed += 1;
            effects.push(Effect::Hand { to: home, handoff: Handoff::Stanza(Box::new(stanza)) });
        }
    }

    /// For a room, which has a home as accounts have; or for the service, which answers everywhere.
    fn route_to_room(&mut self, mut stanza: Stanza, now: Now, effects: &mut Effects) {
        let Some(to) = stanza.to.as_ref() else { return };
        if to.local().is_none() {
            let before = self.begin(stanza.passage.take());
            room::serve(&stanza, &mut self.desk.turn(now, effects));
            return self.end(before, now, effects);
        }
        let home = ShardIndex::home(to, self.count);
        if home == self.index {
            self.visit_room(stanza, now, effects);
        } else {
            self.desk.counters.stanzas_handed += 1;
            effects.push(Effect::Hand { to: home, handoff: Handoff::Stanza(Box::new(stanza)) });
        }
    }

    /// The domain itself answers requests and ignores the rest. Local senders' requests never come this far.
    fn visit_domain(&mut self, stanza: Stanza, now: Now, effects: &mut Effects) {
        let bare = stanza.to.as_ref().is_some_and(Jid::is_domain);
        let mut turn = self.desk.turn(now, effects);
        match stanza.kind {
            Kind::Iq(_) if stanza.is_request() && bare => policy::requests::server(&stanza, &mut turn),
            Kind::Iq(_) | Kind::Message(_) => turn.refuse(&stanza, &Condition::ServiceUnavailable.into()),
            Kind::Presence(_) => {}
        }
    }

    fn end_session(&mut self, jid: &Jid, id: SessionId, reason: Reason, now: Now, effects: &mut Effects) {
        let Some(account) = self.residences.get_mut(jid) else { return };
        let Some(session) = account.session(id) else { return };
        if let Some(conn) = session.conn {
            match reason {
                Reason::DoesNotRead => self.misbehaved(conn, &Misbehaved::DoesNotRead, now, effects),
                Reason::NotAuthorized => self.close(conn, Ending::NotAuthorized, now, effects),
            }
        }
        self.forget_session(jid, id, now, effects);
    }

    /// Takes a session away for good; its connection is gone or being closed.
    fn forget_session(&mut self, jid: &Jid, id: SessionId, now: Now, effects: &mut Effects) {
        let Some(account) = self.residences.get_mut(jid) else { return };
        policy::sessions::end(account, id, &mut self.desk.turn(now, effects));
        if account.sessions.is_empty() {
            self.residences.idle(jid);
        }
    }

    fn admin(&mut self, request: u64, question: &AdminQuestion, now: Now, effects: &mut Effects) {
        let reply = match question {
            AdminQuestion::Alive => AdminReply::Alive,
            AdminQuestion::Stats => {
                let mut stats = self.desk.counters.list();
                let sessions = self.residences.accounts().map(|account| account.sessions.len()).sum::<usize>();
                let detached = |account: &Account| account.sessions.iter().filter(|s| s.conn.is_none()).count();
                let detached: usize = self.residences.accounts().map(detached).sum();
                stats.push(("connections", self.connections.len() as u64));
                stats.push(("sessions", sessions as u64));
                stats.push(("sessions_detached", detached as u64));
                stats.push(("accounts_resident", self.residences.len() as u64));
                let (rooms, occupants) = self.rooms.count();
                stats.push(("rooms_resident", rooms as u64));
                stats.push(("occupants", occupants as u64));
                stats.extend(self.unsettled());
                AdminReply::Stats(stats)
            }
            AdminQuestion::Kick { account, removed } => AdminReply::Kicked(if *removed {
                self.remove_account(account, now, effects)
            } else {
                self.kick(account, None, now, effects)
            }),
            AdminQuestion::Room { room, kind, payload } => {
                let stanza = room::from_operator(room, *kind, &request.to_string(), payload);
                return self.visit_room(stanza, now, effects);
            }
        };
        effects.push(Effect::Reply { request, reply });
    }

    /// Ends all sessions of an account but one. Its messages were already given back when the account is forgotten.
    fn kick(&mut self, jid: &Jid, but: Option<SessionId>, now: Now, effects: &mut Effects) -> u32 {
        let Some(account) = self.residences.get_mut(jid) else { return 0 };
        let ids: Vec<_> = account.sessions.iter().map(|session| session.id).filter(|id| Some(*id) != but).collect();
        for id in &ids {
            self.end_session(jid, *id, Reason::NotAuthorized, now, effects);
        }
        u32::try_from(ids.len()).unwrap_or(u32::MAX)
    }

    /// The store has removed an account: its sessions end, its contacts hear of it, and nothing of it stays in memory.
    fn remove_account(&mut self, jid: &Jid, now: Now, effects: &mut Effects) -> u32 {
        let ended = self.kick(jid, None, now, effects);
        if let Some(account) = self.residences.get(jid) {
            policy::presence::farewell(account, &mut self.desk.turn(now, effects));
        }
        // What waited for its messages to be read finds nobody now.
        let held = self.residences.get_mut(jid).and_then(|account| account.flush.take()).unwrap_or_default();
        self.residences.remove(jid);
        for stanza in held {
            self.deliver_home(stanza, now, effects);
        }
        // Its sessions leave rooms before their standing there ends.
        self.settle(now, effects);
        for to in (0..self.count).map(ShardIndex).filter(|shard| *shard != self.index) {
            effects.push(Effect::Hand { to, handoff: Handoff::Gone(jid.clone()) });
        }
        self.leave_rooms(jid, now, effects);
        ended
    }

    fn shut_down(&mut self, now: Now, effects: &mut Effects) {
        self.desk.is_stopping = true;
        for conn in self.connections.all() {
            self.close(conn, Ending::Shutdown, now, effects);
        }
        // Also those that were away. What reaches them from now on stores them again.
        self.desk.after.saves = self.residences.sessions();
    }

    /// Ends a stream with an error of the peer's making.
    fn misbehaved(&mut self, conn: Conn, sin: &Misbehaved, now: Now, effects: &mut Effects) {
        self.desk.counters.misbehaved += 1;
        connections::note_sin(conn, sin, self.connections.account(conn), effects);
        self.finish(conn, |out| sin.write_to(out), now, effects);
    }

    /// Ends a stream for a reason of the server's.
    fn close(&mut self, conn: Conn, ending: Ending, now: Now, effects: &mut Effects) {
        self.finish(conn, |out| ending.write_to(out), now, effects);
    }
}

//! Answers the operator's requests in a running server: accounts through the store, counters from every shard.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use wattle::config::Config;
use wattle::effect::AdminReply;
use wattle::home::ShardIndex;
use wattle::input::AdminQuestion;
use wattle::jid::Jid;
use wattle::ns;
use wattle::stanza::IqType;
use wattle::xml::Element;

use super::accounts;
use super::pending::Pending;
use super::process;
use super::rooms;
use super::words::{Counters, Reply, Request, Stats};
use crate::boot::Door;
use crate::fault::Fault;
use crate::store;

/// A shard that has not answered by then is shown as silent. It answers within a turn of its loop.
const PATIENCE: Duration = Duration::from_secs(2);

/// A room that has not answered by then may still: it waits for the store.
const PATIENCE_OF_ROOM: Duration = Duration::from_secs(10);

/// The one who answers.
pub(crate) struct Desk {
    config: RwLock<Arc<Config>>,
    store: store::Handle,
    door: Door,
    pending: Arc<Pending>,
    started: Instant,
}

impl Desk {
    /// For a server that runs. Its shards' replies must be given to `pending`.
    pub(crate) fn new(config: Arc<Config>, store: store::Handle, door: Door, pending: Arc<Pending>) -> Self {
        Self { config: RwLock::new(config), store, door, pending, started: Instant::now() }
    }

    /// Takes a configuration that was read again.
    pub(crate) fn configured(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Answers a request; may wait for the store and the shards.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        match request {
            Request::Ping => Reply::Pong { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() },
            Request::Stats => Reply::Stats(self.stats()),
            Request::RoomList { .. } | Request::Room { .. } => self.room(request).unwrap_or_else(refused),
            _ => self.account(request).unwrap_or_else(refused),
        }
    }

    fn account(&self, request: &Request) -> Result<Reply, Fault> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let reply = accounts::answer(request, &config, &|question| self.store.call(question))?;
        // Behind the commit: a login from here on meets what is stored now.
        let (jid, removed) = match request {
            Request::UserPasswd { jid, .. } => (jid, false),
            Request::UserRemove { jid } => (jid, true),
            _ => return Ok(reply),
        };
        let sessions_ended = Jid::parse(jid).map_or(0, |account| self.kick(account.to_bare(), removed));
        Ok(Reply::Done { sessions_ended })
    }

    fn room(&self, request: &Request) -> Result<Reply, Fault> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        rooms::answer_live(request, &config, &|question| self.store.call(question), &|room, kind, query| {
            self.ask_room(room, kind, query)
        })
    }

    fn ask_room(&self, room: &Jid, kind: IqType, query: &Element) -> Result<Box<[u8]>, Fault> {
        let expected = self.pending.expect();
        let home = ShardIndex::home(room, self.door.shards());
        let question = AdminQuestion::Room { room: room.clone(), kind, payload: query.to_bytes(ns::CLIENT).into() };
        self.door.ask(home, expected.request, question);
        match expected.reply.recv_timeout(PATIENCE_OF_ROOM) {
            Ok(AdminReply::Room(Ok(payload))) => Ok(payload),
            Ok(AdminReply::Room(Err(why))) => {
                Err(Fault::new(format!("{room} refused: {why}"), "see `wattle room show`"))
            }
            _ => Err(Fault::new(format!("{room} did not answer in time"), "see the log, and whether it happened")),
        }
    }

    fn kick(&self, account: Jid, removed: bool) -> u32 {
        let expected = self.pending.expect();
        let home = ShardIndex::home(&account, self.door.shards());
        self.door.ask(home, expected.request, AdminQuestion::Kick { account, removed });
        match expected.reply.recv_timeout(PATIENCE) {
            Ok(AdminReply::Kicked(sessions)) => sessions,
            _ => {
                tracing::error!(
                    shard = home.0,
                    "a shard did not say whether it ended the sessions of a changed account"
                );
                0
            }
        }
    }

    fn stats(&self) -> Stats {
        let answered = self.pending.ask_all(&self.door, &AdminQuestion::Stats, PATIENCE);
        let counters = |reply| match reply {
            Some(AdminReply::Stats(counters)) => Some(named(&counters)),
            _ => None,
        };
        let mut shards: Vec<Option<Counters>> = answered.into_iter().map(counters).collect();
        for (counters, depth) in shards.iter_mut().zip(self.door.depths()) {
            // Of a silent shard too: that its mailbox fills is what one wants to see.
            counters.get_or_insert_default().insert("mailbox_parcels".to_owned(), depth as u64);
        }
        let store = self.store.counters();
        let store = named(&[
            ("questions_waiting", store.waiting),
            ("questions", store.questions),
            ("questions_failed", store.failed),
            ("questions_refused", store.busy),
            ("commits", store.commits),
            ("last_commit_us", store.last_commit_us),
            ("longest_commit_us", store.max_commit_us),
            ("commit_us_50th_percentile", store.commit_us_50),
            ("commit_us_99th_percentile", store.commit_us_99),
            ("store_failing", u64::from(store.failing)),
            ("connections_lost", store.connections_lost),
            ("connections_gone", store.connections_gone),
            ("retention_removed", store.swept),
            ("retention_passes", store.passes),
            ("retention_last_pass_unix_seconds", store.last_pass_unix_s),
        ]);
        Stats { process: process::counters(self.started.elapsed()), store, shards }
    }
}

fn refused(Fault { what, cure }: Fault) -> Reply {
    Reply::Refused { what, cure }
}

fn named(counters: &[(&'static str, u64)]) -> Counters {
    counters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

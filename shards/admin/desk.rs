//! Who answers the admin socket in a running server: the store for accounts, the shards for counters and sessions.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use wattle::config::Config;
use wattle::effect::AdminReply;
use wattle::handoff::ShardIndex;
use wattle::input::AdminQuestion;
use wattle::jid::Jid;

use super::pending::Pending;
use super::words::{Counters, Reply, Request, Stats};
use super::{accounts, process};
use crate::boot::Door;
use crate::store::Handle;

/// How long a shard may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers requests.
pub(crate) struct Desk {
    config: RwLock<Arc<Config>>,
    store: Handle,
    door: Door,
    pending: Arc<Pending>,
    started: Instant,
}

impl Desk {
    /// For a server that was started at `started` and gives its shards' answers to `pending`.
    pub(crate) fn new(config: Arc<Config>, store: Handle, door: Door, pending: Arc<Pending>, started: Instant) -> Self {
        Self { config: RwLock::new(config), store, door, pending, started }
    }

    /// The configuration was read again.
    pub(crate) fn configure(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Answers one request; may take as long as the store and the shards do.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        match request {
            Request::Ping => Reply::Pong { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() },
            Request::Stats => Reply::Stats(self.stats()),
            Request::UserAdd { .. }
            | Request::UserPasswd { .. }
            | Request::UserRemove { .. }
            | Request::UserList { .. } => self.account(request, &config),
        }
    }

    fn account(&self, request: &Request, config: &Config) -> Reply {
        let reply = match accounts::answer(request, config, &|question| self.store.call(question)) {
            Ok(reply) => reply,
            Err(fault) => return Reply::Refused { what: fault.what, cure: fault.cure },
        };
        let (jid, removed) = match request {
            Request::UserPasswd { jid, .. } => (jid, false),
            Request::UserRemove { jid } => (jid, true),
            _ => return reply,
        };
        let Ok(account) = accounts::named(config, jid) else { return reply };
        Reply::Done { sessions_ended: self.kick(account, removed) }
    }

    /// Ends the sessions of an account on its home shard; how many they were.
    fn kick(&self, account: Jid, removed: bool) -> u32 {
        let home = ShardIndex::home(&account, self.door.shards());
        match self.ask(home, AdminQuestion::Kick { account, removed }) {
            Some(AdminReply::Kicked(count)) => count,
            _ => 0,
        }
    }

    fn ask(&self, shard: ShardIndex, question: AdminQuestion) -> Option<AdminReply> {
        let expected = self.pending.expect();
        self.door.ask(shard, expected.request, question);
        expected.reply.recv_timeout(PATIENCE).ok()
    }

    fn stats(&self) -> Stats {
        let depths = self.door.depths();
        let shards = (0..self.door.shards()).zip(depths).map(|(shard, depth)| {
            let Some(AdminReply::Stats(list)) = self.ask(ShardIndex(shard), AdminQuestion::Stats) else { return None };
            let mut counters: Counters = list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            counters.insert("mailbox_parcels".to_owned(), u64::try_from(depth).unwrap_or(u64::MAX));
            Some(counters)
        });
        let counted = self.store.counters();
        let store = [
            ("questions_waiting", counted.waiting),
            ("questions", counted.questions),
            ("questions_failed", counted.failed),
            ("questions_busy", counted.busy),
            ("commits", counted.commits),
            ("last_commit_us", counted.last_commit_us),
            ("longest_commit_us", counted.max_commit_us),
        ];
        Stats {
            process: process::counters(self.started.elapsed()),
            store: store.map(|(name, value)| (name.to_owned(), value)).into(),
            shards: shards.collect(),
        }
    }
}

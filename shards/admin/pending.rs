//! Questions of the operator that shards have not answered yet.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wattle::effect::AdminReply;
use wattle::home::ShardIndex;
use wattle::input::AdminQuestion;

use crate::boot::Door;

/// Joins each [`wattle::effect::Effect::Reply`] to the thread that waits for it.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last: u64,
    senders: HashMap<u64, SyncSender<AdminReply>>,
}

/// Where a reply will come; forgets the question when dropped.
pub(crate) struct Expected<'p> {
    pending: &'p Pending,
    /// To be sent along with the question.
    pub(crate) request: u64,
    /// Gives one reply.
    pub(crate) reply: Receiver<AdminReply>,
}

impl Pending {
    /// Before a question is put: the number to put it with, and where its reply will come.
    pub(crate) fn expect(&self) -> Expected<'_> {
        let (sender, reply) = mpsc::sync_channel(1);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        let request = waiting.last;
        waiting.senders.insert(request, sender);
        Expected { pending: self, request, reply }
    }

    /// A shard has answered. Never blocks for longer than it takes to look into a small map; a reply that nobody waits for
    /// any more is dropped.
    pub(crate) fn give(&self, request: u64, reply: AdminReply) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).senders.remove(&request);
        if let Some(sender) = sender {
            let _ = sender.try_send(reply);
        }
    }

    /// What every shard answers; none of one that has not answered within `patience`.
    pub(crate) fn ask_all(&self, door: &Door, question: &AdminQuestion, patience: Duration) -> Vec<Option<AdminReply>> {
        // All are asked before one is waited for.
        let expected: Vec<_> = (0..door.shards())
            .map(|shard| {
                let expected = self.expect();
                door.ask(ShardIndex(shard), expected.request, question.clone());
                expected
            })
            .collect();
        let until = Instant::now() + patience;
        expected
            .into_iter()
            .map(|expected| expected.reply.recv_timeout(until.saturating_duration_since(Instant::now())).ok())
            .collect()
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.pending.0.lock().unwrap_or_else(PoisonError::into_inner).senders.remove(&self.request);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use wattle::effect::AdminReply;

    use super::Pending;

    #[test]
    fn replies_find_those_who_wait() {
        let pending = Pending::default();
        let (first, second) = (pending.expect(), pending.expect());
        assert_ne!(first.request, second.request);
        pending.give(second.request, AdminReply::Kicked(2));
        pending.give(first.request, AdminReply::Kicked(1));
        assert!(matches!(first.reply.recv().unwrap(), AdminReply::Kicked(1)));
        assert!(matches!(second.reply.recv().unwrap(), AdminReply::Kicked(2)));
        let late = second.request;
        drop((first, second));
        pending.give(late, AdminReply::Kicked(3));
        let gone = pending.expect().request;
        pending.give(gone, AdminReply::Kicked(4));
        assert!(pending.0.lock().unwrap().senders.is_empty());
    }
}

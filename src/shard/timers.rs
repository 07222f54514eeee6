//! Deadlines of a shard: kept while something waits for them, so that an idle server does not wake.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::connections::Connections;
use super::residence::Residences;
use crate::input::Conn;
use crate::jid::Jid;
use crate::session::SessionId;

/// What a deadline is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The login must be done.
    Login(Conn),
    /// A detached session ends.
    Detached(Jid, SessionId),
}

/// All deadlines, the next one first. An entry may be stale: whether it still means something is asked when it is due or
/// stands first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(u64, Timer)>>,
}

impl Timers {
    pub(super) fn set(&mut self, at_ms: u64, timer: Timer) {
        self.heap.push(Reverse((at_ms, timer)));
    }

    /// The next deadline that still means something.
    pub(super) fn next(&mut self, connections: &Connections, residences: &Residences) -> Option<u64> {
        while let Some(Reverse((at_ms, timer))) = self.heap.peek() {
            if is_live(*at_ms, timer, connections, residences) {
                return Some(*at_ms);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes one that is due and still means something.
    pub(super) fn due(&mut self, now_ms: u64, connections: &Connections, residences: &Residences) -> Option<Timer> {
        while self.next(connections, residences)? <= now_ms {
            if let Some(Reverse((_, timer))) = self.heap.pop() {
                return Some(timer);
            }
        }
        None
    }
}

fn is_live(at_ms: u64, timer: &Timer, connections: &Connections, residences: &Residences) -> bool {
    match timer {
        Timer::Login(conn) => connections.login_deadline(*conn) == Some(at_ms),
        Timer::Detached(jid, id) => residences
            .get(jid)
            .and_then(|account| account.session(*id))
            .is_some_and(|session| session.ends_ms == Some(at_ms)),
    }
}

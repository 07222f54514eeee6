//! The connections of one shard by number, where each of them stands, and until when.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wattle::input::Conn;

use crate::wire::Wire;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Direct TLS, before the shard knows of it.
    Unannounced(Option<IpAddr>),
    /// The shard decides.
    Open,
    /// The shard has let go; what waits is written.
    Closing,
    /// All is written and the peer was told; what it still sends is thrown away, so that it can read our last words.
    Lingering,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) stage: Stage,
    /// The shard does not want to hear more for now.
    pub(crate) is_paused: bool,
    /// The shard was told that the peer does not read.
    pub(crate) is_congested: bool,
    /// Stands in the list of those to flush.
    pub(crate) is_dirty: bool,
    deadline_ms: Option<u64>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
    deadlines: BTreeSet<(u64, Conn)>,
}

impl Connections {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.live
    }

    /// Takes one in and gives it a number.
    pub(crate) fn insert(&mut self, wire: Wire, stage: Stage) -> Conn {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.connection = Some(Box::new(Connection {
            wire,
            stage,
            is_paused: false,
            is_congested: false,
            is_dirty: false,
            deadline_ms: None,
        }));
        self.live += 1;
        number(slot.generation, index as usize)
    }

    /// The connection, if its number is alive.
    pub(crate) fn get(&mut self, conn: Conn) -> Option<&mut Connection> {
        self.slot(conn)?.connection.as_deref_mut()
    }

    /// The connection, if the shard knows its number.
    pub(crate) fn open(&mut self, conn: Conn) -> Option<&mut Connection> {
        self.get(conn).filter(|connection| connection.stage == Stage::Open)
    }

    /// Frees the slot; the number is not used again before 2^32 others of the same slot.
    pub(crate) fn remove(&mut self, conn: Conn) -> Option<Box<Connection>> {
        let slot = self.slot(conn)?;
        let connection = slot.connection.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push((conn.0 & u64::from(u32::MAX)) as u32);
        self.live -= 1;
        if let Some(deadline_ms) = connection.deadline_ms {
            self.deadlines.remove(&(deadline_ms, conn));
        }
        Some(connection)
    }

    /// Those whose TLS handshake goes on and of which the shard does not know.
    pub(crate) fn unannounced(&self) -> Vec<Conn> {
        let is_unannounced = |slot: &Slot| {
            slot.connection.as_ref().is_some_and(|connection| matches!(connection.stage, Stage::Unannounced(_)))
        };
        let all = self.slots.iter().enumerate().filter(|(_, slot)| is_unannounced(slot));
        all.map(|(index, slot)| number(slot.generation, index)).collect()
    }

    /// Gives a connection until `at_ms`, in place of what it had before.
    pub(crate) fn set_deadline(&mut self, conn: Conn, at_ms: u64) {
        self.clear_deadline(conn);
        if let Some(connection) = self.get(conn) {
            connection.deadline_ms = Some(at_ms);
            self.deadlines.insert((at_ms, conn));
        }
    }

    /// Gives it all time.
    pub(crate) fn clear_deadline(&mut self, conn: Conn) {
        if let Some(at_ms) = self.get(conn).and_then(|connection| connection.deadline_ms.take()) {
            self.deadlines.remove(&(at_ms, conn));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// One whose time is over, which has no deadline from then on.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<Conn> {
        let (_, conn) = *self.deadlines.first().filter(|(at_ms, _)| *at_ms <= now_ms)?;
        self.clear_deadline(conn);
        Some(conn)
    }

    fn slot(&mut self, conn: Conn) -> Option<&mut Slot> {
        let slot = self.slots.get_mut((conn.0 & u64::from(u32::MAX)) as usize)?;
        (u64::from(slot.generation) == conn.0 >> 32).then_some(slot)
    }
}

fn number(generation: u32, index: usize) -> Conn {
    Conn(u64::from(generation) << 32 | index as u64)
}

//! What happens on a connection, and what is done to it: accepted, arrived, read, written, paused, moved, closed.

use std::net::IpAddr;

use wattle::handoff::Arrival;
use wattle::home::ShardIndex;
use wattle::input::{Conn, Gone, Input, Listener, TlsFacts};
use wattle::limits::{CLOSE_MS, TLS_MS, WRITE_HIGH_BYTES, WRITE_LOW_BYTES};

use super::{Core, Later};
use crate::connections::Stage;
use crate::mailbox::Parcel;
use crate::poller::Socket;
use crate::tls::Tls;
use crate::wire::{MovedConnection, Read, Wire, Written};

/// Connections accepted in one turn from one listener, so that those that stand are served in between.
const ACCEPTS: usize = 16;

impl Core {
    /// Connections wait at a listener.
    pub(super) fn accept(&mut self, number: usize) {
        let now_ms = self.around.clock.mono_ms();
        for _ in 0..ACCEPTS {
            let accepted = self.around.acceptors.accept(number, &self.around.poller, now_ms);
            let Some((socket, listener, peer)) = accepted else { return };
            self.accepted(socket, listener, Some(peer));
        }
    }

    fn accepted(&mut self, socket: Socket, listener: Listener, peer: Option<IpAddr>) {
        if self.connections.count() >= self.around.connections {
            if !self.is_full {
                self.is_full = true;
                tracing::error!(
                    connections = self.connections.count(),
                    "no room for more connections; raise LimitNOFILE"
                );
            }
            return;
        }
        self.is_full = false;
        let mut wire = Wire::new(socket);
        let conn = match listener {
            Listener::Client => {
                let conn = self.connections.insert(wire, Stage::Open);
                self.act(Input::Opened { conn, listener, peer });
                conn
            }
            Listener::ClientTls => {
                let Ok(tls) = Tls::new(&self.around.tls, true) else { return };
                wire.secure(tls, &mut self.buffers);
                let conn = self.connections.insert(wire, Stage::Unannounced(peer));
                self.connections.set_deadline(conn, self.around.clock.mono_ms() + TLS_MS);
                conn
            }
        };
        self.watch(conn, true);
    }

    /// A connection came from another shard.
    pub(super) fn arrived(&mut self, moved: MovedConnection) {
        let (wire, arrival) = Wire::from_moved(moved);
        let conn = self.connections.insert(wire, Stage::Open);
        self.act(Input::Arrived { conn, arrival: Box::new(arrival) });
        self.watch(conn, true);
    }

    /// A socket has something to read or takes more.
    pub(super) fn ready(&mut self, conn: Conn, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get(conn) else { return };
        let (stage, is_paused) = (connection.stage, connection.is_paused);
        if writable && connection.wire.is_blocked {
            connection.wire.is_blocked = false;
            self.dirty(conn);
        }
        if !readable {
            return;
        }
        match stage {
            Stage::Lingering => self.discard(conn),
            // Whoever is not read from is waited for until it says something: most pauses end before that.
            Stage::Closing => self.watch(conn, false),
            Stage::Open | Stage::Unannounced(_) if is_paused => self.watch(conn, false),
            Stage::Open | Stage::Unannounced(_) if self.outgoing.is_stuck() => {
                self.stalled.push(conn);
                self.watch(conn, false);
            }
            Stage::Open | Stage::Unannounced(_) => self.read(conn),
        }
    }

    /// Has the shard woken for this connection's bytes, or not; and for room to write, if it lacks that.
    fn watch(&mut self, conn: Conn, reads: bool) {
        let Some(connection) = self.connections.get(conn) else { return };
        let writes = connection.wire.is_blocked;
        let Err(error) = connection.wire.socket.watch(&self.around.poller, conn, reads, writes) else { return };
        tracing::error!(%error, "a connection cannot be waited for and is closed; raise fs.epoll.max_user_watches");
        let stage = connection.stage;
        self.connections.remove(conn);
        if stage == Stage::Open {
            self.later.push_back(Later::Closed(conn, Gone::Broken));
        }
    }

    /// Reads again, unless somebody else wants it to wait.
    pub(super) fn read_on(&mut self, conn: Conn) {
        if self.connections.get(conn).is_some_and(|connection| {
            !connection.is_paused && matches!(connection.stage, Stage::Open | Stage::Unannounced(_))
        }) {
            self.watch(conn, true);
        }
    }

    fn read(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get(conn) else { return };
        match connection.wire.read(&mut self.buffers) {
            Read::Nothing => {}
            Read::Gone(why) => self.gone(conn, why),
            Read::Bytes { secured, gone } => {
                if let Some(tls) = secured {
                    self.secured(conn, tls);
                }
                if !self.buffers.plain.is_empty() {
                    let plain = std::mem::take(&mut self.buffers.plain);
                    if self.connections.open(conn).is_some() {
                        self.act(Input::Received { conn, bytes: &plain });
                    }
                    self.buffers.plain = plain;
                }
                if let Some(why) = gone {
                    self.gone(conn, why);
                } else if self.connections.get(conn).is_some_and(|connection| connection.wire.waiting_bytes() > 0) {
                    self.dirty(conn);
                }
            }
        }
    }

    fn discard(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get(conn) else { return };
        if connection.wire.discard(&mut self.buffers) {
            self.connections.remove(conn);
        }
    }

    fn secured(&mut self, conn: Conn, tls: Box<TlsFacts>) {
        self.connections.clear_deadline(conn);
        let Some(connection) = self.connections.get(conn) else { return };
        if let Stage::Unannounced(peer) = connection.stage {
            connection.stage = Stage::Open;
            self.act(Input::Opened { conn, listener: Listener::ClientTls, peer });
        }
        if self.connections.open(conn).is_some() {
            self.act(Input::Secured { conn, tls });
        }
    }

    /// The peer is gone, or broke TLS, or let its time pass.
    pub(super) fn gone(&mut self, conn: Conn, why: Gone) {
        let Some(connection) = self.connections.get(conn) else { return };
        let stage = connection.stage;
        // A last word, such as TLS's alert, and our own close_notify; it may well find nobody.
        connection.wire.say_close(&mut self.buffers);
        connection.wire.flush(&mut self.buffers);
        self.connections.remove(conn);
        if stage == Stage::Open {
            self.later.push_back(Later::Closed(conn, why));
            self.act_later();
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self, conn: Conn) {
        let Some(connection) = self.connections.get(conn) else { return };
        connection.is_dirty = false;
        let written = connection.wire.flush(&mut self.buffers);
        let socket = &connection.wire.socket;
        if written != Written::Broken && socket.writes() != connection.wire.is_blocked {
            let reads = socket.reads();
            self.watch(conn, reads);
        }
        self.written(conn, written);
    }

    /// What follows from an attempt to write.
    fn written(&mut self, conn: Conn, written: Written) {
        let Some(connection) = self.connections.get(conn) else { return };
        let waiting_bytes = connection.wire.waiting_bytes();
        match (connection.stage, written) {
            (Stage::Open, Written::Broken) => self.gone(conn, Gone::Broken),
            (_, Written::Broken) => drop(self.connections.remove(conn)),
            (Stage::Open, _) if !connection.is_congested && waiting_bytes > WRITE_HIGH_BYTES => {
                connection.is_congested = true;
                self.later.push_back(Later::Congested(conn));
                self.act_later();
            }
            (Stage::Open, _) if connection.is_congested && waiting_bytes < WRITE_LOW_BYTES => {
                connection.is_congested = false;
                self.later.push_back(Later::Drained(conn));
                self.act_later();
            }
            (Stage::Closing, Written::All) => {
                connection.stage = Stage::Lingering;
                connection.wire.finish();
                self.watch(conn, true);
            }
            _ => {}
        }
    }

    // -- what the shard asks for --

    /// Sends bytes at the end of this turn.
    pub(crate) fn send(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(connection) = self.connections.open(conn) else { return };
        connection.wire.put(bytes, &mut self.buffers);
        self.dirty(conn);
    }

    /// Stops or resumes reading.
    pub(crate) fn pause(&mut self, conn: Conn, is_paused: bool) {
        if let Some(connection) = self.connections.open(conn) {
            connection.is_paused = is_paused;
            self.read_on(conn);
        }
    }

    /// The shard starts TLS.
    pub(crate) fn secure(&mut self, conn: Conn) {
        let tls = Tls::new(&self.around.tls, false);
        let Some(connection) = self.connections.get(conn) else { return };
        match tls {
            Ok(tls) => {
                connection.wire.secure(tls, &mut self.buffers);
                self.connections.set_deadline(conn, self.around.clock.mono_ms() + TLS_MS);
                self.dirty(conn);
            }
            Err(error) => {
                tracing::error!(%error, "TLS could not be started");
                self.connections.remove(conn);
                self.later.push_back(Later::Closed(conn, Gone::Broken));
            }
        }
    }

    /// The shard lets go: what waits is written, then the peer has [`CLOSE_MS`] to read it.
    pub(crate) fn close(&mut self, conn: Conn) {
        let Some(connection) = self.connections.open(conn) else { return };
        connection.stage = Stage::Closing;
        connection.wire.say_close(&mut self.buffers);
        self.connections.set_deadline(conn, self.around.clock.mono_ms() + CLOSE_MS);
        self.dirty(conn);
    }

    /// The shard gives a connection to another.
    pub(crate) fn move_away(&mut self, conn: Conn, to: ShardIndex, arrival: Arrival) {
        let Some(connection) = self.connections.open(conn) else { return };
        let written = connection.wire.flush(&mut self.buffers);
        let Some(connection) = self.connections.remove(conn) else { return };
        if written == Written::Broken {
            self.later.push_back(Later::Closed(conn, Gone::Broken));
            return;
        }
        match connection.wire.into_moved(&self.around.poller, arrival) {
            Ok(moved) => self.outgoing.send(to, Parcel::Connection(Box::new(moved))),
            Err(error) => tracing::error!(%error, "a connection could not move to its shard and was closed"),
        }
    }
}

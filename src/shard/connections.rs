//! Connections of a shard: bytes in, streams forward, sessions detached when the bytes stop.

use super::Shard;
use super::residence::Wish;
use super::timers::Timer;
use crate::effect::{Effect, Effects, Level, Note};
use crate::features::offline;
use crate::handoff::Arrival;
use crate::home::ShardIndex;
use crate::input::{Conn, Now, TlsFacts};
use crate::jid::Jid;
use crate::map::Map;
use crate::policy;
use crate::session::SessionId;
use crate::stream::{Ending, Event, Misbehaved, Nonza, Stream, Surroundings};

/// A connection: its stream, and the session once there is one.
#[derive(Debug)]
struct Connection {
    /// Absent while it is at work, see [`Connections::take`].
    stream: Option<Box<Stream>>,
    /// Who logged in.
    account: Option<Jid>,
    /// The bound or resumed session.
    session: Option<SessionId>,
}

/// All connections of the shard.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Map<Conn, Connection>,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn all(&self) -> Vec<Conn> {
        let mut all: Vec<_> = self.all.keys().copied().collect();
        all.sort();
        all
    }

    /// Who logged in on a connection.
    pub(super) fn account(&self, conn: Conn) -> Option<&Jid> {
        self.all.get(&conn)?.account.as_ref()
    }

    /// The account and session of a connection.
    pub(super) fn bound(&self, conn: Conn) -> Option<(&Jid, SessionId)> {
        let connection = self.all.get(&conn)?;
        Some((connection.account.as_ref()?, connection.session?))
    }

    pub(super) fn bind(&mut self, conn: Conn, session: SessionId) {
        if let Some(connection) = self.all.get_mut(&conn) {
            connection.session = Some(session);
        }
    }

    pub(super) fn secured(&mut self, conn: Conn, tls: Box<TlsFacts>) {
        if let Some(stream) = self.stream_mut(conn) {
            stream.secured(tls);
        }
    }

    pub(super) fn login_deadline(&self, conn: Conn) -> Option<u64> {
        self.all.get(&conn)?.stream.as_ref()?.deadline_ms()
    }

    pub(super) fn stream_mut(&mut self, conn: Conn) -> Option<&mut Stream> {
        self.all.get_mut(&conn)?.stream.as_deref_mut()
    }

    fn insert(&mut self, conn: Conn, stream: Stream, account: Option<Jid>) {
        self.all.insert(conn, Connection { stream: Some(Box::new(stream)), account, session: None });
    }

    /// Takes the stream out to work with it, so that what it causes may change the shard; [`Connections::put`] brings it back.
    pub(super) fn take(&mut self, conn: Conn) -> Option<Box<Stream>> {
        self.all.get_mut(&conn)?.stream.take()
    }

    /// Brings a stream back, unless its connection ended meanwhile.
    pub(super) fn put(&mut self, conn: Conn, stream: Box<Stream>) {
        if let Some(connection) = self.all.get_mut(&conn) {
            connection.stream = Some(stream);
        }
    }

    fn contains(&self, conn: Conn) -> bool {
        self.all.contains_key(&conn)
    }

    fn remove(&mut self, conn: Conn) -> Option<Connection> {
        self.all.remove(&conn)
    }
}

/// One line for the log about a peer's sin.
pub(super) fn note_sin(conn: Conn, sin: &Misbehaved, who: Option<&Jid>, effects: &mut Effects) {
    effects.push(Effect::Note(Note {
        level: Level::Warn,
        what: "stream ended with an error of the peer",
        detail: Some(format!("{}: {sin:?}", sin.condition()).into()),
        who: who.cloned(),
        conn: Some(conn),
    }));
}

impl Shard {
    pub(super) fn opened(&mut self, conn: Conn, now: Now, effects: &mut Effects) {
        let stream = Stream::new(conn, now.mono_ms, &self.desk.config);
        self.start(conn, stream, None);
        if self.desk.is_stopping {
            self.close(conn, Ending::Shutdown, now, effects);
        }
    }

    /// A connection that logged in on another shard.
    pub(super) fn arrived(&mut self, conn: Conn, arrival: Arrival, now: Now, effects: &mut Effects) {
        let stream = Stream::arrived(conn, &arrival.account, now.mono_ms, &self.desk.config);
        self.start(conn, stream, Some(arrival.account));
        if self.desk.is_stopping {
            self.close(conn, Ending::Shutdown, now, effects);
        } else if !arrival.leftover.is_empty() {
            self.received(conn, &arrival.leftover, now, effects);
        }
    }

    fn start(&mut self, conn: Conn, stream: Stream, account: Option<Jid>) {
        if let Some(deadline_ms) = stream.deadline_ms() {
            self.timers.set(deadline_ms, Timer::Login(conn));
        }
        self.connections.insert(conn, stream, account);
    }

    /// Feeds a stream, one event after the other.
    pub(super) fn received(&mut self, conn: Conn, bytes: &[u8], now: Now, effects: &mut Effects) {
        let Some(mut stream) = self.connections.take(conn) else { return };
        let mut input = bytes;
        loop {
            let step = stream.next(&mut input, &mut surroundings(&mut self.desk, &self.bound_features, effects));
            match step {
                Ok(Some(Event::LoggedIn(account))) => {
                    if self.logged_in(conn, &account, input, effects) {
                        return;
                    }
                }
                Ok(Some(event)) => self.event(conn, &mut stream, event, now, effects),
                Ok(None) => break,
                Err(sin) => {
                    self.connections.put(conn, stream);
                    self.misbehaved(conn, &sin, now, effects);
                    return;
                }
            }
            if !self.connections.contains(conn) {
                return;
            }
            // What a stanza caused goes out before the next one is looked at, so that answers keep their order.
            self.settle(now, effects);
            if !self.connections.contains(conn) {
                return;
            }
        }
        if stream.is_waiting() && !input.is_empty() {
            stream.keep(input);
        }
        self.connections.put(conn, stream);
    }

    /// Goes on with the bytes that waited for an answer.
    pub(super) fn go_on(&mut self, conn: Conn, now: Now, effects: &mut Effects) {
        let Some(stream) = self.connections.stream_mut(conn) else { return };
        if stream.is_waiting() {
            return;
        }
        let backlog = stream.take_backlog();
        effects.push(Effect::Resume { conn });
        self.received(conn, &backlog, now, effects);
    }

    /// A login succeeded: true if the connection moves to another shard.
    pub(super) fn logged_in(&mut self, conn: Conn, account: &Jid, leftover: &[u8], effects: &mut Effects) -> bool {
        self.desk.counters.logins += 1;
        let home = ShardIndex::home(account, self.count);
        if home == self.index {
            if let Some(connection) = self.connections.all.get_mut(&conn) {
                connection.account = Some(account.clone());
            }
            return false;
        }
        self.connections.remove(conn);
        let arrival = Box::new(Arrival { account: account.clone(), leftover: leftover.to_vec() });
        effects.push(Effect::Move { conn, to: home, arrival });
        true
    }

    fn event(&mut self, conn: Conn, stream: &mut Stream, event: Event, now: Now, effects: &mut Effects) {
        match event {
            Event::Credentials(account) => self.look_up(conn, account, effects),
            Event::CheckPassword { password, verifiers } => self.check_password(conn, password, verifiers, effects),
            Event::LoggedIn(_) => {}
            Event::Bind { id, resource } => self.wish(conn, stream, Wish::Bind { id, resource }, now, effects),
            Event::Nonza(Nonza::Resume { previous, handled }) if self.connections.bound(conn).is_none() => {
                self.wish(conn, stream, Wish::Resume { previous, handled }, now, effects);
            }
            Event::Nonza(nonza) => self.nonza(conn, &nonza, now, effects),
            Event::Stanza(stanza) => self.stanza(conn, stanza, now, effects),
            Event::Refused(stanza, error) => self.refused(conn, *stanza, &error, now, effects),
            Event::Ended => self.ended(conn, stream, now, effects),
        }
    }

    /// The peer ended its stream: answered in kind (RFC 6120 section 4.4), and nothing is left to resume.
    fn ended(&mut self, conn: Conn, stream: &Stream, now: Now, effects: &mut Effects) {
        stream.end(|_| {}, &mut surroundings(&mut self.desk, &self.bound_features, effects));
        effects.push(Effect::Close { conn });
        self.drop_connection(conn, false, now, effects);
    }

    /// The connection is gone without a word.
    pub(super) fn closed(&mut self, conn: Conn, now: Now, effects: &mut Effects) {
        self.drop_connection(conn, true, now, effects);
    }

    /// Ends a stream with `write`, closes its connection, and detaches or ends its session.
    pub(super) fn finish(&mut self, conn: Conn, write: impl FnOnce(&mut Vec<u8>), now: Now, effects: &mut Effects) {
        if let Some(stream) = self.connections.take(conn) {
            stream.end(write, &mut surroundings(&mut self.desk, &self.bound_features, effects));
        } else if self.connections.contains(conn) {
            // Its stream is at work further up; it is open then.
            effects.send(conn, |out| {
                write(out);
                out.extend_from_slice(b"</stream:stream>");
            });
        } else {
            return;
        }
        effects.push(Effect::Close { conn });
        // XEP-0198 section 5: a stream error ends what could be resumed only if the peer closed in order; it did not.
        self.drop_connection(conn, true, now, effects);
    }

    fn drop_connection(&mut self, conn: Conn, may_resume: bool, now: Now, effects: &mut Effects) {
        let Some(connection) = self.connections.remove(conn) else { return };
        let (Some(jid), Some(id)) = (connection.account, connection.session) else { return };
        let Some(account) = self.residences.get_mut(&jid) else { return };
        let Some(session) = account.session_mut(id).filter(|session| session.conn == Some(conn)) else { return };
        if let Some(resumption) = session.resumption.as_ref().filter(|_| may_resume) {
            let ends_ms = now.mono_ms + u64::from(resumption.max_seconds) * 1000;
            let limits = &self.desk.config.limits;
            if session.detach(ends_ms, now, limits, effects).is_ok() {
                self.timers.set(ends_ms, Timer::Detached(jid.clone(), id));
                // Its client will ask how much is done, and must hear the same after a crash.
                self.desk.turn(now, effects).save_session(&jid, id);
                return;
            }
        }
        self.forget_session(&jid, id, now, effects);
    }

    pub(super) fn congested(&mut self, conn: Conn) {
        let Some((jid, id)) = self.connections.bound(conn) else { return };
        if let Some(session) = self.residences.get_mut(jid).and_then(|account| account.session_mut(id)) {
            session.congested = true;
        }
    }

    pub(super) fn drained(&mut self, conn: Conn, now: Now, effects: &mut Effects) {
        let Some((jid, id)) = self.connections.bound(conn) else { return };
        let Some(account) = self.residences.get_mut(jid) else { return };
        if let Some(session) = account.session_mut(id) {
            session.drained(effects);
            offline::read(account, &mut self.desk.turn(now, effects));
        }
    }

    pub(super) fn tick(&mut self, now: Now, effects: &mut Effects) {
        while let Some(timer) = self.timers.due(now.mono_ms, &self.connections, &self.residences) {
            match timer {
                Timer::Login(conn) => self.misbehaved(conn, &Misbehaved::SlowLogin, now, effects),
                Timer::Detached(jid, id) => self.forget_session(&jid, id, now, effects),
            }
        }
    }

    /// A stanza of a bound stream.
    fn stanza(&mut self, conn: Conn, mut stanza: crate::stanza::Stanza, now: Now, effects: &mut Effects) {
        let Some((jid, id)) = self.connections.bound(conn) else { return };
        let Some(account) = self.residences.get_mut(jid) else { return };
        let Some(session) = account.session_mut(id) else { return };
        if policy::outgoing::stamp(session, &mut stanza).is_err() {
            self.misbehaved(conn, &Misbehaved::ForgedFrom, now, effects);
            return;
        }
        self.desk.counters.stanzas_in += 1;
        let jid = account.jid.clone();
        let Some(passage) = self.received_stanza(conn, &jid, id, &stanza, effects) else { return };
        let before = self.begin(Some(passage));
        if let Some(account) = self.residences.get_mut(&jid) {
            policy::outgoing::take(account, id, stanza, &mut self.desk.turn(now, effects));
        }
        self.end(before, now, effects);
    }
}

/// What a stream may use.
pub(super) fn surroundings<'a>(
    desk: &'a mut super::Desk,
    bound_features: &'a [u8],
    effects: &'a mut Effects,
) -> Surroundings<'a> {
    Surroundings { config: &desk.config, bound_features, dice: &mut desk.dice, effects }
}

//! From a proven account to a session: credentials, bind (RFC 6120 section 7), stream management (XEP-0198 sections 3 to 5).

use super::Shard;
use super::connections::surroundings;
use super::residence::{Door, Visitor, Wish};
use crate::effect::{Effect, Effects, HashJob};
use crate::input::{Conn, Now};
use crate::jid::Jid;
use crate::ns;
use crate::policy;
use crate::policy::management::write_failed;
use crate::session::{Session, SessionId};
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Question, Verifiers};
use crate::stream::{Ending, Event, LoginAnswer, Misbehaved, Nonza, Stream};
use crate::turn::{Hashing, Then};
use crate::xml::Element;

impl Shard {
    pub(super) fn look_up(&mut self, conn: Conn, account: Jid, effects: &mut Effects) {
        effects.push(Effect::Pause { conn });
        let ticket = self.asked.issue((Then::Credentials(conn), None));
        effects.push(Effect::Ask { ticket, question: Question::Credentials { account } });
    }

    pub(super) fn check_password(
        &mut self,
        conn: Conn,
        password: Box<str>,
        verifiers: Box<Verifiers>,
        effects: &mut Effects,
    ) {
        effects.push(Effect::Pause { conn });
        let ticket = self.hashing.issue((Hashing::Login(conn), None));
        effects.push(Effect::Hash { ticket, job: HashJob::Check { password, verifiers } });
    }

    /// A login goes on with what the store or the hashing said.
    pub(super) fn answer_login(&mut self, conn: Conn, answer: LoginAnswer<'_>, now: Now, effects: &mut Effects) {
        let Some(mut stream) = self.connections.take(conn) else { return };
        let step = stream.answer_login(answer, &mut surroundings(&mut self.desk, &self.bound_features, effects));
        match step {
            Ok(Some(Event::LoggedIn(account))) => {
                let leftover = stream.take_backlog();
                if self.logged_in(conn, &account, &leftover, effects) {
                    return;
                }
                stream.keep(&leftover);
                self.connections.put(conn, stream);
                self.go_on(conn, now, effects);
            }
            Ok(Some(Event::CheckPassword { password, verifiers })) => {
                self.connections.put(conn, stream);
                self.check_password(conn, password, verifiers, effects);
            }
            Ok(_) => {
                self.connections.put(conn, stream);
                self.go_on(conn, now, effects);
            }
            Err(sin) => {
                self.connections.put(conn, stream);
                self.misbehaved(conn, &sin, now, effects);
            }
        }
    }

    /// A stream wants a session, and its account must be resident first. Called while the stream is at work.
    pub(super) fn wish(&mut self, conn: Conn, stream: &mut Stream, wish: Wish, now: Now, effects: &mut Effects) {
        let Some(jid) = self.connections.account(conn).cloned() else { return };
        match self.residences.knock(&jid, Visitor::Client { conn, wish }) {
            Door::Open(Visitor::Client { wish, .. }) => self.fulfil(conn, stream, &jid, &wish, now, effects),
            Door::Open(Visitor::Stanza(_) | Visitor::Sessions) => {}
            Door::Load => {
                effects.push(Effect::Pause { conn });
                self.load(jid, effects);
            }
            Door::Wait => effects.push(Effect::Pause { conn }),
            Door::Full(_) => self.close(conn, Ending::Constraint, now, effects),
        }
    }

    /// The account is resident now: the bind or resumption goes on.
    pub(super) fn wish_loaded(&mut self, conn: Conn, jid: &Jid, wish: &Wish, now: Now, effects: &mut Effects) {
        let Some(mut stream) = self.connections.take(conn) else { return };
        self.fulfil(conn, &mut stream, jid, wish, now, effects);
        self.connections.put(conn, stream);
        self.go_on(conn, now, effects);
    }

    fn fulfil(&mut self, conn: Conn, stream: &mut Stream, jid: &Jid, wish: &Wish, now: Now, effects: &mut Effects) {
        match wish {
            Wish::Bind { id, resource } => self.bind_here(conn, stream, jid, id, resource.as_deref(), now, effects),
            Wish::Resume { previous, handled } => {
                self.resume_here(conn, stream, jid, (previous, *handled), now, effects)
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what the client asked and where; a struct would be made only for this call"
    )]
    fn bind_here(
        &mut self,
        conn: Conn,
        stream: &mut Stream,
        jid: &Jid,
        iq_id: &str,
        resource: Option<&str>,
        now: Now,
        effects: &mut Effects,
    ) {
        let reply = Stanza::new(Kind::Iq(IqType::Set), None, None).with_id(iq_id);
        let chosen = resource.map_or_else(|| self.desk.dice.token().into_boxed_str(), Into::into);
        let Ok(full) = jid.with_resource(&chosen) else {
            stream.refuse_bind();
            write_error(conn, &reply, Condition::BadRequest.into(), effects);
            return;
        };
        let Some(account) = self.residences.get_mut(jid) else { return };
        // RFC 6120 section 7.7.2.2: the older session gives way.
        let older = full.resource().and_then(|resource| account.resource(resource)).map(|older| (older.id, older.conn));
        if let Some((older, connection)) = older {
            if let Some(connection) = connection {
                self.close(connection, Ending::Conflict, now, effects);
            }
            self.forget_session(jid, older, now, effects);
        }
        let Some(account) = self.residences.get_mut(jid) else { return };
        if !account.has_room(&self.desk.config) {
            stream.refuse_bind();
            write_error(conn, &reply, Condition::ResourceConstraint.into(), effects);
            return;
        }
        self.next_session += 1;
        let session = SessionId(self.next_session);
        let mut bound = Session::new(session, full.clone(), conn, stream.lang().map(Into::into));
        bound.since = account.next_id(now.unix_ms);
        account.sessions.push(bound);
        self.connections.bind(conn, session);
        stream.bound(self.desk.config.limits.stanza_bytes);
        let bind = Element::new("bind", ns::BIND).with_child(Element::new("jid", ns::BIND).with_text(full.as_str()));
        let mut payload = Vec::new();
        bind.write_to(&mut payload, ns::CLIENT);
        effects.send(conn, |out| reply.result(&payload).write_to(out));
    }

    /// A client comes back to an earlier session, which it names, with what it handled. Only the account's own sessions are looked
    /// through, so nobody resumes another's.
    fn resume_here(
        &mut self,
        conn: Conn,
        stream: &mut Stream,
        jid: &Jid,
        (previous, handled): (&str, u32),
        now: Now,
        effects: &mut Effects,
    ) {
        let names = |session: &&Session| session.resumption.as_ref().is_some_and(|known| *known.token == *previous);
        let found = self.residences.get(jid).and_then(|account| account.sessions.iter().find(names));
        let Some((id, older)) = found.map(|session| (session.id, session.conn)) else {
            stream.refuse_bind();
            write_failed(conn, Condition::ItemNotFound, effects);
            return;
        };
        if let Some(older) = older {
            // The server has not noticed yet that the old connection is dead.
            self.close(older, Ending::Conflict, now, effects);
        }
        let Some(session) = self.residences.get_mut(jid).and_then(|account| account.session_mut(id)) else {
            stream.refuse_bind();
            write_failed(conn, Condition::ItemNotFound, effects);
            return;
        };
        let was_restored = session.outbox.restored_count().is_some();
        let settled = match session.attach(conn, handled) {
            Ok(settled) => settled,
            Err(too_high) => {
                let sin = Misbehaved::AcknowledgedTooMuch { handled, sent: too_high.sent };
                self.misbehaved(conn, &sin, now, effects);
                return;
            }
        };
        let counted = session.intake.resume().to_string();
        let resumed = Element::new("resumed", ns::SM).with_attr("previd", previous).with_attr("h", counted);
        effects.send(conn, |out| resumed.write_to(out, ns::CLIENT));
        if let Some(account) = self.residences.get_mut(jid) {
            policy::management::resumed(account, id, settled, was_restored, &mut self.desk.turn(now, effects));
            if let Some(session) = account.session_mut(id) {
                session.drained(effects);
            }
        }
        self.connections.bind(conn, id);
        stream.bound(self.desk.config.limits.stanza_bytes);
        self.desk.counters.resumptions += 1;
    }

    /// Any other nonza of a logged-in stream.
    pub(super) fn nonza(&mut self, conn: Conn, nonza: &Nonza, now: Now, effects: &mut Effects) {
        let bound = self.connections.bound(conn).map(|(jid, id)| (jid.clone(), id));
        let account = bound.and_then(|(jid, id)| Some((self.residences.get_mut(&jid)?, id)));
        let Some((account, id)) = account else {
            // XEP-0198 section 3: not before a resource is bound.
            write_failed(conn, Condition::UnexpectedRequest, effects);
            return;
        };
        let mut turn = self.desk.turn(now, effects);
        match nonza {
            Nonza::Enable { resume, max } => {
                if !policy::management::manage(account, id, *resume, *max, &mut turn) {
                    write_failed(conn, Condition::UnexpectedRequest, effects);
                }
            }
            Nonza::Request => {
                if let Some(session) = account.session_mut(id) {
                    session.intake.ask();
                }
                policy::saving::acknowledge(account, id, &mut turn);
            }
            Nonza::Acknowledge(handled) => {
                if let Err(too_high) = policy::management::acknowledged(account, id, *handled, &mut turn) {
                    let sin = Misbehaved::AcknowledgedTooMuch { handled: *handled, sent: too_high.sent };
                    self.misbehaved(conn, &sin, now, effects);
                }
            }
            Nonza::Active => {
                let Some(session) = account.session_mut(id) else { return };
                session.client_state.activate();
                if session.release(now, &self.desk.config.limits, effects).is_err() {
                    self.misbehaved(conn, &Misbehaved::DoesNotRead, now, effects);
                }
            }
            Nonza::Inactive => {
                if let Some(session) = account.session_mut(id) {
                    session.client_state.deactivate();
                }
            }
            Nonza::Resume { .. } => write_failed(conn, Condition::UnexpectedRequest, effects),
            Nonza::Malformed => write_failed(conn, Condition::BadRequest, effects),
        }
    }

    /// A stanza that is wrong in itself: its sender hears why.
    pub(super) fn refused(
        &mut self,
        conn: Conn,
        mut stanza: Stanza,
        error: &StanzaError,
        now: Now,
        effects: &mut Effects,
    ) {
        self.desk.counters.stanzas_refused += 1;
        if let Some((jid, id)) = self.connections.bound(conn)
            && let Some(account) = self.residences.get_mut(jid)
            && let Some(session) = account.session_mut(id)
        {
            if policy::outgoing::stamp(session, &mut stanza).is_err() {
                self.misbehaved(conn, &Misbehaved::ForgedFrom, now, effects);
                return;
            }
            if let Some(bounce) = stanza.bounce(error) {
                account.send(id, bounce, &mut self.desk.turn(now, effects));
            }
            let jid = jid.clone();
            let passage = self.received_stanza(conn, &jid, id, &stanza, effects);
            let before = self.begin(passage);
            self.end(before, now, effects);
            return;
        }
        stanza.from = None;
        write_error(conn, &stanza, error.clone(), effects);
    }
}

/// An error on a stream that has no session yet.
fn write_error(conn: Conn, stanza: &Stanza, error: StanzaError, effects: &mut Effects) {
    if let Some(bounce) = stanza.bounce(&error) {
        effects.send(conn, |out| bounce.write_to(out));
    }
}

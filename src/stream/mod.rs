//! The XML stream of a client (RFC 6120 sections 4 to 7): the ladder from header over TLS and SASL to a bound resource.
//!
//! A stream frames, negotiates and answers what needs nobody else; everything it cannot decide alone leaves
//! [`Stream::next`] as an [`Event`]. It knows no accounts and no other streams.

mod header;
mod login;
mod misbehaved;
mod nonza;

pub use login::LoginAnswer;
pub use misbehaved::{Ending, Misbehaved};
pub use nonza::Nonza;

use crate::config::Config;
use crate::dice::Dice;
use crate::effect::{Effect, Effects};
use crate::input::{Conn, TlsFacts};
use crate::jid::Jid;
use crate::stanza::{Condition, IqType, Kind, ReadError, Stanza, StanzaError};
use crate::store::Verifiers;
use crate::xml::{Element, Frame, Framed, Framer};
use crate::{limits, ns};
use login::Login;

/// What a stream needs from its surroundings for one turn.
pub struct Surroundings<'a> {
    /// What is served, and how.
    pub config: &'a Config,
    /// Stream features of a logged-in stream, from the features table: complete elements.
    pub bound_features: &'a [u8],
    /// For stream ids and nonces.
    pub dice: &'a mut Dice,
    /// Where answers go.
    pub effects: &'a mut Effects,
}

/// What a stream cannot decide alone.
#[derive(Debug)]
pub enum Event {
    /// Look up how this account proves itself, then call [`Stream::answer_login`].
    Credentials(Jid),
    /// Hash this password off the core, then call [`Stream::answer_login`].
    CheckPassword {
        /// As prepared.
        password: Box<str>,
        /// What it should fit.
        verifiers: Box<Verifiers>,
    },
    /// The login succeeded: take the connection to the account's home.
    LoggedIn(Jid),
    /// Bind a resource, then call [`Stream::bound`] or [`Stream::refuse_bind`].
    Bind {
        /// Of the iq.
        id: Box<str>,
        /// What the client wishes, prepared by nobody yet.
        resource: Option<Box<str>>,
    },
    /// A nonza of a logged-in stream. After [`Nonza::Resume`] before a bind, call [`Stream::bound`] or [`Stream::refuse_bind`].
    Nonza(Nonza),
    /// A stanza of a bound stream.
    Stanza(Stanza),
    /// A stanza that is wrong in itself; the sender gets this error.
    Refused(Box<Stanza>, StanzaError),
    /// The client ended the stream.
    Ended,
}

/// Where a stream stands.
#[derive(Debug)]
enum Rung {
    /// In the clear: only STARTTLS is offered.
    Clear,
    /// Encrypted: SASL.
    Login(Box<Login>),
    /// Logged in: bind or resume.
    Bind,
    /// Stanzas flow.
    Bound,
}

/// One client's stream.
#[derive(Debug)]
pub struct Stream {
    conn: Conn,
    framer: Framer,
    rung: Rung,
    /// The client's header was read since the last restart, and ours was sent.
    open: bool,
    /// An answer from elsewhere is awaited; bytes that arrive meanwhile wait in `backlog`.
    waiting: bool,
    backlog: Vec<u8>,
    domain: Box<str>,
    lang: Option<Box<str>>,
    /// The whole login must be done by then (monotonic clock); none once bound.
    deadline_ms: Option<u64>,
}

impl Stream {
    /// A stream on a connection that was just accepted, in the clear until [`Stream::secured`].
    #[must_use]
    pub fn new(conn: Conn, now_ms: u64, config: &Config) -> Self {
        Self {
            conn,
            framer: Framer::new(limits::UNAUTHENTICATED_STANZA_BYTES),
            rung: Rung::Clear,
            open: false,
            waiting: false,
            backlog: Vec::new(),
            domain: config.domains[0].name.clone(),
            lang: None,
            deadline_ms: Some(now_ms + limits::LOGIN_MS),
        }
    }

    /// A stream that was logged in on another shard: its next bytes are the header of RFC 6120 section 6.3.2.
    #[must_use]
    pub fn arrived(conn: Conn, account: &Jid, now_ms: u64, config: &Config) -> Self {
        Self {
            conn,
            framer: Framer::new(config.limits.stanza_bytes),
            rung: Rung::Bind,
            open: false,
            waiting: false,
            backlog: Vec::new(),
            domain: account.domain().into(),
            lang: None,
            deadline_ms: Some(now_ms + limits::LOGIN_MS),
        }
    }

    /// TLS is there: the stream starts anew and may log in.
    pub fn secured(&mut self, tls: Box<TlsFacts>) {
        self.framer.restart();
        self.open = false;
        self.waiting = false;
        self.rung = Rung::Login(Box::new(Login::new(tls)));
    }

    /// Until when the login must be done; none once bound.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.deadline_ms
    }

    /// Default language of its stanzas.
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.lang.as_deref()
    }

    /// True while an answer is awaited and [`Stream::next`] does nothing.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Keeps bytes until the awaited answer is there. Bounded: the shard pauses reading meanwhile.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.backlog.extend_from_slice(bytes);
    }

    /// The bytes that were kept.
    pub fn take_backlog(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.backlog)
    }

    /// Goes on with `input`, advancing it, until something leaves that others must decide. None when all is consumed or
    /// an answer is awaited.
    ///
    /// # Errors
    /// A sin of the peer: the stream must be closed with it.
    pub fn next(&mut self, input: &mut &[u8], around: &mut Surroundings<'_>) -> Result<Option<Event>, Misbehaved> {
        while !self.waiting {
            // The framer is borrowed by the frame, so it steps aside for the ladder's own fields.
            let Self { framer, rung, conn, .. } = self;
            let Some(frame) = framer.next(input).map_err(Misbehaved::Xml)? else { return Ok(None) };
            let event = match frame {
                Frame::Header(tag) => {
                    let header = header::read_client_header(&tag, around.config)?;
                    if matches!(rung, Rung::Bind) && header.domain != self.domain {
                        // The login was for the account's domain; another one needs its own.
                        return Err(Misbehaved::NotLoggedIn);
                    }
                    self.open(header, around);
                    None
                }
                Frame::Footer => Some(Event::Ended),
                Frame::Element(framed) => match rung {
                    Rung::Clear => {
                        if !framed.tag().is("starttls", ns::TLS) {
                            return Err(Misbehaved::NotLoggedIn);
                        }
                        // Before `<proceed/>`: behind it the error would have to be encrypted.
                        // Compat: go-sendxmpp ends its lines; white space says nothing that could be injected.
                        if !input.trim_ascii_start().is_empty() {
                            return Err(Misbehaved::PipelinedStartTls);
                        }
                        *input = &[];
                        around.effects.send(*conn, |out| {
                            out.extend_from_slice(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                        });
                        around.effects.push(Effect::Secure { conn: *conn });
                        // Nothing more is read in the clear.
                        self.waiting = true;
                        return Ok(None);
                    }
                    Rung::Login(login) => login.element(&framed, *conn, &self.domain, around)?,
                    Rung::Bind => before_bind(&framed)?,
                    Rung::Bound => Some(bound_element(&framed)?),
                },
            };
            if let Some(event) = event {
                return Ok(Some(self.leave(event)));
            }
        }
        Ok(None)
    }

    /// Notes what an event means for the stream itself before it leaves.
    fn leave(&mut self, event: Event) -> Event {
        match &event {
            Event::Credentials(_) | Event::CheckPassword { .. } | Event::Bind { .. } => self.waiting = true,
            Event::Nonza(Nonza::Resume { .. }) if matches!(self.rung, Rung::Bind) => self.waiting = true,
            Event::LoggedIn(_) => self.logged_in(),
            Event::Nonza(_) | Event::Stanza(_) | Event::Refused(..) | Event::Ended => {}
        }
        event
    }

    fn logged_in(&mut self) {
        self.framer.restart();
        self.open = false;
        self.waiting = false;
        self.rung = Rung::Bind;
    }

    fn open(&mut self, header: header::ClientHeader, around: &mut Surroundings<'_>) {
        self.domain = header.domain;
        self.lang = header.lang;
        self.open = true;
        let id = around.dice.token();
        around.effects.send(self.conn, |out| {
            header::write_header(&id, &self.domain, header.from.as_deref(), out);
            out.extend_from_slice(b"<stream:features>");
            match &self.rung {
                Rung::Clear => {
                    out.extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>");
                }
                Rung::Login(login) => login.write_features(out),
                Rung::Bind | Rung::Bound => {
                    out.extend_from_slice(b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
                    out.extend_from_slice(around.bound_features);
                }
            }
            out.extend_from_slice(b"</stream:features>");
        });
    }

    /// Goes on with a login that waited.
    ///
    /// # Errors
    /// If this was one wrong try too many.
    pub fn answer_login(
        &mut self,
        answer: LoginAnswer<'_>,
        around: &mut Surroundings<'_>,
    ) -> Result<Option<Event>, Misbehaved> {
        self.waiting = false;
        let Rung::Login(login) = &mut self.rung else { return Ok(None) };
        let event = login.answer(answer, self.conn, around)?;
        Ok(event.map(|event| self.leave(event)))
    }

    /// The resource is bound: stanzas may flow.
    pub fn bound(&mut self, stanza_bytes: usize) {
        self.waiting = false;
        self.deadline_ms = None;
        self.rung = Rung::Bound;
        self.framer.set_stanza_bytes(stanza_bytes);
    }

    /// The bind or resumption was refused: the client may try again.
    pub fn refuse_bind(&mut self) {
        self.waiting = false;
    }

    /// Writes the error for a sin and the end of the stream; the caller closes the connection.
    pub fn end(&self, write_error: impl FnOnce(&mut Vec<u8>), around: &mut Surroundings<'_>) {
        let id = (!self.open).then(|| around.dice.token());
        around.effects.send(self.conn, |out| {
            // RFC 6120 section 4.9.1.1: an error before our header still needs one.
            if let Some(id) = id {
                header::write_header(&id, &self.domain, None, out);
            }
            write_error(out);
            out.extend_from_slice(b"</stream:stream>");
        });
    }
}

/// Between login and bind only bind, resume and the old session request make sense (RFC 6120 section 7).
fn before_bind(framed: &Framed<'_>) -> Result<Option<Event>, Misbehaved> {
    if let Some(nonza) = Nonza::read(framed.tag()) {
        return Ok(Some(Event::Nonza(nonza)));
    }
    let stanza = match Stanza::read(framed, ns::CLIENT) {
        Ok(stanza) => stanza,
        Err(ReadError::Refused(stanza, error)) => return Ok(Some(Event::Refused(stanza, error))),
        Err(ReadError::NotAStanza) => return Err(Misbehaved::NotLoggedIn),
    };
    let request = stanza.first_element();
    if stanza.kind == Kind::Iq(IqType::Get) && request.as_ref().is_some_and(|bind| bind.is("bind", ns::BIND)) {
        // RFC 6120 section 7.7.1: it is a set.
        return Ok(Some(Event::Refused(Box::new(stanza), Condition::BadRequest.into())));
    }
    match (&stanza.id, request) {
        (Some(id), Some(bind)) if stanza.is_request() && bind.is("bind", ns::BIND) => {
            let resource = bind.child("resource", ns::BIND).map(Element::text).filter(|text| !text.is_empty());
            Ok(Some(Event::Bind { id: id.clone(), resource: resource.map(|text| text.as_ref().into()) }))
        }
        // RFC 6120 section 7.1: until then no stanza goes anywhere.
        _ => Err(Misbehaved::NotLoggedIn),
    }
}

fn bound_element(framed: &Framed<'_>) -> Result<Event, Misbehaved> {
    match Stanza::read(framed, ns::CLIENT) {
        Ok(stanza) => Ok(Event::Stanza(stanza)),
        Err(ReadError::Refused(stanza, error)) => Ok(Event::Refused(stanza, error)),
        Err(ReadError::NotAStanza) => Nonza::read(framed.tag()).map(Event::Nonza).ok_or(Misbehaved::UnknownElement),
    }
}

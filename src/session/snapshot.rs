//! A session as bytes, so that it outlives the server (XEP-0198 section 5).
//!
//! Messages that are stored are only named, and errors of messages are written out. Other stanzas are written out on an orderly
//! stop and lost in a crash, where only their number is left.

use std::collections::BTreeSet;

use super::coding::{put, put_bytes, take, take_bytes, take_text};
use super::{CurrentPresence, Given, Owed, Session};
use crate::jid::Jid;
use crate::limits;
use crate::stanza::{Kind, MessageType, Stanza};

/// The first byte; another one means nothing to this server.
const VERSION: u64 = 1;

const CARBON: u64 = 1;
const WAITS: u64 = 2;

/// One stanza that was owed.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// It is lost, only its number is left.
    Vacant,
    /// A stored message.
    Stored(Given),
    /// A stanza that is stored nowhere else, and when it was handed to the session (unix ms).
    Whole(Stanza, u64),
}

/// What is stored of a session.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// See [`super::Resumption`].
    pub token: Box<str>,
    /// The same.
    pub max_seconds: u32,
    /// See [`Session`] for these.
    pub resource: Box<str>,
    /// When it was bound, as the account counts.
    pub since: u64,
    /// See [`Session::carbons`].
    pub carbons: Option<u64>,
    /// See [`Session::takes`].
    pub takes: Option<u64>,
    /// See [`Session::wants_roster`].
    pub wants_roster: bool,
    /// See [`Session::wants_blocklist`].
    pub wants_blocklist: bool,
    /// See [`Session::lang`].
    pub lang: Option<Box<str>>,
    /// See [`Session::presence`].
    pub presence: Option<CurrentPresence>,
    /// See [`Session::directed`].
    pub directed: Vec<Jid>,
    /// See [`super::Intake::before`].
    pub before: u64,
    /// See [`super::Intake::done`].
    pub done: u64,
    /// See [`super::Outbox::acknowledged`].
    pub acknowledged: u32,
    /// Of messages up to this id, `places` says everything.
    pub newest: u64,
    /// It was written on an orderly stop: what `places` say is all that the client may have got.
    pub is_complete: bool,
    /// What was owed, oldest first.
    pub places: Vec<Place>,
    /// How many of them the client may have got; none for all.
    pub restored: Option<usize>,
    /// See [`super::Intake::beyond`].
    pub beyond: BTreeSet<u64>,
}

impl Snapshot {
    /// Writes a session that may be resumed; `newest` is the account's newest id. `complete` on an orderly stop: stanzas that
    /// are stored nowhere else are written out, up to [`limits::SNAPSHOT_BYTES`].
    #[must_use]
    pub fn write(session: &Session, newest: u64, complete: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        put(&mut out, VERSION);
        let (token, max_seconds) =
            session.resumption.as_ref().map_or(("", 0), |known| (&*known.token, known.max_seconds));
        put_bytes(&mut out, token.as_bytes());
        put(&mut out, u64::from(max_seconds));
        put_bytes(&mut out, session.jid.resource().unwrap_or_default().as_bytes());
        put(&mut out, session.since);
        put(&mut out, session.carbons.unwrap_or(0));
        put(&mut out, session.takes.unwrap_or(0));
        put(&mut out, u64::from(session.wants_roster) | u64::from(session.wants_blocklist) << 1);
        put_bytes(&mut out, session.lang.as_deref().unwrap_or_default().as_bytes());
        let mut presence = Vec::new();
        if let Some(current) = &session.presence {
            presence.push(current.priority.cast_unsigned());
            if current.stanza.weight() <= limits::SNAPSHOT_PRESENCE_BYTES {
                current.stanza.write_to(&mut presence);
            } else {
                current.stanza.clone().with_payload(&[]).write_to(&mut presence);
            }
        }
        put_bytes(&mut out, &presence);
        put(&mut out, session.directed.len() as u64);
        for jid in &session.directed {
            put_bytes(&mut out, jid.as_str().as_bytes());
        }
        put(&mut out, session.intake.before());
        put(&mut out, session.intake.done());
        put(&mut out, u64::from(session.outbox.acknowledged()));
        put(&mut out, newest);
        put(&mut out, u64::from(complete));
        write_places(session, complete, &mut out);
        put(&mut out, session.outbox.restored_count().map_or(0, |count| count as u64 + 1));
        for number in session.intake.beyond() {
            put(&mut out, number);
        }
        out
    }

    /// Reads what was written; none if it means nothing to this server.
    #[must_use]
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        if take(from)? != VERSION {
            return None;
        }
        let some = |id: u64| (id > 0).then_some(id);
        let token = take_text(from)?.into();
        let max_seconds = u32::try_from(take(from)?).ok()?;
        let resource = take_text(from)?.into();
        let (since, carbons, takes) = (take(from)?, some(take(from)?), some(take(from)?));
        let wants = take(from)?;
        let lang = Some(take_text(from)?).filter(|lang| !lang.is_empty()).map(Into::into);
        let presence = match take_bytes(from)?.split_first() {
            None => None,
            Some((priority, stanza)) => {
                Some(CurrentPresence { stanza: Stanza::from_stored(stanza)?, priority: priority.cast_signed() })
            }
        };
        let mut directed = Vec::new();
        for _ in 0..take(from)? {
            directed.extend(Jid::parse(take_text(from)?).ok());
        }
        Some(Self {
            token,
            max_seconds,
            resource,
            since,
            carbons,
            takes,
            wants_roster: wants & 1 != 0,
            wants_blocklist: wants & 2 != 0,
            lang,
            presence,
            directed,
            before: take(from)?,
            done: take(from)?,
            acknowledged: u32::try_from(take(from)?).ok()?,
            newest: take(from)?,
            is_complete: take(from)? == 1,
            places: read_places(from)?,
            restored: match take(from)? {
                0 => None,
                more => Some(usize::try_from(more - 1).ok()?),
            },
            // The rest.
            beyond: std::iter::from_fn(|| take(from)).collect(),
        })
    }
}

fn write_places(session: &Session, complete: bool, out: &mut Vec<u8>) {
    // The newest stanzas that fit are written out: what is older was likely read.
    let mut room = limits::SNAPSHOT_BYTES;
    let mut places: Vec<(&Owed, bool)> = Vec::new();
    for owed in session.outbox.owed().rev() {
        let weight = owed.stanza.weight();
        // What tells of a message that was not stored must outlive the acknowledgement of that.
        let is_wanted = complete || owed.stanza.kind == Kind::Message(MessageType::Error);
        let fits = is_wanted && !is_stored(owed) && !owed.is_vacant && weight <= room;
        room -= if fits { weight } else { 0 };
        places.push((owed, fits));
    }
    put(out, places.len() as u64);
    for (owed, is_whole) in places.into_iter().rev() {
        match owed.given.filter(|given| given.is_stored) {
            Some(given) if !owed.is_vacant => {
                put(out, 1);
                put(out, given.id);
                put(out, if given.is_carbon { CARBON } else { 0 } | if given.waits { WAITS } else { 0 });
            }
            _ if is_whole => {
                put(out, 2);
                put(out, owed.at_ms);
                let mut stanza = Vec::with_capacity(owed.stanza.weight());
                owed.stanza.write_to(&mut stanza);
                put_bytes(out, &stanza);
            }
            _ => put(out, 0),
        }
    }
}

fn is_stored(owed: &Owed) -> bool {
    owed.given.is_some_and(|given| given.is_stored)
}

fn read_places(from: &mut &[u8]) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    for _ in 0..take(from)? {
        places.push(match take(from)? {
            0 => Place::Vacant,
            1 => {
                let (id, flags) = (take(from)?, take(from)?);
                let (is_carbon, waits) = (flags & CARBON != 0, flags & WAITS != 0);
                Place::Stored(Given { id, is_stored: true, is_held: false, is_carbon, waits })
            }
            2 => {
                let at_ms = take(from)?;
                Place::Whole(Stanza::from_stored(take_bytes(from)?)?, at_ms)
            }
            _ => return None,
        });
    }
    Some(places)
}

//! Sessions that a lost server left behind come back (XEP-0198 section 5): out of what was stored of them, and of the traces of
//! messages that came later.

use std::collections::{BTreeMap, VecDeque};

use crate::account::Account;
use crate::features::{carbons, delayed, keeping};
use crate::jid::Jid;
use crate::session::{Given, Intake, Outbox, Owed, Place, Resumption, Session, SessionId, Snapshot, Trace, UNKNOWN};
use crate::stanza::{Kind, PresenceType, Stanza};
use crate::store::{StoredSession, Traced};

/// Adds the stored sessions to an account that was just loaded, detached until `ends_ms` of each; `name` gives each its id.
pub fn restore(
    account: &mut Account,
    stored: &[StoredSession],
    since: &[Traced],
    mut name: impl FnMut() -> SessionId,
    ends_ms: impl Fn(u32) -> u64,
) {
    let traces: Vec<Trace> = since.iter().map(|traced| Trace::read(&traced.trace)).collect();
    for stored in stored {
        let Some(snapshot) = Snapshot::read(&stored.state) else { continue };
        let Ok(jid) = account.jid.with_resource(&snapshot.resource) else { continue };
        // Ids that were given to what is stored nowhere count too, whatever the clock says now.
        account.newest = account.newest.max(snapshot.newest);
        let outbox = outbox(account, &jid, stored.number, &snapshot, since, &traces);
        let mut session = Session::detached(name(), jid, ends_ms(snapshot.max_seconds));
        session.intake = intake(stored.number, &snapshot, since, &traces);
        session.outbox = outbox;
        session.since = snapshot.since;
        session.carbons = snapshot.carbons;
        session.takes = snapshot.takes;
        session.wants_roster = snapshot.wants_roster;
        session.wants_blocklist = snapshot.wants_blocklist;
        session.lang = snapshot.lang;
        session.presence = snapshot.presence;
        session.directed = snapshot.directed;
        let mut resumption = Resumption::new(snapshot.token, snapshot.max_seconds, stored.number);
        resumption.floor = stored.floor;
        (resumption.missed, resumption.is_complete) = (!snapshot.is_complete, snapshot.is_complete);
        resumption.is_announced = true;
        session.resumption = Some(resumption);
        account.sessions.push(session);
    }
}

/// What the client sent: everything up to the snapshot, and beyond it the messages whose copies follow each other.
fn intake(number: u8, snapshot: &Snapshot, since: &[Traced], traces: &[Trace]) -> Intake {
    // An earlier session may have had its number.
    let own = since.iter().zip(traces).filter(|(traced, _)| traced.id > snapshot.since).map(|(_, trace)| trace);
    let sendings = own.filter_map(|trace| trace.sending).filter(|sending| sending.session == number);
    // By number: a later one may have been stored before an earlier one.
    let later: BTreeMap<u64, u64> = sendings
        .filter(|sending| sending.number > snapshot.done)
        .map(|sending| (sending.number, sending.before))
        .collect();
    let mut done = snapshot.done;
    let mut known = snapshot.beyond.clone();
    for (number, before) in later {
        if before <= done {
            done = number;
        } else {
            known.insert(number);
        }
    }
    known = known.split_off(&(done + 1));
    while known.remove(&(done + 1)) {
        done += 1;
    }
    Intake::restored(snapshot.before, done, known)
}

/// What the client was owed: what the snapshot says, and beyond it what the traces say.
fn outbox(account: &Account, jid: &Jid, number: u8, snapshot: &Snapshot, since: &[Traced], traces: &[Trace]) -> Outbox {
    let mut acknowledged = snapshot.acknowledged;
    // What the client may have got, by its number above what was acknowledged; and what it cannot have got.
    let mut places: BTreeMap<u32, Owed> = BTreeMap::new();
    let mut later: Vec<Owed> = Vec::new();
    let written = snapshot.restored.unwrap_or(snapshot.places.len());
    for (offset, place) in (1_u32..).zip(&snapshot.places) {
        let owed = match place {
            Place::Vacant => None,
            Place::Whole(stanza, at_ms) => {
                Some(Owed { stanza: stanza.clone(), at_ms: *at_ms, given: None, is_vacant: false })
            }
            Place::Stored(given) => since
                .binary_search_by_key(&given.id, |traced| traced.id)
                .ok()
                .and_then(|place| message(account, jid, &since[place], *given)),
        };
        if offset as usize <= written {
            places.insert(offset, owed.unwrap_or_else(vacant));
        } else {
            later.extend(owed);
        }
    }
    for (traced, trace) in since.iter().zip(traces).filter(|(traced, _)| traced.id > snapshot.newest) {
        for receiving in trace.receiving.iter().filter(|receiving| receiving.session == number) {
            // Numbers are modulo 2^32: counted from what was acknowledged they are small.
            let news = receiving.acknowledged.wrapping_sub(acknowledged);
            if news < UNKNOWN && news > 0 {
                places = places.split_off(&(news + 1)).into_iter().map(|(at, owed)| (at - news, owed)).collect();
                acknowledged = receiving.acknowledged;
            }
            let given = Given {
                id: traced.id,
                is_stored: true,
                is_held: false,
                is_carbon: receiving.is_carbon,
                waits: traced.uses.waits,
            };
            let Some(owed) = message(account, jid, traced, given) else { continue };
            match receiving.number.wrapping_sub(acknowledged) {
                offset if offset < UNKNOWN => drop(places.insert(offset, owed)),
                _ => later.push(owed),
            }
        }
    }
    let last = places.last_key_value().map_or(0, |(offset, _)| *offset);
    let mut queue: VecDeque<Owed> = (1..=last).map(|offset| places.remove(&offset).unwrap_or_else(vacant)).collect();
    let written = queue.len();
    queue.extend(later);
    Outbox::restored(acknowledged, queue, written)
}

/// A stored message as the session had it, with the time of its arrival.
fn message(account: &Account, jid: &Jid, traced: &Traced, given: Given) -> Option<Owed> {
    let at_ms = traced.id >> 20;
    let stanza = keeping::again(account, &traced.stanza, traced.id, traced.uses.archived)?;
    let stanza = if given.is_carbon {
        Stanza { to: Some(jid.clone()), ..carbons::again(account, &stanza) }
    } else {
        delayed::stamp(stanza, account.jid.domain(), at_ms)
    };
    Some(Owed { stanza, at_ms, given: Some(given), is_vacant: false })
}

fn vacant() -> Owed {
    let stanza = Stanza::new(Kind::Presence(PresenceType::Unavailable), None, None);
    Owed { stanza, at_ms: 0, given: None, is_vacant: true }
}

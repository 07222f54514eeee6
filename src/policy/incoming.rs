//! A stanza reaches an account (RFC 6121 section 8): the features look at it, then the delivery table says who gets it.

use super::{presence, requests};
use crate::account::Account;
use crate::account::delivery::{Addressed, Delivery, deliver};
use crate::features::{FEATURES, Flow, keeping};
use crate::limits;
use crate::session::{Given, Session, SessionId};
use crate::stanza::{Condition, Kind, Stanza};
use crate::turn::Turn;

/// Takes a stanza for this account or one of its sessions.
pub fn take(account: &mut Account, mut stanza: Stanza, turn: &mut Turn<'_>) {
    if let Some(held) = account.flush.as_ref().map(Vec::len)
        && follows(account, &stanza)
    {
        if held >= limits::LOADING_STANZAS {
            turn.counters.dropped += 1;
            turn.give_up(&stanza, Condition::ResourceConstraint);
        } else if let Some(held) = &mut account.flush {
            stanza.passage = turn.take_passage();
            held.push(stanza);
        }
        return;
    }
    for incoming in FEATURES.iter().filter_map(|feature| feature.incoming) {
        if let Flow::Stop = incoming(account, &mut stanza, turn) {
            return;
        }
    }
    let (delivery, matching) = destination(account, &stanza);
    match delivery {
        Delivery::Session => hand_over(account, stanza, matching.as_slice(), turn),
        Delivery::NonNegative => {
            let targets = targets(account, |session| session.priority().is_some_and(|priority| priority >= 0));
            hand_over(account, stanza, &targets, turn);
        }
        Delivery::Available => {
            let targets = targets(account, Session::is_available);
            hand_over(account, stanza, &targets, turn);
        }
        Delivery::Account => match stanza.kind {
            Kind::Presence(_) => presence::take(account, stanza, turn),
            Kind::Iq(_) | Kind::Message(_) => requests::public(account, &stanza, turn),
        },
        Delivery::Offline => keeping::wait(account, stanza, turn),
        Delivery::Refuse => turn.refuse(&stanza, &Condition::ServiceUnavailable.into()),
        Delivery::Drop => {}
    }
}

/// Where it goes, and which session its full JID names.
fn destination(account: &Account, stanza: &Stanza) -> (Delivery, Option<SessionId>) {
    let matching = stanza.to.as_ref().and_then(|to| to.resource()).map(|resource| account.resource(resource));
    let (addressed, matching) = match matching {
        None => (Addressed::Bare, None),
        Some(Some(session)) => (Addressed::FullMatching, Some(session.id)),
        Some(None) => (Addressed::FullNotMatching, None),
    };
    let sessions = account.sessions.iter().map(|session| (session.is_available(), session.priority().unwrap_or(0)));
    (deliver(stanza.kind, addressed, sessions), matching)
}

/// A message may not overtake those that waited and are being read (RFC 6120 section 10.1). Also one for a full JID: among
/// those that waited may be one for the same, sent before its session came. And one that is to wait, because nobody is there
/// any more: those that came while they were read are not stored yet.
fn follows(account: &Account, stanza: &Stanza) -> bool {
    use Delivery::{NonNegative, Offline, Session};
    stanza.is_message() && matches!(destination(account, stanza).0, NonNegative | Session | Offline)
}

fn targets(account: &Account, wanted: impl Fn(&Session) -> bool) -> Vec<SessionId> {
    account.sessions.iter().filter(|session| wanted(session)).map(|session| session.id).collect()
}

fn hand_over(account: &mut Account, stanza: Stanza, targets: &[SessionId], turn: &mut Turn<'_>) {
    if stanza.is_message() {
        keeping::hand_over(account, stanza, targets, turn);
        return;
    }
    if let Some((last, others)) = targets.split_last() {
        for target in others {
            account.send(*target, stanza.clone(), turn);
        }
        account.send(*last, stanza, turn);
    }
}

/// A message that a session gives back goes to others. True if it waits in the store until one of them acknowledges it, so
/// that it is found there should the server be lost before.
pub fn again(account: &mut Account, stanza: &Stanza, given: Given, turn: &mut Turn<'_>) -> bool {
    let targets = match destination(account, stanza) {
        (Delivery::Session, matching) => matching.into_iter().collect(),
        (Delivery::NonNegative, _) => {
            targets(account, |session| session.priority().is_some_and(|priority| priority >= 0))
        }
        _ => Vec::new(),
    };
    let acknowledges = |id: &SessionId| account.session(*id).is_some_and(|session| session.outbox.is_managed());
    let waits = given.waits || (given.is_stored && targets.iter().all(acknowledges));
    for target in &targets {
        // Whoever is owed a carbon of it (XEP-0280) gets that, and it waits until they have it.
        let gets_carbon =
            waits && account.session_mut(*target).is_some_and(|session| session.outbox.wait_for(given.id));
        if !gets_carbon {
            account.give(*target, stanza.clone(), Given { waits, ..given }, turn);
        }
    }
    waits
}

//! The end of a session (RFC 6121 section 4.5, XEP-0198 section 5): contacts hear of it, and what it did not acknowledge goes elsewhere.

use super::{incoming, presence, saving};
use crate::account::Account;
use crate::features::archive::rules;
use crate::features::{keeping, offline};
use crate::session::{Given, Owed, Session, SessionId};
use crate::stanza::{Condition, Kind, MessageType, Stanza};
use crate::store::Question;
use crate::turn::{Then, Turn};

/// Ends a session whose connection is closed or being closed. Its own last presence, if it said one, was announced before.
pub fn end(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    // Its last word is said: the broadcast must not reach it.
    session.conn = None;
    presence::unavailable(account, id, None, turn);
    let Some(index) = account.sessions.iter().position(|session| session.id == id) else { return };
    let mut session = account.sessions.remove(index);
    // What was held back for an inactive client is presence and chat states: of no use to anybody now.
    session.client_state.take();
    let mut waiting = Vec::new();
    for Owed { stanza, given, is_vacant, .. } in session.outbox.take() {
        if !is_vacant {
            waiting.extend(give_back(account, &session, stanza, given, turn));
        }
    }
    // Some may be written already, by sessions that acknowledge nothing.
    offline::read(account, turn);
    wait(account, waiting, turn);
    if let Some(resumption) = &session.resumption {
        let forget_upto = saving::floor_of_others(account, id);
        let (jid, key, number) = (account.jid.clone(), account.key, resumption.number);
        let question = Question::DropSession { account: jid.clone(), key, number, forget_upto };
        turn.ask(question, Then::Saved(jid));
    }
}

/// Stored messages wait for whoever comes next. Those that do already need not be told so; whoever else has one may have ended
/// that.
fn wait(account: &mut Account, given: Vec<Given>, turn: &mut Turn<'_>) {
    let ids: Vec<u64> = given.iter().filter(|given| !given.waits).map(|given| given.id).collect();
    if ids.is_empty() {
        return;
    }
    account.waiting += ids.len() as u32;
    account.unsure.extend(given.iter().filter(|given| given.is_held && !given.waits).map(|given| given.id));
    let question = Question::KeepWaiting { account: account.jid.clone(), key: account.key, ids };
    turn.ask(question, Then::Saved(account.jid.clone()));
}

/// A stanza that the session `lost` never acknowledged: what is to wait for the account, if nobody else takes it.
fn give_back(
    account: &mut Account,
    lost: &Session,
    stanza: Stanza,
    given: Option<Given>,
    turn: &mut Turn<'_>,
) -> Option<Given> {
    match (stanza.kind, given) {
        // What it copies was for another session, which got it or gives it back itself.
        (Kind::Message(_), Some(Given { is_carbon: true, .. })) => None,
        (Kind::Message(MessageType::Chat | MessageType::Normal), Some(given)) => {
            let waits = || Some(given).filter(|given| given.is_stored && rules::waits(&stanza));
            if account.sessions.iter().all(|session| session.takes.is_none()) {
                // What is held and has no place of its own goes on its way again when the store has answered.
                if !given.is_stored && !given.is_held {
                    keeping::wait_after_all(account, &stanza, given, turn);
                }
                return waits();
            }
            // Whoever was there when it came had it too: as a carbon if it was for the lost session alone, and came to it at
            // once; what waited in the store is handed over without carbons.
            let alone = stanza.to.as_ref() == Some(&lost.jid);
            let had = |session: &Session| {
                let since = if alone { session.carbons.filter(|_| lost.since < given.id) } else { session.takes };
                // A carbon that is still owed may end with its session, and nobody would give it back.
                since.is_some_and(|since| since < given.id)
                    && !(alone && session.outbox.owes(|owed| owed.is_carbon && owed.id == given.id))
            };
            if account.sessions.iter().any(had) {
                return None;
            }
            incoming::again(account, &stanza, given, turn).then(waits).flatten()
        }
        (Kind::Iq(_), _) if stanza.is_request() => {
            turn.refuse(&stanza, &Condition::ServiceUnavailable.into());
            None
        }
        _ => None,
    }
}

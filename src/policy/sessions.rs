//! The end of a session (RFC 6121 section 4.5, XEP-0198 section 5): contacts hear of it, and what it did not acknowledge goes elsewhere.

use super::{incoming, presence};
use crate::account::Account;
use crate::features::offline;
use crate::session::{Owed, Session, SessionId};
use crate::stanza::{Condition, Kind, MessageType, Stanza};
use crate::turn::Turn;

/// Ends a session whose connection is closed or being closed. Its own last presence, if it said one, was announced before.
pub fn end(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    // Its last word is said: the broadcast must not reach it.
    session.conn = None;
    presence::unavailable(account, id, None, turn);
    let Some(index) = account.sessions.iter().position(|session| session.id == id) else { return };
    let mut session = account.sessions.remove(index);
    let held = session.client_state.take();
    let owed = session.outbox.take();
    let now_ms = turn.now.unix_ms;
    for Owed { stanza, at_ms } in owed.into_iter().chain(held.into_iter().map(|stanza| Owed { stanza, at_ms: now_ms }))
    {
        give_back(account, stanza, at_ms, turn);
    }
}

/// A stanza that a session never acknowledged.
fn give_back(account: &mut Account, stanza: Stanza, at_ms: u64, turn: &mut Turn<'_>) {
    match stanza.kind {
        Kind::Message(MessageType::Chat | MessageType::Normal) => {
            let others_take = |session: &Session| session.priority().is_some_and(|priority| priority >= 0);
            if !account.sessions.iter().any(others_take) {
                offline::keep(account, stanza, at_ms, turn);
            } else if stanza.to.as_ref().is_some_and(|to| !to.is_bare())
                && !account.sessions.iter().any(|session| others_take(session) && session.carbons)
            {
                // It was for the lost resource alone, and no carbon told the others.
                incoming::take(account, stanza, turn);
            }
        }
        Kind::Iq(_) if stanza.is_request() => turn.refuse(&stanza, &Condition::ServiceUnavailable.into()),
        _ => {}
    }
}

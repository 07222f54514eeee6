//! The end of a session (RFC 6121 section 4.5, XEP-0198 section 5): contacts hear of it, and what it did not acknowledge goes elsewhere.

use super::{incoming, presence};
use crate::account::Account;
use crate::features::{carbons, offline, stanza_ids};
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
        give_back(account, &session, stanza, at_ms, turn);
    }
}

/// A stanza that the session `lost` never acknowledged.
fn give_back(account: &mut Account, lost: &Session, stanza: Stanza, at_ms: u64, turn: &mut Turn<'_>) {
    match stanza.kind {
        // What it copies was for another session, which got it or gives it back itself.
        Kind::Message(_) if carbons::is_copy(account, &stanza) => {}
        Kind::Message(MessageType::Chat | MessageType::Normal) => {
            if account.sessions.iter().all(|session| session.takes.is_none()) {
                offline::keep(account, stanza, at_ms, turn);
                return;
            }
            // Whoever was there when it came had it too: as a carbon if it was for the lost session alone, and came to it at
            // once; what waited in the store is handed over without carbons.
            let alone = stanza.to.as_ref() == Some(&lost.jid);
            let given = stanza_ids::given(account, &stanza).unwrap_or(u64::MAX);
            let had = |session: &Session| {
                let since = if alone { session.carbons.filter(|_| lost.since < given) } else { session.takes };
                // A carbon that is still owed may end with its session, and nobody would give it back.
                since.is_some_and(|since| since < given)
                    && !(alone && session.outbox.owes(|stanza| carbons::copies(stanza, given)))
            };
            if !account.sessions.iter().any(had) {
                incoming::take(account, stanza, turn);
            }
        }
        Kind::Iq(_) if stanza.is_request() => turn.refuse(&stanza, &Condition::ServiceUnavailable.into()),
        _ => {}
    }
}

//! Sessions are stored (XEP-0198 section 5), so that clients come back to them after the server was lost or stopped.

use super::management;
use crate::account::Account;
use crate::session::{Due, Session, SessionId, Snapshot};
use crate::store::{Question, StoredSession};
use crate::turn::{Then, Turn};

/// Stores a session that may be resumed, completely on an orderly stop. While that is under way another change only makes it
/// happen again, so that many changes cost few writes; but not on a stop, when nobody may be left to hear the answer.
pub fn save(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let newest = account.newest;
    let Some(session) = account.session_mut(id) else { return };
    let done = session.intake.done();
    let Some(resumption) = &mut session.resumption else { return };
    if resumption.saving.is_some() && !turn.is_stopping {
        resumption.is_dirty = true;
        return;
    }
    (resumption.saving, resumption.is_dirty, resumption.unsaved) = (Some(done), false, 0);
    let number = resumption.number;
    let session = &*session;
    let state = Snapshot::write(session, newest, turn.is_stopping).into();
    let stored = Box::new(StoredSession { number, floor: floor_of(session, newest), state });
    let (jid, key, forget_upto) = (account.jid.clone(), account.key, floor(account));
    let question = Question::SaveSession { account: jid.clone(), key, session: stored, forget_upto };
    turn.ask(question, Then::SessionSaved { account: jid, session: id });
}

/// A session is stored, or could not be.
pub fn saved(account: &mut Account, id: SessionId, is_stored: bool, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    let Some(resumption) = &mut session.resumption else { return };
    let (done, is_dirty) = (resumption.saving.take(), resumption.is_dirty);
    let is_announced = resumption.is_announced;
    if !is_announced && !is_stored {
        session.resumption = None;
    }
    if !is_announced {
        management::announce(account, id, turn);
    }
    let Some(session) = account.session_mut(id) else { return };
    if !(is_stored && is_dirty) {
        session.go_on(turn.effects);
    }
    if is_stored {
        session.intake.saved(done.unwrap_or(0));
        acknowledge(account, id, turn);
        if is_dirty {
            turn.save_session(&account.jid, id);
        }
    } else if let Some(handled) = session.intake.save_failed() {
        session.write_acknowledgement(handled, turn.effects);
    }
}

/// Tells the client what is done, if it wants to know and may.
pub fn acknowledge(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    if session.resumption.as_ref().is_some_and(|known| !known.is_announced) {
        return;
    }
    match session.intake.due(session.resumption.is_some()) {
        Due::Nothing => {}
        Due::Tell(handled) => session.write_acknowledgement(handled, turn.effects),
        Due::Save => turn.save_session(&account.jid, id),
    }
}

/// Messages up to this id tell nothing that a session of the account would need, be it stored or give them back at its end.
#[must_use]
pub fn floor(account: &Account) -> u64 {
    account.sessions.iter().map(|session| floor_of(session, account.newest)).min().unwrap_or(account.newest)
}

fn floor_of(session: &Session, newest: u64) -> u64 {
    let owed =
        session.outbox.owed().filter_map(|owed| owed.given).filter(|given| given.is_stored).map(|given| given.id);
    let needed = owed.chain(session.intake.oldest_copy()).min();
    needed.map_or(newest, |oldest| newest.min(oldest.saturating_sub(1)))
}

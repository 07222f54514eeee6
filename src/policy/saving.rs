//! Sessions are stored (XEP-0198 section 5), so that clients come back to them after the server was lost or stopped.

use super::management;
use crate::account::Account;
use crate::session::{Due, Saving, Session, SessionId, Snapshot};
use crate::store::{Question, StoredSession};
use crate::turn::{Then, Turn};

/// Stores a session that may be resumed, completely on an orderly stop. While that is under way another change only makes it
/// happen again, so that many changes cost few writes; but not on a stop, when nobody may be left to hear the answer.
pub fn save(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let newest = account.newest;
    let Some(session) = account.session_mut(id) else { return };
    let saving = Saving { done: session.intake.done(), floor: floor_of(session, newest) };
    let Some(resumption) = &mut session.resumption else { return };
    if resumption.saving.is_some() && !turn.is_stopping {
        resumption.is_dirty = true;
        return;
    }
    (resumption.saving, resumption.is_dirty, resumption.is_complete) = (Some(saving), false, false);
    let number = resumption.number;
    let session = &*session;
    let state = Snapshot::write(session, newest, turn.is_stopping).into();
    let stored = Box::new(StoredSession { number, floor: saving.floor, state });
    // What is forgotten is forgotten together with what is stored now.
    let forget_upto = floor_of_others(account, id).min(saving.floor);
    let (jid, key) = (account.jid.clone(), account.key);
    let question = Question::SaveSession { account: jid.clone(), key, session: stored, forget_upto };
    turn.ask(question, Then::SessionSaved { account: jid, session: id });
}

/// A session is stored, or could not be.
pub fn saved(account: &mut Account, id: SessionId, is_stored: bool, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    let Some(resumption) = &mut session.resumption else { return };
    let (saving, is_dirty) = (resumption.saving.take(), resumption.is_dirty);
    let is_announced = resumption.is_announced;
    if let Some(saving) = saving.filter(|_| is_stored) {
        resumption.floor = saving.floor;
        session.intake.saved(saving.done);
    } else if !is_announced && !is_stored {
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

/// Messages up to this id tell nothing that a session of the account, but this one, would need: as it is now, be it to be stored
/// or to give them back at its end; or as it is stored, for a crash.
#[must_use]
pub fn floor_of_others(account: &Account, but: SessionId) -> u64 {
    let others = account.sessions.iter().filter(|session| session.id != but);
    let stored = |session: &Session| session.resumption.as_ref().map_or(u64::MAX, |known| known.floor);
    others.map(|session| floor_of(session, account.newest).min(stored(session))).min().unwrap_or(account.newest)
}

fn floor_of(session: &Session, newest: u64) -> u64 {
    let owed =
        session.outbox.owed().filter_map(|owed| owed.given).filter(|given| given.is_stored).map(|given| given.id);
    let needed = owed.chain(session.intake.oldest_copy()).min();
    needed.map_or(newest, |oldest| newest.min(oldest.saturating_sub(1)))
}

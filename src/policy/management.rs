//! Stream management of a session (XEP-0198 sections 3 to 5): it begins, the client acknowledges, the client comes back.

use super::presence;
use crate::account::Account;
use crate::effect::Effects;
use crate::features::offline;
use crate::input::Conn;
use crate::ns;
use crate::session::{Resumption, Session, SessionId, TooHigh};
use crate::stanza::Condition;
use crate::turn::Turn;
use crate::xml::Element;

/// Stanzas are counted from now on (XEP-0198 section 3), and the client may come back to the session if it wants to, for at most
/// `max` seconds if it names a time. False if they are counted already.
pub fn manage(account: &mut Account, id: SessionId, resume: bool, max: Option<u32>, turn: &mut Turn<'_>) -> bool {
    let taken = |number: &u8| {
        account.sessions.iter().any(|session| session.resumption.as_ref().is_some_and(|known| known.number == *number))
    };
    let number = (1..128).find(|number| !taken(number));
    if let Some(known) = account.session_mut(id).and_then(|session| session.resumption.as_mut())
        && !known.is_announced
    {
        known.asked_again = true;
        return true;
    }
    let is_new = |session: &&mut Session| !session.outbox.is_managed() && session.resumption.is_none();
    let Some(session) = account.session_mut(id).filter(is_new) else { return false };
    session.intake.manage();
    session.outbox.manage();
    let sessions = &turn.config.sessions;
    let seconds = max.unwrap_or(sessions.resume_seconds).min(sessions.resume_max_seconds);
    if let Some(number) = number.filter(|_| resume && seconds > 0) {
        session.resumption = Some(Resumption::new(turn.dice.token().into(), seconds, number));
        // The client hears of it when it is stored, so that it finds it again whatever happens; and counts what comes behind
        // that, so nothing is written before.
        session.awaits_store = true;
        turn.save_session(&account.jid, id);
    } else {
        announce(account, id, turn);
    }
    true
}

/// Tells the client that a request of stream management failed.
pub fn write_failed(conn: Conn, condition: Condition, effects: &mut Effects) {
    let failed = Element::new("failed", ns::SM).with_child(Element::new(condition.name(), ns::STANZA_ERRORS));
    effects.send(conn, |out| failed.write_to(out, ns::CLIENT));
}

/// Tells the client that stanzas are counted from here, and how it comes back if it may.
pub fn announce(account: &mut Account, id: SessionId, turn: &mut Turn<'_>) {
    let Some(session) = account.session_mut(id) else { return };
    let mut enabled = Element::new("enabled", ns::SM);
    let mut asked_again = false;
    if let Some(known) = &mut session.resumption {
        asked_again = std::mem::take(&mut known.asked_again);
        known.is_announced = true;
        enabled = enabled
            .with_attr("id", &*known.token)
            .with_attr("resume", "true")
            .with_attr("max", known.max_seconds.to_string());
    }
    if let Some(conn) = session.conn {
        turn.effects.send(conn, |out| enabled.write_to(out, ns::CLIENT));
        if asked_again {
            write_failed(conn, Condition::UnexpectedRequest, turn.effects);
        }
    }
}

/// The client acknowledges.
///
/// # Errors
/// [`TooHigh`] if it counts what was never sent.
pub fn acknowledged(account: &mut Account, id: SessionId, handled: u32, turn: &mut Turn<'_>) -> Result<(), TooHigh> {
    let Some(session) = account.session_mut(id) else { return Ok(()) };
    let has = session.acknowledge(handled, turn.effects)?;
    offline::settled(account, has, turn);
    Ok(())
}

/// A client is back in its session and has these messages. If the server was lost meanwhile, it hears who is there, and what waits
/// for the account.
pub fn resumed(account: &mut Account, id: SessionId, has: Vec<u64>, was_restored: bool, turn: &mut Turn<'_>) {
    offline::settled(account, has, turn);
    if !was_restored {
        return;
    }
    turn.save_session(&account.jid, id);
    let Some(session) = account.session_mut(id) else { return };
    session.awaits_store = true;
    let missed = session.resumption.as_mut().is_some_and(|known| std::mem::take(&mut known.missed));
    let (full, is_available, takes) = (session.jid.clone(), session.is_available(), session.takes.is_some());
    if is_available && missed {
        presence::greet(account, id, &full, turn);
    }
    if takes {
        offline::available(account, id, turn);
    }
}

//! The end of a session (RFC 6121 section 4.5, XEP-0198 section 5): contacts hear of it, and what it did not acknowledge goes elsewhere.

use super::{incoming, presence, saving};
use crate::account::Account;
use crate::effect::Effects;
use crate::features::archive::rules;
use crate::features::offline;
use crate::input::Conn;
use crate::ns;
use crate::session::{Given, Owed, Resumption, Session, SessionId, Settled, TooHigh};
use crate::stanza::{Condition, Kind, MessageType, Stanza};
use crate::store::Question;
use crate::turn::{Then, Turn};
use crate::xml::Element;

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
    wait(account, waiting, turn);
    if let Some(resumption) = &session.resumption {
        let forget_upto = saving::floor(account);
        let (jid, key, number) = (account.jid.clone(), account.key, resumption.number);
        let question = Question::DropSession { account: jid.clone(), key, number, forget_upto };
        turn.ask(question, Then::Saved(jid));
    }
}

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
    let sessions = &turn.config.sessions;
    let seconds = max.unwrap_or(sessions.resume_seconds).min(sessions.resume_max_seconds);
    if let Some(number) = number.filter(|_| resume && seconds > 0) {
        session.resumption = Some(Resumption::new(turn.dice.token().into(), seconds, number));
        // The client hears of it when it is stored, so that it finds it again whatever happens.
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
    session.outbox.manage();
    if let Some(conn) = session.conn {
        turn.effects.send(conn, |out| enabled.write_to(out, ns::CLIENT));
        if asked_again {
            write_failed(conn, Condition::UnexpectedRequest, turn.effects);
        }
    }
    // What is written only now counts for the client, and no trace says so.
    if session.resumption.is_some() && !session.outbox.is_empty() {
        session.awaits_store = true;
        turn.save_session(&account.jid, id);
    }
}

/// The client acknowledges.
///
/// # Errors
/// [`TooHigh`] if it counts what was never sent.
pub fn acknowledged(account: &mut Account, id: SessionId, handled: u32, turn: &mut Turn<'_>) -> Result<(), TooHigh> {
    let Some(session) = account.session_mut(id) else { return Ok(()) };
    let has = session.acknowledge(handled, turn.effects)?;
    offline::settled(account, &has, turn);
    Ok(())
}

/// A client is back in its session and has these messages. If the server was lost meanwhile, it hears what its contacts said
/// since, and what waits for the account.
pub fn resumed(account: &mut Account, id: SessionId, has: &Settled, was_restored: bool, turn: &mut Turn<'_>) {
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
        presence::probe(account, &full, turn);
    }
    if takes {
        offline::available(account, id, turn);
    }
}

/// Stored messages wait for whoever comes next.
fn wait(account: &mut Account, given: Vec<Given>, turn: &mut Turn<'_>) {
    if given.is_empty() {
        return;
    }
    account.waiting += given.iter().map(|given| u32::from(!given.waits)).sum::<u32>();
    let ids = given.iter().map(|given| given.id).collect();
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
            // What is not stored, since it means nothing later, is no loss.
            let waits = || Some(given).filter(|given| given.is_stored && rules::waits(&stanza));
            if account.sessions.iter().all(|session| session.takes.is_none()) {
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

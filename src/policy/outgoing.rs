//! A stanza leaves a session (RFC 6120 section 8.1, RFC 6120 section 10.3): stamped, looked at by the features, sent on its way.

use super::{presence, requests};
use crate::account::Account;
use crate::account::subscription::Action;
use crate::features::{FEATURES, Flow};
use crate::session::{Session, SessionId};
use crate::stanza::{IqType, Kind, PresenceType, Stanza};
use crate::turn::Turn;

/// The sender put somebody else's address into `from` (RFC 6120 section 8.1.2.1): `invalid-from`.
#[derive(Debug, PartialEq, Eq)]
pub struct Forged;

/// Writes the sender's full JID and its stream's language into a stanza.
///
/// # Errors
/// [`Forged`] if the stanza claims another sender.
pub fn stamp(session: &Session, stanza: &mut Stanza) -> Result<(), Forged> {
    if let Some(from) = &stanza.from
        && *from != session.jid
        && !(from.is_bare() && from.same_bare(&session.jid))
    {
        return Err(Forged);
    }
    stanza.from = Some(session.jid.clone());
    if stanza.lang.is_none() {
        stanza.lang.clone_from(&session.lang);
    }
    Ok(())
}

/// Takes a stamped stanza of one of the account's sessions.
pub fn take(account: &mut Account, session: SessionId, mut stanza: Stanza, turn: &mut Turn<'_>) {
    for outgoing in FEATURES.iter().filter_map(|feature| feature.outgoing) {
        if let Flow::Stop = outgoing(account, session, &mut stanza, turn) {
            return;
        }
    }
    match stanza.kind {
        Kind::Presence(kind) => match (&stanza.to, Action::of(kind)) {
            (None, None) => presence::announce(account, session, stanza, turn),
            // Subscription stanzas go to somebody (RFC 6121 section 3.1.2).
            (None, Some(_)) => {}
            (Some(_), Some(action)) => presence::subscription_out(account, action, stanza, turn),
            (Some(to), None) => {
                if matches!(kind, PresenceType::Available | PresenceType::Unavailable)
                    && let Some(known) = account.session_mut(session)
                {
                    known.remember_directed(to, kind == PresenceType::Available);
                    account.changed(session, turn);
                }
                // A room stores who is in it.
                turn.pass_on(stanza);
            }
        },
        Kind::Iq(kind) => {
            let to_self = stanza.to.as_ref().is_none_or(|to| *to == account.jid);
            let to_server = stanza.to.as_ref().is_some_and(|to| to.is_domain() && turn.is_local(to));
            if !to_self && !to_server {
                match kind {
                    // What it changes there is stored before it is done.
                    IqType::Set => turn.pass_on(stanza),
                    IqType::Get | IqType::Result | IqType::Error => turn.route(stanza),
                }
            } else if stanza.is_request() {
                requests::own(account, session, stanza, to_server, turn);
            }
            // Results and errors to the account itself answer a push: nobody waits for them.
        }
        Kind::Message(_) => {
            // RFC 6120 section 10.3.1: without an address it is for the own account.
            stanza.to.get_or_insert_with(|| account.jid.clone());
            turn.pass_on(stanza);
        }
    }
}

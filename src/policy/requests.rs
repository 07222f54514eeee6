//! Requests that an account or the server itself answers (RFC 6120 section 8.2.3), by the features' table.

use crate::account::Account;
use crate::features::{Answered, FEATURES, Handler, Reply};
use crate::session::SessionId;
use crate::stanza::{Condition, Stanza};
use crate::turn::Turn;
use crate::xml::Element;

/// A request of one of the account's sessions to its own account or, if `to_server`, to its domain.
pub fn own(account: &mut Account, session: SessionId, mut stanza: Stanza, to_server: bool, turn: &mut Turn<'_>) {
    // A result comes from whom the request was sent to; one to nobody in particular comes from the account.
    stanza.to.get_or_insert_with(|| account.jid.clone());
    let at_home = stanza.to.as_ref().is_none_or(|to| to.domain() == account.jid.domain());
    let answered = find(&stanza, |handler| match handler {
        Handler::Own(_) | Handler::Public(_) => !to_server,
        Handler::OwnAnywhere(_) => at_home,
        Handler::Server(_) => to_server,
    })
    .map(|(handler, request)| match handler {
        Handler::Own(handle) | Handler::OwnAnywhere(handle) => handle(account, session, &stanza, &request, turn),
        Handler::Public(handle) => handle(account, &stanza, &request, turn),
        Handler::Server(handle) => handle(&stanza, &request, turn),
    });
    answer(&stanza, answered, turn);
}

/// A request of somebody else to this account.
pub fn public(account: &mut Account, stanza: &Stanza, turn: &mut Turn<'_>) {
    let answered =
        find(stanza, |handler| matches!(handler, Handler::Public(_))).map(|(handler, request)| match handler {
            Handler::Public(handle) => handle(account, stanza, &request, turn),
            Handler::Own(_) | Handler::OwnAnywhere(_) | Handler::Server(_) => Err(Condition::ServiceUnavailable.into()),
        });
    answer(stanza, answered, turn);
}

/// A request to a domain, from somebody who has no account here.
pub fn server(stanza: &Stanza, turn: &mut Turn<'_>) {
    let answered =
        find(stanza, |handler| matches!(handler, Handler::Server(_))).map(|(handler, request)| match handler {
            Handler::Server(handle) => handle(stanza, &request, turn),
            Handler::Own(_) | Handler::OwnAnywhere(_) | Handler::Public(_) => Err(Condition::ServiceUnavailable.into()),
        });
    answer(stanza, answered, turn);
}

/// The handler for the request's only child, of those that `fits`.
fn find(stanza: &Stanza, fits: impl Fn(Handler) -> bool) -> Option<(Handler, Element)> {
    let child = stanza.children().next()?;
    let handler = FEATURES
        .iter()
        .flat_map(|feature| feature.iqs)
        .find(|iq| iq.namespace == child.ns && iq.name == child.name && fits(iq.handler))?
        .handler;
    Some((handler, stanza.first_element()?))
}

fn answer(stanza: &Stanza, answered: Option<Answered>, turn: &mut Turn<'_>) {
    match answered {
        Some(Ok(Reply::Result(payload))) => turn.route(stanza.result(&payload)),
        Some(Ok(Reply::Later)) => {}
        Some(Err(error)) => turn.refuse(stanza, &error),
        // RFC 6120 section 8.4: nobody here knows this namespace.
        None => turn.refuse(stanza, &Condition::ServiceUnavailable.into()),
    }
}

//! Last activity (XEP-0012): of an account, for who may see its presence; of the server, its uptime.

use super::{Answered, Feature, Flow, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{Condition, Stanza};
use crate::turn::Turn;
use crate::xml::Element;

const LAST: &str = "jabber:iq:last";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0012",
    title: "Last Activity",
    version: "2.0",
    server: &[LAST],
    account: &[LAST],
    iqs: &[
        IqHandler { namespace: LAST, name: "query", handler: Handler::Public(account) },
        IqHandler { namespace: LAST, name: "query", handler: Handler::Server(server) },
    ],
    incoming: Some(incoming),
    ..Feature::NONE
};

/// Section 4: a question to one of the account's resources does not even reach it if its sender may not see the presence.
fn incoming(account: &mut Account, stanza: &mut Stanza, turn: &mut Turn<'_>) -> Flow {
    if !stanza.is_request()
        || stanza.to.as_ref().is_none_or(Jid::is_bare)
        || !stanza.has_child("query", LAST)
        || stanza.from.as_ref().is_some_and(|from| account.shows_presence_to(from))
    {
        return Flow::Continue;
    }
    turn.refuse(stanza, &Condition::Forbidden.into());
    Flow::Stop
}

/// Section 3: only who may see the presence may know this.
fn account(account: &mut Account, stanza: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    if !stanza.from.as_ref().is_some_and(|from| account.shows_presence_to(from)) {
        return Err(Condition::Forbidden.into());
    }
    if account.available().next().is_some() {
        return Ok(result(0, ""));
    }
    match &account.last {
        Some((at_ms, status)) => Ok(result(turn.now.unix_ms.saturating_sub(*at_ms) / 1000, status)),
        None => Err(Condition::ItemNotFound.into()),
    }
}

fn server(_: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    Ok(result(turn.now.mono_ms / 1000, ""))
}

fn result(seconds: u64, status: &str) -> Reply {
    let query = Element::new("query", LAST).with_attr("seconds", seconds.to_string()).with_text(status);
    Reply::Result(query.to_bytes(ns::CLIENT))
}

//! The archive of messages (XEP-0313): what goes into it, and how its owner reads it.

pub mod page;
mod preferences;
mod query;
pub mod retraction;
pub mod rules;
#[cfg(test)]
mod tests;

use super::{Answered, Feature, Handler, IqHandler, Reply, delayed};
use crate::account::Account;
use crate::archive_id::{ArchiveIds, LAST_ID};
use crate::jid::Jid;
use crate::ns;
use crate::session::SessionId;
use crate::stanza::{Condition, IqType, Kind, Stanza};
use crate::store::{AccountKey, Answer, Archived, Question, StoreFault};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";
/// XEP-0424.
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
/// XEP-0424 section 4.
pub const RETRACT_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0313",
    title: "Message Archive Management",
    version: "1.1.3",
    account: &[MAM, "urn:xmpp:mam:2#extended", "urn:xmpp:mam:2#groupchat-field"],
    iqs: &[
        IqHandler { namespace: MAM, name: "query", handler: Handler::Own(query) },
        IqHandler { namespace: MAM, name: "metadata", handler: Handler::Own(metadata) },
        IqHandler { namespace: MAM, name: "query", handler: Handler::Public(of_another) },
        IqHandler { namespace: MAM, name: "metadata", handler: Handler::Public(of_another) },
    ],
    ..Feature::NONE
};

/// The table's line for the forms that queries are made of.
pub(super) const FORMS: Feature =
    Feature { document: "XEP-0004", title: "Data Forms (of queries)", version: "2.13.2", ..Feature::NONE };

/// The table's line for paging.
pub(super) const PAGING: Feature =
    Feature { document: "XEP-0059", title: "Result Set Management", version: "1.0", account: &[RSM], ..Feature::NONE };

/// The table's line for preferences.
pub(super) const PREFERENCES: Feature = Feature {
    document: "XEP-0441",
    title: "Message Archive Management Preferences",
    version: "0.2.0",
    iqs: &[
        IqHandler { namespace: MAM, name: "prefs", handler: Handler::Own(preferences::prefs) },
        IqHandler { namespace: MAM, name: "prefs", handler: Handler::Public(of_another) },
    ],
    ..Feature::NONE
};

/// The table's line for retraction: of one-to-one messages, in the archives of both sides.
pub(super) const RETRACTION: Feature = Feature {
    document: "XEP-0424",
    title: "Message Retraction (tombstones in the archive)",
    version: "0.4.2",
    server: &[RETRACT, RETRACT_TOMBSTONE],
    account: &[RETRACT, RETRACT_TOMBSTONE],
    ..Feature::NONE
};

/// An archive that is read: an account's own, or a room's.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    /// The account or room.
    pub jid: &'a Jid,
    /// What the store calls it.
    pub key: AccountKey,
    /// Its ids as clients see them.
    pub ids: ArchiveIds,
    /// The last id that may be found: what came later may still get company from before it.
    pub settled: u64,
}

impl<'a> Archive<'a> {
    fn of(account: &'a Account) -> Self {
        Self { jid: &account.jid, key: account.key, ids: account.ids, settled: account.settled().min(LAST_ID) }
    }
}

/// A request about a room's archive, of somebody who may read it (XEP-0313 section 8.2).
///
/// # Errors
/// What is wrong with it.
pub fn ask_in_room(of: &Archive<'_>, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let is_get = stanza.kind == Kind::Iq(IqType::Get);
    match &*request.name {
        "query" if is_get => Ok(Reply::Result(query::fields())),
        "query" => {
            let reading = query::read(of, SessionId(0), stanza, request, turn.config)?;
            page::ask(reading, turn);
            Ok(Reply::Later)
        }
        "metadata" if is_get => {
            ask_ends(of, stanza, turn);
            Ok(Reply::Later)
        }
        _ => Err(Condition::ServiceUnavailable.into()),
    }
}

/// XEP-0313 section 8.1.
fn of_another(_: &mut Account, _: &Stanza, _: &Element, _: &mut Turn<'_>) -> Answered {
    Err(Condition::Forbidden.into())
}

fn query(account: &mut Account, id: SessionId, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    if stanza.kind == Kind::Iq(IqType::Get) {
        return Ok(Reply::Result(query::fields()));
    }
    let reading = query::read(&Archive::of(account), id, stanza, request, turn.config)?;
    page::begin(account, reading, turn)?;
    Ok(Reply::Later)
}

/// XEP-0313 section 5.
fn metadata(account: &mut Account, _: SessionId, stanza: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    if stanza.kind != Kind::Iq(IqType::Get) {
        return Err(Condition::BadRequest.into());
    }
    ask_ends(&Archive::of(account), stanza, turn);
    Ok(Reply::Later)
}

fn ask_ends(of: &Archive<'_>, stanza: &Stanza, turn: &mut Turn<'_>) {
    let question = Question::ArchiveEnds { account: of.jid.clone(), key: of.key, upto: of.settled };
    turn.ask(question, Then::ArchiveEnds { request: Box::new(stanza.clone()), ids: of.ids });
}

/// The store has found the ends.
pub fn ends(ids: &ArchiveIds, request: &Stanza, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    let Ok(Answer::Messages(ends)) = answer else {
        return turn.refuse(request, &Condition::InternalServerError.into());
    };
    let end = |name: &str, message: &Archived| {
        Element::new(name, MAM)
            .with_attr("id", ids.text(message.id))
            .with_attr("timestamp", delayed::date_time_ms(message.id >> 20))
    };
    let mut metadata = Element::new("metadata", MAM);
    // One message is both ends.
    if let (Some(first), Some(last)) = (ends.first(), ends.last()) {
        metadata = metadata.with_child(end("start", first)).with_child(end("end", last));
    }
    turn.route(request.result(&metadata.to_bytes(ns::CLIENT)));
}

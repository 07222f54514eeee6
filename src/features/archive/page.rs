//! A page of an archive on its way to the client (XEP-0313 sections 4.2 and 4.3): questions until it is full, then the
//! messages, then `<fin/>`.

use super::{Archive, MAM, RSM, delayed};
use crate::account::Account;
use crate::archive_id::{ArchiveIds, LAST_ID};
use crate::jid::Jid;
use crate::limits;
use crate::reading::Reading;
use crate::stanza::{Condition, Kind, MessageType, Stanza, StanzaError};
use crate::store::{Answer, ArchivePage, ArchiveQuery, Archived, Question, StoreFault};
use crate::turn::{Then, Turn};
use crate::xml::{attributes_of, escape_attr};

/// Asks for the first time.
pub(super) fn begin(account: &mut Account, reading: Reading, turn: &mut Turn<'_>) -> Result<(), StanzaError> {
    if account.reading.iter().filter(|session| **session == reading.session).count() >= limits::ARCHIVE_QUERIES {
        return Err(StanzaError::new(Condition::ResourceConstraint, "wait for the answers to earlier queries"));
    }
    account.reading.push(reading.session);
    ask(reading, turn);
    Ok(())
}

pub(super) fn ask(reading: Reading, turn: &mut Turn<'_>) {
    let question = if reading.must_exist.is_empty() {
        reading.query.clone()
    } else {
        ArchiveQuery { ids: reading.must_exist.clone(), beside: None, limit: 1, ..everything(&reading.query) }
    };
    turn.ask(Question::ReadArchive(Box::new(question)), Then::Archive(Box::new(reading)));
}

/// A query of the same archive that selects nothing yet.
fn everything(query: &ArchiveQuery) -> ArchiveQuery {
    ArchiveQuery { peer: None, from: 0, upto: LAST_ID, count: false, ..query.clone() }
}

/// The store has answered: asks for more, or answers the client, if it is still there.
pub fn go_on(account: &mut Account, mut reading: Reading, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    let outcome = if account.session(reading.session).is_none() {
        Ok(None)
    } else {
        match advance(&mut reading, answer) {
            Some(outcome) => outcome.map(Some),
            None => return ask(reading, turn),
        }
    };
    if let Some(at) = account.reading.iter().position(|session| *session == reading.session) {
        account.reading.swap_remove(at);
    }
    let sent = outcome.and_then(|page| match page {
        Some((complete, count)) => send(account, &reading, complete, count, turn),
        None => Ok(()),
    });
    if let Some(bounce) = sent.err().and_then(|error| reading.request.bounce(&error)) {
        account.send(reading.session, bounce, turn);
    }
}

/// The same for a room: whoever asked gets the answer wherever they are.
pub fn go_on_in_room(of: &Archive<'_>, mut reading: Reading, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) {
    let Some(outcome) = advance(&mut reading, answer) else { return ask(reading, turn) };
    match outcome {
        Ok((complete, count)) => {
            let to = reading.request.from.clone();
            write(of.jid, &of.ids, to, &reading, complete, count, |stanza| turn.route(stanza));
        }
        Err(error) => turn.refuse(&reading.request, &error),
    }
}

/// What the store answered, as far as the query goes: none if there is more to ask. Whether nothing lies behind the page, and
/// how many messages there are if that was asked.
fn advance(
    reading: &mut Reading,
    answer: Result<Answer, StoreFault>,
) -> Option<Result<(bool, Option<u32>), StanzaError>> {
    Some(match answer {
        Ok(Answer::Page(_)) if !reading.must_exist.is_empty() => {
            reading.must_exist.clear();
            return None;
        }
        Ok(Answer::Page(page)) => match take(reading, *page) {
            Progress::Done(complete, count) => Ok((complete, count)),
            Progress::More if reading.scanned < limits::ARCHIVE_SCANNED => return None,
            Progress::More => {
                Err(StanzaError::new(Condition::ResourceConstraint, "too few messages are of this resource"))
            }
        },
        Ok(Answer::Missing) => Err(Condition::ItemNotFound.into()),
        Ok(_) => Err(Condition::InternalServerError.into()),
        Err(fault) => Err(Condition::from(fault).into()),
    })
}

/// What a page means for a query.
pub(super) enum Progress {
    /// The query is answered: whether nothing lies behind, and how many there are if that was asked.
    Done(bool, Option<u32>),
    /// Messages are wanting that may lie further on.
    More,
}

/// Adds what the store found, as far as it is what the client asked for.
pub(super) fn take(reading: &mut Reading, page: ArchivePage) -> Progress {
    let Reading { query, with, max, found, scanned, .. } = reading;
    let ends = page.messages.first().zip(page.messages.last()).map(|(first, last)| (first.id, last.id));
    let read = page.messages.len();
    *scanned += read;
    let mut kept = page.messages;
    if let Some(with) = with {
        kept.retain(|message| is_with(&message.stanza, with, &query.account));
    }
    let dropped = read - kept.len();
    // A client that asks for nothing but the count has it all only if there is nothing.
    let mut complete = if *max > 0 { page.complete } else { page.count == Some(0) };
    let room = *max - found.len();
    if kept.len() > room {
        complete = false;
        if query.last { drop(kept.drain(..kept.len() - room)) } else { kept.truncate(room) }
    }
    let bytes: usize = kept.iter().map(|message| message.stanza.len()).sum();
    query.bytes = query.bytes.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    if query.last {
        kept.append(found);
    }
    found.append(&mut kept);
    match ends {
        Some((first, last)) if !complete && dropped > 0 && found.len() < *max && query.bytes > 0 => {
            if query.last {
                query.upto = first.saturating_sub(1)
            } else {
                query.from = last + 1
            }
            Progress::More
        }
        _ => Progress::Done(complete, page.count),
    }
}

/// Whether a message is from or to this address (section 4.1.1): with that resource, if it has one. Of the account itself,
/// what it wrote to itself.
fn is_with(stanza: &[u8], with: &Jid, own: &Jid) -> bool {
    let (mut from, mut to) = (false, false);
    for attribute in attributes_of(stanza).into_iter().flatten() {
        let side = match attribute.qualified_name() {
            "from" => &mut from,
            "to" => &mut to,
            _ => continue,
        };
        let address = attribute.value();
        let bare = if with.is_bare() { address.split('/').next().unwrap_or_default() } else { &address };
        *side = bare == with.as_str();
    }
    if with == own { from && to } else { from || to }
}

/// Sends the messages and the end of them.
fn send(
    account: &mut Account,
    reading: &Reading,
    complete: bool,
    count: Option<u32>,
    turn: &mut Turn<'_>,
) -> Result<(), StanzaError> {
    let Some(session) = account.session(reading.session) else { return Ok(()) };
    let bytes: usize = reading.found.iter().map(|message| message.stanza.len() + 512).sum();
    if !session.outbox.has_room(reading.found.len() + 1, bytes, &turn.config.limits) {
        return Err(StanzaError::new(Condition::ResourceConstraint, "acknowledge what was sent before"));
    }
    let (to, own, ids) = (Some(session.jid.clone()), account.jid.clone(), account.ids);
    write(&own, &ids, to, reading, complete, count, |stanza| account.send(reading.session, stanza, turn));
    Ok(())
}

/// The messages and the end of them, as stanzas.
fn write(
    own: &Jid,
    ids: &ArchiveIds,
    to: Option<Jid>,
    reading: &Reading,
    complete: bool,
    count: Option<u32>,
    mut send: impl FnMut(Stanza),
) {
    let template = Stanza::new(Kind::Message(MessageType::Normal), Some(own.clone()), to);
    let mut payload = Vec::new();
    let mut one = |message: &Archived| {
        payload.clear();
        write_result(message, ids, reading.query_id.as_deref(), &mut payload);
        send(template.clone().with_payload(&payload));
    };
    if reading.flip {
        reading.found.iter().rev().for_each(&mut one);
    } else {
        reading.found.iter().for_each(&mut one);
    }
    // What was found is all there is only if the page is bounded by nothing.
    let whole = complete && reading.is_whole && reading.max > 0;
    let count = count.or(whole.then(|| u32::try_from(reading.found.len()).unwrap_or(u32::MAX)));
    let is_first = reading.is_whole && (complete || !reading.query.last);
    let fin = fin(&reading.found, ids, complete, is_first, count);
    send(reading.request.result(&fin));
}

/// One message as it was stored, with its name and its time.
fn write_result(message: &Archived, ids: &ArchiveIds, query_id: Option<&str>, out: &mut Vec<u8>) {
    const HEAD: &[u8] = b"<message";
    out.extend_from_slice(b"<result xmlns='urn:xmpp:mam:2' id='");
    out.extend_from_slice(&ids.write(message.id));
    if let Some(query_id) = query_id {
        out.extend_from_slice(b"' queryid='");
        escape_attr(out, query_id);
    }
    out.extend_from_slice(b"'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='");
    out.extend_from_slice(&delayed::date_time_bytes(message.id >> 20));
    out.extend_from_slice(b"'/>");
    if let Some(rest) = message.stanza.strip_prefix(HEAD) {
        out.extend_from_slice(b"<message xmlns='jabber:client'");
        out.extend_from_slice(rest);
    }
    out.extend_from_slice(b"</forwarded></result>");
}

/// The end of a page. `is_first`: its first message is the first of all.
fn fin(found: &[Archived], ids: &ArchiveIds, complete: bool, is_first: bool, count: Option<u32>) -> Vec<u8> {
    let mut out = format!("<fin xmlns='{MAM}'").into_bytes();
    if complete {
        out.extend_from_slice(b" complete='true'");
    }
    out.extend_from_slice(format!("><set xmlns='{RSM}'>").as_bytes());
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        let index = if is_first { " index='0'" } else { "" };
        let ends = format!("<first{index}>{}</first><last>{}</last>", ids.text(first.id), ids.text(last.id));
        out.extend_from_slice(ends.as_bytes());
    }
    if let Some(count) = count {
        out.extend_from_slice(format!("<count>{count}</count>").as_bytes());
    }
    out.extend_from_slice(b"</set></fin>");
    out
}

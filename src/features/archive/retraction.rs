//! Retraction (XEP-0424): the message that its author takes back becomes a tombstone in the archive.

use super::{RETRACT, delayed};
use crate::account::Account;
use crate::archive_id::LAST_ID;
use crate::limits;
use crate::reading::Retraction;
use crate::stanza::{Kind, MessageType, Stanza};
use crate::store::{Answer, ArchiveQuery, Archived, Question, StoreFault, peer};
use crate::turn::{Then, Turn};
use crate::xml::Element;

/// A message was stored in the account's archive under this id: if it retracts another one, that is looked for.
pub fn stored(account: &mut Account, stanza: &Stanza, id: u64, turn: &mut Turn<'_>) {
    if let Some(retraction) = retraction(account, stanza, id, turn) {
        ask(retraction, turn);
    }
}

/// A message of the account is on its way into its archive. What it retracts may be on its way too, and through other hands:
/// it is looked for when both are there.
pub fn copied(account: &mut Account, stanza: &Stanza, id: u64, turn: &mut Turn<'_>) {
    if let Some(retraction) = retraction(account, stanza, id, turn) {
        account.retractions.push((id, retraction));
    }
}

/// A message of the account has come into its archive, or has not.
pub fn settled(account: &mut Account, id: u64, is_stored: bool, turn: &mut Turn<'_>) {
    if account.retractions.is_empty() {
        return;
    }
    let settled = account.settled();
    for (waiting, retraction) in std::mem::take(&mut account.retractions) {
        if waiting == id && !is_stored {
            account.retracting = account.retracting.saturating_sub(1);
        } else if waiting <= settled {
            ask(retraction, turn);
        } else {
            account.retractions.push((waiting, retraction));
        }
    }
}

/// What a message retracts, to be looked for from the message back. Both are of the same author (section 5), and it is named
/// by its `id` (section 5.1).
fn retraction(account: &mut Account, stanza: &Stanza, id: u64, turn: &mut Turn<'_>) -> Option<Retraction> {
    let Kind::Message(MessageType::Chat | MessageType::Normal) = stanza.kind else { return None };
    let retract = stanza.children().find(|child| child.is("retract", RETRACT))?;
    let (retracted, from, to) = (retract.attribute("id")?, stanza.from.as_ref()?, stanza.to.as_ref()?);
    if account.retracting >= limits::RETRACTIONS {
        turn.counters.dropped += 1;
        return None;
    }
    account.retracting += 1;
    let other = if account.jid.same_bare(from) { to } else { from };
    let query = ArchiveQuery {
        account: account.jid.clone(),
        key: account.key,
        peer: Some(peer(other)),
        from: 0,
        upto: id.saturating_sub(1).min(LAST_ID),
        ids: Vec::new(),
        beside: None,
        last: true,
        limit: limits::ARCHIVE_PAGE_DEFAULT,
        bytes: limits::ARCHIVE_PAGE_BYTES,
        count: false,
    };
    Some(Retraction {
        query,
        author: from.to_bare(),
        retracted: retracted.into(),
        id: stanza.id.clone(),
        at_ms: turn.now.unix_ms,
        scanned: 0,
    })
}

fn ask(retraction: Retraction, turn: &mut Turn<'_>) {
    let question = Question::ReadArchive(Box::new(retraction.query.clone()));
    turn.ask(question, Then::Retraction(Box::new(retraction)));
}

/// The store has read some messages more. The account may have left memory meanwhile.
pub fn go_on(
    account: Option<&mut Account>,
    mut retraction: Retraction,
    answer: Result<Answer, StoreFault>,
    turn: &mut Turn<'_>,
) {
    if let Ok(Answer::Page(page)) = answer {
        // Clients should not give an id twice; if one did, the newest is meant.
        let found = page.messages.iter().rev().find_map(|message| Some((message.id, tombstone(message, &retraction)?)));
        if let Some((id, stone)) = found {
            replace(&retraction.query, id, &stone, turn);
        } else if let Some(first) = page.messages.first().filter(|_| !page.complete) {
            retraction.scanned += page.messages.len();
            if retraction.scanned < limits::RETRACTED_BACK {
                retraction.query.upto = first.id.saturating_sub(1);
                // Hardly anybody retracts what is not among the newest.
                retraction.query.limit = limits::ARCHIVE_PAGE;
                return ask(retraction, turn);
            }
        }
    }
    if let Some(account) = account {
        account.retracting = account.retracting.saturating_sub(1);
    }
}

fn replace(of: &ArchiveQuery, id: u64, stone: &Stanza, turn: &mut Turn<'_>) {
    let mut bytes = Vec::with_capacity(stone.weight());
    stone.write_to(&mut bytes);
    let question = Question::Replace { account: of.account.clone(), key: of.key, id, stanza: bytes.into() };
    turn.ask(question, Then::Saved(of.account.clone()));
}

/// What stands in the place of the retracted message (section 4.1); none if this is another one, or must stay.
fn tombstone(message: &Archived, retraction: &Retraction) -> Option<Stanza> {
    let mut stanza = Stanza::from_stored(&message.stanza)?;
    let by_author = stanza.from.as_ref().is_some_and(|from| from.same_bare(&retraction.author));
    // A retraction is never taken out, or clients would not hear of it (section 5).
    let stays = stanza.children().any(|child| child.ns == RETRACT);
    if !by_author || stays || stanza.id.as_deref() != Some(&*retraction.retracted) {
        return None;
    }
    let mut retracted = Element::new("retracted", RETRACT).with_attr("stamp", delayed::date_time_ms(retraction.at_ms));
    if let Some(id) = &retraction.id {
        retracted.set_attr("id", id.clone());
    }
    stanza.payload = retracted.to_bytes(crate::ns::CLIENT).into();
    Some(stanza)
}

//! What an account wants archived (XEP-0441): read, set, and obeyed from then on.

use super::MAM;
use crate::account::Account;
use crate::features::{Answered, Reply};
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::session::SessionId;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Answer, ArchiveDefault, Preferences, Question};
use crate::turn::{Then, Turn};
use crate::xml::Element;

const DEFAULTS: [(&str, ArchiveDefault); 3] =
    [("always", ArchiveDefault::Always), ("roster", ArchiveDefault::Roster), ("never", ArchiveDefault::Never)];

pub(super) fn prefs(
    account: &mut Account,
    _: SessionId,
    stanza: &Stanza,
    request: &Element,
    turn: &mut Turn<'_>,
) -> Answered {
    if stanza.kind == Kind::Iq(IqType::Get) {
        let standard = || Preferences { default: turn.config.archive.default, ..Preferences::default() };
        return Ok(Reply::Result(write(&account.preferences.clone().unwrap_or_else(standard))));
    }
    let preferences = read(request)?;
    // A message that follows the change on the same stream is under it.
    account.preferences = Some(preferences.clone());
    let question = Question::SavePreferences { account: account.jid.clone(), preferences: Box::new(preferences) };
    turn.ask(question, Then::Iq { request: Box::new(stanza.clone()), finish: saved });
    Ok(Reply::Later)
}

/// The answer tells what holds now.
fn saved(stanza: &Stanza, answer: Answer) -> Result<Vec<u8>, StanzaError> {
    match (answer, stanza.first_element()) {
        (Answer::Done, Some(request)) => Ok(write(&read(&request)?)),
        _ => Err(Condition::InternalServerError.into()),
    }
}

fn read(request: &Element) -> Result<Preferences, StanzaError> {
    let default = request.attr("default").and_then(|word| DEFAULTS.iter().find(|(known, _)| *known == word));
    let (_, default) = default.ok_or(StanzaError::new(Condition::BadRequest, "default is always, roster or never"))?;
    let preferences =
        Preferences { default: *default, always: list(request, "always")?, never: list(request, "never")? };
    if preferences.always.len() + preferences.never.len() > limits::ARCHIVE_RULES {
        return Err(StanzaError::new(Condition::PolicyViolation, "the lists are too long"));
    }
    Ok(preferences)
}

fn list(request: &Element, name: &str) -> Result<Vec<Jid>, StanzaError> {
    let items = request.child(name, MAM).into_iter().flat_map(Element::elements);
    let mut jids = items
        .filter(|item| item.is("jid", MAM))
        .map(|item| Jid::parse(&item.text()).map_err(|_| Condition::JidMalformed.into()))
        .collect::<Result<Vec<_>, StanzaError>>()?;
    jids.sort_unstable();
    jids.dedup();
    Ok(jids)
}

fn write(preferences: &Preferences) -> Vec<u8> {
    let word = DEFAULTS.iter().find(|(_, default)| *default == preferences.default).map_or("always", |(word, _)| word);
    let list = |name: &str, jids: &[Jid]| {
        let empty = Element::new(name, MAM);
        jids.iter().fold(empty, |list, jid| list.with_child(Element::new("jid", MAM).with_text(jid.as_str())))
    };
    Element::new("prefs", MAM)
        .with_attr("default", word)
        .with_child(list("always", &preferences.always))
        .with_child(list("never", &preferences.never))
        .to_bytes(ns::CLIENT)
}

//! A query as the client wrote it (XEP-0313 section 4.1, XEP-0059): form and page, made a question for the store.

use super::{Archive, MAM, RSM, delayed};
use crate::archive_id::{ArchiveIds, LAST_ID};
use crate::config::Config;
use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::reading::Reading;
use crate::session::SessionId;
use crate::stanza::form::{DATA, Form, single};
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{ArchiveQuery, peer};
use crate::xml::Element;

/// The fields that a query may have.
const FIELDS: [(&str, &str); 7] = [
    ("with", "jid-single"),
    ("start", "text-single"),
    ("end", "text-single"),
    ("before-id", "text-single"),
    ("after-id", "text-single"),
    ("ids", "list-multi"),
    ("include-groupchat", "boolean"),
];

/// The answer to who asks for the fields (section 4.1.5).
pub(super) fn fields() -> Vec<u8> {
    let form_type = Element::new("field", DATA).with_attr("type", "hidden").with_attr("var", "FORM_TYPE");
    let mut form = Element::new("x", DATA)
        .with_attr("type", "form")
        .with_child(form_type.with_child(Element::new("value", DATA).with_text(MAM)));
    for (name, kind) in FIELDS {
        let mut field = Element::new("field", DATA).with_attr("type", kind).with_attr("var", name);
        if kind == "list-multi" {
            const VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
            let any = Element::new("validate", VALIDATE).with_attr("datatype", "xs:string");
            field = field.with_child(any.with_child(Element::new("open", VALIDATE)));
        }
        form = form.with_child(field);
    }
    Element::new("query", MAM).with_child(form).to_bytes(ns::CLIENT)
}

/// Reads a query.
pub(super) fn read(
    of: &Archive<'_>,
    session: SessionId,
    stanza: &Stanza,
    request: &Element,
    config: &Config,
) -> Result<Reading, StanzaError> {
    if request.attr("node").is_some() {
        // Section 6.1.3: nodes are of archives of publications.
        return Err(Condition::ItemNotFound.into());
    }
    let query_id = request.attr("queryid");
    if query_id.is_some_and(|id| id.len() > limits::ARCHIVE_QUERY_ID_BYTES) {
        return Err(StanzaError::new(Condition::PolicyViolation, "the queryid is too long"));
    }
    let most = (config.limits.outbox_stanzas / 4).clamp(1, limits::ARCHIVE_PAGE as usize);
    let bytes = u32::try_from(config.limits.outbox_bytes / 4).unwrap_or(u32::MAX).min(limits::ARCHIVE_PAGE_BYTES);
    let mut reading = Reading {
        session,
        request: stanza.clone(),
        query: ArchiveQuery {
            account: of.jid.clone(),
            key: of.key,
            peer: None,
            from: 0,
            upto: of.settled,
            ids: Vec::new(),
            beside: None,
            last: false,
            limit: 0,
            bytes,
            count: false,
        },
        must_exist: Vec::new(),
        with: None,
        max: most.min(limits::ARCHIVE_PAGE_DEFAULT as usize),
        is_whole: true,
        flip: request.child("flip-page", MAM).is_some(),
        query_id: query_id.map(Into::into),
        found: Vec::new(),
        scanned: 0,
    };
    for (name, values) in Form::submitted(request, MAM)?.unwrap_or_default().fields {
        filter(&mut reading, &of.ids, &name, &values)?;
    }
    if let Some(set) = request.child("set", RSM) {
        turn_to_page(&mut reading, &of.ids, set, most)?;
    }
    // The store finds conversations, not resources: those are compared here, after reading more than is wanted. To count
    // them alone would be to read them all.
    let is_sparse = reading.with.as_ref().is_some_and(|with| !with.is_bare());
    let limit = if is_sparse && reading.max > 0 { limits::ARCHIVE_PAGE as usize } else { reading.max };
    reading.query.limit = u32::try_from(limit).unwrap_or(u32::MAX);
    reading.query.count = reading.max == 0 && !is_sparse;
    reading.query.beside = reading.must_exist.pop();
    Ok(reading)
}

/// One field of the form.
fn filter(reading: &mut Reading, ids: &ArchiveIds, name: &str, values: &[Box<str>]) -> Result<(), StanzaError> {
    let query = &mut reading.query;
    match name {
        "ids" => {
            if values.len() > limits::ARCHIVE_IDS {
                return Err(StanzaError::new(Condition::PolicyViolation, "the query names too many ids"));
            }
            query.ids = values.iter().map(|id| ids.read(id)).collect::<Option<_>>().ok_or(Condition::ItemNotFound)?;
            query.ids.sort_unstable();
            query.ids.dedup();
            return Ok(());
        }
        _ if !FIELDS.iter().any(|(known, _)| *known == name) => {
            return Err(StanzaError::new(Condition::FeatureNotImplemented, "the query has an unknown field"));
        }
        _ => {}
    }
    let Some(value) = single(values)? else { return Ok(()) };
    let must_exist = &mut reading.must_exist;
    let wrong = |text| StanzaError::new(Condition::BadRequest, text);
    let time = || delayed::read_date_time(value).ok_or(wrong("start and end are times of XEP-0082"));
    match name {
        "with" => {
            let with = Jid::parse(value).map_err(|_| wrong("with is no address"))?;
            // A message of the account's own resource can be in any conversation (section 4.1.1).
            let own_resource = !with.is_bare() && with.same_bare(&query.account);
            query.peer = (!own_resource).then(|| peer(&with));
            reading.with = Some(with);
        }
        "start" => query.from = query.from.max(first_of(time()?.1)),
        "end" => query.upto = query.upto.min(first_of(time()?.0 + 1).saturating_sub(1)),
        "before-id" => query.upto = query.upto.min(stand_beside(must_exist, ids.read(value))?.saturating_sub(1)),
        "after-id" => query.from = query.from.max(stand_beside(must_exist, ids.read(value))? + 1),
        // Messages of rooms are in the rooms' archives alone.
        _ if matches!(value, "0" | "1" | "false" | "true") => {}
        _ => return Err(wrong("include-groupchat is true or false")),
    }
    Ok(())
}

/// The first id of this time, unix ms.
fn first_of(at_ms: i64) -> u64 {
    u64::try_from(at_ms).map_or(0, |at_ms| if at_ms > LAST_ID >> 20 { LAST_ID } else { at_ms << 20 })
}

/// An id that bounds the result, and must be in the archive.
fn stand_beside(must_exist: &mut Vec<u64>, id: Option<u64>) -> Result<u64, StanzaError> {
    let id = id.ok_or(Condition::ItemNotFound)?;
    must_exist.push(id);
    Ok(id)
}

/// Which page of what the form selects (XEP-0059).
fn turn_to_page(reading: &mut Reading, ids: &ArchiveIds, set: &Element, most: usize) -> Result<(), StanzaError> {
    let text = |name| set.child(name, RSM).map(Element::text);
    if text("index").is_some() {
        // Section 2.5 leaves it free, and numbers are not what the store finds pages by.
        return Err(StanzaError::new(Condition::FeatureNotImplemented, "pages are found by id, not by index"));
    }
    if let Some(max) = text("max") {
        let digits = !max.is_empty() && max.bytes().all(|byte| byte.is_ascii_digit());
        let max = digits.then(|| max.parse::<usize>().unwrap_or(usize::MAX));
        reading.max = max.ok_or(StanzaError::new(Condition::BadRequest, "max is a number"))?.min(most);
    }
    let (before, after) = (text("before"), text("after"));
    let bound = |id: Option<_>| id.filter(|id: &std::borrow::Cow<'_, str>| !id.is_empty());
    reading.query.last = before.is_some();
    for (id, is_before) in [(bound(before), true), (bound(after), false)] {
        let Some(id) = id else { continue };
        let id = stand_beside(&mut reading.must_exist, ids.read(&id))?;
        reading.is_whole = false;
        // Section 2.7: what is counted is the whole set.
        match is_before {
            _ if reading.max == 0 => {}
            true => reading.query.upto = reading.query.upto.min(id.saturating_sub(1)),
            false => reading.query.from = reading.query.from.max(id + 1),
        }
    }
    Ok(())
}

//! Rooms for the operator. What concerns the people in a room is asked of the room itself, as an owner would (XEP-0045 sections 9 and
//! 10); making, listing and removing one needs no running server.

use wattle::config::Config;
use wattle::jid::Jid;
use wattle::ns;
use wattle::room::{ADMIN, CONFIG, OPERATOR, OWNER, Settings};
use wattle::stanza::IqType;
use wattle::stanza::form::DATA;
use wattle::store::{Answer, Question};
use wattle::xml::{Element, parse_all};

use super::accounts::{self, Call, ask, no_server, page, unexpected, unix_ms};
use super::words::{PAGE_BYTES, PAGE_ROWS, Reply, Request, Room, RoomAct, Secret};
use crate::fault::Fault;

/// Messages that one question removes, so that no other waits for long.
const PURGED_AT_ONCE: u32 = 200;
/// Questions of one request, so that nobody takes the server for dead.
const PURGES: usize = 50;

/// Asks a room and waits: what its answer holds, or why it refused.
pub(super) type AskRoom<'a> = dyn Fn(&Jid, IqType, &Element) -> Result<Box<[u8]>, Fault> + 'a;

/// The room that an operator names: by its JID, or by the name before the @ if it is of the main domain.
fn named(config: &Config, text: &str) -> Result<Jid, Fault> {
    let service = format!("{}.{}", config.rooms.service, config.domains[0].name);
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{service}") };
    let room = Jid::parse(&whole).ok().filter(|room| room.local().is_some() && room.is_bare());
    room.ok_or_else(|| Fault::new(format!("{text:?} is no room"), format!("write one such as hall@{service}")))
}

/// Carries out what needs no room in memory.
pub(super) fn answer(request: &Request, config: &Config, call: &Call<'_>) -> Result<Reply, Fault> {
    let (room, act) = match request {
        Request::RoomList { after } => return list(after.as_deref(), call),
        Request::Room { room, act } => (named(config, room)?, act),
        _ => return Err(no_server()),
    };
    match act {
        RoomAct::Create { owner } => create(&room, owner.as_deref(), config, call),
        RoomAct::Destroy { .. } => match ask(call, Question::RemoveRoom { room: room.clone() })? {
            Answer::Done => Ok(Reply::Done { sessions_ended: 0 }),
            Answer::Missing => Err(missing(&room)),
            other => Err(unexpected(&other)),
        },
        _ => Err(no_server()),
    }
}

/// Carries out a request in a running server.
pub(super) fn answer_live(
    request: &Request,
    config: &Config,
    call: &Call<'_>,
    ask_room: &AskRoom<'_>,
) -> Result<Reply, Fault> {
    let Request::Room { room, act } = request else { return answer(request, config, call) };
    let room = named(config, room)?;
    // A room of a domain that is no longer served is in nobody's memory.
    if config.room_service(room.domain()).is_none() || matches!(act, RoomAct::Create { .. }) {
        return answer(request, config, call);
    }
    if ask(call, Question::Room { room: room.clone(), history: 0 })? == Answer::Room(None) {
        return Err(missing(&room));
    }
    let set = |query: Element| ask_room(&room, IqType::Set, &query).map(|_| Reply::Done { sessions_ended: 0 });
    match act {
        RoomAct::Create { .. } => Err(exists(&room)),
        RoomAct::Show => show(&room, ask_room),
        RoomAct::Config { fields } => set(owner(submitted(&form(&room, ask_room)?, fields)?)),
        RoomAct::Affiliation { jid, affiliation, reason } => {
            let item = Element::new("item", ADMIN)
                .with_attr("jid", jid.as_str())
                .with_attr("affiliation", affiliation.as_str());
            set(Element::new("query", ADMIN).with_child(with_reason(item, reason.as_deref(), ADMIN)))
        }
        RoomAct::Destroy { reason, venue } => {
            let mut destroy = Element::new("destroy", OWNER);
            if let Some(venue) = venue {
                destroy.set_attr("jid", named(config, venue)?.as_str());
            }
            set(owner(with_reason(destroy, reason.as_deref(), OWNER)))
        }
        RoomAct::Purge { before_ms } => {
            set(Element::new("purge", OPERATOR).with_attr("before", before_ms.to_string()))?;
            purge(&room, *before_ms, call)
        }
    }
}

fn list(after: Option<&str>, call: &Call<'_>) -> Result<Reply, Fault> {
    match ask(call, Question::ListAllRooms { after: after.map(Into::into), limit: PAGE_ROWS })? {
        Answer::Rooms(rooms) => {
            let (rooms, more) = page(rooms, |room| room.jid.len() + room.name.len());
            let rooms = rooms.into_iter().map(|room| (room.jid.into_string(), room.name.into_string())).collect();
            Ok(Reply::Rooms { rooms, more })
        }
        other => Err(unexpected(&other)),
    }
}

fn create(room: &Jid, owner: Option<&str>, config: &Config, call: &Call<'_>) -> Result<Reply, Fault> {
    if config.room_service(room.domain()).is_none() {
        let service = format!("{}.{}", config.rooms.service, config.domains[0].name);
        return Err(Fault::new(format!("{} has no rooms here", room.domain()), format!("take a room of {service}")));
    }
    let owner = owner.map(|owner| accounts::named(config, owner)).transpose()?;
    if let Some(owner) = &owner
        && ask(call, Question::Account { account: owner.clone() })? == Answer::Account(None)
    {
        return Err(accounts::missing(owner));
    }
    if ask(call, Question::Room { room: room.clone(), history: 0 })? != Answer::Room(None) {
        return Err(exists(room));
    }
    let setup = Box::new(Settings::new(&config.rooms).to_setup(room.local().unwrap_or_default()));
    let question = Question::CreateRoom { room: room.clone(), owner, setup, at_ms: unix_ms(), limit: u32::MAX };
    match ask(call, question)? {
        Answer::Room(Some(_)) => Ok(Reply::Done { sessions_ended: 0 }),
        other => Err(unexpected(&other)),
    }
}

fn show(room: &Jid, ask_room: &AskRoom<'_>) -> Result<Reply, Fault> {
    let mut shown = Room { jid: room.to_string(), ..Room::default() };
    let mut bytes = 0;
    let mut fits = |texts: &[&str]| {
        bytes += texts.iter().map(|text| text.len()).sum::<usize>();
        bytes <= PAGE_BYTES
    };
    for field in form(room, ask_room)?.iter().filter(|field| field.attr("type") != Some("text-private")) {
        let (name, label) = (field.attr("var").unwrap_or_default(), field.attr("label").unwrap_or_default());
        let values: Vec<_> = values(field).map(Element::text).collect();
        shown.fields.push((short(name).to_owned(), label.to_owned(), values.join(",")));
    }
    for role in ["moderator", "participant", "visitor"] {
        for item in items(room, "role", role, ask_room)? {
            let (nick, jid) = (item.attr("nick").unwrap_or_default(), item.attr("jid").unwrap_or_default());
            if fits(&[role, nick, jid]) {
                shown.occupants.push((role.to_owned(), nick.to_owned(), jid.to_owned()));
            } else {
                shown.left_out += 1;
            }
        }
    }
    for affiliation in ["owner", "admin", "member", "outcast"] {
        for item in items(room, "affiliation", affiliation, ask_room)? {
            let jid = item.attr("jid").unwrap_or_default();
            if fits(&[affiliation, jid]) {
                shown.people.push((affiliation.to_owned(), jid.to_owned()));
            } else {
                shown.left_out += 1;
            }
        }
    }
    Ok(Reply::Room(Box::new(shown)))
}

/// The fields of its form, but for the one that says which form it is.
fn form(room: &Jid, ask_room: &AskRoom<'_>) -> Result<Vec<Element>, Fault> {
    let query = asked(room, &Element::new("query", OWNER), ask_room)?;
    let x = query.child("x", DATA);
    let fields = x.into_iter().flat_map(Element::elements).filter(|field| field.is("field", DATA));
    Ok(fields.filter(|field| field.attr("type") != Some("hidden")).cloned().collect())
}

fn items(room: &Jid, kind: &str, name: &str, ask_room: &AskRoom<'_>) -> Result<Vec<Element>, Fault> {
    let item = Element::new("item", ADMIN).with_attr(kind, name);
    let query = asked(room, &Element::new("query", ADMIN).with_child(item), ask_room)?;
    Ok(query.elements().cloned().collect())
}

fn asked(room: &Jid, query: &Element, ask_room: &AskRoom<'_>) -> Result<Element, Fault> {
    let payload = ask_room(room, IqType::Get, query)?;
    let first = parse_all(&payload, ns::CLIENT).ok().and_then(|elements| elements.into_iter().next());
    first.ok_or_else(|| Fault::new("the room gave an answer that does not fit", "report this as an error of wattle"))
}

/// The form with these fields, of which others may stay as they are.
fn submitted(form: &[Element], fields: &[(String, Secret)]) -> Result<Element, Fault> {
    let value = |text: &str| Element::new("value", DATA).with_text(text);
    let form_type = Element::new("field", DATA).with_attr("var", "FORM_TYPE").with_child(value(CONFIG));
    let mut x = Element::new("x", DATA).with_attr("type", "submit").with_child(form_type);
    for (name, text) in fields {
        let known = form.iter().find(|field| field.attr("var").is_some_and(|var| short(var) == name || var == name));
        let Some(known) = known else {
            let names: Vec<_> = form.iter().filter_map(|field| field.attr("var").map(short)).collect();
            return Err(Fault::new(format!("a room has no {name:?}"), format!("write one of {}", names.join(", "))));
        };
        let mut field = Element::new("field", DATA).with_attr("var", known.attr("var").unwrap_or_default());
        let is_list = known.attr("type") == Some("list-multi");
        for text in text.0.split(|c| is_list && c == ',').filter(|text| !text.is_empty()) {
            field = field.with_child(value(text));
        }
        x = x.with_child(field);
    }
    Ok(x)
}

fn values(field: &Element) -> impl Iterator<Item = &Element> {
    field.elements().filter(|value| value.is("value", DATA))
}

/// The name of a field without what all of them begin with.
fn short(name: &str) -> &str {
    name.split_once('#').map_or(name, |(_, rest)| rest.strip_prefix("roomconfig_").unwrap_or(rest))
}

fn owner(child: Element) -> Element {
    Element::new("query", OWNER).with_child(child)
}

fn with_reason(element: Element, reason: Option<&str>, ns: &'static str) -> Element {
    match reason {
        Some(reason) => element.with_child(Element::new("reason", ns).with_text(reason)),
        None => element,
    }
}

/// In small steps, beside everybody else's questions.
fn purge(room: &Jid, before_ms: u64, call: &Call<'_>) -> Result<Reply, Fault> {
    let Answer::Room(Some(record)) = ask(call, Question::Room { room: room.clone(), history: 0 })? else {
        return Err(missing(room));
    };
    // The upper bits of a message's id are its time.
    let Some(upto) = before_ms.checked_shl(20).and_then(|first| first.checked_sub(1)) else {
        return Ok(Reply::Purged { messages: 0, more: false });
    };
    let mut messages = 0;
    for _ in 0..PURGES {
        let question = Question::PurgeArchive { account: room.clone(), key: record.key, upto, limit: PURGED_AT_ONCE };
        match ask(call, question)? {
            Answer::Purged(removed) => {
                messages += removed;
                if removed < PURGED_AT_ONCE {
                    return Ok(Reply::Purged { messages, more: false });
                }
            }
            other => return Err(unexpected(&other)),
        }
    }
    Ok(Reply::Purged { messages, more: true })
}

fn exists(room: &Jid) -> Fault {
    Fault::new(format!("{room} exists already"), format!("see `wattle room show {room}`"))
}

fn missing(room: &Jid) -> Fault {
    Fault::new(format!("there is no room {room}"), "see `wattle room list`")
}

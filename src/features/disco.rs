//! Service discovery (XEP-0030), the server's own caps (XEP-0115) and contact addresses (XEP-0157): what is said is what the
//! table holds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::{Answered, FEATURES, Feature, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::config::{Config, Contact};
use crate::ns;
use crate::stanza::{Condition, Stanza};
use crate::turn::Turn;
use crate::xml::{Element, escape_attr};

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const DATA: &str = "jabber:x:data";
const CONTACT_FORM: &str = "http://jabber.org/network/serverinfo";
/// Names the software in caps; never fetched by anybody.
const CAPS_NODE: &str = "urn:wattle";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0030",
    title: "Service Discovery",
    version: "2.5.0",
    server: &[INFO, ITEMS],
    account: &[INFO, ITEMS],
    iqs: &[
        IqHandler { namespace: INFO, name: "query", handler: Handler::Server(server_info) },
        IqHandler { namespace: INFO, name: "query", handler: Handler::Public(account_info) },
        IqHandler { namespace: ITEMS, name: "query", handler: Handler::Server(server_items) },
        IqHandler { namespace: ITEMS, name: "query", handler: Handler::Public(account_items) },
    ],
    ..Feature::NONE
};

/// The table's line for caps.
pub(super) const CAPS: Feature = Feature {
    document: "XEP-0115",
    title: "Entity Capabilities (of the server, in stream features)",
    version: "1.6.0",
    server: &["http://jabber.org/protocol/caps"],
    ..Feature::NONE
};

/// The table's line for contact addresses.
pub(super) const CONTACTS: Feature =
    Feature { document: "XEP-0157", title: "Contact Addresses for XMPP Services", version: "1.1.1", ..Feature::NONE };

fn server_info(stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let domain = stanza.to.as_ref().and_then(|to| turn.config.domain(to.domain()));
    let contact = domain.map_or(&turn.config.contact, |domain| &domain.contact);
    let node = request.attr("node");
    // XEP-0115 section 6.2: the node of the caps names the same information.
    if node.is_some_and(|node| node.split_once('#') != Some((CAPS_NODE, &caps_hash(contact)))) {
        return Err(Condition::ItemNotFound.into());
    }
    let mut query = Element::new("query", INFO).with_child(identity("server", "im", Some("wattle")));
    if let Some(node) = node {
        query = query.with_attr("node", node);
    }
    for feature in server_features() {
        query = query.with_child(Element::new("feature", INFO).with_attr("var", feature));
    }
    let fields = contact_fields(contact);
    if !fields.is_empty() {
        let mut form = Element::new("x", DATA)
            .with_attr("type", "result")
            .with_child(field("FORM_TYPE", &[CONTACT_FORM.into()]).with_attr("type", "hidden"));
        for (name, uris) in fields {
            form = form.with_child(field(name, uris));
        }
        query = query.with_child(form);
    }
    Ok(Reply::Result(query.to_bytes(ns::CLIENT)))
}

/// Section 8: what an account shows to strangers is nothing, not even that it is there.
fn account_info(account: &mut Account, stanza: &Stanza, request: &Element, _: &mut Turn<'_>) -> Answered {
    if !stanza.from.as_ref().is_some_and(|from| account.shows_presence_to(from)) {
        return Err(Condition::ServiceUnavailable.into());
    }
    if request.attr("node").is_some() {
        return Err(Condition::ItemNotFound.into());
    }
    let mut query = Element::new("query", INFO).with_child(identity("account", "registered", None));
    let mut features: Vec<_> = FEATURES.iter().flat_map(|feature| feature.account).copied().collect();
    features.sort_unstable();
    for feature in features {
        query = query.with_child(Element::new("feature", INFO).with_attr("var", feature));
    }
    Ok(Reply::Result(query.to_bytes(ns::CLIENT)))
}

fn server_items(stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let service = stanza.to.as_ref().map(|to| format!("{}.{}", turn.config.rooms.service, to.domain()));
    let service = service.filter(|name| turn.config.room_service(name).is_some());
    items(request, service.as_deref())
}

fn account_items(account: &mut Account, stanza: &Stanza, request: &Element, _: &mut Turn<'_>) -> Answered {
    if !stanza.from.as_ref().is_some_and(|from| account.shows_presence_to(from)) {
        return Err(Condition::ServiceUnavailable.into());
    }
    items(request, None)
}

/// Below a domain is the service of its rooms; below an account there is nothing yet.
fn items(request: &Element, service: Option<&str>) -> Answered {
    if request.attr("node").is_some() {
        return Err(Condition::ItemNotFound.into());
    }
    let mut query = Element::new("query", ITEMS);
    if let Some(service) = service {
        query = query.with_child(Element::new("item", ITEMS).with_attr("jid", service).with_attr("name", "Rooms"));
    }
    Ok(Reply::Result(query.to_bytes(ns::CLIENT)))
}

fn identity(category: &str, kind: &str, name: Option<&str>) -> Element {
    let identity = Element::new("identity", INFO).with_attr("category", category).with_attr("type", kind);
    match name {
        Some(name) => identity.with_attr("name", name),
        None => identity,
    }
}

fn field(name: &str, values: &[Box<str>]) -> Element {
    let field = Element::new("field", DATA).with_attr("var", name);
    values.iter().fold(field, |field, value| field.with_child(Element::new("value", DATA).with_text(value)))
}

/// Sorted as XEP-0115 wants them.
fn server_features() -> Vec<&'static str> {
    let mut features: Vec<_> = FEATURES.iter().flat_map(|feature| feature.server).copied().collect();
    features.sort_unstable();
    features
}

/// Names and addresses of the form, sorted by name; those without an address are left out.
fn contact_fields(contact: &Contact) -> Vec<(&'static str, &[Box<str>])> {
    let all: [(&str, &[Box<str>]); 7] = [
        ("abuse-addresses", &contact.abuse),
        ("admin-addresses", &contact.admin),
        ("feedback-addresses", &contact.feedback),
        ("sales-addresses", &contact.sales),
        ("security-addresses", &contact.security),
        ("status-addresses", &contact.status),
        ("support-addresses", &contact.support),
    ];
    all.into_iter().filter(|(_, uris)| !uris.is_empty()).collect()
}

/// The verification string (XEP-0115 section 5.1) of what [`server_info`] says, hashed with SHA-1.
fn caps_hash(contact: &Contact) -> String {
    let mut text = String::from("server/im//wattle<");
    for feature in server_features() {
        text.push_str(feature);
        text.push('<');
    }
    let fields = contact_fields(contact);
    if !fields.is_empty() {
        text.push_str(CONTACT_FORM);
        text.push('<');
        for (name, uris) in fields {
            text.push_str(name);
            text.push('<');
            let mut uris: Vec<_> = uris.iter().collect();
            uris.sort_unstable();
            for uri in uris {
                text.push_str(uri);
                text.push('<');
            }
        }
    }
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// The server's caps for the stream features (XEP-0115 section 6.3), those of the main domain.
pub(super) fn write_caps(config: &Config, out: &mut Vec<u8>) {
    let contact = config.domains.first().map_or(&config.contact, |domain| &domain.contact);
    out.extend_from_slice(b"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='");
    out.extend_from_slice(CAPS_NODE.as_bytes());
    out.extend_from_slice(b"' ver='");
    escape_attr(out, &caps_hash(contact));
    out.extend_from_slice(b"'/>");
}

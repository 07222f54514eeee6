//! Software version (XEP-0092). The operating system is left out: strangers need not know it.

use super::{Answered, Feature, Handler, IqHandler, Reply};
use crate::ns;
use crate::stanza::Stanza;
use crate::turn::Turn;
use crate::xml::Element;

const VERSION: &str = "jabber:iq:version";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0092",
    title: "Software Version",
    version: "1.1",
    server: &[VERSION],
    iqs: &[IqHandler { namespace: VERSION, name: "query", handler: Handler::Server(answer) }],
    ..Feature::NONE
};

fn answer(_: &Stanza, _: &Element, _: &mut Turn<'_>) -> Answered {
    let query = Element::new("query", VERSION)
        .with_child(Element::new("name", VERSION).with_text("wattle"))
        .with_child(Element::new("version", VERSION).with_text(env!("CARGO_PKG_VERSION")));
    Ok(Reply::Result(query.to_bytes(ns::CLIENT)))
}

//! Entity time (XEP-0202): the server's, in UTC.

use super::{Answered, Feature, Handler, IqHandler, Reply, delayed};
use crate::ns;
use crate::stanza::Stanza;
use crate::turn::Turn;
use crate::xml::Element;

const TIME: &str = "urn:xmpp:time";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0202",
    title: "Entity Time",
    version: "2.0",
    server: &[TIME],
    iqs: &[IqHandler { namespace: TIME, name: "time", handler: Handler::Server(answer) }],
    ..Feature::NONE
};

fn answer(_: &Stanza, _: &Element, turn: &mut Turn<'_>) -> Answered {
    let time = Element::new("time", TIME)
        .with_child(Element::new("tzo", TIME).with_text("+00:00"))
        .with_child(Element::new("utc", TIME).with_text(&delayed::date_time(turn.now.unix_ms)));
    Ok(Reply::Result(time.to_bytes(ns::CLIENT)))
}

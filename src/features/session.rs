//! The old session request (RFC 3921 section 3): does nothing, and is answered because clients still send it.

use super::{Feature, Handler, IqHandler, Reply};
use crate::ns;

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "RFC 3921, 3",
    title: "Session establishment (no-op)",
    stream: "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>",
    iqs: &[IqHandler {
        namespace: ns::SESSION,
        name: "session",
        handler: Handler::OwnAnywhere(|_, _, _, _, _| Ok(Reply::Result(Vec::new()))),
    }],
    ..Feature::NONE
};

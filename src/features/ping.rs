//! Ping (XEP-0199): the server and every account answer.

use super::{Feature, Handler, IqHandler, Reply};

const PING: &str = "urn:xmpp:ping";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0199",
    title: "XMPP Ping",
    version: "2.0.1",
    server: &[PING],
    account: &[PING],
    iqs: &[
        IqHandler { namespace: PING, name: "ping", handler: Handler::Server(|_, _, _| Ok(Reply::Result(Vec::new()))) },
        IqHandler {
            namespace: PING,
            name: "ping",
            handler: Handler::Own(|_, _, _, _, _| Ok(Reply::Result(Vec::new()))),
        },
    ],
    ..Feature::NONE
};

//! Stream management (XEP-0198): its place in the table; the counting is in [`crate::session`], the negotiation in
//! [`crate::shard`].

use super::Feature;

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0198",
    title: "Stream Management",
    version: "1.6.3",
    stream: "<sm xmlns='urn:xmpp:sm:3'/>",
    ..Feature::NONE
};

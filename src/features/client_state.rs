//! Client state indication (XEP-0352): its place in the table; the holding back is in [`crate::session`].

use super::Feature;

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0352",
    title: "Client State Indication",
    version: "1.0.0",
    stream: "<csi xmlns='urn:xmpp:csi:0'/>",
    ..Feature::NONE
};

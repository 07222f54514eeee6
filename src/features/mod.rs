//! The features (XEPs that are no house of their own), one file each, and the table that says what they are and in which
//! order they act. Disco, stream features and the README's table of XEPs come from it.

pub mod archive;
pub mod blocking;
pub mod carbons;
pub mod delayed;
mod disco;
mod elsewhere;
mod feature;
pub mod keeping;
mod last_activity;
pub mod offline;
mod ping;
mod private_xml;
pub mod registration;
pub mod roster;
mod session;
pub mod stanza_ids;
mod time;
mod vcard;
mod version;

pub use feature::{Answered, Delivered, Feature, Flow, Handler, IqHandler, Outgoing, Reply};

use crate::config::Config;

/// Every feature. The order is the order in which they see a stanza, so each line says why it stands where it does.
pub static FEATURES: &[Feature] = &[
    // First: what is blocked must not reach, wake or be counted by anything behind.
    blocking::FEATURE,
    // Before whatever copies a message: it is the same message, under the id that it has in the archive.
    stanza_ids::FEATURE,
    // Copies what passed the block list and has its id.
    carbons::FEATURE,
    // Hands over what waited.
    offline::FEATURE,
    archive::FEATURE,
    archive::FORMS,
    archive::PAGING,
    archive::PREFERENCES,
    archive::RETRACTION,
    // The rest only answer requests or stand for what streams and sessions do; their order is that of the documents.
    roster::FEATURE,
    roster::PRE_APPROVAL,
    session::FEATURE,
    disco::FEATURE,
    disco::CAPS,
    disco::CONTACTS,
    last_activity::FEATURE,
    private_xml::FEATURE,
    vcard::FEATURE,
    registration::FEATURE,
    version::FEATURE,
    ping::FEATURE,
    time::FEATURE,
    delayed::FEATURE,
    elsewhere::ROOMS,
    elsewhere::SELF_PING,
    elsewhere::OCCUPANT_IDS,
    elsewhere::SLOW_MODE,
    elsewhere::STREAM_MANAGEMENT,
    elsewhere::CLIENT_STATE,
    elsewhere::HINTS,
    elsewhere::DIRECT_TLS,
    elsewhere::CHANNEL_BINDING,
];

/// Elements of the stream features of a logged-in stream, in the order of the table.
#[must_use]
pub fn stream_features(config: &Config) -> Vec<u8> {
    let mut out = Vec::new();
    for feature in FEATURES {
        out.extend_from_slice(feature.stream.as_bytes());
    }
    disco::write_caps(config, &mut out);
    out
}

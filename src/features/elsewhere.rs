//! The table's lines of what is no feature of an account: listeners, streams and sessions implement it, and where is said here.

use super::Feature;

/// Counting is in [`crate::session`], negotiation in [`crate::shard`].
pub(super) const STREAM_MANAGEMENT: Feature = Feature {
    document: "XEP-0198",
    title: "Stream Management",
    version: "1.6.3",
    stream: "<sm xmlns='urn:xmpp:sm:3'/>",
    ..Feature::NONE
};

/// Holding back is in [`crate::session`].
pub(super) const CLIENT_STATE: Feature = Feature {
    document: "XEP-0352",
    title: "Client State Indication",
    version: "1.0.0",
    stream: "<csi xmlns='urn:xmpp:csi:0'/>",
    ..Feature::NONE
};

/// [`crate::features::archive::rules`] and carbons obey `no-store`, `no-permanent-store`, `store` and `no-copy`.
pub(super) const HINTS: Feature =
    Feature { document: "XEP-0334", title: "Message Processing Hints", version: "1.0.0", ..Feature::NONE };

/// The listener for it hands streams over when TLS is there.
pub(super) const DIRECT_TLS: Feature =
    Feature { document: "XEP-0368", title: "SRV records for XMPP over TLS", version: "1.1.0", ..Feature::NONE };

/// Announced before the login, see [`crate::sasl`].
pub(super) const CHANNEL_BINDING: Feature =
    Feature { document: "XEP-0440", title: "SASL Channel-Binding Type Capability", version: "1.0.0", ..Feature::NONE };

/// Rooms have a house of their own, see [`crate::room`].
pub(super) const ROOMS: Feature =
    Feature { document: "XEP-0045", title: "Multi-User Chat", version: "1.35.5", ..Feature::NONE };

/// See [`crate::room`].
pub(super) const SELF_PING: Feature =
    Feature { document: "XEP-0410", title: "MUC Self-Ping (Schrödinger's Chat)", version: "1.1.0", ..Feature::NONE };

/// See [`crate::room`].
pub(super) const OCCUPANT_IDS: Feature = Feature {
    document: "XEP-0421",
    title: "Occupant identifiers for semi-anonymous MUCs",
    version: "1.0.1",
    ..Feature::NONE
};

/// See [`crate::room`].
pub(super) const SLOW_MODE: Feature =
    Feature { document: "XEP-0500", title: "MUC Slow Mode", version: "0.1.1", ..Feature::NONE };

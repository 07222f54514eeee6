//! XML namespaces, named once.

/// RFC 6120: stanzas between client and server.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120: stanzas between servers.
pub const SERVER: &str = "jabber:server";
/// RFC 6120: the stream and its errors.
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// RFC 6120: conditions of stream errors.
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// RFC 6120: conditions of stanza errors.
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// RFC 6120: STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// RFC 6120: SASL.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// RFC 6120: resource binding.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// RFC 3921: session establishment, a no-op.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// RFC 6121: roster.
pub const ROSTER: &str = "jabber:iq:roster";
/// RFC 6121: roster versioning.
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// RFC 6121: subscription pre-approval.
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// Bound to the prefix `xml` always.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// XEP-0440: channel binding types.
pub const SASL_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// XEP-0198: stream management.
pub const SM: &str = "urn:xmpp:sm:3";
/// XEP-0352: client state indication.
pub const CSI: &str = "urn:xmpp:csi:0";

//! The mechanisms (RFC 5802, RFC 7677, RFC 4616) and which of them a connection is offered.

use crate::input::TlsFacts;
use crate::sasl::binding;

/// A mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mechanism {
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 4616.
    Plain,
}

impl Mechanism {
    /// All, in order of preference. Binding comes before the stronger hash: what it stops is nearer than a broken SHA-1
    /// inside HMAC.
    pub const ALL: [Self; 5] =
        [Self::ScramSha256Plus, Self::ScramSha1Plus, Self::ScramSha256, Self::ScramSha1, Self::Plain];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    /// The mechanism of this name. Names are upper case (RFC 4422 section 3.1); others are unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// True if it binds the channel.
    #[must_use]
    pub const fn is_plus(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

/// What to offer on this connection, in order of preference.
#[must_use]
pub fn offered(tls: &TlsFacts) -> &'static [Mechanism] {
    let all: &'static [Mechanism] = &Mechanism::ALL;
    if binding::offers_plus(tls) { all } else { &all[2..] }
}

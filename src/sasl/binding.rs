//! Channel bindings: which types a connection has (XEP-0440) and their data (RFC 9266, RFC 5929 section 4).

use crate::input::TlsFacts;

/// A channel binding type that this server knows. `tls-unique` is deliberately absent: it does not exist in TLS 1.3 and
/// is broken before it (RFC 9266 section 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BindingType {
    /// RFC 9266.
    Exporter,
    /// RFC 5929 section 4.
    EndPoint,
}

impl BindingType {
    /// Both, the stronger first.
    const ALL: [Self; 2] = [Self::Exporter, Self::EndPoint];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::EndPoint => "tls-server-end-point",
        }
    }

    /// The type of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The binding data of this connection, if it has this type.
    pub(super) fn data(self, tls: &TlsFacts) -> Option<&[u8]> {
        match self {
            Self::Exporter => tls.exporter.as_ref().map(<[u8; 32]>::as_slice),
            Self::EndPoint => tls.end_point.as_deref(),
        }
    }
}

/// The types that a client on this connection may use, to be announced in `<sasl-channel-binding/>` (XEP-0440).
pub fn binding_types(tls: &TlsFacts) -> impl Iterator<Item = BindingType> {
    BindingType::ALL.into_iter().filter(|kind| kind.data(tls).is_some())
}

/// True if -PLUS can be offered: the one type is there that clients take unasked, `tls-exporter` on TLS 1.3 (RFC 9266
/// section 3) and any on TLS 1.2.
pub(super) fn offers_plus(tls: &TlsFacts) -> bool {
    tls.exporter.is_some() || (!tls.tls13 && tls.end_point.is_some())
}

//! Why a text is no JID, one variant for each sin (RFC 7622 section 3).

/// Why a text is no JID. A stanza that carries such a text gets `jid-malformed` (RFC 6120 section 8.3.3.8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JidError {
    /// There is an `@` and nothing before it (section 3.3).
    LocalEmpty,
    /// The localpart has more than 1023 bytes (section 3.3).
    LocalTooLong,
    /// The localpart has a character that `UsernameCaseMapped` or section 3.3.1 forbids, or writes in two directions
    /// at once.
    LocalForbidden,
    /// There is no domainpart (section 3.2).
    DomainEmpty,
    /// The domainpart or one of its labels is longer than the DNS can carry (section 3.2, RFC 1035 section 2.3.4).
    DomainTooLong,
    /// The domainpart is neither an IPv6 address in brackets nor labels of letters, digits and hyphens (section 3.2, RFC
    /// 5890 section 2.3).
    DomainForbidden,
    /// There is a `/` and nothing behind it (section 3.4).
    ResourceEmpty,
    /// The resourcepart has more than 1023 bytes (section 3.4).
    ResourceTooLong,
    /// The resourcepart has a character that `OpaqueString` forbids.
    ResourceForbidden,
}

impl std::fmt::Display for JidError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LocalEmpty => "nothing stands before the @",
            Self::LocalTooLong => "the part before the @ is too long",
            Self::LocalForbidden => "the part before the @ has a character that is not allowed there",
            Self::DomainEmpty => "the domain is missing",
            Self::DomainTooLong => "the domain is too long",
            Self::DomainForbidden => "the domain is neither a host name nor an address",
            Self::ResourceEmpty => "nothing stands behind the /",
            Self::ResourceTooLong => "the part behind the / is too long",
            Self::ResourceForbidden => "the part behind the / has a character that is not allowed there",
        })
    }
}

impl std::error::Error for JidError {}

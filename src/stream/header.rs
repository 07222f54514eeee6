//! Stream headers (RFC 6120 section 4.7): the client's is checked, ours is written.

use super::Misbehaved;
use crate::config::Config;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Tag, escape_attr};

/// What a client's stream header says.
#[derive(Debug, PartialEq)]
pub(super) struct ClientHeader {
    /// The domain it wants, one that is served.
    pub(super) domain: Box<str>,
    /// Whom it says it is; echoed, never believed.
    pub(super) from: Option<Box<str>>,
    /// Default language of its stanzas.
    pub(super) lang: Option<Box<str>>,
}

/// Checks a client's header.
pub(super) fn read_client_header(tag: &Tag<'_>, config: &Config) -> Result<ClientHeader, Misbehaved> {
    if tag.name() != "stream" || tag.namespace() != ns::STREAM || tag.default_namespace() != ns::CLIENT {
        return Err(Misbehaved::WrongNamespace);
    }
    let version = tag.attribute("", "version");
    let major =
        version.as_deref().and_then(|version| version.split_once('.')).and_then(|(major, _)| major.parse().ok());
    if major.is_none_or(|major: u16| major < 1) {
        return Err(Misbehaved::OldVersion);
    }
    let domain = match tag.attribute("", "to") {
        Some(to) => {
            let known = Jid::parse(&to).ok().filter(Jid::is_domain).and_then(|jid| config.domain(jid.domain()));
            known.ok_or_else(|| Misbehaved::UnknownHost(to.as_ref().into()))?
        }
        // RFC 6120 section 4.7.2 obliges clients to name the host; one that does not can mean only one if there is only one.
        None if config.domains.len() == 1 => &config.domains[0],
        None => return Err(Misbehaved::UnknownHost("".into())),
    };
    Ok(ClientHeader {
        domain: domain.name.clone(),
        from: tag.attribute("", "from").map(Into::into),
        lang: tag.attribute(ns::XML, "lang").map(Into::into),
    })
}

/// Writes our header: always with the XML declaration, which XEP-0368 probes look for.
pub(super) fn write_header(id: &str, from: &str, to: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='");
    out.extend_from_slice(ns::STREAM.as_bytes());
    out.extend_from_slice(b"' version='1.0' xml:lang='en' id='");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b"' from='");
    escape_attr(out, from);
    if let Some(to) = to {
        out.extend_from_slice(b"' to='");
        escape_attr(out, to);
    }
    out.extend_from_slice(b"'>");
}

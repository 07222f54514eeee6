//! Prepares the three parts of a JID (RFC 7622 sections 3.2 to 3.4). What is ASCII is judged by bytes here; what is not
//! goes to the libraries.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::jid::{JidError, precis};
use crate::limits::JID_PART_BYTES;

/// Preparing can shorten a text, so one above the limit is judged too; but not one that no rule brings back under it
/// (a fullwidth letter of three bytes becomes one).
const RAW_BYTES: usize = 3 * JID_PART_BYTES;
/// Of a domain name in the DNS, without the dot at its end (RFC 1035 section 2.3.4).
const DOMAIN_BYTES: usize = 253;
/// Of a label.
const LABEL_BYTES: usize = 63;

/// The localpart.
pub(super) fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.is_empty() {
        return Err(JidError::LocalEmpty);
    }
    if text.len() > RAW_BYTES {
        return Err(JidError::LocalTooLong);
    }
    let prepared = if text.is_ascii() {
        lower_case(text)
    } else {
        Cow::Owned(precis::username(text).ok_or(JidError::LocalForbidden)?)
    };
    check_local(&prepared)?;
    Ok(prepared)
}

/// Judges a localpart but for its characters beyond ASCII.
pub(super) fn check_local(text: &str) -> Result<(), JidError> {
    // U+0021 to U+007E, but for the eight of section 3.3.1.
    let fits = |byte| matches!(byte, b'!' | b'#'..=b'%' | b'('..=b'.' | b'0'..=b'9' | b';' | b'=' | b'?' | b'A'..=b'~' | 0x80..);
    match text.len() {
        0 => Err(JidError::LocalEmpty),
        length if length > JID_PART_BYTES => Err(JidError::LocalTooLong),
        _ if !text.bytes().all(fits) => Err(JidError::LocalForbidden),
        _ => Ok(()),
    }
}

/// The resourcepart.
///
/// Table 2 of section 3.5 calls one with a space at its start forbidden, but no rule does, and such nicks are in use.
pub(super) fn resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.len() > RAW_BYTES {
        return Err(JidError::ResourceTooLong);
    }
    let prepared = if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(precis::opaque(text).ok_or(JidError::ResourceForbidden)?)
    };
    check_resource(&prepared)?;
    Ok(prepared)
}

/// Judges a resourcepart but for its characters beyond ASCII.
pub(super) fn check_resource(text: &str) -> Result<(), JidError> {
    match text.len() {
        0 => Err(JidError::ResourceEmpty),
        length if length > JID_PART_BYTES => Err(JidError::ResourceTooLong),
        _ if !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | 0x80..)) => Err(JidError::ResourceForbidden),
        _ => Ok(()),
    }
}

/// The domainpart.
pub(super) fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.len() > RAW_BYTES {
        return Err(JidError::DomainTooLong);
    }
    if let Some(address) = text.strip_prefix('[') {
        // Written as RFC 5952 says, so that the same address is the same text.
        let address: Option<Ipv6Addr> = address.strip_suffix(']').and_then(|address| address.parse().ok());
        return address.map(|address| format!("[{address}]").into()).ok_or(JidError::DomainForbidden);
    }
    if text.is_ascii() && !has_a_label(text) {
        let text = text.strip_suffix('.').unwrap_or(text);
        check_domain(text)?;
        return Ok(lower_case(text));
    }
    international(text).map(Cow::Owned)
}

/// Judges a domainpart of ASCII characters without A-labels and without a dot at its end. It may be an IPv4 address,
/// whose numbers are labels too.
pub(super) fn check_domain(text: &str) -> Result<(), JidError> {
    if text.is_empty() {
        return Err(JidError::DomainEmpty);
    }
    if text.len() > DOMAIN_BYTES {
        return Err(JidError::DomainTooLong);
    }
    text.split('.').try_for_each(|label| match label.as_bytes() {
        [] | [b'-', ..] | [.., b'-'] | [_, _, b'-', b'-', ..] => Err(JidError::DomainForbidden),
        label if label.len() > LABEL_BYTES => Err(JidError::DomainTooLong),
        label if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') => {
            Err(JidError::DomainForbidden)
        }
        _ => Ok(()),
    })
}

/// True if a label is the ASCII form of an international one, which RFC 7622 section 3.2.1 wants as a U-label.
pub(super) fn has_a_label(text: &str) -> bool {
    text.split('.').any(|label| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--")))
}

/// A domainpart with international labels, as U-labels (UTS 46, then IDNA2008 in the places where UTS 46 is wider).
fn international(text: &str) -> Result<String, JidError> {
    let uts46 = Uts46::new();
    let (unicode, outcome) = uts46.to_unicode(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    outcome.map_err(|_| JidError::DomainForbidden)?;
    // Only now, because the ideographic full stop is a dot too (RFC 5895 section 2).
    let unicode = unicode.strip_suffix('.').unwrap_or(&unicode);
    if unicode.is_empty() {
        return Err(JidError::DomainEmpty);
    }
    // UTS 46 takes symbols and knows no contextual rules (RFC 5892 appendix A); for the rest PRECIS and IDNA agree.
    if !unicode.split('.').all(|label| precis::allows(label, true)) {
        return Err(JidError::DomainForbidden);
    }
    let ascii = uts46
        .to_ascii(unicode.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
        .map_err(|_| JidError::DomainForbidden)?;
    if ascii.len() > DOMAIN_BYTES || ascii.split('.').any(|label| label.len() > LABEL_BYTES) {
        return Err(JidError::DomainTooLong);
    }
    if ascii.split('.').any(str::is_empty) {
        return Err(JidError::DomainForbidden);
    }
    Ok(unicode.into())
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

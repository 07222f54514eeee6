//! The XML declaration at the start of a stream (XML 1.0 section 2.8, RFC 6120 sections 11.5 and 11.6).

use super::characters::{SPACE, is};
use super::error::XmlError;

/// Bytes that an XML declaration may have; the longest reasonable one has 60.
pub(super) const BYTES: usize = 256;

/// Checks `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>`, the latter two optional.
///
/// # Errors
/// [`XmlError::Restricted`] if it is another processing instruction, [`XmlError::UnsupportedEncoding`] if it names
/// another encoding than UTF-8, [`XmlError::NotWellFormed`] else.
pub(super) fn check(declaration: &[u8]) -> Result<(), XmlError> {
    let inner = declaration.strip_prefix(b"<?").and_then(|rest| rest.strip_suffix(b"?>"));
    let rest = inner.and_then(|inner| inner.strip_prefix(b"xml")).ok_or(XmlError::Restricted)?;
    if rest.first().is_some_and(|byte| !is(*byte, SPACE)) {
        return Err(XmlError::Restricted);
    }
    let mut rest = rest;
    if pseudo_attribute(&mut rest, b"version")? != Some(b"1.0") {
        return Err(XmlError::NotWellFormed);
    }
    if let Some(encoding) = pseudo_attribute(&mut rest, b"encoding")? {
        if !encoding.first().is_some_and(u8::is_ascii_alphabetic) {
            return Err(XmlError::NotWellFormed);
        }
        if !encoding.eq_ignore_ascii_case(b"utf-8") {
            return Err(XmlError::UnsupportedEncoding);
        }
    }
    if pseudo_attribute(&mut rest, b"standalone")?.is_some_and(|value| !matches!(value, b"yes" | b"no")) {
        return Err(XmlError::NotWellFormed);
    }
    if rest.iter().all(|byte| is(*byte, SPACE)) { Ok(()) } else { Err(XmlError::NotWellFormed) }
}

/// Takes ` name = 'value'` from the front if it is there.
fn pseudo_attribute<'a>(rest: &mut &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, XmlError> {
    let trimmed = trim(rest);
    let Some(after) = trimmed.strip_prefix(name) else { return Ok(None) };
    if trimmed.len() == rest.len() {
        return Err(XmlError::NotWellFormed);
    }
    let after = trim(after).strip_prefix(b"=").map(trim).ok_or(XmlError::NotWellFormed)?;
    let (quote, value) = after.split_first().ok_or(XmlError::NotWellFormed)?;
    let end = value.iter().position(|byte| byte == quote).ok_or(XmlError::NotWellFormed)?;
    if !matches!(quote, b'\'' | b'"') {
        return Err(XmlError::NotWellFormed);
    }
    *rest = &value[end + 1..];
    Ok(Some(&value[..end]))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is(*byte, SPACE)).unwrap_or(bytes.len());
    &bytes[start..]
}

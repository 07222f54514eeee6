//! Payloads that lean on declarations outside them, made self-contained (RFC 6120 section 4.8), so that they can be
//! written into another stream.

use memchr::memmem;

use super::children::children;
use super::escape::escape_attr;
use super::tag::{Tag, raw_name};
use crate::ns;

/// The namespace that a stanza's payload has by default on this stream: what the header declares, or the stanza's own where
/// the header declares none or makes the stream's namespace the default ("prefix-free canonicalization").
pub(super) fn content_namespace<'t>(tag: &'t Tag<'_>) -> &'t str {
    match tag.stream().default_namespace() {
        "" | ns::STREAM => tag.namespace(),
        content => content,
    }
}

/// The payload with the declarations that its children need from outside put on each of them.
pub(super) fn payload(tag: &Tag<'_>, payload: &[u8]) -> Vec<u8> {
    let mut needed: Vec<(String, String)> = Vec::new();
    if tag.default_namespace() != content_namespace(tag) {
        needed.push((String::new(), tag.default_namespace().into()));
    }
    let own = tag
        .declarations()
        .map(|declaration| (declaration.declared_prefix().to_owned(), declaration.value().into_owned()));
    let outer = tag.stream().prefixes().map(|(prefix, namespace)| (prefix.to_owned(), namespace.to_owned()));
    for (prefix, namespace) in own.chain(outer) {
        if !prefix.is_empty() && prefix != "xml" && !needed.iter().any(|(known, _)| *known == prefix) {
            needed.push((prefix, namespace));
        }
    }
    let mut out = Vec::with_capacity(payload.len() + 64);
    let mut copied = 0;
    for child in children(payload, "") {
        let start = child.offset;
        let name_end = start + 1 + raw_name(child.text).len();
        out.extend_from_slice(&payload[copied..name_end]);
        copied = name_end;
        for (prefix, namespace) in &needed {
            let declared = child.declarations().any(|declaration| declaration.declared_prefix() == prefix);
            let used = prefix.is_empty() || memmem::find(child.bytes, format!("{prefix}:").as_bytes()).is_some();
            if declared || !used {
                continue;
            }
            out.extend_from_slice(b" xmlns");
            if !prefix.is_empty() {
                out.push(b':');
                out.extend_from_slice(prefix.as_bytes());
            }
            out.extend_from_slice(b"='");
            escape_attr(&mut out, namespace);
            out.push(b'\'');
        }
    }
    out.extend_from_slice(&payload[copied..]);
    out
}

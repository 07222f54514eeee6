//! Payloads that lean on declarations outside them, made self-contained (RFC 6120 section 4.8), so that they can be
//! written into another stream.

use memchr::{memchr, memmem};

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

/// The payload with the declarations that its children need from outside put on each of them. None: it would have more than
/// `most` bytes, as when thousands of children use one long declaration.
pub(super) fn payload(tag: &Tag<'_>, payload: &[u8], most: usize) -> Option<Vec<u8>> {
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
    let declarations: Vec<_> = needed.iter().map(|(prefix, namespace)| Declaration::new(prefix, namespace)).collect();
    let mut out = Vec::with_capacity(payload.len() + 64);
    let mut copied = 0;
    for child in children(payload, "") {
        let name_end = child.offset + 1 + raw_name(child.text).len();
        out.extend_from_slice(&payload[copied..name_end]);
        copied = name_end;
        let prefixed = memchr(b':', child.bytes).is_some();
        for declaration in &declarations {
            let used = declaration.prefix.is_empty() || (prefixed && declaration.use_of.find(child.bytes).is_some());
            if used && !child.declarations().any(|own| own.declared_prefix() == declaration.prefix) {
                out.extend_from_slice(&declaration.text);
            }
        }
        if out.len() > most {
            return None;
        }
    }
    out.extend_from_slice(&payload[copied..]);
    (out.len() <= most).then_some(out)
}

/// A declaration that children may need.
struct Declaration<'a> {
    /// Empty for the default namespace.
    prefix: &'a str,
    /// Finds what looks like a use of the prefix; once too often does no harm.
    use_of: memmem::Finder<'static>,
    /// As it is written, with a space before it.
    text: Vec<u8>,
}

impl<'a> Declaration<'a> {
    fn new(prefix: &'a str, namespace: &str) -> Self {
        let mut text = b" xmlns".to_vec();
        if !prefix.is_empty() {
            text.push(b':');
            text.extend_from_slice(prefix.as_bytes());
        }
        text.extend_from_slice(b"='");
        escape_attr(&mut text, namespace);
        text.push(b'\'');
        Self { prefix, use_of: memmem::Finder::new(&format!("{prefix}:")).into_owned(), text }
    }
}

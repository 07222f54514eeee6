//! Writing the tree of an element as XML that declares a namespace only where it changes (Namespaces in XML 1.0 section 6).

use super::element::{Element, Node};
use super::escape::{escape_attr, escape_text};
use crate::ns;

impl Element {
    /// Appends the element, to stand where `parent_ns` is the default namespace.
    pub fn write_to(&self, out: &mut Vec<u8>, parent_ns: &str) {
        // The namespace of `xml` cannot be a default namespace, and its prefix needs no declaration.
        let inner = if *self.ns == *ns::XML { parent_ns } else { &self.ns };
        out.push(b'<');
        self.write_name(out);
        if inner != parent_ns {
            write_attr(out, "xmlns", inner);
        }
        for (index, (name, value)) in self.attrs.iter().enumerate() {
            match name.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) {
                Some((namespace, local)) => {
                    write_attr(out, &format!("xmlns:ns{index}"), namespace);
                    write_attr(out, &format!("ns{index}:{local}"), value);
                }
                None => write_attr(out, name, value),
            }
        }
        if self.children.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write_to(out, inner),
                Node::Text(text) => escape_text(out, text),
            }
        }
        out.extend_from_slice(b"</");
        self.write_name(out);
        out.push(b'>');
    }

    fn write_name(&self, out: &mut Vec<u8>) {
        if *self.ns == *ns::XML {
            out.extend_from_slice(b"xml:");
        }
        out.extend_from_slice(self.name.as_bytes());
    }

    /// The element as bytes of its own, to stand where `parent_ns` is the default namespace.
    #[must_use]
    pub fn to_bytes(&self, parent_ns: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.write_to(&mut out, parent_ns);
        out
    }
}

fn write_attr(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape_attr(out, value);
    out.push(b'\'');
}

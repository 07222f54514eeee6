//! XML as XMPP restricts it (RFC 6120 section 11): the strict frame scanner that every byte of a peer passes, and trees
//! for the payloads that a feature must understand.
//!
//! [`Framer`] is the gatekeeper: what it lets through is well-formed and namespace-well-formed, so it can be forwarded as
//! it is. [`children()`] looks over a payload without building anything, [`Element`] is the tree.

mod attributes;
mod characters;
mod children;
mod declaration;
mod element;
mod error;
mod escape;
mod frame;
mod namespaces;
mod portable;
mod scan;
mod stack;
mod tag;
mod write;

pub use attributes::{Attribute, Attributes};
pub use children::{Child, Children, attributes_of, children};
pub use element::{Element, Node, parse_all};
pub use error::XmlError;
pub use escape::{escape_attr, escape_text, unescape, unescape_attr};
pub use frame::{Frame, Framer, Limits};
pub use tag::{Framed, Tag};

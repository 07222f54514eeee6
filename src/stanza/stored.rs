//! A stanza that was written by [`Stanza::write_to`] and comes back from the store.

use super::{Stanza, read};
use crate::jid::Jid;
use crate::ns;
use crate::xml::children;

impl Stanza {
    /// Reads a stored stanza; none if the bytes are not one of ours.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        let element = children(bytes, ns::CLIENT).next()?;
        let jid = |name| element.attribute(name).and_then(|text| Jid::parse(&text).ok());
        let kind = read::kind_named(element.name)?;
        let kind = match element.attribute("type") {
            Some(name) => read::kind_of(kind, &name)?,
            None => kind,
        };
        let mut stanza = Self::new(kind, jid("from"), jid("to")).with_payload(element.payload());
        stanza.id = element.attribute("id").map(Into::into);
        stanza.lang = element
            .attributes()
            .find(|attribute| attribute.prefix() == "xml" && attribute.name() == "lang")
            .map(|attribute| attribute.value().into());
        Some(stanza)
    }
}

//! Reading a client's roster set and naming what is wrong with it (RFC 6121 sections 2.3.3, 2.4.3 and 2.5.3).

use crate::jid::Jid;
use crate::limits;
use crate::ns;
use crate::xml::Element;

use super::RosterFull;

/// What a client may do to its roster. Whatever it says of subscriptions beside `remove`, of `ask` and of `approved` is
/// ignored (sections 2.1.2.1, 2.1.2.2 and 2.1.2.5): those change by presence alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RosterChange {
    /// Add the contact, or replace its name and groups.
    Set {
        /// The contact, prepared; usually a bare JID.
        contact: Jid,
        /// Never empty: an empty name is no name (section 2.4.1).
        name: Option<Box<str>>,
        /// In the client's order, each once, none empty.
        groups: Vec<Box<str>>,
    },
    /// Remove the contact.
    Remove {
        /// The contact, prepared.
        contact: Jid,
    },
}

/// Why a roster set is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetError {
    /// Not exactly one item, no valid JID, a group twice.
    BadRequest,
    /// An empty group, too many groups, a name or group that is too long.
    NotAcceptable,
    /// The user's own account, or one contact too many.
    NotAllowed,
    /// Removes what is not there.
    ItemNotFound,
}

impl From<RosterFull> for SetError {
    fn from(_: RosterFull) -> Self {
        Self::NotAllowed
    }
}

/// Reads the `query` of a roster set that a session of `account` sent. That nobody else sent it (`forbidden`) is for the
/// caller to see to.
///
/// # Errors
/// See [`SetError`]; whether the contact to remove exists is known to the roster alone.
pub fn parse_set(query: &Element, account: &Jid) -> Result<RosterChange, SetError> {
    let mut items = query.elements().filter(|child| child.is("item", ns::ROSTER));
    let (Some(item), None) = (items.next(), items.next()) else { return Err(SetError::BadRequest) };
    let contact = item.attr("jid").and_then(|jid| Jid::parse(jid).ok()).ok_or(SetError::BadRequest)?;
    if item.attr("subscription") == Some("remove") {
        return Ok(RosterChange::Remove { contact });
    }
    // A roster that lists its owner makes clients and servers send the owner's presence in circles.
    if contact.bare_str() == account.bare_str() {
        return Err(SetError::NotAllowed);
    }
    let name = item.attr("name").filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.len() > limits::ROSTER_TEXT_BYTES) {
        return Err(SetError::NotAcceptable);
    }
    let mut groups: Vec<Box<str>> = Vec::new();
    for group in item.elements().filter(|child| child.is("group", ns::ROSTER)) {
        let text = group.text();
        if groups.iter().any(|known| **known == *text) {
            return Err(SetError::BadRequest);
        }
        if text.is_empty() || text.len() > limits::ROSTER_TEXT_BYTES || groups.len() == limits::ROSTER_GROUPS {
            return Err(SetError::NotAcceptable);
        }
        groups.push(text.into());
    }
    groups.shrink_to_fit();
    Ok(RosterChange::Set { contact, name: name.map(Into::into), groups })
}

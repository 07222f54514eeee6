//! JIDs (RFC 7622): parsed once, prepared, compared as bytes.

use std::sync::Arc;

/// An address: `localpart@domainpart/resourcepart`, each part prepared.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the localpart; 0 for none.
    local: u16,
    /// Bytes before the slash; the whole length if there is no resource.
    bare: u16,
}

/// Why a text is no JID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JidError;

impl Jid {
    /// Parses and prepares.
    ///
    /// # Errors
    /// If a part is empty, longer than 1023 bytes, or has a character that its profile forbids.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let bare = text.find('/').unwrap_or(text.len());
        let local = text[..bare].find('@').unwrap_or(0);
        if bare > 2047 {
            return Err(JidError);
        }
        Ok(Self {
            text: text.into(),
            local: u16::try_from(local).map_err(|_| JidError)?,
            bare: u16::try_from(bare).map_err(|_| JidError)?,
        })
    }

    /// Puts an address together from parts that are prepared here.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Self, JidError> {
        let local = local.map(|local| format!("{local}@")).unwrap_or_default();
        let resource = resource.map(|resource| format!("/{resource}")).unwrap_or_default();
        Self::parse(&format!("{local}{domain}{resource}"))
    }

    /// The domain alone; no allocation if this is one.
    #[must_use]
    pub fn domain_jid(&self) -> Self {
        if self.is_domain() {
            return self.clone();
        }
        let domain = self.domain();
        Self { text: domain.into(), local: 0, bare: self.bare - if self.local > 0 { self.local + 1 } else { 0 } }
    }

    /// True if there is neither localpart nor resource.
    #[must_use]
    pub fn is_domain(&self) -> bool {
        self.local == 0 && self.is_bare()
    }

    /// True if both have the same bare JID.
    #[must_use]
    pub fn same_bare(&self, other: &Self) -> bool {
        self.bare_str() == other.bare_str()
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before `@`, if any.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        (self.local > 0).then(|| &self.text[..usize::from(self.local)])
    }

    /// The domainpart.
    #[must_use]
    pub fn domain(&self) -> &str {
        let start = if self.local > 0 { usize::from(self.local) + 1 } else { 0 };
        &self.text[start..usize::from(self.bare)]
    }

    /// The part behind `/`, if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.text.get(usize::from(self.bare) + 1..)
    }

    /// The text of the bare JID.
    #[must_use]
    pub fn bare_str(&self) -> &str {
        &self.text[..usize::from(self.bare)]
    }

    /// The bare JID; no allocation if this is one.
    #[must_use]
    pub fn to_bare(&self) -> Self {
        if self.is_bare() {
            return self.clone();
        }
        Self { text: self.bare_str().into(), local: self.local, bare: self.bare }
    }

    /// True if there is no resource.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        usize::from(self.bare) == self.text.len()
    }

    /// This bare JID with a resource, prepared with the `OpaqueString` profile.
    ///
    /// # Errors
    /// If the resource is empty, too long or forbidden.
    pub fn with_resource(&self, resource: &str) -> Result<Self, JidError> {
        Self::parse(&format!("{}/{resource}", self.bare_str()))
    }
}

impl std::fmt::Debug for Jid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Display for Jid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

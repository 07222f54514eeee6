//! JIDs (RFC 7622): parsed once, prepared, compared as bytes.

mod context;
mod error;
mod precis;
mod prepare;
#[cfg(test)]
mod tests;

pub use error::JidError;

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

impl Jid {
    /// Parses and prepares. An address of ASCII characters costs one allocation.
    ///
    /// # Errors
    /// If a part is empty, longer than 1023 bytes, or has a character that its profile forbids.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        // The separators are found before anything is mapped: a character that becomes one is no separator (section 3.2).
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        let plain =
            text.is_ascii() && !domain.starts_with('[') && !domain.ends_with('.') && !prepare::has_a_label(domain);
        if !plain {
            return Self::from_parts(local, domain, resource);
        }

        local.map_or(Ok(()), prepare::check_local)?;
        prepare::check_domain(domain)?;
        resource.map_or(Ok(()), prepare::check_resource)?;
        let mut shared: Arc<str> = text.into();
        if bare.bytes().any(|byte| byte.is_ascii_uppercase())
            && let Some(text) = Arc::get_mut(&mut shared)
        {
            text[..bare.len()].make_ascii_lowercase();
        }
        Ok(Self::of(shared, local.map_or(0, str::len), bare.len()))
    }

    /// Puts an address together from parts, which are prepared here.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Self, JidError> {
        let local = local.map(prepare::local).transpose()?;
        let domain = prepare::domain(domain)?;
        let resource = resource.map(prepare::resource).transpose()?;
        let mut text = String::with_capacity(
            local.as_ref().map_or(0, |local| local.len() + 1)
                + domain.len()
                + resource.as_ref().map_or(0, |part| part.len() + 1),
        );
        if let Some(local) = &local {
            text.push_str(local);
            text.push('@');
        }
        text.push_str(&domain);
        let bare = text.len();
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(&resource);
        }
        Ok(Self::of(text.into(), local.map_or(0, |local| local.len()), bare))
    }

    /// A prepared text and the lengths of its localpart and its bare JID, which are below 3,000.
    fn of(text: Arc<str>, local: usize, bare: usize) -> Self {
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        Self { text, local: short(local), bare: short(bare) }
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
        let resource = prepare::resource(resource)?;
        Ok(Self { text: [self.bare_str(), "/", &resource].concat().into(), local: self.local, bare: self.bare })
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

//! Fuzz target `jid`: what is taken as a JID is taken again as it is, its parts make the same JID, and each keeps its bounds.

use wattle::jid::Jid;

/// Any bytes; what is no UTF-8 never reaches an address.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = Jid::parse(text);
    assert_eq!(put_together(text), parsed, "its parts, each on its own");
    let Ok(jid) = parsed else {
        return;
    };

    assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(&jid), "a second time");
    assert_eq!(Jid::from_parts(jid.local(), jid.domain(), jid.resource()).as_ref(), Ok(&jid), "from its parts");
    let bounds = 1..=1023;
    assert!(jid.local().is_none_or(
        |local| bounds.contains(&local.len()) && !local.contains(['"', '&', '\'', '/', ':', '<', '>', '@', ' '])
    ));
    assert!(bounds.contains(&jid.domain().len()) && !jid.domain().contains(['@', '/', ' ']));
    assert!(jid.resource().is_none_or(|resource| bounds.contains(&resource.len())));
    assert!(!jid.as_str().contains(char::is_control));

    let bare = jid.to_bare();
    assert_eq!(Jid::parse(jid.bare_str()).as_ref(), Ok(&bare), "the bare JID");
    assert_eq!(Jid::parse(jid.domain()), Ok(jid.domain_jid()), "the domain");
    assert!(bare.same_bare(&jid) && bare.is_bare() && jid.domain_jid().is_domain());
    if let Some(resource) = jid.resource() {
        assert_eq!(bare.with_resource(resource).as_ref(), Ok(&jid), "its resource again");
    }
}

/// The same address without the short way that ASCII takes.
fn put_together(text: &str) -> Result<Jid, wattle::jid::JidError> {
    let (bare, resource) = text.split_once('/').map_or((text, None), |(bare, resource)| (bare, Some(resource)));
    let (local, domain) = bare.split_once('@').map_or((None, bare), |(local, domain)| (Some(local), domain));
    Jid::from_parts(local, domain, resource)
}

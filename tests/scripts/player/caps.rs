//! Computes entity capabilities from a disco#info result, step by step as XEP-0115 section 5.1 says it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use wattle::xml::Element;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const DATA: &str = "jabber:x:data";

/// The verification string's SHA-1, in base64.
pub(crate) fn ver(query: &Element) -> String {
    let attr = |element: &Element, name: &str| element.attr(name).unwrap_or_default().to_owned();
    let all = |parent: &Element, name: &str, ns: &str| -> Vec<Element> {
        parent.elements().filter(|child| child.is(name, ns)).cloned().collect()
    };
    let mut identities: Vec<String> = all(query, "identity", INFO)
        .iter()
        .map(|it| {
            format!("{}/{}/{}/{}<", attr(it, "category"), attr(it, "type"), attr(it, "xml:lang"), attr(it, "name"))
        })
        .collect();
    identities.sort();
    let mut features: Vec<String> = all(query, "feature", INFO).iter().map(|feature| attr(feature, "var")).collect();
    // Sorted before the separator is there: a name that begins another one comes first.
    features.sort();
    let features = features.into_iter().map(|feature| feature + "<").collect();
    let mut forms: Vec<String> = all(query, "x", DATA).iter().map(form).collect();
    forms.sort();
    let text = [identities, features, forms].concat().concat();
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn form(form: &Element) -> String {
    let values = |field: &Element| {
        let mut values: Vec<String> = field
            .elements()
            .filter(|value| value.is("value", DATA))
            .map(|value| format!("{}<", value.text()))
            .collect();
        values.sort();
        values.concat()
    };
    let fields: Vec<&Element> = form.elements().filter(|field| field.is("field", DATA)).collect();
    let is_type = |field: &&&Element| field.attr("var") == Some("FORM_TYPE");
    let kind = fields.iter().find(is_type).map(|field| values(field)).unwrap_or_default();
    let mut others: Vec<String> = fields
        .iter()
        .filter(|field| !is_type(field))
        .map(|field| format!("{}<{}", field.attr("var").unwrap_or_default(), values(field)))
        .collect();
    others.sort();
    kind + &others.concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use wattle::xml::Element;

    /// The example of section 5.3, whose hash is printed there.
    #[test]
    fn the_complex_example() {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
            <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
            <x xmlns='jabber:x:data' type='result'>\
            <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
            <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>\
            <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
            <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>\
            </x></query>";
        let query = Element::parse(query.as_bytes(), "").unwrap();
        assert_eq!(super::ver(&query), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    }
}

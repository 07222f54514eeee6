//! Compares what came with what was expected: by names and namespaces, never by how it is written.

use std::collections::BTreeMap;

use super::reading::{Item, text};
use wattle::ns;
use wattle::xml::Element;

/// What earlier steps have seen, by name.
pub(crate) type Captures = BTreeMap<String, String>;

/// Compares; what the template captures is added only if everything fits.
pub(crate) fn matches(template: &Item, got: &Item, captures: &mut Captures) -> Result<(), String> {
    let mut news = captures.clone();
    match (template, got) {
        (Item::Header(expected), Item::Header(got)) | (Item::Element(expected), Item::Element(got)) => {
            element(expected, got, &mut news)?;
        }
        (Item::End, Item::End) | (Item::Closed, Item::Closed) => {}
        _ => return Err("something else".to_owned()),
    }
    *captures = news;
    Ok(())
}

fn element(expected: &Element, got: &Element, captures: &mut Captures) -> Result<(), String> {
    if (&expected.ns, &expected.name) != (&got.ns, &got.name) {
        return Err(format!(
            "<{} xmlns='{}'> instead of <{} xmlns='{}'>",
            got.name, got.ns, expected.name, expected.ns
        ));
    }
    for (name, value) in &expected.attrs {
        match got.attr(name) {
            _ if &**value == "{absent}" => {
                if let Some(there) = got.attr(name) {
                    return Err(format!("{name}='{there}', which should be absent"));
                }
            }
            Some(found) => fill(value, found, captures).map_err(|()| format!("{name}='{found}' is not {value}"))?,
            None => return Err(format!("no {name} in {}", text(got))),
        }
    }
    // The type of a stanza is always part of what is expected, and absence is a type.
    if expected.ns.as_ref() == ns::CLIENT && expected.attr("type").is_none() && got.attr("type").is_some() {
        return Err(format!("has a type: {}", text(got)));
    }
    children(expected, got, captures)
}

fn children(expected: &Element, got: &Element, captures: &mut Captures) -> Result<(), String> {
    let expected_text = expected.text();
    let wanted: Vec<&Element> = expected.elements().collect();
    let found: Vec<&Element> = got.elements().filter(|child| !is_beside(child, &wanted)).collect();
    if expected_text.trim() == "..." {
        // Some of the children, in any order.
        for wanted in wanted {
            if !found.iter().any(|found| {
                let mut news = captures.clone();
                let fits = element(wanted, found, &mut news).is_ok();
                if fits {
                    *captures = news;
                }
                fits
            }) {
                return Err(format!("{} is missing in {}", text(wanted), text(got)));
            }
        }
        return Ok(());
    }
    if wanted.len() != found.len() {
        return Err(format!("{} children instead of {} in {}", found.len(), wanted.len(), text(got)));
    }
    for (wanted, found) in wanted.iter().zip(&found) {
        element(wanted, found, captures)?;
    }
    if wanted.is_empty() || !expected_text.trim().is_empty() {
        let got_text = got.text();
        fill(expected_text.trim(), got_text.trim(), captures)
            .map_err(|()| format!("text {got_text:?} in <{}> is not {expected_text:?}", got.name))?;
    }
    Ok(())
}

/// What every message has (XEP-0359), what all that is of occupants has (XEP-0421), and what only developers read is compared only where the template has it.
fn is_beside(child: &Element, wanted: &[&Element]) -> bool {
    let beside = child.is("stanza-id", "urn:xmpp:sid:0")
        || child.is("occupant-id", "urn:xmpp:occupant-id:0")
        || child.is("text", ns::STANZA_ERRORS)
        || child.is("text", ns::STREAM_ERRORS);
    beside && !wanted.iter().any(|wanted| wanted.is(&child.name, &child.ns))
}

/// Compares a value with one that may hold `{name}`: the first time it is seen, afterwards it must be the same; `{any}` is
/// anything, also nothing; `{not name}` is anything else than what `name` is.
fn fill(pattern: &str, found: &str, captures: &mut Captures) -> Result<(), ()> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return if pattern == found { Ok(()) } else { Err(()) };
    };
    let (name, after) = rest.split_once('}').ok_or(())?;
    let found = found.strip_prefix(before).ok_or(())?;
    if let Some((name, length)) = name.split_once(':') {
        // So many characters, and not the text behind, end it.
        let (value, rest) = found.split_at_checked(length.parse().map_err(drop)?).ok_or(())?;
        if captures.get(name).is_some_and(|known| known != value) {
            return Err(());
        }
        captures.insert(name.to_owned(), value.to_owned());
        let rest = rest.to_owned();
        return fill(after, &rest, captures);
    }
    if let Some(known) = captures.get(name) {
        let rest = found.strip_prefix(known.as_str()).ok_or(())?.to_owned();
        return fill(after, &rest, captures);
    }
    if let Some(other) = name.strip_prefix("not ") {
        let differs = captures.get(other).is_some_and(|known| known != found);
        return if differs && after.is_empty() { Ok(()) } else { Err(()) };
    }
    // One unknown and the text behind it: the text behind must end it.
    let literal_end = after.find('{').unwrap_or(after.len());
    let end = if after.is_empty() { found.len() } else { found.find(&after[..literal_end]).ok_or(())? };
    let (value, rest) = found.split_at(end);
    if name != "any" {
        if value.is_empty() {
            return Err(());
        }
        captures.insert(name.to_owned(), value.to_owned());
    }
    let rest = rest.to_owned();
    fill(after, &rest, captures)
}

/// Writes out what is to be repeated: `{repeat 3 x}`. `#` in it counts, so that names differ.
pub(crate) fn repeat(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, repeated)) = rest.split_once("{repeat ") {
        out.push_str(before);
        let fault = || format!("repeat what, how often: {repeated}");
        let (times, repeated) = repeated.split_once(' ').ok_or_else(fault)?;
        let (what, after) = repeated.split_once('}').ok_or_else(fault)?;
        let times: usize = times.parse().map_err(|_| fault())?;
        for number in 0..times {
            out.push_str(&what.replace('#', &number.to_string()));
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Writes captures into what is sent, repeats, and makes bytes of `\x00`.
pub(crate) fn expand(text: &str, captures: &Captures) -> Result<Vec<u8>, String> {
    let text = repeat(text)?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some(at) = rest.find(['{', '\\']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let special = &rest[at..];
        if let Some(hex) = special.strip_prefix("\\x") {
            let digits = hex.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.push(digits.ok_or_else(|| format!("no two hexadecimal digits: {special}"))?);
            rest = &hex[2..];
        } else if let Some(after) = special.strip_prefix('\\') {
            out.push(b'\\');
            rest = after;
        } else {
            let (name, after) = special[1..].split_once('}').ok_or_else(|| format!("no end: {special}"))?;
            out.extend_from_slice(captures.get(name).ok_or_else(|| format!("never seen: {name}"))?.as_bytes());
            rest = after;
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

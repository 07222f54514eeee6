//! The PRECIS profiles of a JID's parts beyond ASCII (RFC 8264, RFC 8265): `UsernameCaseMapped` and `OpaqueString`.

use std::borrow::Cow;

use precis_profiles::precis_core::profile::Rules;
use precis_profiles::precis_core::{DerivedPropertyValue, FreeformClass, IdentifierClass, StringClass};
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::jid::context;

/// `UsernameCaseMapped` (RFC 8265 section 3.3).
pub(super) fn username(text: &str) -> Option<String> {
    let profile = UsernameCaseMapped::new();
    stable(text, |text| {
        let text = profile.width_mapping_rule(text).ok()?;
        if !allows(&text, true) {
            return None;
        }
        let text = profile.case_mapping_rule(text).ok()?;
        let text = profile.normalization_rule(text).ok()?;
        profile.directionality_rule(text).ok()
    })
}

/// `OpaqueString` (RFC 8265 section 4.2).
pub(super) fn opaque(text: &str) -> Option<String> {
    let profile = OpaqueString::new();
    stable(text, |text| {
        if !allows(text, false) {
            return None;
        }
        let text = profile.additional_mapping_rule(text).ok()?;
        profile.normalization_rule(text).ok()
    })
}

/// Applies the rules until they change nothing, three times more than once at most (RFC 8264 section 7).
fn stable(text: &str, apply: impl for<'a> Fn(&'a str) -> Option<Cow<'a, str>>) -> Option<String> {
    let mut text = apply(text)?.into_owned();
    for _ in 0..3 {
        let again = apply(&text)?;
        if again == text {
            return Some(text);
        }
        text = again.into_owned();
    }
    None
}

/// True if every code point stands in `IdentifierClass` or `FreeformClass` (RFC 8264 sections 4.2 and 4.3), in its context.
pub(super) fn allows(text: &str, identifier: bool) -> bool {
    let mut contextual = false;
    let known = text.chars().all(|c| {
        let value = if identifier {
            IdentifierClass::default().get_value_from_char(c)
        } else {
            FreeformClass::default().get_value_from_char(c)
        };
        match value {
            DerivedPropertyValue::PValid | DerivedPropertyValue::SpecClassPval => true,
            DerivedPropertyValue::SpecClassDis | DerivedPropertyValue::Disallowed => false,
            DerivedPropertyValue::Unassigned => allows_newer(c, identifier),
            DerivedPropertyValue::ContextJ | DerivedPropertyValue::ContextO => {
                contextual = true;
                true
            }
        }
    });
    known && (!contextual || context::fits(text))
}

/// The same for a code point that Unicode 6.3 did not know, on whose tables `precis-core` stands: by the algorithm of RFC
/// 8264 section 8. Without it a nick with an emoji of the last ten years would be no resourcepart.
fn allows_newer(c: char, identifier: bool) -> bool {
    use GeneralCategory as G;
    // The only one since then that is default-ignorable and no format character.
    if c == '\u{180F}' {
        return false;
    }
    match c.general_category() {
        G::Unassigned
        | G::PrivateUse
        | G::Surrogate
        | G::Control
        | G::Format
        | G::LineSeparator
        | G::ParagraphSeparator => false,
        _ if !identifier => true,
        G::LowercaseLetter
        | G::UppercaseLetter
        | G::OtherLetter
        | G::DecimalNumber
        | G::ModifierLetter
        | G::NonspacingMark
        | G::SpacingMark => !has_compatibility_form(c),
        _ => false,
    }
}

/// True if normalization form KC makes something else of it (RFC 8264 section 9.17).
fn has_compatibility_form(c: char) -> bool {
    let mut text = [0; 4];
    !unicode_normalization::is_nfkc(c.encode_utf8(&mut text))
}

//! The contextual rules of PRECIS and IDNA (RFC 5892 appendix A): characters that are allowed beside certain others only.
//!
//! `precis-core` has them, but judges each such character by reading the whole text again, so that a hostile text of
//! nothing else costs its length squared. Here each rule goes over the text once and leaves the scripts to the library.

use precis_profiles::precis_core::{DerivedPropertyValue, StringClass};

/// A class in which one character needs its context and all others are welcome: it makes the library apply one rule.
struct Only(char);

impl StringClass for Only {
    fn get_value_from_char(&self, c: char) -> DerivedPropertyValue {
        if c == self.0 { DerivedPropertyValue::ContextO } else { DerivedPropertyValue::PValid }
    }

    fn get_value_from_codepoint(&self, code: u32) -> DerivedPropertyValue {
        char::from_u32(code).map_or(DerivedPropertyValue::Disallowed, |c| self.get_value_from_char(c))
    }
}

/// True if the rule of `c` allows it in this small text.
fn judge(c: char, text: &str) -> bool {
    Only(c).allows(text).is_ok()
}

/// True if every character of the text that needs a context has it.
pub(super) fn fits(text: &str) -> bool {
    middle_dot(text)
        && zero_width_joiner(text)
        && zero_width_non_joiner(text)
        && keraia(text)
        && geresh(text)
        && katakana_middle_dot(text)
        && arabic_digits(text)
}

/// A.1: between letters that join, or behind a virama.
fn zero_width_non_joiner(text: &str) -> bool {
    const C: char = '\u{200C}';
    // It joins nothing itself, so the rule never looks beyond the next one.
    let pieces: Vec<&str> = text.split(C).collect();
    pieces.windows(2).all(|pair| judge(C, &[pair[0], "\u{200C}", pair[1]].concat()))
}

/// A.2: behind a virama.
fn zero_width_joiner(text: &str) -> bool {
    const C: char = '\u{200D}';
    text.match_indices(C).all(|(index, joiner)| match text[..index].chars().next_back() {
        Some(before) if before != C => judge(C, &format!("{before}{joiner}")),
        _ => false,
    })
}

/// A.3: between two `l`, as Catalan writes it.
fn middle_dot(text: &str) -> bool {
    text.match_indices('\u{B7}')
        .all(|(index, dot)| text[..index].ends_with('l') && text[index + dot.len()..].starts_with('l'))
}

/// A.4: before a Greek character, which it is itself.
fn keraia(text: &str) -> bool {
    const C: char = '\u{375}';
    text.match_indices(C).all(|(index, _)| {
        text[index..].trim_start_matches(C).chars().next().is_some_and(|after| judge(C, &format!("{C}{after}")))
    })
}

/// A.5 and A.6: behind a Hebrew character, which they are themselves.
fn geresh(text: &str) -> bool {
    const BOTH: [char; 2] = ['\u{5F3}', '\u{5F4}'];
    text.match_indices(BOTH).all(|(index, _)| {
        text[..index]
            .trim_end_matches(BOTH)
            .chars()
            .next_back()
            .is_some_and(|before| judge(BOTH[0], &format!("{before}{}", BOTH[0])))
    })
}

/// A.7: in a text that has a Hiragana, Katakana or Han character.
fn katakana_middle_dot(text: &str) -> bool {
    const C: char = '\u{30FB}';
    !text.contains(C) || judge(C, &std::iter::once(C).chain(text.chars().filter(|c| *c != C)).collect::<String>())
}

/// A.8 and A.9: not digits of both kinds.
fn arabic_digits(text: &str) -> bool {
    !(text.contains(|c| matches!(c, '\u{660}'..='\u{669}')) && text.contains(|c| matches!(c, '\u{6F0}'..='\u{6F9}')))
}

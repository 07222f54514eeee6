//! Characters and names of XML 1.0 (fifth edition, productions 2 to 5) and references (66 to 68), with a fast way for ASCII.

use super::error::XmlError;

/// Plain in text: needs no look of its own.
pub(super) const TEXT: u8 = 1;
/// Plain in a value between single quotes.
pub(super) const SINGLE: u8 = 2;
/// Plain in a value between double quotes.
pub(super) const DOUBLE: u8 = 4;
/// May continue a name; the colon is not among them.
pub(super) const NAME: u8 = 8;
/// May start a name.
pub(super) const NAME_START: u8 = 16;
/// White space (production 3).
pub(super) const SPACE: u8 = 32;
/// Plain in a CDATA section.
pub(super) const CDATA: u8 = 64;

/// Means itself in the raw value of an attribute; all bytes from 0x80 are among them.
pub(super) const VERBATIM: u8 = 128;

/// What each byte may be; bytes from 0x80 are hardly anything and get decoded.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 128;
    while byte < 256 {
        classes[byte] = VERBATIM;
        byte += 1;
    }
    byte = 0;
    while byte < 128 {
        let value = byte as u8;
        let mut class = 0;
        if value >= 0x20 || matches!(value, b'\t' | b'\n' | b'\r') {
            if !matches!(value, b'<' | b'&' | b'>') {
                class |= TEXT;
            }
            // A carriage return in a value is looked at: see the scan.
            if !matches!(value, b'<' | b'&' | b'\'' | b'\r') {
                class |= SINGLE;
            }
            if !matches!(value, b'<' | b'&' | b'"' | b'\r') {
                class |= DOUBLE;
            }
            if value != b'>' {
                class |= CDATA;
            }
        }
        if value >= 0x20 && value != b'&' {
            class |= VERBATIM;
        }
        if value.is_ascii_alphabetic() || value == b'_' {
            class |= NAME_START | NAME;
        }
        if value.is_ascii_digit() || matches!(value, b'-' | b'.') {
            class |= NAME;
        }
        if matches!(value, b' ' | b'\t' | b'\n' | b'\r') {
            class |= SPACE;
        }
        classes[byte] = class;
        byte += 1;
    }
    classes
}

#[inline]
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// The first position from `at` on whose byte is not of `class`; the end if there is none. For short runs.
#[inline]
pub(super) fn skip(bytes: &[u8], mut at: usize, class: u8) -> usize {
    while let Some(byte) = bytes.get(at) {
        if !is(*byte, class) {
            break;
        }
        at += 1;
    }
    at
}

/// As [`skip`], for longer runs. `class` is one whose only printable ASCII characters outside it are `stops`.
#[inline]
pub(super) fn skip_far(bytes: &[u8], mut at: usize, class: u8, stops: [u8; 3]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // Eight bytes at once. A mark may be wrong only above another mark, and only the lowest counts.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*block);
        let control = word.wrapping_sub(ONES * 0x20);
        let stopped = zero(word ^ (ONES * u64::from(stops[0])))
            | zero(word ^ (ONES * u64::from(stops[1])))
            | zero(word ^ (ONES * u64::from(stops[2])));
        let marks = (control | word | stopped) & HIGHS;
        if marks == 0 {
            at += 8;
            continue;
        }
        at += marks.trailing_zeros() as usize / 8;
        match bytes.get(at) {
            // A tab or line end.
            Some(byte) if is(*byte, class) => at += 1,
            _ => return at,
        }
    }
    skip(bytes, at, class)
}

/// A character that may stand in a document (production 2).
pub(super) fn is_character(value: u32) -> bool {
    matches!(value, 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x1_0000..=0x10_FFFF)
}

/// Beyond ASCII: may start a name (production 4).
fn is_name_start(value: u32) -> bool {
    matches!(value,
        0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x2FF | 0x370..=0x37D | 0x37F..=0x1FFF | 0x200C..=0x200D
        | 0x2070..=0x218F | 0x2C00..=0x2FEF | 0x3001..=0xD7FF | 0xF900..=0xFDCF | 0xFDF0..=0xFFFD
        | 0x1_0000..=0xE_FFFF)
}

/// Beyond ASCII: may stand in a name, at its start or after it (productions 4 and 4a).
pub(super) fn is_name(value: u32, start: bool) -> bool {
    is_name_start(value) || (!start && matches!(value, 0xB7 | 0x300..=0x36F | 0x203F..=0x2040))
}

/// Decodes the character at `at`, which begins with a byte from 0x80 on, and its length. None: its end is not there yet.
///
/// # Errors
/// [`XmlError::BadUtf8`], also for over-long forms and surrogates; [`XmlError::BadCharacter`] for U+FFFE and U+FFFF.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> Result<Option<(u32, usize)>, XmlError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(first) = rest.first() else { return Ok(None) };
    let (len, low, high) = match *first {
        0xC2..=0xDF => (2, 0x80, 0xBF),
        0xE0 => (3, 0xA0, 0xBF),
        0xED => (3, 0x80, 0x9F),
        0xE1..=0xEF => (3, 0x80, 0xBF),
        0xF0 => (4, 0x90, 0xBF),
        0xF1..=0xF3 => (4, 0x80, 0xBF),
        0xF4 => (4, 0x80, 0x8F),
        _ => return Err(XmlError::BadUtf8),
    };
    let mut value = u32::from(*first) & (0x7F >> len);
    for index in 1..len {
        let Some(byte) = rest.get(index) else { return Ok(None) };
        let (low, high) = if index == 1 { (low, high) } else { (0x80, 0xBF) };
        if !(low..=high).contains(byte) {
            return Err(XmlError::BadUtf8);
        }
        value = value << 6 | u32::from(byte & 0x3F);
    }
    if is_character(value) { Ok(Some((value, len))) } else { Err(XmlError::BadCharacter) }
}

/// The position after the run of characters beyond ASCII at `at`, as far as they are of two or three bytes and plainly good;
/// what else stands there is for [`decode`] to judge.
#[inline]
pub(super) fn skip_beyond_ascii(bytes: &[u8], mut at: usize) -> usize {
    let follows = |byte: u8| byte & 0xC0 == 0x80;
    while let Some(rest) = bytes.get(at..) {
        match *rest {
            [0xC2..=0xDF, one, ..] if follows(one) => at += 2,
            [0xE1..=0xEC | 0xEE, one, two, ..] if follows(one) && follows(two) => at += 3,
            _ => break,
        }
    }
    at
}

/// Digits that a character reference may have; XML allows any number of zeros before, no writer of XML makes them.
const REFERENCE_DIGITS: usize = 8;

/// The length of the reference that begins with the `&` at `at`, when it is one of the five entities or names a
/// character. None: its end is not there yet.
///
/// # Errors
/// [`XmlError::Restricted`] for another entity, [`XmlError::BadCharacter`] for a forbidden character, else
/// [`XmlError::NotWellFormed`].
pub(super) fn reference(bytes: &[u8], at: usize) -> Result<Option<usize>, XmlError> {
    let rest = bytes.get(at + 1..).unwrap_or_default();
    if rest.first() == Some(&b'#') {
        return character_reference(&rest[1..]).map(|len| len.map(|len| len + 2));
    }
    for (index, byte) in rest.iter().enumerate() {
        match *byte {
            b';' if index == 0 => return Err(XmlError::NotWellFormed),
            b';' => {
                let known = matches!(&rest[..index], b"lt" | b"gt" | b"amp" | b"apos" | b"quot");
                return if known { Ok(Some(index + 2)) } else { Err(XmlError::Restricted) };
            }
            byte if index == 0 && !is(byte, NAME_START) && byte < 0x80 => return Err(XmlError::NotWellFormed),
            byte if !is(byte, NAME) && byte < 0x80 && byte != b':' => return Err(XmlError::NotWellFormed),
            _ if index >= 4 => return Err(XmlError::Restricted),
            _ => {}
        }
    }
    Ok(None)
}

/// The length of what follows `&#`, its `;` included.
fn character_reference(rest: &[u8]) -> Result<Option<usize>, XmlError> {
    let (digits, radix, start) = match rest.first() {
        None => return Ok(None),
        Some(b'x') => (&rest[1..], 16, 1),
        Some(_) => (rest, 10, 0),
    };
    let mut value: u32 = 0;
    for (index, byte) in digits.iter().enumerate() {
        if *byte == b';' && index > 0 {
            return if is_character(value) { Ok(Some(start + index + 1)) } else { Err(XmlError::BadCharacter) };
        }
        let Some(digit) = char::from(*byte).to_digit(radix) else { return Err(XmlError::NotWellFormed) };
        if index >= REFERENCE_DIGITS {
            return Err(XmlError::BadCharacter);
        }
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    Ok(None)
}

//! Classes of accounts: `[[class]]`, each with what it changes of the bounds that hold for all.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Place, Reader, short};
use super::rule::{MaybeNumber, Rule, quoted};
use super::section::{Entry, Section, section};

/// Bytes of a class's name.
const NAME_BYTES: usize = 64;

section! {
    /// A class of accounts, as often as you like; `wattle user class` puts an account into one. What a class leaves out is as
    /// for all accounts.
    "class" Class {
        /// Its name.
        name: Box<str> = "".into(), Name;
        /// Days after which a message leaves the archives of its accounts; 0 keeps it for ever.
        archive_days: Option<u32> = None, MaybeNumber(0..=36_500, 365);
        /// Messages of one account, above which the oldest leave; 0 is no bound.
        archive_messages: Option<u32> = None, MaybeNumber(0..=100_000_000, 500_000);
        /// Messages that wait for an account which is offline; the sender of a further one gets an error.
        offline_messages: Option<u32> = None, MaybeNumber(0..=1_000_000, 10_000);
    }
}

/// A word that a person can type on a command line.
struct Name;

impl Rule<Box<str>> for Name {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Box<str>> {
        let Some(text) = found.get_ref().as_str() else {
            return place.wrong_type(found, &self.takes());
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > NAME_BYTES || !text.bytes().all(plain) || text.starts_with('-') {
            return place.wrong(&found.span(), &format!("is {:?}, which is no name", short(text)), &self.takes());
        }
        Some(text.into())
    }

    fn show(&self, _value: &Box<str>) -> Option<String> {
        None
    }

    fn takes(&self) -> String {
        "a word of letters, digits, dots and dashes, such as \"staff\"".to_owned()
    }

    fn example(&self) -> String {
        quoted("staff")
    }
}

/// Reads all classes.
pub(super) fn read_all(reader: &mut Reader<'_, '_>) -> Vec<Class> {
    let Some(found) = reader.find(Class::NAME) else { return Vec::new() };
    let Some(tables) = super::domain::tables(found) else {
        reader.place(Class::NAME).wrong_type::<()>(found, "[[class]] in double brackets");
        return Vec::new();
    };
    let mut classes: Vec<(Range<usize>, Class)> = Vec::new();
    for (span, table) in tables {
        let mut inner = reader.inner(table, Class::NAME);
        let mut class = Class::default();
        let named = table.iter().any(|(key, _)| key.get_ref() == "name");
        class.read(&mut inner);
        inner.refuse_unknown();
        if !named {
            inner.faults.add(&span, "this [[class]] has no name".to_owned(), "write name = \"staff\"".to_owned());
        } else if let Some((first, _)) = classes.iter().find(|(_, earlier)| *earlier.name == *class.name) {
            let first = inner.faults.line(first);
            let what = format!("the class {:?} was already described in line {first}", class.name);
            inner.faults.add(&span, what, "make one of the two".to_owned());
        }
        // One whose name is wrong has none.
        if !class.name.is_empty() {
            classes.push((span, class));
        }
    }
    classes.into_iter().map(|(_, class)| class).collect()
}

/// The options of `[[class]]`, for the file.
pub(super) fn entries() -> Vec<Entry> {
    <Class as Section>::entries()
}

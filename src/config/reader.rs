//! Takes options out of a TOML table one by one, so that what is left at the end is unknown.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::rule::Rule;
use super::template;

/// Similarity (Jaro-Winkler, 0 to 1) from which a known key is suggested for an unknown one.
const NEAR: f64 = 0.8;

/// One table that is being read.
pub(super) struct Reader<'r, 't> {
    table: &'r DeTable<'r>,
    /// Of the section, empty at the top.
    path: &'static str,
    known: Vec<&'static str>,
    pub(super) faults: &'r mut Faults<'t>,
}

impl<'r, 't> Reader<'r, 't> {
    /// The whole file.
    pub(super) fn root(table: &'r DeTable<'r>, faults: &'r mut Faults<'t>) -> Self {
        Self { table, path: "", known: Vec::new(), faults }
    }

    /// A table inside this one.
    pub(super) fn inner<'i>(&'i mut self, table: &'i DeTable<'i>, path: &'static str) -> Reader<'i, 't> {
        Reader { table, path, known: Vec::new(), faults: self.faults }
    }

    /// The value of `key`, which becomes known.
    pub(super) fn find(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.known.push(key);
        self.table.iter().find(|(found, _)| found.get_ref() == key).map(|(_, value)| value)
    }

    /// The value of `key` if it is there and right; a fault if it is wrong.
    pub(super) fn take<T>(&mut self, key: &'static str, rule: &impl Rule<T>) -> Option<T> {
        let found = self.find(key)?;
        rule.read(found, &mut self.place(key))
    }

    /// Where to put faults of `key`.
    pub(super) fn place(&mut self, key: &str) -> Place<'_, 't> {
        Place { name: name(self.path, key), faults: self.faults }
    }

    /// A table of its own under `key`; a fault if something else is there.
    pub(super) fn table(&mut self, key: &'static str) -> Option<&'r DeTable<'r>> {
        let found = self.find(key)?;
        let table = found.get_ref().as_table();
        if table.is_none() {
            let cure = format!("write [{key}] on a line of its own and its options below");
            self.faults.add(&found.span(), format!("{key} is {}", kind(found.get_ref())), cure);
        }
        table
    }

    /// Makes a fault of every key that nobody asked for.
    pub(super) fn refuse_unknown(&mut self) {
        for (key, _) in self.table {
            let key_text: &str = key.get_ref();
            if self.known.contains(&key_text) {
                continue;
            }
            let cure = self.nearest(key_text);
            self.faults.add(&key.span(), format!("{} is unknown", name(self.path, key_text)), cure);
        }
    }

    /// What to write instead of an unknown key: a near one of this table, or the same one of another, or a choice.
    fn nearest(&self, key: &str) -> String {
        let near = self
            .known
            .iter()
            .map(|known| (strsim::jaro_winkler(key, known), *known))
            .filter(|(likeness, _)| *likeness >= NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, known)) = near {
            return if self.path.is_empty() && !matches!(known, "domains" | "domain") {
                format!("write [{known}]")
            } else {
                format!("write {known}")
            };
        }
        let elsewhere = template::keys().into_iter().find(|known| known.rsplit('.').next() == Some(key));
        if let Some((section, key)) = elsewhere.as_deref().and_then(|known| known.rsplit_once('.')) {
            return format!("write {key} below [{section}]");
        }
        let place = if self.path.is_empty() { "the file".to_owned() } else { format!("[{}]", self.path) };
        format!("remove it, or write one of {place}: {}", self.known.join(", "))
    }
}

/// Where a rule reads: the option's full name and the list of faults.
pub(super) struct Place<'p, 't> {
    pub(super) name: String,
    faults: &'p mut Faults<'t>,
}

impl<'t> Place<'_, 't> {
    /// Reads a table that is the value of an option.
    pub(super) fn reader<'i>(&'i mut self, table: &'i DeTable<'i>, path: &'static str) -> Reader<'i, 't> {
        Reader { table, path, known: Vec::new(), faults: self.faults }
    }

    /// The value has the wrong type.
    pub(super) fn wrong_type<T>(&mut self, found: &Spanned<DeValue<'_>>, takes: &str) -> Option<T> {
        let what = format!("{} is {}", self.name, kind(found.get_ref()));
        self.faults.add(&found.span(), what, format!("write {takes}"));
        None
    }

    /// The value has the right type, but cannot be.
    pub(super) fn wrong<T>(&mut self, span: &Range<usize>, what: &str, takes: &str) -> Option<T> {
        self.faults.add(span, format!("{} {what}", self.name), format!("write {takes}"));
        None
    }
}

/// The full name of an option.
fn name(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What a value is, for people.
pub(super) fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {:?}", short(text)),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(truth) => format!("{truth}"),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The beginning of a text that may be long.
pub(super) fn short(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    if text.chars().count() <= SHOWN_CHARS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

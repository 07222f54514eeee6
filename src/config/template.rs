//! The text of `config/wattle.toml`: every option with its default and its sentence, out of the same table that reads them.

use super::class::{self, Class};
use super::domain::{self, Domain};
use super::options::{Archive, Contact, Dns, Limits, Listen, Log, Rooms, Server, Sessions, Store, Tls};
use super::section::{Entry, Section};

const HEAD: &str = "\
# wattle: every option with its default. A file may hold as few of them as you like; none at all serves localhost.
# Options that are left out by default stand behind a `#` without a space, with an example.
# `wattle check` tells all faults of a file at once, each with its line and what to write instead.
";

/// Columns of a comment.
const COLUMNS: usize = 118;

/// The file that shows every option.
#[must_use]
pub fn template() -> String {
    let mut text = HEAD.to_owned();
    text.push('\n');
    option(&mut text, &domain::list_entry());
    section::<Listen>(&mut text);
    section::<Server>(&mut text);
    section::<Store>(&mut text);
    section::<Archive>(&mut text);
    section::<Rooms>(&mut text);
    section::<Tls>(&mut text);
    section::<Dns>(&mut text);
    section::<Limits>(&mut text);
    section::<Sessions>(&mut text);
    section::<Log>(&mut text);
    section::<Contact>(&mut text);
    tables::<Domain>(&mut text, domain::entries());
    tables::<Class>(&mut text, class::entries());
    text
}

/// The full names of all options, as `section.key`.
#[must_use]
pub fn keys() -> Vec<String> {
    fn of<S: Section>() -> impl Iterator<Item = String> {
        S::entries().into_iter().map(|entry| format!("{}.{}", S::NAME, entry.key))
    }
    let mut keys = vec!["domains".to_owned()];
    keys.extend(
        of::<Listen>()
            .chain(of::<Server>())
            .chain(of::<Store>())
            .chain(of::<Archive>())
            .chain(of::<Rooms>())
            .chain(of::<Tls>())
            .chain(of::<Dns>()),
    );
    keys.extend(of::<Limits>().chain(of::<Sessions>()).chain(of::<Log>()).chain(of::<Contact>()));
    keys.extend(of::<Domain>().chain(of::<Class>()));
    keys.extend(of::<Contact>().map(|key| format!("{}.{key}", Domain::NAME)));
    keys
}

fn section<S: Section>(text: &mut String) {
    text.push('\n');
    comment(text, &S::ABOUT.concat());
    text.push_str(&format!("[{}]\n", S::NAME));
    for entry in S::entries() {
        option(text, &entry);
    }
}

/// One of several tables of the same kind.
fn tables<S: Section>(text: &mut String, entries: Vec<Entry>) {
    text.push('\n');
    comment(text, &S::ABOUT.concat());
    text.push_str(&format!("#[[{}]]\n", S::NAME));
    for entry in entries {
        option(text, &entry);
    }
}

fn option(text: &mut String, entry: &Entry) {
    let doc = entry.doc.concat();
    comment(text, &format!("{} Takes {}.", doc.trim_end(), entry.takes));
    match &entry.default {
        Some(default) => text.push_str(&format!("{} = {default}\n", entry.key)),
        None => text.push_str(&format!("#{} = {}\n", entry.key, entry.example)),
    }
}

/// Adds a comment, broken into lines.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

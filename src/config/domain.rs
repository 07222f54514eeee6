//! The domains that are served (RFC 7622 section 3.2): `domains = [...]`, or `[[domain]]` with settings of its own.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::Contact;
use super::reader::{Place, Reader, short};
use super::rule::{File, Rule, quoted, texts};
use super::section::{Entry, Section, section};
use crate::jid::Jid;

section! {
    /// A domain with settings of its own, as often as you like, beside or instead of `domains`.
    "domain" Domain {
        /// Its name, as it stands behind the @ of its accounts.
        name: Box<str> = "localhost".into(), Name;
        /// Its certificate and the chain behind it, as PEM; one is made and kept in the data folder if it is left out.
        certificate: Option<PathBuf> = None, File("/etc/letsencrypt/live/example.org/fullchain.pem");
        /// The private key of the certificate, as PEM.
        key: Option<PathBuf> = None, File("/etc/letsencrypt/live/example.org/privkey.pem");
        /// Contact addresses that differ from those of `[contact]`.
        contact: Contact = Contact::default(), OwnContact;
    }
}

/// Text for the file about `domains`.
pub(super) fn list_entry() -> Entry {
    Entry {
        key: "domains",
        doc: &[" Domains that are served; the first is the main one."],
        takes: takes_list(),
        default: Some("[\"localhost\"]".to_owned()),
        example: String::new(),
    }
}

fn takes_list() -> String {
    "a list of names, such as [\"example.org\"]".to_owned()
}

/// A name that can stand behind the @.
struct Name;

impl Name {
    /// The prepared form, which is what addresses are compared with.
    fn prepare(text: &str) -> Option<Box<str>> {
        idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL).ok()?;
        let (name, valid) = idna::domain_to_unicode(text);
        valid.ok()?;
        // A slash or an at sign would make other parts of an address out of it.
        let jid = Jid::parse(&name).ok()?;
        (!name.is_empty() && jid.local().is_none() && jid.is_bare()).then(|| jid.domain().into())
    }
}

impl Rule<Box<str>> for Name {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Box<str>> {
        let Some(text) = found.get_ref().as_str() else {
            return place.wrong_type(found, &self.takes());
        };
        match Self::prepare(text) {
            Some(name) => Some(name),
            None => place.wrong(&found.span(), &format!("is {:?}, which is no domain", short(text)), &self.takes()),
        }
    }

    fn show(&self, _value: &Box<str>) -> Option<String> {
        None
    }

    fn takes(&self) -> String {
        "a name such as \"example.org\"".to_owned()
    }

    fn example(&self) -> String {
        quoted("example.org")
    }
}

/// A table of contact addresses inside a domain.
struct OwnContact;

impl Rule<Contact> for OwnContact {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Contact> {
        match found.get_ref().as_table() {
            Some(table) => {
                let mut contact = Contact::default();
                let mut inner = place.reader(table, "domain.contact");
                contact.read(&mut inner);
                inner.refuse_unknown();
                Some(contact)
            }
            None => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, _value: &Contact) -> Option<String> {
        None
    }

    fn takes(&self) -> String {
        "a table with the keys of [contact]".to_owned()
    }

    fn example(&self) -> String {
        let entries: Vec<_> =
            Contact::entries().into_iter().map(|entry| format!("{} = {}", entry.key, entry.example)).collect();
        format!("{{ {} }}", entries.join(", "))
    }
}

/// Reads both forms; `localhost` if there is neither.
pub(super) fn read_all(reader: &mut Reader<'_, '_>, contact: &Contact) -> Vec<Domain> {
    let mut domains: Vec<(Range<usize>, Domain)> = Vec::new();
    let listed = reader.find("domains");
    if let Some(found) = listed {
        read_list(found, reader, &mut domains);
    }
    let own = reader.find(Domain::NAME);
    if let Some(found) = own {
        read_own(found, reader, &mut domains);
    }
    if listed.is_none() && own.is_none() {
        domains.push((0..0, Domain::default()));
    }
    let mut kept: Vec<Domain> = Vec::with_capacity(domains.len());
    for (index, (span, domain)) in domains.iter().enumerate() {
        if let Some((first, _)) = domains[..index].iter().find(|(_, earlier)| earlier.name == domain.name) {
            let first = reader.faults.line(first);
            let what = format!("the domain {:?} was already named in line {first}", domain.name);
            reader.faults.add(span, what, "remove one of the two".to_owned());
        }
        let mut domain = domain.clone();
        domain.contact = domain.contact.or(contact);
        kept.push(domain);
    }
    kept
}

fn read_list(found: &Spanned<DeValue<'_>>, reader: &mut Reader<'_, '_>, domains: &mut Vec<(Range<usize>, Domain)>) {
    let Some(names) = found.get_ref().as_array() else {
        reader.place("domains").wrong_type::<()>(found, &takes_list());
        return;
    };
    if names.is_empty() {
        reader.place("domains").wrong::<()>(&found.span(), "is an empty list", &takes_list());
    }
    let read = texts(found, &mut reader.place("domains"), &Name.takes(), |text| {
        Name::prepare(text).ok_or(("which is no domain", Name.takes()))
    });
    for (name, value) in read.into_iter().flatten().zip(names) {
        domains.push((value.span(), Domain { name, ..Domain::default() }));
    }
}

fn read_own(found: &Spanned<DeValue<'_>>, reader: &mut Reader<'_, '_>, domains: &mut Vec<(Range<usize>, Domain)>) {
    let Some(tables) = tables(found) else {
        reader.place("domain").wrong_type::<()>(found, "[[domain]] in double brackets, or domains = [\"example.org\"]");
        return;
    };
    for (span, table) in tables {
        let mut inner = reader.inner(table, Domain::NAME);
        let mut domain = Domain::default();
        let named = inner.find("name").is_some();
        domain.read(&mut inner);
        inner.refuse_unknown();
        if !named {
            inner.faults.add(
                &span,
                "this [[domain]] has no name".to_owned(),
                "write name = \"example.org\"".to_owned(),
            );
            continue;
        }
        match (&domain.certificate, &domain.key) {
            (Some(_), None) => {
                let cure = "write key = \"…\" with the path of its private key".to_owned();
                inner.faults.add(&span, format!("{} has a certificate without a key", domain.name), cure);
            }
            (None, Some(_)) => {
                let cure = "write certificate = \"…\" with the path of its certificate".to_owned();
                inner.faults.add(&span, format!("{} has a key without a certificate", domain.name), cure);
            }
            _ => {}
        }
        domains.push((span, domain));
    }
}

/// Tables in double brackets, and where they stand.
pub(super) fn tables<'t>(found: &'t Spanned<DeValue<'t>>) -> Option<Vec<(Range<usize>, &'t DeTable<'t>)>> {
    found.get_ref().as_array()?.iter().map(|one| Some((one.span(), one.get_ref().as_table()?))).collect()
}

/// The options of `[[domain]]`, for the file.
pub(super) fn entries() -> Vec<Entry> {
    <Domain as Section>::entries()
}

//! The configuration, checked: text in, [`Config`] or every fault out. What the options are stands in `options.rs` alone.

mod class;
mod cores;
mod domain;
mod fault;
mod options;
mod reader;
mod rule;
mod section;
mod template;
#[cfg(test)]
mod tests;

use toml::de::DeTable;

pub use class::Class;
pub use cores::Cores;
pub use domain::Domain;
pub use fault::Fault;
pub use options::{
    Archive, Contact, Database, Dns, Durability, Limits, Listen, Log, LogFormat, LogLevel, RoomCreation, Rooms, Server,
    Sessions, Shards, Store, Tls, TlsVersion,
};
pub use section::Entry;
pub use template::{keys, template};

use fault::Faults;
use reader::Reader;

/// Everything that an operator can set. Read once, shared as `Arc<Config>`, and replaced as a whole when it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Domains that are served, at least one; the first is the main one.
    pub domains: Vec<Domain>,
    /// Contact addresses of domains that have none of their own; those of a domain are in [`Domain::contact`].
    pub contact: Contact,
    /// Where connections are accepted.
    pub listen: Listen,
    /// The process.
    pub server: Server,
    /// What must outlive the process.
    pub store: Store,
    /// The archive of messages.
    pub archive: Archive,
    /// Group chat.
    pub rooms: Rooms,
    /// Classes of accounts.
    pub classes: Vec<Class>,
    /// TLS on every connection.
    pub tls: Tls,
    /// Where names are looked up.
    pub dns: Dns,
    /// Bounds on what people can make grow.
    pub limits: Limits,
    /// Sessions that outlive their connection.
    pub sessions: Sessions,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    /// What holds without any configuration: `localhost`, with its data in `./wattle-data`.
    fn default() -> Self {
        Self {
            domains: vec![Domain::default()],
            contact: Contact::default(),
            listen: Listen::default(),
            server: Server::default(),
            store: Store::default(),
            archive: Archive::default(),
            rooms: Rooms::default(),
            classes: Vec::new(),
            tls: Tls::default(),
            dns: Dns::default(),
            limits: Limits::default(),
            sessions: Sessions::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// Every fault that can be found, in the order of their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            faults.syntax(error);
        }
        if faults.any() {
            // What a broken line means is guesswork, and so is everything after it.
            return Err(faults.into_sorted());
        }
        let mut reader = Reader::root(root.get_ref(), &mut faults);
        let contact = section::read::<Contact>(&mut reader);
        let domains = domain::read_all(&mut reader, &contact);
        let config = Self {
            domains,
            contact,
            listen: section::read(&mut reader),
            server: section::read(&mut reader),
            store: section::read(&mut reader),
            archive: section::read(&mut reader),
            rooms: section::read(&mut reader),
            classes: class::read_all(&mut reader),
            tls: section::read(&mut reader),
            dns: section::read(&mut reader),
            limits: section::read(&mut reader),
            sessions: section::read(&mut reader),
            log: section::read(&mut reader),
        };
        reader.refuse_unknown();
        if faults.any() { Err(faults.into_sorted()) } else { Ok(config) }
    }

    /// The served domain of this prepared name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| *domain.name == *name)
    }

    /// Whether this prepared name is served here.
    #[must_use]
    pub fn serves(&self, name: &str) -> bool {
        self.domain(name).is_some()
    }

    /// The served domain whose room service has this prepared name.
    #[must_use]
    pub fn room_service(&self, name: &str) -> Option<&Domain> {
        let below = name.strip_prefix(&*self.rooms.service).filter(|_| !self.rooms.service.is_empty())?;
        self.domain(below.strip_prefix('.')?)
    }

    /// The class of this name; none also for one that was taken out of the file while accounts are in it.
    #[must_use]
    pub fn class(&self, name: Option<&str>) -> Option<&Class> {
        self.classes.iter().find(|class| Some(&*class.name) == name)
    }

    /// How many messages may wait for an account of this class.
    #[must_use]
    pub fn offline_messages(&self, class: Option<&str>) -> u32 {
        self.class(class).and_then(|class| class.offline_messages).unwrap_or(self.limits.offline_messages)
    }
}

//! A client's stream: connection, TLS, login, and the elements that come.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wattle::ns;
use wattle::xml::Element;

use super::DOMAIN;
use super::link::Link;
use super::player::reading::{Item, Reading, text};
use super::player::{PASSWORD, Read};
use super::server::Addresses;

/// A guard against hanging, shorter than that of the field, so that it is the client that says what it waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Why a client cannot go on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It must connect again.
    Connection,
    /// It met what must not be.
    Fault(String),
}

impl From<String> for Broken {
    fn from(fault: String) -> Self {
        Self::Fault(fault)
    }
}

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self::Connection
    }
}

/// A stream that is logged in.
pub(crate) struct Stream {
    link: Link,
    reading: Reading,
}

impl Stream {
    /// Connects and logs in; what comes next is to bind or to resume.
    pub(crate) fn open(at: Addresses, account: &str) -> Result<Self, Broken> {
        let mut link = Link::connect(at.tls, false)?;
        link.start_tls(DOMAIN)?;
        let mut stream = Self { link, reading: Reading::new() };
        stream.header()?;
        let user = account.split('@').next().unwrap_or_default();
        let proof = STANDARD.encode(format!("\0{user}\0{PASSWORD}"));
        stream.write(&format!("<auth xmlns='{}' mechanism='PLAIN'>{proof}</auth>", ns::SASL));
        stream.element("success", ns::SASL)?;
        stream.header()?;
        Ok(stream)
    }

    fn header(&mut self) -> Result<(), Broken> {
        let (client, stream) = (ns::CLIENT, ns::STREAM);
        self.write(&format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='{client}' xmlns:stream='{stream}'>"
        ));
        match self.next()? {
            Item::Header(_) => self.element("features", ns::STREAM).map(drop),
            item => Err(Broken::Fault(format!("no stream header: {item}"))),
        }
    }

    /// Of a connection that is gone the next read tells.
    pub(crate) fn write(&mut self, text: &str) {
        self.link.write(text.as_bytes());
    }

    /// The next element, which must be this one.
    pub(crate) fn element(&mut self, name: &str, namespace: &str) -> Result<Element, Broken> {
        match self.next()? {
            Item::Element(element) if element.is(name, namespace) => Ok(element),
            Item::Element(element) if is_shutdown(&element) => Err(Broken::Connection),
            Item::End | Item::Closed => Err(Broken::Connection),
            item => Err(Broken::Fault(format!("instead of {name} came {item}"))),
        }
    }

    fn next(&mut self) -> Result<Item, Broken> {
        loop {
            if let Some(item) = self.take() {
                return Ok(item);
            }
            if !self.wait(PATIENCE)? {
                return Err(Broken::Fault("waits in vain to be let in".to_owned()));
            }
        }
    }

    /// What has come and was not taken.
    pub(crate) fn take(&mut self) -> Option<Item> {
        self.reading.items().pop_front()
    }

    /// Waits until more has come; false if nothing does.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<bool, Broken> {
        match self.link.read(patience) {
            Read::Bytes(bytes) => self.reading.feed(&bytes).map(|()| true).map_err(Broken::Fault),
            Read::Closed => Err(Broken::Connection),
            Read::Nothing => Ok(false),
        }
    }
}

/// The server says that it ends.
pub(crate) fn is_shutdown(element: &Element) -> bool {
    element.is("error", ns::STREAM) && element.child("system-shutdown", ns::STREAM_ERRORS).is_some()
}

/// An element for people, and not too much of it.
pub(crate) fn shown(element: &Element) -> String {
    text(element).chars().take(600).collect()
}

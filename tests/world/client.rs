//! A small XMPP client: climbs the ladder by itself, then sends what it is told and gives what it receives.

use std::collections::VecDeque;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::scram;
use rsasl::prelude::{ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SessionError};
use rsasl::property::{AuthId, OverrideCBType, Password};
use wattle::input::Listener;
use wattle::ns;
use wattle::sasl::{decode_payload, encode_payload};
use wattle::xml::Element;

use super::{EXPORTER, End, Reader, World};

/// How far the client has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for the features that offer SASL.
    Greeting,
    /// Sent its credentials.
    Proving,
    /// Waits for the features that offer bind.
    LoggedIn,
    /// Asked for a resource or a resumption.
    Binding,
    /// Stanzas flow.
    Bound,
    /// Refused: the condition.
    Failed(String),
}

/// One client on one connection, which begins with TLS.
pub(crate) struct Client {
    pub(crate) end: End,
    pub(crate) stage: Stage,
    /// The full JID that the server gave it.
    pub(crate) jid: String,
    /// What it received behind the ladder and nobody has looked at.
    pub(crate) received: VecDeque<Element>,
    reader: Reader,
    domain: String,
    user: String,
    password: String,
    resource: Option<String>,
    /// Stream management id and `h`, to resume instead of binding.
    resume: Option<(String, u32)>,
    /// What the client's half of SCRAM needs; none: PLAIN.
    scram: Option<Scram>,
}

impl Client {
    /// Connects to `shard` and begins to log in; `jid` is bare or full, with the resource that it wants. Bytes flow when the
    /// world runs and [`Client::poll`] is called.
    pub(crate) fn connect(world: &mut World, shard: u16, jid: &str, password: &str) -> Self {
        let end = world.connect(shard, Listener::ClientTls);
        let (bare, resource) = jid.split_once('/').map_or((jid, None), |(bare, resource)| (bare, Some(resource)));
        let (user, domain) = bare.split_once('@').unwrap();
        let client = Self {
            end,
            stage: Stage::Greeting,
            jid: bare.into(),
            received: VecDeque::new(),
            reader: Reader::new(),
            domain: domain.into(),
            user: user.into(),
            password: password.into(),
            resource: resource.map(Into::into),
            resume: None,
            scram: None,
        };
        client.open(world);
        client
    }

    /// Logs in with PLAIN and binds, at once.
    ///
    /// # Panics
    /// If the server does not let it.
    pub(crate) fn online(world: &mut World, shard: u16, jid: &str, password: &str) -> Self {
        let mut client = Self::connect(world, shard, jid, password);
        client.settle(world);
        assert_eq!(client.stage, Stage::Bound, "{jid} did not get in");
        client
    }

    /// The same with SCRAM-SHA-256-PLUS, or without PLUS.
    pub(crate) fn online_with_scram(world: &mut World, shard: u16, jid: &str, password: &str, plus: bool) -> Self {
        let mut client = Self::connect(world, shard, jid, password);
        client.scram = Some(begin_scram(&client.user, password, plus));
        client.settle(world);
        assert_eq!(client.stage, Stage::Bound, "{jid} did not get in");
        client
    }

    /// Resumes the session `previous`, of which `handled` stanzas were received, instead of binding.
    pub(crate) fn resuming(mut self, previous: &str, handled: u32) -> Self {
        self.resume = Some((previous.into(), handled));
        self
    }

    fn open(&self, world: &mut World) {
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{}' to='{}' version='1.0'>",
            ns::STREAM,
            self.domain
        );
        world.write(self.end, header.as_bytes());
    }

    /// Sends raw XML.
    pub(crate) fn send(&self, world: &mut World, xml: &str) {
        world.write(self.end, xml.as_bytes());
    }

    /// Runs the world until nothing happens any more.
    pub(crate) fn settle(&mut self, world: &mut World) {
        loop {
            world.run();
            if world.readable(self.end) == 0 {
                return;
            }
            self.poll(world);
        }
    }

    /// Everything that has arrived when the world has come to rest.
    pub(crate) fn take(&mut self, world: &mut World) -> Vec<Element> {
        self.settle(world);
        self.received.drain(..).collect()
    }

    /// Sends, and gives what has arrived when the world has come to rest.
    pub(crate) fn ask(&mut self, world: &mut World, xml: &str) -> Vec<Element> {
        self.send(world, xml);
        self.take(world)
    }

    /// The server ended the stream in order, or the connection.
    pub(crate) fn is_over(&self, world: &World) -> bool {
        self.reader.ended || world.is_over(self.end)
    }

    /// Reads all bytes that are there.
    pub(crate) fn poll(&mut self, world: &mut World) {
        let bytes = world.read(self.end);
        self.feed(world, &bytes);
    }

    /// Takes bytes from the server, and goes on with the ladder.
    pub(crate) fn feed(&mut self, world: &mut World, bytes: &[u8]) {
        self.reader.feed(bytes);
        while let Some(element) = self.reader.next() {
            self.climb(world, element);
        }
    }

    fn climb(&mut self, world: &mut World, element: Element) {
        if self.stage == Stage::Bound || element.is("error", ns::STREAM) {
            self.received.push_back(element);
            return;
        }
        match (&self.stage, &*element.ns, &*element.name) {
            (Stage::Greeting, ns::STREAM, "features") => {
                self.stage = Stage::Proving;
                let auth = self.first_message();
                world.write(self.end, auth.as_bytes());
            }
            (Stage::Proving, ns::SASL, "challenge") => {
                let challenge = decode_payload(&element.text()).unwrap();
                let mut out = Vec::new();
                self.scram.as_mut().unwrap().step(challenge.as_deref(), &mut out).unwrap();
                let response = format!("<response xmlns='{}'>{}</response>", ns::SASL, encode_payload(&out));
                world.write(self.end, response.as_bytes());
            }
            (Stage::Proving, ns::SASL, "success") => {
                if let Some(scram) = &mut self.scram {
                    let last = decode_payload(&element.text()).unwrap();
                    scram.step(last.as_deref(), &mut Vec::new()).unwrap();
                }
                self.stage = Stage::LoggedIn;
                let rest = self.reader.take_rest();
                self.reader = Reader::new();
                self.reader.feed(&rest);
                self.open(world);
            }
            (Stage::LoggedIn, ns::STREAM, "features") => {
                self.stage = Stage::Binding;
                let wish = self.wish();
                world.write(self.end, wish.as_bytes());
            }
            (Stage::Binding, ns::CLIENT, "iq") if element.attr("type") == Some("result") => {
                let bind = element.child("bind", ns::BIND).and_then(|bind| bind.child("jid", ns::BIND));
                self.jid = bind.unwrap().text().into_owned();
                self.stage = Stage::Bound;
            }
            (Stage::Binding, ns::SM, "resumed") => {
                self.stage = Stage::Bound;
                self.received.push_back(element);
            }
            _ => {
                let condition = element.elements().next().map_or("", |child| &child.name).to_owned();
                self.stage = Stage::Failed(condition);
                self.received.push_back(element);
            }
        }
    }

    fn first_message(&mut self) -> String {
        let (mechanism, data) = match &mut self.scram {
            None => ("PLAIN", format!("\0{}\0{}", self.user, self.password).into_bytes()),
            Some(scram) => {
                let mut out = Vec::new();
                scram.step(None, &mut out).unwrap();
                (scram.get_mechname().as_str(), out)
            }
        };
        format!("<auth xmlns='{}' mechanism='{mechanism}'>{}</auth>", ns::SASL, encode_payload(&data))
    }

    /// Bind or resume.
    fn wish(&self) -> String {
        if let Some((previous, handled)) = &self.resume {
            return format!("<resume xmlns='{}' previd='{previous}' h='{handled}'/>", ns::SM);
        }
        let resource = self.resource.as_ref().map(|resource| format!("<resource>{resource}</resource>"));
        format!("<iq type='set' id='bind'><bind xmlns='{}'>{}</bind></iq>", ns::BIND, resource.unwrap_or_default())
    }

    /// After a refused resumption: binds this resource on the same stream.
    pub(crate) fn bind_instead(&mut self, world: &mut World, resource: &str) {
        (self.resume, self.resource, self.stage) = (None, Some(resource.into()), Stage::Binding);
        let wish = self.wish();
        world.write(self.end, wish.as_bytes());
    }
}

/// The client's half of SCRAM.
type Scram = rsasl::prelude::Session<rsasl::validate::NoValidation, Binding>;

/// What the client knows.
struct Secret {
    user: String,
    password: String,
    plus: bool,
}

impl SessionCallback for Secret {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>(&self.user)?.satisfy::<Password>(self.password.as_bytes())?;
        if self.plus {
            request.satisfy::<OverrideCBType>("tls-exporter")?;
        }
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        self.plus
    }
}

/// The binding data that the client took from its TLS.
struct Binding;

impl ChannelBindingCallback for Binding {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == "tls-exporter").then_some(EXPORTER.as_slice())
    }
}

fn begin_scram(user: &str, password: &str, plus: bool) -> Scram {
    static KNOWN: [rsasl::prelude::Mechanism; 2] = [scram::SCRAM_SHA256_PLUS, scram::SCRAM_SHA256];
    let secret = Secret { user: user.into(), password: password.into(), plus };
    let config = SASLConfig::builder().with_registry(Registry::with_mechanisms(&KNOWN)).with_callback(secret).unwrap();
    let name: &[u8] = if plus { b"SCRAM-SHA-256-PLUS" } else { b"SCRAM-SHA-256" };
    SASLClient::with_cb(config, Binding).start_suggested(&[Mechname::parse(name).unwrap()]).unwrap()
}

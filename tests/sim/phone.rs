//! A client that may come back to its session (XEP-0198) and keeps its own books: what it sent, what of that it heard to be
//! handled, and what it got.

use std::collections::BTreeMap;

use wattle::ns;
use wattle::xml::Element;

use crate::ledger::Via;
use crate::world::{Client, Stage, World};

/// One device of somebody.
pub(crate) struct Phone {
    pub(crate) full: String,
    pub(crate) client: Option<Client>,
    /// What it says as soon as it is bound, behind `<enable/>`.
    greeting: Vec<String>,
    /// Names its session, once it knows.
    pub(crate) token: Option<String>,
    /// The server counts for it.
    managed: bool,
    /// Everything that counts, in order; what stands behind `written` waits for the next connection.
    pub(crate) sent: Vec<String>,
    written: usize,
    /// The highest `h` that it heard.
    pub(crate) heard: usize,
    /// Stanzas that it got since its session is managed.
    pub(crate) received: u32,
    pub(crate) got: Vec<(usize, Via)>,
    /// Letters that came back to it.
    pub(crate) bounced: Vec<usize>,
    /// Answers to its questions: the id, and whether it is a result.
    pub(crate) answers: Vec<(String, bool)>,
    /// Presence as it sees it: full JID to id; and whoever left.
    pub(crate) view: BTreeMap<String, String>,
    pub(crate) left: Vec<String>,
    /// How often it came back, and how often it was bound.
    pub(crate) resumptions: usize,
    pub(crate) binds: usize,
    /// What the server did that it must not do.
    pub(crate) sins: Vec<String>,
}

impl Phone {
    pub(crate) fn new(full: &str, greeting: &[&str]) -> Self {
        Self {
            full: full.into(),
            client: None,
            greeting: greeting.iter().map(|xml| (*xml).to_owned()).collect(),
            token: None,
            managed: false,
            sent: Vec::new(),
            written: 0,
            heard: 0,
            received: 0,
            got: Vec::new(),
            bounced: Vec::new(),
            answers: Vec::new(),
            view: BTreeMap::new(),
            left: Vec::new(),
            resumptions: 0,
            binds: 0,
            sins: Vec::new(),
        }
    }

    /// Connects to this shard: comes back to its session if it knows of one, else begins anew.
    pub(crate) fn connect(&mut self, world: &mut World, shard: u16) {
        let client = Client::connect(world, shard, &self.full, "secret");
        self.client = Some(match &self.token {
            Some(token) => client.resuming(token, self.received),
            None => client,
        });
    }

    fn is_bound(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.stage == Stage::Bound)
    }

    /// The connection is gone. What it did not read is lost, unless it `reads` it now.
    pub(crate) fn lose(&mut self, world: &mut World, reads: bool) {
        if reads {
            self.poll(world);
        }
        if let Some(client) = self.client.take() {
            world.cut(client.end);
            world.notice(client.end);
        }
    }

    /// Sends a stanza, now or when it is back.
    pub(crate) fn say(&mut self, world: &mut World, xml: String) {
        self.sent.push(xml);
        self.write(world);
    }

    /// Sends what it has not written on this connection.
    fn write(&mut self, world: &mut World) {
        if !self.is_bound() {
            return;
        }
        if let Some(client) = &self.client {
            for xml in &self.sent[self.written..] {
                client.send(world, xml);
            }
            self.written = self.sent.len();
        }
    }

    /// Wants to know what is handled, and tells what it got.
    pub(crate) fn ask(&mut self, world: &mut World) {
        if let Some(client) = self.client.as_ref().filter(|_| self.is_bound() && self.managed) {
            client.send(world, &format!("<a xmlns='{0}' h='{1}'/><r xmlns='{0}'/>", ns::SM, self.received));
        }
    }

    /// Reads what is there. True if that was anything.
    pub(crate) fn poll(&mut self, world: &mut World) -> bool {
        let Some(mut client) = self.client.take() else { return false };
        let any = world.readable(client.end) > 0;
        let was_bound = client.stage == Stage::Bound;
        client.poll(world);
        let received: Vec<Element> = client.received.drain(..).collect();
        self.client = Some(client);
        let resumes = received.first().is_some_and(|first| first.is("resumed", ns::SM));
        if !was_bound && self.is_bound() && !resumes {
            self.begin(world);
        }
        for element in received {
            self.receive(world, &element);
        }
        any
    }

    /// A new session: what it sent in an earlier one it does not send again.
    fn begin(&mut self, world: &mut World) {
        self.binds += 1;
        (self.managed, self.written, self.heard, self.received) = (false, 0, 0, 0);
        self.sent.clear();
        if let Some(client) = &self.client {
            client.send(world, &format!("<enable xmlns='{}' resume='true' max='300'/>", ns::SM));
        }
        self.sent.clone_from(&self.greeting);
        self.write(world);
    }

    fn receive(&mut self, world: &mut World, element: &Element) {
        if *element.ns == *ns::SM {
            return self.management(world, element);
        }
        if *element.ns != *ns::CLIENT {
            return;
        }
        self.received += u32::from(self.managed);
        match &*element.name {
            "message" => self.message(element),
            "presence" => self.presence(element),
            _ => {
                let kind = element.attr("type").unwrap_or_default();
                let id = element.attr("id").unwrap_or_default();
                match kind {
                    "result" | "error" => self.answers.push((id.into(), kind == "result")),
                    _ => {
                        let to = element.attr("from").map(|from| format!(" to='{from}'")).unwrap_or_default();
                        self.say(world, format!("<iq type='result' id='{id}'{to}/>"));
                    }
                }
            }
        }
    }

    fn management(&mut self, world: &mut World, element: &Element) {
        let h = element.attr("h").and_then(|h| h.parse::<usize>().ok());
        match &*element.name {
            "enabled" => {
                self.managed = true;
                self.token = element.attr("id").map(Into::into);
            }
            "r" => {
                if let Some(client) = &self.client {
                    client.send(world, &format!("<a xmlns='{}' h='{}'/>", ns::SM, self.received));
                }
            }
            "a" => self.hear(h.unwrap()),
            "resumed" => {
                let h = h.unwrap();
                self.hear(h);
                self.resumptions += 1;
                self.written = h.min(self.sent.len());
                self.write(world);
            }
            "failed" => self.sins.push(format!("{} cannot resume", self.full)),
            _ => {}
        }
    }

    fn hear(&mut self, h: usize) {
        if h < self.heard || h > self.written {
            let (full, heard, written) = (&self.full, self.heard, self.written);
            self.sins.push(format!("{full} heard h={h}, and before {heard}, of {written} that it wrote"));
        }
        self.heard = self.heard.max(h);
    }

    fn message(&mut self, element: &Element) {
        let number = |id: Option<&str>| id.and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<usize>().ok());
        let carbon = element.elements().find(|child| &*child.ns == "urn:xmpp:carbons:2");
        if let Some(carbon) = carbon {
            let via = if &*carbon.name == "sent" { Via::CarbonSent } else { Via::CarbonReceived };
            let inner = carbon.elements().next().and_then(|forwarded| forwarded.elements().next());
            self.got.extend(inner.and_then(|inner| number(inner.attr("id"))).map(|id| (id, via)));
        } else if let Some(id) = number(element.attr("id")) {
            match element.attr("type") {
                Some("error") => self.bounced.push(id),
                _ => self.got.push((id, Via::Direct)),
            }
        }
    }

    fn presence(&mut self, element: &Element) {
        let from = element.attr("from").unwrap_or_default().to_owned();
        match element.attr("type") {
            None => {
                self.view.insert(from, element.attr("id").unwrap_or_default().into());
            }
            // A contact as a whole: who of it is there says so behind that.
            Some("unavailable") if !from.contains('/') => {
                self.view.retain(|seen, _| seen.split('/').next() != Some(&from));
            }
            Some("unavailable") => {
                self.view.remove(&from);
                self.left.push(from);
            }
            Some(_) => {}
        }
    }

    /// How often it got a letter in this way.
    pub(crate) fn copies(&self, letter: usize, via: Via) -> usize {
        self.got.iter().filter(|got| **got == (letter, via)).count()
    }

    /// The stanza of this place in `sent` is handled, as far as the phone knows.
    pub(crate) fn is_handled(&self, place: usize) -> bool {
        place < self.heard
    }
}

//! A client's life: it connects, speaks at full speed, listens, loses its connection, comes back to its stream, and in the
//! end looks for everything in its archive.

use std::time::Duration;

use wattle::ns;
use wattle::xml::Element;

use super::archive::{After, Archive, Reach, is_busy};
use super::chance::Chance;
use super::field::{Field, Known, Orders};
use super::player::reading::Item;
use super::refusals::Findings;
use super::server::Addresses;
use super::session::Session;
use super::stream::{Broken, PATIENCE, Stream, is_shutdown, shown};
use super::{Blow, Plan};

/// Stanzas that a client leaves unacknowledged at most: full speed, and nobody's buffers overflow.
const WINDOW: usize = 120;
/// Messages by which a client is ahead of what its partner has heard, at most: the server keeps so many for one that is on
/// its way back.
const LEAD: u32 = 500;
/// How long a client that has nothing to say or to wait for listens before it looks up.
const QUIET: Duration = Duration::from_millis(50);

/// One client.
pub(crate) struct Client<'a> {
    plan: &'a Plan,
    number: usize,
    account: String,
    partner: String,
    chance: Chance,
    session: Option<Session>,
    archive: Archive,
    /// It and its partner see each other, and all that took is acknowledged.
    ready: bool,
    /// It wants to hear of more acknowledgements.
    asking: bool,
    /// It has seen all of its archive.
    done: bool,
}

impl<'a> Client<'a> {
    pub(crate) fn new(plan: &'a Plan, number: usize, account: &str, partner: &str, seed: u64) -> Self {
        Self {
            plan,
            number,
            account: account.to_owned(),
            partner: partner.to_owned(),
            chance: Chance::new(seed),
            session: None,
            archive: Archive::default(),
            ready: false,
            asking: false,
            done: false,
        }
    }

    /// Until all is said and heard.
    pub(crate) fn live(mut self, field: &Field) -> Result<(), String> {
        let mut wanted = 0;
        loop {
            let (generation, at) = field.server(wanted).map_err(|fault| format!("{} {fault}", self.account))?;
            match self.stay(generation, at, field) {
                Ok(()) => return Ok(()),
                Err(Broken::Connection) if self.plan.blow == Blow::Database => {
                    return Err(format!("{} is cut off", self.account));
                }
                Err(Broken::Connection) => wanted = generation + 1,
                Err(Broken::Fault(fault)) => {
                    return Err(format!("{} in generation {generation}: {fault}", self.account));
                }
            }
        }
    }

    /// As long as one connection lasts.
    fn stay(&mut self, generation: u32, at: Addresses, field: &Field) -> Result<(), Broken> {
        let mut stream = Stream::open(at, &self.account)?;
        match self.session.take() {
            None => self.session = Some(self.begin(&mut stream)?),
            Some(session) => {
                self.session = Some(session);
                self.come_back(&mut stream, generation, field)?;
            }
        }
        let mut beats = 0;
        while !self.done {
            let session = self.session.as_mut().unwrap();
            let orders = field.turn(self.number, beats, session.acknowledged_messages(), session.heard().messages)?;
            let out = self.speak(&orders, field);
            stream.write(&out);
            if self.plan.blow == Blow::Cut && orders.generation > generation {
                return Err(Broken::Connection);
            }
            if !self.done {
                let is_waiting = self.session.as_ref().unwrap().owed() > 0;
                let patience = if is_waiting { PATIENCE } else { QUIET };
                if !stream.wait(patience)? && is_waiting {
                    return Err(Broken::Fault("waits in vain for an acknowledgement".to_owned()));
                }
                beats = self.listen(&mut stream, &orders.partner, field)?;
            }
        }
        stream.write("</stream:stream>");
        let session = self.session.as_mut().unwrap();
        let findings = Findings {
            refused: session.refused.take().unwrap_or_default(),
            unheard: std::mem::take(&mut session.unheard),
            own_lacking: std::mem::take(&mut self.archive.own_lacking),
            partners_lacking: std::mem::take(&mut self.archive.partners_lacking),
        };
        field.has_found(self.number, findings);
        Ok(())
    }

    /// Binds, and asks to see the partner's presence.
    fn begin(&mut self, stream: &mut Stream) -> Result<Session, Broken> {
        stream.write(&format!(
            "<iq type='set' id='bind'><bind xmlns='{}'><resource>crash</resource></bind></iq>",
            ns::BIND
        ));
        stream.element("iq", ns::CLIENT)?;
        stream.write(&format!("<enable xmlns='{}' resume='true'/>", ns::SM));
        let enabled = stream.element("enabled", ns::SM)?;
        let previd = enabled.attr("id").ok_or_else(|| format!("no resumption: {}", shown(&enabled)))?;
        let mut session = Session::new(&self.account, &self.partner, previd, self.plan.blow == Blow::Database);
        let mut out = String::new();
        session.send("<presence/>", &mut out);
        session.send(&format!("<presence to='{}' type='subscribe' id='see'/>", self.partner), &mut out);
        stream.write(&out);
        self.asking = true;
        Ok(session)
    }

    /// Resumes. Some clients have lost what they had heard since they last told.
    fn come_back(&mut self, stream: &mut Stream, generation: u32, field: &Field) -> Result<(), Broken> {
        let session = self.session.as_mut().unwrap();
        let forgotten = if self.ready && self.chance.percent(30) { session.forget() } else { 0 };
        stream.write(&session.resume());
        let resumed = stream.element("resumed", ns::SM)?;
        let mut out = String::new();
        let again = session.resumed(&resumed, &mut out)?;
        stream.write(&out);
        field.has_resumed(self.number, generation, forgotten, again);
        self.asking = true;
        Ok(())
    }

    /// What the client has to say now: as much as it may leave unacknowledged.
    fn speak(&mut self, orders: &Orders, field: &Field) -> String {
        let session = self.session.as_mut().unwrap();
        let mut out = String::new();
        if !self.ready && session.heard().presences > 0 && session.owed() == 0 {
            self.ready = true;
            session.tell(&mut out);
            field.is_ready();
        }
        let request = format!("<r xmlns='{}'/>", ns::SM);
        while self.ready
            && session.owed() < WINDOW
            && !session.has_said_last()
            && (orders.stopping || session.said() < orders.allowance.min(orders.partner.heard + LEAD))
        {
            for _ in 0..=self.chance.below(16) {
                if !session.has_said_last() {
                    session.say(orders.stopping, &mut out);
                }
            }
            if self.chance.percent(50) {
                out.push_str(&request);
            }
        }
        let has_heard_all = session.has_said_last() && session.owed() == 0 && session.heard().last;
        if has_heard_all && !self.plan.archive {
            self.done = true;
        } else if self.plan.archive && !self.archive.is_looked_into() && (has_heard_all || orders.audit) {
            let exactly = has_heard_all;
            if exactly {
                self.archive.rewind();
            }
            let partners = if exactly { session.heard().messages } else { orders.partner.acknowledged };
            let reach = Reach { own: session.acknowledged_messages(), partners, exactly };
            session.send(&self.archive.look(reach), &mut out);
        }
        if !out.is_empty() || self.asking {
            out.push_str(&request);
            self.asking = false;
        }
        out
    }

    /// Takes everything that has come: how many elements that were.
    fn listen(&mut self, stream: &mut Stream, partner: &Known, field: &Field) -> Result<usize, Broken> {
        let mut elements = 0;
        let mut is_asked = false;
        let mut out = String::new();
        while let Some(item) = stream.take() {
            elements += 1;
            match item {
                Item::Element(element) if element.is("r", ns::SM) => is_asked = true,
                Item::Element(element) if element.is("a", ns::SM) => {
                    self.session.as_mut().unwrap().acknowledge(&element)?;
                    self.asking = true;
                }
                Item::Element(element) if element.ns.as_ref() == ns::CLIENT => {
                    self.hear(&element, partner, &mut out, field)?;
                }
                Item::Element(element) if is_shutdown(&element) => {}
                Item::End => {
                    // RFC 6120 section 4.4 asks for an answer; who gives none, and who gives it, comes back all the same.
                    if self.chance.percent(50) {
                        stream.write("</stream:stream>");
                    }
                    return Err(Broken::Connection);
                }
                item => return Err(Broken::Fault(format!("unexpected: {item}"))),
            }
        }
        let session = self.session.as_mut().unwrap();
        self.asking &= session.owed() > 0;
        if is_asked {
            session.tell(&mut out);
        }
        stream.write(&out);
        Ok(elements)
    }

    fn hear(&mut self, stanza: &Element, partner: &Known, out: &mut String, field: &Field) -> Result<(), Broken> {
        let session = self.session.as_mut().unwrap();
        session.count();
        let kind = stanza.attr("type");
        if kind == Some("error") && &*stanza.name == "message" && session.is_refused(stanza)? {
            return Ok(());
        }
        let is_away = self.archive.is_looked_into() && session.refused.is_some();
        if kind == Some("error") && !is_away && !is_busy(stanza) {
            return Err(Broken::Fault(format!("an error: {}", shown(stanza))));
        }
        match &*stanza.name {
            "message" if self.archive.take(stanza, session)? => {}
            "message" if session.is_partners(stanza) => session.hear(stanza, partner)?,
            "message" => return Err(Broken::Fault(format!("a stranger's message: {}", shown(stanza)))),
            "presence" if session.is_partners(stanza) => self.hear_presence(stanza, kind, out)?,
            "iq" if matches!(kind, Some("result" | "error")) => match self.archive.end(stanza, session)? {
                After::Page(question) => session.send(&question, out),
                After::Seen(reach) => {
                    self.done = reach.exactly;
                    field.is_audited(self.number);
                }
                After::Nothing => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// The partner comes once, and goes only when all is said.
    fn hear_presence(&mut self, stanza: &Element, kind: Option<&str>, out: &mut String) -> Result<(), Broken> {
        let session = self.session.as_mut().unwrap();
        match kind {
            Some("subscribe") => {
                session.send(&format!("<presence to='{}' type='subscribed' id='seen'/>", self.partner), out);
                self.asking = true;
            }
            None => {
                session.hear_presence();
                // Presence that was not acknowledged before a crash is sent again, and heard again.
                if self.plan.blow != Blow::Kill && session.heard().presences > 1 {
                    return Err(Broken::Fault(format!("the partner comes again: {}", shown(stanza))));
                }
            }
            Some("unavailable") if session.heard().presences > 0 && !session.heard().last => {
                return Err(Broken::Fault(format!("the partner has gone: {}", shown(stanza))));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

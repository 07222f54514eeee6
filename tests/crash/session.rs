//! What a client counts: its messages and their acknowledgements, what it heard, and what it will say that it heard
//! (XEP-0198 section 5).

use std::collections::VecDeque;
use std::fmt::Write as _;

use wattle::ns;
use wattle::xml::Element;

use super::field::Known;
use super::refusals::Numbers;
use super::stream::shown;

/// XEP-0359.
const STANZA_ID: &str = "urn:xmpp:sid:0";

/// A stanza that the server has not acknowledged.
struct Unacknowledged {
    text: String,
    is_message: bool,
}

/// What was heard of the server.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heard {
    /// Stanzas.
    handled: u32,
    /// Messages of the partner.
    pub(crate) messages: u32,
    /// How often the partner became available.
    pub(crate) presences: u32,
    /// The partner's last message.
    pub(crate) last: bool,
}

/// One client's side of its stream.
pub(crate) struct Session {
    account: String,
    partner: String,
    /// Names the stream.
    previd: String,
    unacknowledged: VecDeque<Unacknowledged>,
    /// The server's count of the client's stanzas, as it last told it.
    acknowledged: u32,
    said: u32,
    said_last: bool,
    heard: Heard,
    /// As it was when the client last told it to the server.
    told: Heard,
    /// The stanza id of each message of the partner; empty for one that was not heard.
    ids: Vec<Box<str>>,
    /// Messages that came back as errors; none if that is a fault.
    pub(crate) refused: Option<Numbers>,
    /// Messages of the partner that were left out, where some may be refused.
    pub(crate) unheard: Numbers,
}

impl Session {
    /// `previd` is what the server named the stream when stanzas began to count.
    pub(crate) fn new(account: &str, partner: &str, previd: &str, may_be_refused: bool) -> Self {
        Self {
            account: account.to_owned(),
            partner: partner.to_owned(),
            previd: previd.to_owned(),
            unacknowledged: VecDeque::new(),
            acknowledged: 0,
            said: 0,
            said_last: false,
            heard: Heard::default(),
            told: Heard::default(),
            ids: Vec::new(),
            refused: may_be_refused.then(Numbers::new),
            unheard: Numbers::new(),
        }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard
    }

    /// How many messages it has sent that its partner may hear.
    pub(crate) fn said(&self) -> u32 {
        self.said - self.refused.as_ref().map_or(0, |refused| u32::try_from(refused.len()).unwrap())
    }

    /// How many of its messages are acknowledged.
    pub(crate) fn acknowledged_messages(&self) -> u32 {
        self.said - self.unacknowledged_messages()
    }

    fn unacknowledged_messages(&self) -> u32 {
        u32::try_from(self.unacknowledged.iter().filter(|stanza| stanza.is_message).count()).unwrap()
    }

    /// How many stanzas are not acknowledged.
    pub(crate) fn owed(&self) -> usize {
        self.unacknowledged.len()
    }

    pub(crate) fn has_said_last(&self) -> bool {
        self.said_last
    }

    /// Sends a stanza that is no message.
    pub(crate) fn send(&mut self, stanza: &str, out: &mut String) {
        out.push_str(stanza);
        self.unacknowledged.push_back(Unacknowledged { text: stanza.to_owned(), is_message: false });
    }

    /// Sends the next message; `kind` tells in its id whether it is the last.
    pub(crate) fn say(&mut self, last: bool, out: &mut String) {
        let (to, number) = (&self.partner, self.said);
        let kind = if last { "last" } else { "more" };
        let text = format!("<message type='chat' to='{to}' id='{kind}-{number}'><body>{number}</body></message>");
        out.push_str(&text);
        self.unacknowledged.push_back(Unacknowledged { text, is_message: true });
        self.said += 1;
        self.said_last = last;
    }

    /// Tells the server what was heard.
    pub(crate) fn tell(&mut self, out: &mut String) {
        self.told = self.heard;
        write!(out, "<a xmlns='{}' h='{}'/>", ns::SM, self.heard.handled).unwrap();
    }

    /// The client forgets what it has not told: how many messages that were.
    pub(crate) fn forget(&mut self) -> u32 {
        let forgotten = self.heard.messages - self.told.messages;
        self.heard = self.told;
        forgotten
    }

    /// Asks for the stream as it was.
    pub(crate) fn resume(&mut self) -> String {
        self.told = self.heard;
        format!("<resume xmlns='{}' h='{}' previd='{}'/>", ns::SM, self.heard.handled, self.previd)
    }

    /// The stream is as it was: what the server has not handled is sent again. Returns which messages those are.
    pub(crate) fn resumed(&mut self, resumed: &Element, out: &mut String) -> Result<(u32, u32), String> {
        if resumed.attr("previd") != Some(&self.previd) {
            return Err(format!("another stream is resumed: {}", shown(resumed)));
        }
        self.acknowledge(resumed)?;
        for stanza in &self.unacknowledged {
            out.push_str(&stanza.text);
        }
        Ok((self.acknowledged_messages(), self.said))
    }

    /// The server has handled more: the count grows (modulo 2^32), and never beyond what was sent.
    pub(crate) fn acknowledge(&mut self, element: &Element) -> Result<(), String> {
        let handled = element.attr("h").and_then(|h| h.parse::<u32>().ok()).ok_or_else(|| shown(element))?;
        let news = handled.wrapping_sub(self.acknowledged) as usize;
        if news > self.unacknowledged.len() {
            return Err(format!(
                "{} stands where {} were acknowledged before and {} sent since",
                shown(element),
                self.acknowledged,
                self.unacknowledged.len()
            ));
        }
        self.unacknowledged.drain(..news);
        self.acknowledged = handled;
        Ok(())
    }

    /// Takes a stanza of the server.
    pub(crate) fn count(&mut self) {
        self.heard.handled = self.heard.handled.wrapping_add(1);
    }

    /// The stanza comes from the partner.
    pub(crate) fn is_partners(&self, stanza: &Element) -> bool {
        bare(stanza.attr("from").unwrap_or_default()) == self.partner
    }

    /// The archived message is the client's own.
    pub(crate) fn is_own(&self, message: &Element) -> bool {
        bare(message.attr("from").unwrap_or_default()) == self.account
    }

    /// The partner becomes available.
    pub(crate) fn hear_presence(&mut self) {
        self.heard.presences += 1;
    }

    /// The partner says something: the next number, for nothing is lost and nothing comes again that was counted.
    pub(crate) fn hear(&mut self, message: &Element, partner: &Known) -> Result<(), String> {
        let next = self.heard.messages;
        let number = numbered(message)?;
        if number > next && self.refused.is_some() {
            self.unheard.extend(next..number);
            self.heard.messages = number;
        } else if number != next {
            let what = if number < next { "again" } else { "too early" };
            let (from, to) = partner.again;
            return Err(format!(
                "message {number} is heard {what}, {next} should be next; its sender saw {} acknowledged, and sent {from} up \
                 to {to} again when it last resumed: {}",
                partner.acknowledged,
                shown(message)
            ));
        }
        let id = message.elements().find(|child| child.is("stanza-id", STANZA_ID)).and_then(|id| id.attr("id"));
        let id = id.ok_or_else(|| format!("no stanza id: {}", shown(message)))?;
        let place = number as usize;
        self.ids.resize(self.ids.len().max(place + 1), Box::default());
        if !self.ids[place].is_empty() && *self.ids[place] != *id {
            return Err(format!("message {number} had the stanza id {}, and now has {id}", self.ids[place]));
        }
        self.ids[place] = id.into();
        self.heard.messages += 1;
        self.heard.last = message.attr("id") == Some(&format!("last-{number}"));
        Ok(())
    }

    /// The stanza id of a message of the partner, if it was heard.
    pub(crate) fn id_of(&self, number: u32) -> Option<&str> {
        self.ids.get(number as usize).map(|id| &**id).filter(|id| !id.is_empty())
    }

    /// A message came back as an error; true if that may be. If it was the last one, another one will be the last.
    pub(crate) fn is_refused(&mut self, error: &Element) -> Result<bool, String> {
        let Some(refused) = &mut self.refused else { return Ok(false) };
        let condition = error.child("error", ns::CLIENT).and_then(|error| error.elements().next());
        if !condition
            .is_some_and(|condition| ["internal-server-error", "resource-constraint"].contains(&&*condition.name))
        {
            return Ok(false);
        }
        let number = error.attr("id").and_then(|id| id.split_once('-')).and_then(|(_, number)| number.parse().ok());
        let number = number.ok_or_else(|| shown(error))?;
        refused.insert(number);
        self.said_last &= number + 1 != self.said;
        Ok(true)
    }
}

/// The number that a message carries, in its body and in its id.
pub(crate) fn numbered(message: &Element) -> Result<u32, String> {
    let fault = || format!("not a message of these clients: {}", shown(message));
    let body = message.child("body", ns::CLIENT).ok_or_else(fault)?.text();
    let (_, id) = message.attr("id").and_then(|id| id.split_once('-')).ok_or_else(fault)?;
    if id == body { body.parse().map_err(|_| fault()) } else { Err(fault()) }
}

fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or_default()
}

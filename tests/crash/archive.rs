//! A client's look into its archive (XEP-0313), page by page (XEP-0059): each side's messages, each once and in order.

use wattle::ns;
use wattle::xml::Element;

use super::refusals::Numbers;
use super::session::{Session, numbered};
use super::stream::shown;

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";
const FORWARD: &str = "urn:xmpp:forward:0";
/// What a page holds at most.
const PAGE: u32 = 100;

/// How far a look must reach.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    /// Messages of the client.
    pub(crate) own: u32,
    /// Messages of its partner.
    pub(crate) partners: u32,
    /// There may be no others.
    pub(crate) exactly: bool,
}

/// What comes after a page.
pub(crate) enum After {
    /// This question, for the next one.
    Page(String),
    /// Nothing: the look has seen what it had to see.
    Seen(Reach),
    /// It was no page.
    Nothing,
}

/// How far the archive was read.
#[derive(Default)]
pub(crate) struct Archive {
    pages: u32,
    /// The last entry.
    last: Option<Box<str>>,
    own: u32,
    partners: u32,
    look: Option<Reach>,
    /// Messages of the client that were left out, where some may be refused.
    pub(crate) own_lacking: Numbers,
    /// Messages of its partner, likewise.
    pub(crate) partners_lacking: Numbers,
}

/// A client that came back sends its unacknowledged queries once more, all at once, and may hear that they are too many.
pub(crate) fn is_busy(iq: &Element) -> bool {
    if &*iq.name != "iq" {
        return false;
    }
    let error = iq.elements().find(|child| &*child.name == "error");
    error.is_some_and(|error| error.elements().any(|condition| &*condition.name == "resource-constraint"))
}

impl Archive {
    pub(crate) fn is_looked_into(&self) -> bool {
        self.look.is_some()
    }

    /// Reads on from where the last look ended; returns what to ask.
    pub(crate) fn look(&mut self, reach: Reach) -> String {
        self.look = Some(reach);
        self.ask()
    }

    /// Begins anew.
    pub(crate) fn rewind(&mut self) {
        *self = Self { pages: self.pages, ..Self::default() };
    }

    fn name(&self) -> String {
        format!("page-{}", self.pages)
    }

    fn ask(&mut self) -> String {
        self.pages += 1;
        let after = self.last.as_ref().map(|last| format!("<after>{last}</after>")).unwrap_or_default();
        format!(
            "<iq type='set' id='{0}'><query xmlns='{MAM}' queryid='{0}'><set xmlns='{RSM}'><max>{PAGE}</max>{after}</set>\
             </query></iq>",
            self.name()
        )
    }

    /// Takes a message if it belongs to an answer; one of an earlier page comes again for a client that forgot it.
    pub(crate) fn take(&mut self, message: &Element, session: &Session) -> Result<bool, String> {
        let Some(result) = message.child("result", MAM) else { return Ok(false) };
        if self.look.is_none() || result.attr("queryid") != Some(&self.name()) {
            return Ok(true);
        }
        let fault = || format!("no archived message: {}", shown(message));
        let id = result.attr("id").ok_or_else(fault)?;
        let forwarded = result.child("forwarded", FORWARD).ok_or_else(fault)?;
        let archived = forwarded.child("message", ns::CLIENT).ok_or_else(fault)?;
        let number = numbered(archived)?;
        let (whose, next, lacking) = if session.is_own(archived) {
            ("its own", &mut self.own, &mut self.own_lacking)
        } else if session.is_partners(archived) {
            ("its partner's", &mut self.partners, &mut self.partners_lacking)
        } else {
            return Err(fault());
        };
        if number > *next && session.refused.is_some() {
            lacking.extend(*next..number);
            *next = number;
        } else if number != *next {
            return Err(format!("the archive has {whose} message {number} where {next} should be: {}", shown(message)));
        }
        *next += 1;
        if whose != "its own" && session.id_of(number).is_some_and(|heard| heard != id) {
            return Err(format!("message {number} came as {:?} and is archived as {id}", session.id_of(number)));
        }
        self.last = Some(id.into());
        Ok(true)
    }

    /// Takes the end of a page.
    pub(crate) fn end(&mut self, iq: &Element, session: &Session) -> Result<After, String> {
        let Some(reach) = self.look.filter(|_| iq.attr("id") == Some(&self.name())) else { return Ok(After::Nothing) };
        if iq.attr("type") == Some("error") && (session.refused.is_some() || is_busy(iq)) {
            // The store is away, or has too much to do: until that is over the same is asked again.
            return Ok(After::Page(self.ask()));
        }
        let fin = iq.child("fin", MAM).ok_or_else(|| format!("the archive cannot be read: {}", shown(iq)))?;
        let last = fin.child("set", RSM).and_then(|set| set.child("last", RSM)).map(Element::text);
        if last.is_some_and(|last| Some(&*last) != self.last.as_deref()) {
            return Err(format!("the page ends with {:?}, and says {}", self.last, shown(fin)));
        }
        let is_complete = matches!(fin.attr("complete"), Some("true" | "1"));
        if is_complete && session.refused.is_some() {
            self.own_lacking.extend(self.own..reach.own);
            self.partners_lacking.extend(self.partners..reach.partners);
            (self.own, self.partners) = (self.own.max(reach.own), self.partners.max(reach.partners));
        }
        let is_reached = self.own >= reach.own && self.partners >= reach.partners;
        if !is_complete && (reach.exactly || !is_reached) {
            return Ok(After::Page(self.ask()));
        }
        let found = (self.own, self.partners);
        if !is_reached || reach.exactly && found != (reach.own, reach.partners) {
            return Err(format!(
                "the archive has {} of its own messages and {} of its partner's; acknowledged are {} and {}",
                found.0, found.1, reach.own, reach.partners
            ));
        }
        self.look = None;
        Ok(After::Seen(reach))
    }
}

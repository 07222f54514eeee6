//! What a device hears, and makes of it.

use wattle::ns;
use wattle::xml::Element;

use super::{Asked, RESUME_SECONDS, Story, Verdict};
use crate::ledger::{Known, Sent, Via};
use crate::world::Stage;

impl Story {
    pub(super) fn receive(&mut self, device: usize, element: &Element) -> Verdict {
        if element.is("error", ns::STREAM) {
            return self.stream_error(device, element);
        }
        let Some(session) = self.devices[device].session else { return Ok(()) };
        if *element.ns == *ns::SM {
            return self.management(device, session, element);
        }
        if *element.ns != *ns::CLIENT {
            return Ok(());
        }
        if self.sessions[session].managed {
            self.sessions[session].received += 1;
        }
        if element.attr("to").is_some_and(|to| {
            let bare = &self.accounts[self.devices[device].account].jid;
            // A message for a device that is not there goes to the others as it is.
            let other_device = &*element.name == "message" && to.split_once('/').is_some_and(|(to, _)| to == bare);
            to != self.sessions[session].jid && to != bare && !other_device
        }) {
            return Err(format!("{} got what is for somebody else: {element:?}", self.name(device)));
        }
        match &*element.name {
            "message" => self.message(session, element),
            "presence" => self.presence(session, element),
            _ => self.iq(device, session, element),
        }
    }

    fn stream_error(&mut self, device: usize, error: &Element) -> Verdict {
        let condition = error.elements().next().map_or("", |child| &child.name).to_owned();
        self.note(format!("{} gets stream error {condition}", self.name(device)));
        let account = self.devices[device].account;
        let session = self.devices[device].session;
        let congested = session.is_some_and(|session| self.sessions[session].congested);
        let allowed = match &*condition {
            "not-authorized" => self.accounts[account].passwords.len() > 1,
            "internal-server-error" => self.faulted_steps.iter().any(|step| *step >= self.checked),
            "policy-violation" => !self.devices[device].client.as_ref().is_some_and(|c| c.stage == Stage::Bound),
            "resource-constraint" => congested,
            "system-shutdown" => self.fell > 0,
            _ => false,
        };
        if !allowed {
            return Err(format!("{} gets stream error {condition}", self.name(device)));
        }
        if let Some(session) = session {
            self.sessions[session].may_be_gone = true;
        }
        Ok(())
    }

    pub(super) fn management(&mut self, device: usize, index: usize, element: &Element) -> Verdict {
        let name = self.name(device);
        let h = element.attr("h").and_then(|h| h.parse::<u32>().ok());
        let session = &mut self.sessions[index];
        match &*element.name {
            "enabled" => {
                session.managed = true;
                session.token = element.attr("id").map(Into::into);
            }
            "r" => {
                session.owes_ack = true;
                if self.chance.percent(60) {
                    self.acknowledge(device, index);
                }
            }
            "a" => {
                let h = h.ok_or("an <a/> without h")?;
                if h > session.sent || h < session.acknowledged {
                    return Err(format!("{name}: h={h} of {} sent, {} before", session.sent, session.acknowledged));
                }
                session.acknowledged = h;
                self.learn_handled(index, h);
            }
            "resumed" => {
                let h = h.ok_or("a <resumed/> without h")?;
                if h > session.sent || h < session.acknowledged {
                    return Err(format!("{name}: resumed h={h} of {} sent, {}", session.sent, session.acknowledged));
                }
                session.acknowledged = h;
                self.learn_handled(index, h);
                let again: Vec<_> = std::mem::take(&mut self.sessions[index].unacknowledged);
                self.send_again(device, index, h, again);
            }
            "failed" => {
                let condition = element.elements().next().map_or("", |child| &child.name).to_owned();
                self.note(format!("{name}: failed {condition}"));
                let session = &self.sessions[index];
                let over = session.detached_ms.is_some_and(|at| self.world.now.mono_ms >= at + RESUME_SECONDS * 1000);
                // A new password is set again if that was not acknowledged before a fall.
                let is_out = self.fell > 0 && self.accounts[session.account].password_muddled;
                if !session.may_be_gone && !over && !session.congested && !is_out {
                    return Err(format!("{name} could not resume session {index} that must be there"));
                }
                let now_ms = self.world.now.mono_ms;
                self.give_up(index, now_ms);
                self.devices[device].session = None;
                self.devices[device].forget();
                let resource = self.devices[device].resource.clone();
                let mut client = self.devices[device].client.take().unwrap();
                client.bind_instead(&mut self.world, &resource);
                self.devices[device].client = Some(client);
            }
            _ => {}
        }
        Ok(())
    }

    /// After a resumption: what the server did not count is sent again.
    fn send_again(&mut self, device: usize, index: usize, h: u32, stanzas: Vec<(u32, Sent, String)>) {
        self.sessions[index].sent = h;
        for (_, sent, xml) in stanzas {
            let mark = self.say(device, sent.clone(), &xml);
            match sent {
                Sent::Message(message) => self.messages[message].marks.push(mark),
                Sent::Presence(said) => self.sessions[index].said[said].marks.push(mark),
                Sent::Other => {}
            }
        }
    }

    /// The server has counted so many stanzas of a session.
    fn learn_handled(&mut self, index: usize, h: u32) {
        let messages = &mut self.messages;
        self.sessions[index].unacknowledged.retain(|(number, sent, _)| {
            let is_handled = *number <= h;
            if let Sent::Message(message) = sent {
                messages[*message].acknowledged |= is_handled;
            }
            !is_handled
        });
    }

    fn message(&mut self, session: usize, element: &Element) -> Verdict {
        let number = |id: Option<&str>| id.and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<usize>().ok());
        let carbon = element.elements().find(|child| &*child.ns == "urn:xmpp:carbons:2");
        if let Some(carbon) = carbon {
            let via = if &*carbon.name == "sent" { Via::CarbonSent } else { Via::CarbonReceived };
            let inner = carbon.elements().next().and_then(|forwarded| forwarded.elements().next());
            let id = inner.and_then(|inner| number(inner.attr("id"))).ok_or("a carbon of nothing")?;
            return self.got(session, id, via);
        }
        let id = number(element.attr("id")).ok_or_else(|| format!("an unknown message: {element:?}"))?;
        if element.attr("type") == Some("error") {
            // It comes to the full JID, whose session may be another one by then.
            if self.sessions[self.messages[id].from].jid != self.sessions[session].jid {
                return Err(format!("session {session} got the error of m{id}"));
            }
            self.note(format!("m{id} comes back to session {session}"));
            self.messages[id].bounced = true;
            return Ok(());
        }
        self.got(session, id, Via::Direct)
    }

    fn presence(&mut self, index: usize, element: &Element) -> Verdict {
        let from = element.attr("from").ok_or("presence from nobody")?.to_owned();
        let session = &mut self.sessions[index];
        if from == session.jid && (element.attr("type").is_some() || !session.view.contains_key(&from)) {
            // Others' presence ends with its own, and begins with it: what came while it was not there was for an earlier
            // session of the resource.
            session.view.clear();
        }
        match element.attr("type") {
            None => {
                let id = element.attr("id").unwrap_or_default().to_owned();
                session.view.insert(from.clone(), id);
            }
            Some("unavailable") => {
                if from.contains('/') {
                    session.view.remove(&from);
                } else {
                    session.view.retain(|full, _| full.split_once('/').is_none_or(|(bare, _)| bare != from));
                }
            }
            Some("subscribe") => {
                let account = session.account;
                if let Some(contact) = self.account_index(&from)
                    && !self.accounts[account].requests.contains(&contact)
                {
                    self.accounts[account].requests.push(contact);
                }
                return Ok(());
            }
            Some(_) => return Ok(()),
        }
        // Its own presence came back.
        let step = self.step;
        let session = &mut self.sessions[index];
        if from == session.jid
            && let Some(last) = session.said.last()
            && element.attr("id") == Some(&last.id)
        {
            session.shown = Known::Since(step, last.available.then_some(last.priority));
        }
        Ok(())
    }

    fn iq(&mut self, device: usize, session: usize, element: &Element) -> Verdict {
        let id = element.attr("id").unwrap_or_default().to_owned();
        match element.attr("type") {
            Some("set") => {
                if let Some(query) = element.child("query", ns::ROSTER) {
                    for item in query.elements() {
                        self.roster_item(session, item);
                    }
                }
                self.say(device, Sent::Other, &format!("<iq type='result' id='{id}'/>"));
                Ok(())
            }
            Some(kind @ ("result" | "error")) => {
                let Some(asked) = self.devices[device].asked.remove(&id) else {
                    // What was not acknowledged is asked again after a fall.
                    if self.devices[device].asked_before.remove(&id) || self.fell > 0 {
                        return Ok(());
                    }
                    return Err(format!("{} got an answer to nothing: {element:?}", self.name(device)));
                };
                self.answered(session, asked, kind == "result", element);
                Ok(())
            }
            _ => Err(format!("{} got {element:?}", self.name(device))),
        }
    }

    fn answered(&mut self, session: usize, asked: Asked, done: bool, element: &Element) {
        let step = self.step;
        let account = self.sessions[session].account;
        match asked {
            Asked::Roster => {
                self.sessions[session].roster.clear();
                for item in element.elements().flat_map(Element::elements) {
                    self.roster_item(session, item);
                }
            }
            Asked::Carbons(on) => self.sessions[session].carbons = Known::Since(step, on),
            Asked::Block(contact, on) => {
                let block = &mut self.accounts[account].blocks[contact];
                block.asked = block.asked.saturating_sub(1);
                block.touched = step;
                if block.asked == 0 {
                    let sure = done && !block.muddled;
                    block.state = if sure { Known::Since(step, on) } else { Known::Unsure };
                    block.muddled = false;
                }
            }
            Asked::Password | Asked::Other => {}
        }
    }

    fn roster_item(&mut self, session: usize, item: &Element) {
        let jid = item.attr("jid").unwrap_or_default().to_owned();
        let roster = &mut self.sessions[session].roster;
        if item.attr("subscription") == Some("remove") {
            roster.remove(&jid);
            return;
        }
        let groups: Vec<String> = item.elements().map(|group| group.text().into_owned()).collect();
        let text = format!(
            "{:?} {:?} {} {} {groups:?}",
            item.attr("name"),
            item.attr("subscription"),
            item.attr("ask").is_some(),
            item.attr("approved").is_some()
        );
        roster.insert(jid, text);
    }
}

//! Brings one thread's share of the clients online, a bounded number at once, and keeps them counted.

use crate::engine::{Engine, Event};
use crate::frame;
use crate::ladder::Account;

/// One thread's clients: slot n is account n.
pub(crate) struct Muster {
    accounts: Vec<Account>,
    /// Logins under way at once.
    at_once: usize,
    started: usize,
    online: usize,
    /// Name and version of the server, as it tells the first client (XEP-0092).
    pub(crate) server: Option<String>,
}

impl Muster {
    pub(crate) fn new(accounts: Vec<Account>, at_once: usize) -> Self {
        Self { accounts, at_once: at_once.max(1), started: 0, online: 0, server: None }
    }

    /// Starts as many as may be under way. To be called in each turn.
    pub(crate) fn turn(&mut self, engine: &mut Engine<'_>) {
        while self.started < self.accounts.len() && self.started - self.online < self.at_once {
            let slot = self.started;
            self.started += 1;
            if let Err(why) = engine.connect(slot, &self.accounts[slot], "bench".to_owned()) {
                engine.control.fail(why);
                return;
            }
        }
    }

    /// Notes who came and who went; a client lost makes the scene invalid. Gives back the stanza if it was one.
    pub(crate) fn event<'a>(&mut self, engine: &mut Engine<'_>, slot: usize, event: Event<'a>) -> Option<&'a [u8]> {
        match event {
            Event::Online => {
                self.online += 1;
                if slot == 0 {
                    let domain = &engine.target.terms.domain;
                    let question =
                        format!("<iq type='get' id='version' to='{domain}'><query xmlns='jabber:iq:version'/></iq>");
                    engine.send(slot, question.as_bytes());
                }
                None
            }
            Event::Stanza(stanza) if slot == 0 && is_version(stanza) => {
                let text = |element| String::from_utf8_lossy(frame::text(stanza, element).unwrap_or_default());
                let server = format!("{} {}", text("name"), text("version"));
                self.server = Some(server.trim().to_owned()).filter(|s| !s.is_empty());
                None
            }
            Event::Stanza(stanza) => Some(stanza),
            Event::Gone { why, .. } => {
                let who = &self.accounts[slot].localpart;
                let (online, all) = (self.online, self.accounts.len());
                engine
                    .control
                    .fail(format!("{who} lost its connection ({online} of {all} of its thread had logged in): {why}"));
                None
            }
        }
    }

    pub(crate) fn online(&self) -> usize {
        self.online
    }

    pub(crate) fn complete(&self) -> bool {
        self.online == self.accounts.len()
    }
}

fn is_version(stanza: &[u8]) -> bool {
    frame::name(stanza) == b"iq" && frame::attribute(stanza, b"id") == Some(b"version")
}

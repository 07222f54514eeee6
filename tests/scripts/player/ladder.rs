//! How a client comes by itself from a connection to a bound resource.

use super::Stage;
use super::login::{Scram, plain};
use super::play::{Client, Outcome, Player};
use super::reading::{Item, Reading, text};
use super::script::{Credentials, Door, Rung};
use wattle::ns;

impl<S: Stage> Player<'_, S> {
    /// Sends the stream header, and reads the server's with the features.
    fn open_stream(&mut self, who: usize) -> Outcome {
        let domain = self.domain(who).to_owned();
        self.write(
            who,
            &format!(
                "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='{}' xmlns:stream='{}'>",
                ns::CLIENT,
                ns::STREAM
            ),
        );
        match self.expect(who)? {
            Item::Header(_) => self.element(who, "features", ns::STREAM).map(drop),
            item => Err(format!("no stream header: {item}")),
        }
    }

    pub(super) fn account(&self, who: usize) -> &str {
        &self.script.cast[who].account
    }

    pub(super) fn domain(&self, who: usize) -> &str {
        self.account(who).split_once('@').map_or("", |(_, domain)| domain)
    }

    pub(super) fn user(&self, who: usize) -> String {
        self.account(who).split_once('@').map_or("", |(user, _)| user).to_owned()
    }

    pub(super) fn climb(&mut self, who: usize, rung: Rung, door: Door) -> Outcome {
        self.clients[who] = Client { reading: Reading::new(), open: true };
        self.stage.open(who, door);
        if rung == Rung::Connection {
            return Ok(());
        }
        if !door.direct {
            self.open_stream(who)?;
            self.write(who, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            self.element(who, "proceed", ns::TLS)?;
            self.stage.start_tls(who);
        }
        self.open_stream(who)?;
        if rung == Rung::Login {
            return Ok(());
        }
        let credentials = Credentials { mechanism: "PLAIN".to_owned(), ..Credentials::default() };
        self.authenticate(who, &credentials)?;
        self.element(who, "success", ns::SASL)?;
        self.open_stream(who)?;
        if rung == Rung::Bind {
            return Ok(());
        }
        let resource = self.script.cast[who].resource.clone();
        self.write(
            who,
            &format!("<iq type='set' id='bind'><bind xmlns='{}'><resource>{resource}</resource></bind></iq>", ns::BIND),
        );
        let bound = self.element(who, "iq", ns::CLIENT)?;
        let jid = format!("{}/{resource}", self.account(who));
        let got = bound.child("bind", ns::BIND).and_then(|bind| bind.child("jid", ns::BIND));
        if got.is_some_and(|got| got.text() == jid) { Ok(()) } else { Err(format!("not bound: {}", text(&bound))) }
    }

    /// Goes through an exchange, and leaves its last word to be received.
    pub(super) fn authenticate(&mut self, who: usize, credentials: &Credentials) -> Outcome {
        let user = credentials.user.clone().unwrap_or_else(|| self.user(who));
        let mechanism = &credentials.mechanism;
        if mechanism == "PLAIN" {
            let data = plain(&user, credentials);
            self.write(who, &format!("<auth xmlns='{}' mechanism='PLAIN'>{data}</auth>", ns::SASL));
            return Ok(());
        }
        let data = credentials.binding.as_ref().and_then(|kind| self.stage.binding(who, kind));
        let mut scram = Scram::new(&user, credentials, data);
        self.write(who, &format!("<auth xmlns='{}' mechanism='{mechanism}'>{}</auth>", ns::SASL, scram.first()));
        let challenge = match self.expect(who)? {
            Item::Element(challenge) if challenge.is("challenge", ns::SASL) => challenge,
            other => {
                self.clients[who].reading.items().push_front(other);
                return Ok(());
            }
        };
        let last = scram.last(&challenge.text())?;
        self.captures.insert("proof".to_owned(), last.clone());
        self.write(who, &format!("<response xmlns='{}'>{last}</response>", ns::SASL));
        let answer = self.expect(who)?;
        if let Item::Element(success) = &answer
            && success.is("success", ns::SASL)
            && !scram.is_proven(&success.text())
        {
            return Err("the server has not proven that it knows the password".to_owned());
        }
        self.clients[who].reading.items().push_front(answer);
        Ok(())
    }
}

//! How a client gets online: STARTTLS, SASL, bind and what it asks for next (RFC 6120 sections 5 to 7), one answer at a time.
//!
//! Pure: it is given a stanza and appends what to send. Each step waits for the one before, as ordinary clients do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::frame;
use crate::registration;
use crate::scram::{Exchange, Hash, Salted};

/// One account of the server under test.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) localpart: String,
    pub(crate) password: String,
}

/// The SASL mechanisms the bench knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mechanism {
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[value(name = "scram-sha-1")]
    ScramSha1,
    Plain,
}

/// What every client of a run asks of the server.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) domain: String,
    pub(crate) direct_tls: bool,
    /// Make the account instead of logging in to it.
    pub(crate) register: bool,
    /// `None` takes the strongest that is offered.
    pub(crate) mechanism: Option<Mechanism>,
    /// XEP-0198, with resumption.
    pub(crate) stream_management: bool,
    /// XEP-0280.
    pub(crate) carbons: bool,
    /// Fetch the roster.
    pub(crate) roster: bool,
    /// Send initial presence.
    pub(crate) presence: bool,
}

/// What the connection has to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait,
    /// Start the TLS handshake, then call [`Ladder::open`].
    StartTls,
    /// A new stream begins: the next frame is a header.
    Restarted,
    Online,
}

/// What is awaited from the server. The names are those of the census when a run gets stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rung {
    PlainFeatures,
    Proceed,
    SaslFeatures,
    RegistrationFields,
    Registered,
    Challenge,
    Success,
    BindFeatures,
    Bound,
    Session,
    Enabled,
    Carbons,
    Roster,
    Online,
}

/// One client's way up.
pub(crate) struct Ladder {
    pub(crate) rung: Rung,
    pub(crate) account: Account,
    resource: String,
    /// Full JID, once bound.
    pub(crate) jid: String,
    /// Whether the account did not exist before, once it is registered.
    pub(crate) made: bool,
    exchange: Option<Exchange>,
    session_wanted: bool,
    management_offered: bool,
}

impl Ladder {
    pub(crate) fn new(account: Account, resource: String, terms: &Terms) -> Self {
        let rung = if terms.direct_tls { Rung::SaslFeatures } else { Rung::PlainFeatures };
        Self {
            rung,
            account,
            resource,
            jid: String::new(),
            made: false,
            exchange: None,
            session_wanted: false,
            management_offered: false,
        }
    }

    /// Opens the stream (RFC 6120 section 4.2).
    pub(crate) fn open(&self, terms: &Terms, out: &mut Vec<u8>) {
        let domain = &terms.domain;
        out.extend_from_slice(
            format!("<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
                .as_bytes(),
        );
    }

    /// Takes one stanza of the server's. `Err` says why this client will not get online.
    pub(crate) fn step(
        &mut self,
        stanza: &[u8],
        terms: &Terms,
        salted: &mut Salted,
        out: &mut Vec<u8>,
    ) -> Result<Step, String> {
        let name = frame::name(stanza);
        let refused = |what: &str| Err(format!("{what}: {}", frame::excerpt(stanza)));
        match (self.rung, name) {
            (_, b"stream:error") => return refused("stream error"),
            (_, b"failure") => return refused("login refused"),
            (Rung::PlainFeatures, b"stream:features") => {
                if !frame::contains(stanza, "urn:ietf:params:xml:ns:xmpp-tls") {
                    return refused("no STARTTLS is offered (for direct TLS say --direct-tls)");
                }
                out.extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                self.rung = Rung::Proceed;
            }
            (Rung::Proceed, b"proceed") => {
                self.rung = Rung::SaslFeatures;
                return Ok(Step::StartTls);
            }
            (Rung::SaslFeatures, b"stream:features") if terms.register => {
                out.extend_from_slice(registration::QUESTION.as_bytes());
                self.rung = Rung::RegistrationFields;
            }
            (Rung::RegistrationFields, b"iq") if answers(stanza, "fields") => {
                out.extend_from_slice(registration::fill(stanza, &self.account)?.as_bytes());
                self.rung = Rung::Registered;
            }
            (Rung::Registered, b"iq") if answers(stanza, "register") => {
                self.made = registration::made(stanza)?;
                self.rung = Rung::Online;
                return Ok(Step::Online);
            }
            (Rung::SaslFeatures, b"stream:features") => self.authenticate(stanza, terms, out)?,
            (Rung::Challenge, b"challenge") => {
                let exchange = self.exchange.as_mut().ok_or("a challenge to nothing")?;
                let data = frame::text(stanza, "challenge").unwrap_or_default();
                let answer = exchange.answer(data, &self.account.password, salted)?;
                out.extend_from_slice(
                    format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{answer}</response>").as_bytes(),
                );
                self.rung = Rung::Success;
            }
            (Rung::Success, b"success") => {
                if let Some(exchange) = self.exchange.take() {
                    exchange.verify(frame::text(stanza, "success").unwrap_or_default())?;
                }
                self.open(terms, out);
                self.rung = Rung::BindFeatures;
                return Ok(Step::Restarted);
            }
            (Rung::BindFeatures, b"stream:features") => {
                self.management_offered = frame::contains(stanza, "urn:xmpp:sm:3");
                // RFC 6121 did away with the session; a server that has it says `optional`, or wants it.
                self.session_wanted =
                    frame::contains(stanza, "urn:ietf:params:xml:ns:xmpp-session") && !optional_session(stanza);
                out.extend_from_slice(
                    format!(
                        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>",
                        self.resource
                    )
                    .as_bytes(),
                );
                self.rung = Rung::Bound;
            }
            (Rung::Bound, b"iq") if answers(stanza, "bind") => {
                let jid = frame::text(stanza, "jid").unwrap_or_default();
                if jid.is_empty() {
                    return refused("resource not bound");
                }
                self.jid = String::from_utf8_lossy(jid).into_owned();
                return self.after(Rung::Bound, terms, out);
            }
            (Rung::Session, b"iq") if answers(stanza, "session") => return self.accepted(stanza, terms, out),
            (Rung::Carbons, b"iq") if answers(stanza, "carbons") => return self.accepted(stanza, terms, out),
            (Rung::Roster, b"iq") if answers(stanza, "roster") => return self.accepted(stanza, terms, out),
            (Rung::Enabled, b"enabled") => return self.after(Rung::Enabled, terms, out),
            (Rung::Enabled, b"failed") => return refused("stream management refused"),
            // Presence, messages that waited and questions of the server may come between.
            (rung, b"iq" | b"message" | b"presence" | b"r" | b"a") if rung >= Rung::Bound => {}
            (rung, _) => return refused(&format!("unexpected while waiting for {rung:?}")),
        }
        Ok(Step::Wait)
    }

    fn authenticate(&mut self, features: &[u8], terms: &Terms, out: &mut Vec<u8>) -> Result<(), String> {
        let offered = |m: &Mechanism| frame::contains(features, &format!(">{}<", m.name()));
        let known = [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain];
        let chosen = terms.mechanism.or_else(|| known.into_iter().find(offered)).filter(offered);
        let Some(mechanism) = chosen else {
            let wanted = terms.mechanism.map_or("SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN", Mechanism::name);
            return Err(format!("{wanted} is not offered: {}", frame::excerpt(features)));
        };
        let initial = if let Some(hash) = mechanism.hash() {
            let exchange = Exchange::new(hash, &self.account.localpart)?;
            self.rung = Rung::Challenge;
            self.exchange.insert(exchange).first()
        } else {
            self.rung = Rung::Success;
            STANDARD.encode(format!("\0{}\0{}", self.account.localpart, self.account.password))
        };
        let name = mechanism.name();
        out.extend_from_slice(
            format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{name}'>{initial}</auth>").as_bytes(),
        );
        Ok(())
    }

    fn accepted(&mut self, stanza: &[u8], terms: &Terms, out: &mut Vec<u8>) -> Result<Step, String> {
        if frame::attribute(stanza, b"type") != Some(b"result") {
            return Err(format!("{:?} refused: {}", self.rung, frame::excerpt(stanza)));
        }
        self.after(self.rung, terms, out)
    }

    /// Asks for the next thing that the terms want, in the order of the rungs.
    fn after(&mut self, done: Rung, terms: &Terms, out: &mut Vec<u8>) -> Result<Step, String> {
        let request = if done < Rung::Session && self.session_wanted {
            self.rung = Rung::Session;
            "<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
        } else if done < Rung::Enabled && terms.stream_management {
            if !self.management_offered {
                return Err("--sm, but the server offers no stream management".to_owned());
            }
            self.rung = Rung::Enabled;
            "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
        } else if done < Rung::Carbons && terms.carbons {
            self.rung = Rung::Carbons;
            "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
        } else if done < Rung::Roster && terms.roster {
            self.rung = Rung::Roster;
            "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"
        } else {
            self.rung = Rung::Online;
            if terms.presence { "<presence/>" } else { "" }
        };
        out.extend_from_slice(request.as_bytes());
        Ok(if self.rung == Rung::Online { Step::Online } else { Step::Wait })
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    fn hash(self) -> Option<Hash> {
        match self {
            Self::ScramSha256 => Some(Hash::Sha256),
            Self::ScramSha1 => Some(Hash::Sha1),
            Self::Plain => None,
        }
    }
}

fn answers(stanza: &[u8], id: &str) -> bool {
    frame::attribute(stanza, b"id") == Some(id.as_bytes())
        && matches!(frame::attribute(stanza, b"type"), Some(b"result" | b"error"))
}

/// Whether `<session>` holds `<optional/>`.
fn optional_session(features: &[u8]) -> bool {
    let features = String::from_utf8_lossy(features);
    features.split_once("<session").is_some_and(|(_, rest)| {
        let inner = rest.split_once("</session>").map_or("", |(inner, _)| inner);
        inner.contains("<optional")
    })
}

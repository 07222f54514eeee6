//! The SASL rung (RFC 6120 section 6): carries the exchange of [`crate::sasl`] in XML, and counts wrong tries.

use super::{Event, Misbehaved, Surroundings};
use crate::input::{Conn, TlsFacts};
use crate::sasl::{self, Exchange, Failure, FakeSecret, Mechanism, Step};
use crate::store::Verifiers;
use crate::xml::{Element, Framed};
use crate::{limits, ns};

/// What a login waited for.
#[derive(Debug)]
pub enum LoginAnswer<'a> {
    /// How the account proves itself, if it exists; a stranger gets a proof that nobody can give.
    Credentials(Option<&'a Verifiers>, &'a FakeSecret),
    /// Whether the password was right.
    Checked(bool),
    /// The store or the hashing gave no answer.
    Fault,
}

/// The state of the rung.
#[derive(Debug)]
pub(super) struct Login {
    tls: Box<TlsFacts>,
    exchange: Option<Exchange>,
    failures: u8,
}

impl Login {
    pub(super) fn new(tls: Box<TlsFacts>) -> Self {
        Self { tls, exchange: None, failures: 0 }
    }

    /// Mechanisms, and the channel binding types that the -PLUS ones take (XEP-0440).
    pub(super) fn write_features(&self, out: &mut Vec<u8>) {
        let mut mechanisms = Element::new("mechanisms", ns::SASL);
        for mechanism in sasl::offered(&self.tls) {
            mechanisms = mechanisms.with_child(Element::new("mechanism", ns::SASL).with_text(mechanism.name()));
        }
        mechanisms.write_to(out, ns::CLIENT);
        let mut bindings = Element::new("sasl-channel-binding", ns::SASL_CHANNEL_BINDING);
        for name in sasl::binding_types(&self.tls) {
            bindings = bindings
                .with_child(Element::new("channel-binding", ns::SASL_CHANNEL_BINDING).with_attr("type", name.name()));
        }
        bindings.write_to(out, ns::CLIENT);
    }

    /// An element of the client.
    pub(super) fn element(
        &mut self,
        framed: &Framed<'_>,
        conn: Conn,
        domain: &str,
        around: &mut Surroundings<'_>,
    ) -> Result<Option<Event>, Misbehaved> {
        let tag = framed.tag();
        if tag.namespace() != ns::SASL {
            return Err(Misbehaved::NotLoggedIn);
        }
        let element = Element::parse(framed.bytes(), ns::CLIENT).map_err(Misbehaved::Xml)?;
        let step = match tag.name() {
            "auth" => self.begin(&element, domain, around),
            "response" => match (&mut self.exchange, sasl::decode_payload(&element.text())) {
                (Some(exchange), Ok(data)) => exchange.step(data.as_deref(), &self.tls),
                (None, _) => Step::Failure(Failure::MalformedRequest),
                (_, Err(failure)) => Step::Failure(failure),
            },
            "abort" => Step::Failure(Failure::Aborted),
            _ => return Err(Misbehaved::NotLoggedIn),
        };
        self.take(step, conn, around)
    }

    fn begin(&mut self, auth: &Element, domain: &str, around: &mut Surroundings<'_>) -> Step {
        let mechanism = auth.attr("mechanism").and_then(Mechanism::parse);
        let Some(mechanism) = mechanism.filter(|wanted| sasl::offered(&self.tls).contains(wanted)) else {
            return Step::Failure(Failure::InvalidMechanism);
        };
        let exchange = self.exchange.insert(Exchange::start(mechanism, domain, &around.dice.token()));
        match sasl::decode_payload(&auth.text()) {
            Ok(data) => exchange.step(data.as_deref(), &self.tls),
            Err(failure) => Step::Failure(failure),
        }
    }

    /// Goes on after an answer from elsewhere.
    pub(super) fn answer(
        &mut self,
        answer: LoginAnswer<'_>,
        conn: Conn,
        around: &mut Surroundings<'_>,
    ) -> Result<Option<Event>, Misbehaved> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        let step = match answer {
            LoginAnswer::Credentials(verifiers, secret) => exchange.credentials(verifiers, secret),
            LoginAnswer::Checked(right) => exchange.checked(right),
            LoginAnswer::Fault => Step::Failure(Failure::TemporaryAuthFailure),
        };
        self.take(step, conn, around)
    }

    fn take(&mut self, step: Step, conn: Conn, around: &mut Surroundings<'_>) -> Result<Option<Event>, Misbehaved> {
        let nonza = |name: &str| Element::new(name, ns::SASL);
        match step {
            Step::NeedCredentials { account } => Ok(Some(Event::Credentials(account))),
            Step::CheckPassword { password, verifiers } => Ok(Some(Event::CheckPassword { password, verifiers })),
            Step::Challenge(data) => {
                let challenge = nonza("challenge").with_text(&sasl::encode_payload(&data));
                around.effects.send(conn, |out| challenge.write_to(out, ns::CLIENT));
                Ok(None)
            }
            Step::Success { account, additional } => {
                let mut success = nonza("success");
                if let Some(data) = additional {
                    success = success.with_text(&sasl::encode_payload(&data));
                }
                around.effects.send(conn, |out| success.write_to(out, ns::CLIENT));
                Ok(Some(Event::LoggedIn(account)))
            }
            Step::Failure(failure) => {
                self.exchange = None;
                let element = nonza("failure").with_child(nonza(failure.condition()));
                around.effects.send(conn, |out| element.write_to(out, ns::CLIENT));
                self.failures += 1;
                if self.failures >= limits::LOGIN_FAILURES {
                    return Err(Misbehaved::TooManyFailures);
                }
                Ok(None)
            }
        }
    }
}

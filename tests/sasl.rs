//! Logs in with a SASL client of another hand (`rsasl`): each mechanism, each channel binding, right and wrong passwords.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::num::NonZeroU32;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::{plain, scram};
use rsasl::prelude::{ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SessionError, State};
use rsasl::property::{AuthId, AuthzId, OverrideCBType, Password};
use wattle::input::TlsFacts;
use wattle::sasl::{Exchange, Failure, FakeSecret, Mechanism, Step, check_password, make_verifiers};

/// What the client knows.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    password: &'static str,
    authzid: Option<&'static str>,
    binding: Option<(&'static str, [u8; 32])>,
}

impl SessionCallback for Client {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>(self.name)?.satisfy::<Password>(self.password.as_bytes())?;
        if let Some(authzid) = self.authzid {
            request.satisfy::<AuthzId>(authzid)?;
        }
        if let Some((name, _)) = self.binding {
            request.satisfy::<OverrideCBType>(name)?;
        }
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        self.binding.is_some()
    }
}

impl ChannelBindingCallback for Client {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        self.binding.as_ref().filter(|binding| binding.0 == name).map(|binding| binding.1.as_slice())
    }
}

const JULIET: Client = Client { name: "Juliet", password: "R0m30, \u{FC}ber=alles", authzid: None, binding: None };
const EXPORTER: Option<(&str, [u8; 32])> = Some(("tls-exporter", [9; 32]));
const END_POINT: Option<(&str, [u8; 32])> = Some(("tls-server-end-point", [5; 32]));

/// The client's mechanisms; those of its own choice have no -PLUS.
static KNOWN: [rsasl::prelude::Mechanism; 5] =
    [scram::SCRAM_SHA256_PLUS, scram::SCRAM_SHA1_PLUS, scram::SCRAM_SHA256, scram::SCRAM_SHA1, plain::PLAIN];

/// The account, if the server let the client in and the client believes that it is the server.
fn login(mechanism: Mechanism, client: Client) -> Result<String, Failure> {
    let tls = TlsFacts { tls13: true, server_name: None, exporter: Some([9; 32]), end_point: Some([5; 32].into()) };
    let verifiers = make_verifiers(JULIET.password, &[1; 16], &[2; 16], NonZeroU32::new(64).unwrap());
    let fake = FakeSecret::new(&[7; 32]);

    let config = SASLConfig::builder().with_registry(Registry::with_mechanisms(&KNOWN)).with_callback(client).unwrap();
    let offered = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    let mut session = SASLClient::with_cb(config, client).start_suggested(&[offered]).unwrap();
    let mut exchange = Exchange::start(mechanism, "example.com", "3rfcNHYJY1ZVvWVs7j");
    let mut out = Vec::new();
    session.step(None, &mut out).unwrap();
    loop {
        let mut step = exchange.step(Some(&out), &tls);
        if let Step::NeedCredentials { account } = &step {
            let known = account.as_str() == "juliet@example.com";
            step = exchange.credentials(known.then_some(&verifiers), &fake);
        }
        if let Step::CheckPassword { password, verifiers } = &step {
            let right = check_password(password, verifiers);
            step = exchange.checked(right);
        }
        out.clear();
        match step {
            Step::Challenge(challenge) => {
                session.step(Some(&challenge), &mut out).unwrap();
            }
            Step::Success { account, additional } => {
                if let Some(additional) = additional {
                    assert!(matches!(session.step(Some(&additional), &mut out).unwrap(), State::Finished(_)));
                }
                return Ok(account.as_str().to_owned());
            }
            Step::Failure(failure) => return Err(failure),
            step => panic!("{step:?}"),
        }
    }
}

/// Every mechanism with the bindings that it can have.
fn ways() -> impl Iterator<Item = (Mechanism, Client)> {
    Mechanism::ALL.into_iter().flat_map(|mechanism| {
        let bindings = if mechanism.is_plus() { vec![EXPORTER, END_POINT] } else { vec![None] };
        bindings.into_iter().map(move |binding| (mechanism, Client { binding, ..JULIET }))
    })
}

#[test]
fn the_right_password_opens() {
    for (mechanism, client) in ways() {
        assert_eq!(login(mechanism, client).as_deref(), Ok("juliet@example.com"), "{mechanism:?}");
        let client = Client { authzid: Some("juliet@example.com"), ..client };
        assert_eq!(login(mechanism, client).as_deref(), Ok("juliet@example.com"), "{mechanism:?}");
    }
}

#[test]
fn anything_else_does_not() {
    for (mechanism, client) in ways() {
        let cases = [
            (Client { password: "r0m30", ..client }, Failure::NotAuthorized),
            (Client { name: "nobody", ..client }, Failure::NotAuthorized),
            (Client { name: "juliet@example.com", ..client }, Failure::NotAuthorized),
            (Client { authzid: Some("romeo@example.com"), ..client }, Failure::InvalidAuthzid),
        ];
        for (client, failure) in cases {
            assert_eq!(login(mechanism, client), Err(failure), "{mechanism:?} {}", client.name);
        }
    }
    for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
        let client = Client { binding: Some(("tls-exporter", [8; 32])), ..JULIET };
        assert_eq!(login(mechanism, client), Err(Failure::NotAuthorized));
        let client = Client { binding: Some(("tls-unique", [9; 32])), ..JULIET };
        assert_eq!(login(mechanism, client), Err(Failure::MalformedRequest));
    }
}

/// A client that can bind and was told of no -PLUS says so; the server knows better.
#[test]
fn a_downgrade_is_noticed() {
    let client = Client { binding: EXPORTER, ..JULIET };
    assert_eq!(login(Mechanism::ScramSha256, client), Err(Failure::NotAuthorized));
    assert_eq!(login(Mechanism::ScramSha1, client), Err(Failure::NotAuthorized));
}

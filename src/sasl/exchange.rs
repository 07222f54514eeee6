//! One authentication from `<auth/>` to its end, as a state machine over the mechanisms.

use crate::input::TlsFacts;
use crate::jid::Jid;
use crate::sasl::verifier::{FakeSecret, Hash, prepare_password};
use crate::sasl::{Failure, Mechanism, plain, scram};
use crate::store::Verifiers;

/// One authentication. After [`Step::Success`] or [`Step::Failure`] it is over, and whatever comes fails.
pub struct Exchange {
    mechanism: Mechanism,
    domain: Box<str>,
    nonce: Box<str>,
    state: State,
}

/// What to do next.
#[must_use]
pub enum Step {
    /// Send `<challenge/>` with this data (possibly empty) and wait for the response.
    Challenge(Vec<u8>),
    /// Ask the store for the verifiers of this account, then call [`Exchange::credentials`]. What the client sends
    /// meanwhile breaks the protocol, unless it is `<abort/>`.
    NeedCredentials {
        /// A bare JID.
        account: Jid,
    },
    /// Call [`super::check_password`] off the core, then [`Exchange::checked`].
    CheckPassword {
        /// Prepared.
        password: Box<str>,
        /// To check against; those of an account that does not exist fit no password.
        verifiers: Box<Verifiers>,
    },
    /// The client is who it says. Send `<success/>` with the additional data.
    Success {
        /// A bare JID.
        account: Jid,
        /// What the mechanism says in the end.
        additional: Option<Vec<u8>>,
    },
    /// Send `<failure/>`.
    Failure(Failure),
}

// A step can hold a password or a proof.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge"),
            Self::NeedCredentials { .. } => f.write_str("NeedCredentials"),
            Self::CheckPassword { .. } => f.write_str("CheckPassword"),
            Self::Success { .. } => f.write_str("Success"),
            Self::Failure(failure) => write!(f, "Failure({failure:?})"),
        }
    }
}

// An exchange holds what could be guessed against.
impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({})", self.mechanism.name())
    }
}

enum State {
    /// Waits for the client's first message.
    Initial,
    /// The same, after a challenge without data asked for it.
    Asked,
    /// Waits for the store.
    Lookup(Jid, Claim),
    /// SCRAM: waits for the client's final message.
    Proving(Jid, Box<scram::Proof>),
    /// PLAIN: waits for the hash, and knows whether the account exists.
    Checking(Jid, bool),
    Over,
}

/// What the client's first message claims.
enum Claim {
    Scram(Hash, scram::First),
    Plain(Box<str>),
}

impl Exchange {
    /// Begins, for an account of `domain`. `nonce` is the server's half of a SCRAM nonce: at least 18 random bytes as
    /// base64 or the like, fresh for each exchange, printable ASCII without a comma.
    #[must_use]
    pub fn start(mechanism: Mechanism, domain: &str, nonce: &str) -> Self {
        debug_assert!(nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "nonce breaks the message");
        Self { mechanism, domain: domain.into(), nonce: nonce.into(), state: State::Initial }
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the data of `<auth/>` or `<response/>` as [`super::decode_payload`] gives it; none: there was no data.
    pub fn step(&mut self, data: Option<&[u8]>, tls: &TlsFacts) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), data) {
            // All of these mechanisms begin with the client, which did not use its initial response (RFC 4422 section 5).
            (State::Initial, None) => {
                self.state = State::Asked;
                Step::Challenge(Vec::new())
            }
            (State::Initial | State::Asked, data) => match self.first(data.unwrap_or_default(), tls) {
                Ok((account, claim)) => {
                    self.state = State::Lookup(account.clone(), claim);
                    Step::NeedCredentials { account }
                }
                Err(failure) => Step::Failure(failure),
            },
            (State::Proving(account, proof), data) => match proof.check(data.unwrap_or_default()) {
                Ok(additional) => Step::Success { account, additional: Some(additional) },
                Err(failure) => Step::Failure(failure),
            },
            (State::Lookup(..) | State::Checking(..) | State::Over, _) => Step::Failure(Failure::MalformedRequest),
        }
    }

    /// Takes the store's answer to [`Step::NeedCredentials`]; none: there is no such account.
    pub fn credentials(&mut self, verifiers: Option<&Verifiers>, fake: &FakeSecret) -> Step {
        let State::Lookup(account, claim) = std::mem::replace(&mut self.state, State::Over) else {
            return Step::Failure(Failure::MalformedRequest);
        };
        // Made also for an account that exists, so that both take the same time.
        let fake = fake.verifiers(&account);
        let exists = verifiers.is_some();
        let verifiers = verifiers.unwrap_or(&fake);
        match claim {
            Claim::Plain(password) => {
                self.state = State::Checking(account, exists);
                Step::CheckPassword { password, verifiers: Box::new(verifiers.clone()) }
            }
            Claim::Scram(hash, first) => match first.challenge(&self.nonce, hash, hash.of(verifiers), exists) {
                Ok((message, proof)) => {
                    self.state = State::Proving(account, Box::new(proof));
                    Step::Challenge(message)
                }
                Err(failure) => Step::Failure(failure),
            },
        }
    }

    /// Takes the outcome of [`Step::CheckPassword`].
    pub fn checked(&mut self, right: bool) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Checking(account, true) if right => Step::Success { account, additional: None },
            State::Checking(..) => Step::Failure(Failure::NotAuthorized),
            _ => Step::Failure(Failure::MalformedRequest),
        }
    }

    /// Reads the client's first message.
    fn first(&self, data: &[u8], tls: &TlsFacts) -> Result<(Jid, Claim), Failure> {
        let hash = match self.mechanism {
            Mechanism::Plain => {
                let message = plain::parse(data)?;
                let account = self.account(message.username, message.authzid)?;
                // What cannot be prepared is nobody's password.
                let password = prepare_password(message.password).map_err(|_| Failure::NotAuthorized)?;
                return Ok((account, Claim::Plain(password)));
            }
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::ScramSha1Plus | Mechanism::ScramSha1 => Hash::Sha1,
        };
        let (first, names) = scram::First::parse(data, self.mechanism.is_plus(), tls)?;
        let account = self.account(&names.username, names.authzid.as_deref())?;
        Ok((account, Claim::Scram(hash, first)))
    }

    /// The account of a user name, if the client may act as `authzid` (RFC 6120 section 6.3.8: its own bare JID or nothing).
    fn account(&self, username: &str, authzid: Option<&str>) -> Result<Jid, Failure> {
        // SASLprep of names takes unassigned code points as they are (RFC 5802 section 5.1, "query"), `stringprep` does
        // not; the localpart's own profile judges them then.
        let prepared = if username.chars().any(stringprep::tables::unassigned_code_point) {
            username.into()
        } else {
            stringprep::saslprep(username).map_err(|_| Failure::NotAuthorized)?
        };
        let account = Jid::from_parts(Some(&prepared), &self.domain, None).map_err(|_| Failure::NotAuthorized)?;
        match authzid.map(Jid::parse) {
            None => Ok(account),
            Some(Ok(authzid)) if authzid == account => Ok(account),
            Some(_) => Err(Failure::InvalidAuthzid),
        }
    }
}

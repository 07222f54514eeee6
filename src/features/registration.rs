//! In-band registration (XEP-0077) for an account that is logged in: change the password, cancel the account.

use super::{Answered, Feature, Handler, IqHandler, Reply};
use crate::account::Account;
use crate::effect::HashJob;
use crate::jid::Jid;
use crate::ns;
use crate::sasl::prepare_password;
use crate::session::SessionId;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError};
use crate::store::{Answer, Question, StoreFault, Verifiers};
use crate::turn::{Hashing, Then, Turn};
use crate::xml::Element;

const REGISTER: &str = "jabber:iq:register";

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0077",
    title: "In-Band Registration (password change and cancellation)",
    version: "2.4",
    server: &[REGISTER],
    iqs: &[IqHandler { namespace: REGISTER, name: "query", handler: Handler::OwnAnywhere(query) }],
    ..Feature::NONE
};

fn query(account: &mut Account, _: SessionId, stanza: &Stanza, request: &Element, turn: &mut Turn<'_>) -> Answered {
    let user = account.jid.local().unwrap_or_default();
    let text = |name| request.child(name, REGISTER).map(|child| child.text().into_owned());
    if stanza.kind == Kind::Iq(IqType::Get) {
        // Section 3.1.1: who is registered hears so.
        let form = Element::new("query", REGISTER)
            .with_child(Element::new("registered", REGISTER))
            .with_child(Element::new("username", REGISTER).with_text(user))
            .with_child(Element::new("password", REGISTER));
        return Ok(Reply::Result(form.to_bytes(ns::CLIENT)));
    }
    if request.child("remove", REGISTER).is_some() {
        // Section 3.2: nothing may stand beside it.
        if request.elements().count() != 1 {
            return Err(Condition::BadRequest.into());
        }
        let question = Question::RemoveAccount { account: account.jid.clone() };
        turn.ask(question, Then::AccountRemoved { request: Box::new(stanza.clone()) });
        return Ok(Reply::Later);
    }
    // Section 3.3.
    let (Some(username), Some(password)) = (text("username"), text("password")) else {
        return Err(Condition::BadRequest.into());
    };
    if Jid::from_parts(Some(&username), account.jid.domain(), None).ok().as_ref() != Some(&account.jid) {
        return Err(StanzaError::new(Condition::NotAllowed, "only your own password"));
    }
    let password = match prepare_password(&password) {
        Ok(password) if !password.is_empty() => password,
        _ => return Err(StanzaError::new(Condition::NotAcceptable, "this cannot be a password")),
    };
    turn.hash(HashJob::Make { password }, Hashing::ChangePassword { request: Box::new(stanza.clone()) });
    Ok(Reply::Later)
}

/// The new password is hashed.
pub fn save_password(request: Box<Stanza>, verifiers: Box<Verifiers>, turn: &mut Turn<'_>) {
    let Some(account) = request.from.as_ref().map(Jid::to_bare) else { return };
    turn.ask(Question::SetVerifiers { account, verifiers }, Then::PasswordChanged { request });
}

/// The change is stored, or not; true if it is.
pub fn answered(request: &Stanza, answer: Result<Answer, StoreFault>, turn: &mut Turn<'_>) -> bool {
    let stored = matches!(answer, Ok(Answer::Done));
    if stored {
        turn.route(request.result(&[]));
    } else {
        turn.refuse(request, &Condition::InternalServerError.into());
    }
    stored
}

//! How a stranger gets an account from the server itself, before any login (XEP-0077 section 3.1).
//!
//! Pure, as the ladder whose one rung it is: it reads what the server answers and says what to send, or why there will be
//! no account.

use crate::frame;
use crate::ladder::Account;

/// The question for what the server wants to know.
pub(crate) const QUESTION: &str = "<iq type='get' id='fields'><query xmlns='jabber:iq:register'/></iq>";

/// What the server is told of an account, if it wants no more than it.
pub(crate) fn fill(answer: &[u8], account: &Account) -> Result<String, String> {
    if frame::attribute(answer, b"type") == Some(b"error") {
        return Err(refusal(answer));
    }
    let asked: Vec<&str> = FIELDS.into_iter().filter(|field| frame::text(answer, field).is_some()).collect();
    let others: Vec<&str> = asked.iter().copied().filter(|field| !["username", "password"].contains(field)).collect();
    if asked.len() != others.len() + 2 || !others.is_empty() {
        // A form that wants the name and the password only says so in the old fields too.
        let wants = if others.is_empty() { frame::excerpt(answer) } else { others.join(", ") };
        return Err(format!(
            "the server wants more than a name and a password of a new account, as from a person ({wants}): take that \
             off (captcha, e-mail), or {BY_COMMAND}"
        ));
    }
    let Account { localpart, password } = account;
    Ok(format!(
        "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{}</username><password>{}</password></query></iq>",
        escaped(localpart),
        escaped(password)
    ))
}

/// Whether the account was made; not, if it was there before.
pub(crate) fn made(answer: &[u8]) -> Result<bool, String> {
    if frame::attribute(answer, b"type") == Some(b"result") {
        return Ok(true);
    }
    if frame::contains(answer, "<conflict") {
        return Ok(false);
    }
    Err(refusal(answer))
}

/// What a server may ask of old (XEP-0077 section 14.1), beside a form.
const FIELDS: [&str; 16] = [
    "username", "nick", "password", "name", "first", "last", "email", "address", "city", "state", "zip", "phone",
    "url", "date", "misc", "text",
];
const BY_COMMAND: &str = "make the accounts by a command (--command)";

fn refusal(answer: &[u8]) -> String {
    let is = |conditions: &[&str]| conditions.iter().any(|condition| frame::contains(answer, &format!("<{condition}")));
    let why = if is(&["resource-constraint", "policy-violation"]) || frame::contains(answer, "type='wait'") {
        "the server limits how many register in a time: lift that for the bench (ejabberd: registration_timeout: \
         infinity, Prosody: no register_limits)"
    } else if is(&["not-acceptable", "bad-request", "jid-malformed"]) {
        "the server takes neither this name nor this password, or no second account from the same address: write \
         others (--user-prefix, --password), or allow it there"
    } else {
        "the server lets no stranger register: allow it (Prosody: module register and \
         allow_registration = true; ejabberd: mod_register with ip_access and access)"
    };
    format!("{why}, or {BY_COMMAND}; it said {}", frame::excerpt(answer))
}

/// A text as an element's content.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{fill, made};
    use crate::ladder::Account;

    fn form(fields: &str) -> Result<String, String> {
        let answer = format!(
            "<iq type='result' id='fields'><query xmlns='jabber:iq:register'><instructions>Choose a username and password.</instructions>{fields}</query></iq>"
        );
        fill(answer.as_bytes(), &Account { localpart: "a&b".to_owned(), password: "<\"'>".to_owned() })
    }

    #[test]
    fn a_name_and_a_password_are_given() {
        let filled = form("<username/><password></password>").unwrap();
        assert!(filled.contains("<username>a&amp;b</username><password>&lt;\"'&gt;</password>"), "{filled}");
    }

    #[test]
    fn what_only_a_person_can_tell_is_refused() {
        assert!(form("<username/><password/><email/>").unwrap_err().contains("(email)"));
        assert!(form("<x xmlns='jabber:x:data' type='form'/>").unwrap_err().contains("jabber:x:data"));
        assert!(form("<registered/>").unwrap_err().contains("--command"));
    }

    #[test]
    fn who_is_there_already_is_fine_and_refusals_have_a_cure() {
        assert_eq!(made(b"<iq type='result' id='register'/>"), Ok(true));
        let error = |condition: &str| {
            let xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas";
            format!("<iq type='error' id='register'><error type='cancel'><{condition} xmlns='{xmlns}'/></error></iq>")
        };
        assert_eq!(made(error("conflict").as_bytes()), Ok(false));
        for (condition, cure) in [
            ("service-unavailable", "allow_registration = true"),
            ("not-allowed", "mod_register"),
            ("resource-constraint", "registration_timeout: infinity"),
            ("not-acceptable", "--user-prefix"),
        ] {
            let why = made(error(condition).as_bytes()).unwrap_err();
            assert!(why.contains(cure) && why.contains(condition), "{why}");
        }
    }
}

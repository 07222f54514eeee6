//! Making, listing and removing accounts, the same way in a running server and on a store that no server has open.

use std::time::{SystemTime, UNIX_EPOCH};

use wattle::config::Config;
use wattle::jid::Jid;
use wattle::sasl::{ITERATIONS, make_verifiers, prepare_password};
use wattle::store::{Answer, Question, StoreFault, Verifiers};

use super::rooms;
use super::words::{PAGE_BYTES, PAGE_ROWS, Reply, Request, Secret};
use crate::dice;
use crate::fault::Fault;

/// Asks the store and waits.
pub(crate) type Call<'c> = dyn Fn(Question) -> Result<Answer, StoreFault> + 'c;

/// The account that an operator names.
///
/// # Errors
/// If it is no bare JID, or its domain is not served.
pub(crate) fn named(config: &Config, text: &str) -> Result<Jid, Fault> {
    let main = &config.domains[0].name;
    let account = Jid::parse(text)
        .map_err(|_| Fault::new(format!("{text:?} is no address"), format!("write one such as juliet@{main}")))?;
    let Some(local) = account.local() else {
        return Err(Fault::new(format!("{text:?} has no name before an @"), format!("write {text}@{main}")));
    };
    if !account.is_bare() {
        return Err(Fault::new(format!("{text:?} has a resource"), format!("write {}", account.bare_str())));
    }
    if !config.serves(account.domain()) {
        let served: Vec<_> = config.domains.iter().map(|domain| &*domain.name).collect();
        let what = format!("the domain {} is not served here, but {}", account.domain(), served.join(", "));
        return Err(Fault::new(what, format!("write {local}@{main}, or add the domain to the configuration")));
    }
    Ok(account)
}

/// Carries out a request on the store alone. The caller ends the sessions of an account that changed.
///
/// # Errors
/// If it is refused.
pub(crate) fn answer(request: &Request, config: &Config, call: &Call<'_>) -> Result<Reply, Fault> {
    let done = Reply::Done { sessions_ended: 0 };
    match request {
        Request::UserAdd { jid, password } => {
            let account = named(config, jid)?;
            let verifiers = Box::new(verifiers(password)?);
            let question = Question::CreateAccount { account: account.clone(), verifiers, at_ms: unix_ms() };
            match ask(call, question)? {
                Answer::Done => Ok(done),
                Answer::Exists => Err(Fault::new(
                    format!("{account} exists already"),
                    format!("to change its password use `wattle user passwd {account}`"),
                )),
                other => Err(unexpected(&other)),
            }
        }
        Request::UserPasswd { jid, password } => {
            let account = named(config, jid)?;
            let verifiers = Box::new(verifiers(password)?);
            match ask(call, Question::SetVerifiers { account: account.clone(), verifiers })? {
                Answer::Done => Ok(done),
                Answer::Missing => Err(missing(&account)),
                other => Err(unexpected(&other)),
            }
        }
        Request::UserRemove { jid } => {
            // Also of a domain that is no longer served, or it could never be removed.
            let account = Jid::parse(jid).map_or_else(|_| named(config, jid), |account| Ok(account.to_bare()))?;
            match ask(call, Question::RemoveAccount { account: account.clone() })? {
                Answer::Done => Ok(done),
                Answer::Missing => Err(missing(&account)),
                other => Err(unexpected(&other)),
            }
        }
        Request::UserList { after } => {
            let after = after.as_deref().map(Into::into);
            match ask(call, Question::ListAccounts { after, limit: PAGE_ROWS })? {
                Answer::Accounts(accounts) => {
                    let (accounts, more) = page(accounts, |account| account.len());
                    Ok(Reply::Users { jids: accounts.into_iter().map(Into::into).collect(), more })
                }
                other => Err(unexpected(&other)),
            }
        }
        Request::UserClass { jid, class } => {
            let account = named(config, jid)?;
            if let Some(class) = class
                && config.class(Some(class)).is_none()
            {
                return Err(no_class(config, class));
            }
            change(
                call,
                &account,
                Question::SetClass { account: account.clone(), class: class.as_deref().map(Into::into) },
            )
        }
        Request::UserArchive { jid, default, days, messages } => {
            let account = named(config, jid)?;
            if *default {
                change(call, &account, Question::ClearRetention { account: account.clone() })?;
            }
            let (days, messages) = (*days, *messages);
            change(call, &account, Question::SetRetention { account: account.clone(), days, messages })
        }
        Request::RoomList { .. } | Request::Room { .. } => rooms::answer(request, config, call),
        Request::Ping | Request::Stats => Err(no_server()),
    }
}

/// Only a running server can do it.
pub(super) fn no_server() -> Fault {
    Fault::new("no server runs", "start it with `wattle run`, or name its configuration with --config")
}

/// Changes an account that must be there.
fn change(call: &Call<'_>, account: &Jid, question: Question) -> Result<Reply, Fault> {
    match ask(call, question)? {
        Answer::Done => Ok(Reply::Done { sessions_ended: 0 }),
        Answer::Missing => Err(missing(account)),
        other => Err(unexpected(&other)),
    }
}

fn no_class(config: &Config, class: &str) -> Fault {
    let names: Vec<_> = config.classes.iter().map(|class| &*class.name).collect();
    let cure = match &names[..] {
        [] => format!("describe it in the configuration: [[class]] with name = {class:?}"),
        names => format!("write one of {}, or describe it in the configuration", names.join(", ")),
    };
    Fault::new(format!("there is no class {class:?}"), cure)
}

/// As many of what was found as fit on one line, and whether there is more.
pub(super) fn page<T>(mut found: Vec<T>, bytes_of: impl Fn(&T) -> usize) -> (Vec<T>, bool) {
    let all = found.len();
    let mut bytes = 0;
    let fit = found.iter().take_while(|one| {
        let has_room = bytes < PAGE_BYTES;
        bytes += bytes_of(one);
        has_room
    });
    let fit = fit.count();
    found.truncate(fit);
    (found, all == PAGE_ROWS as usize || fit < all)
}

/// What is stored instead of a password.
fn verifiers(password: &Secret) -> Result<Verifiers, Fault> {
    let prepared = prepare_password(&password.0).map_err(|_| {
        Fault::new(
            "the password is empty, or has a character that not every client would send alike",
            "take letters, digits, signs and spaces; no control characters or emoji",
        )
    })?;
    Ok(make_verifiers(&prepared, &dice::roll(), &dice::roll(), ITERATIONS))
}

pub(super) fn ask(call: &Call<'_>, question: Question) -> Result<Answer, Fault> {
    call(question).map_err(|fault| match fault {
        StoreFault::Failed => Fault::new("the store has failed", "see the log for the reason"),
        StoreFault::Busy => Fault::new("the store is busy", "try again in a moment"),
    })
}

pub(super) fn missing(account: &Jid) -> Fault {
    Fault::new(format!("there is no account {account}"), "see `wattle user list`")
}

pub(super) fn unexpected(answer: &Answer) -> Fault {
    debug_assert!(false, "the store answered {answer:?}");
    Fault::new("the store gave an answer that does not fit", "report this as an error of wattle")
}

/// Milliseconds since 1970; 0 if the clock stands before that.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use wattle::config::Config;

    use super::{named, page};
    use crate::admin::words::{PAGE_BYTES, PAGE_ROWS};

    #[test]
    fn accounts_are_named_rightly_or_the_cure_is_told() {
        let config = Config::default();
        assert_eq!(named(&config, "juliet@localhost").unwrap().as_str(), "juliet@localhost");
        let fault = |text| named(&config, text).unwrap_err().to_string();
        assert_eq!(fault("juliet"), "\"juliet\" has no name before an @; write juliet@localhost");
        assert_eq!(
            fault("juliet@localhost/phone"),
            "\"juliet@localhost/phone\" has a resource; write juliet@localhost"
        );
        assert_eq!(
            fault("juliet@example.org"),
            "the domain example.org is not served here, but localhost; \
             write juliet@localhost, or add the domain to the configuration"
        );
    }

    #[test]
    fn a_page_fits_on_a_line() {
        let long: Box<str> = "a".repeat(3_000).into();
        let (fit, more) = page(vec![long; PAGE_ROWS as usize], |jid| jid.len());
        assert!(more);
        assert_eq!(fit.len(), PAGE_BYTES.div_ceil(3_000));
        assert_eq!(page(vec!["a@b"], |jid| jid.len()), (vec!["a@b"], false));
    }
}

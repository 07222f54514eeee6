//! The text of a conversation, read into steps; the form is described in `tests/scripts/README.md`.

use std::fmt::Write as _;

/// One conversation.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// File and first line, for messages.
    pub(crate) place: String,
    /// What it shows.
    pub(crate) title: String,
    /// Where that is written down.
    pub(crate) clause: String,
    /// Lines for the configuration, as dotted keys.
    pub(crate) config: String,
    /// Why it is not played against the real program.
    pub(crate) only_shards: Option<String>,
    /// Who takes part.
    pub(crate) cast: Vec<Role>,
    /// Accounts that exist beside those of the cast.
    pub(crate) accounts: Vec<String>,
    /// What happens.
    pub(crate) steps: Vec<Line>,
}

/// A client.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    /// As the steps call it.
    pub(crate) name: String,
    /// Its account, a bare JID.
    pub(crate) account: String,
    /// The resource that it binds.
    pub(crate) resource: String,
}

/// A step with its place.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) step: Step,
}

/// How far a client comes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rung {
    /// A connection, and nothing said.
    Connection,
    /// TLS and the features with the mechanisms.
    Login,
    /// Logged in, with the features that offer to bind.
    Bind,
    /// A bound resource.
    Bound,
}

/// How it comes there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Door {
    /// TLS from the first byte (XEP-0368).
    pub(crate) direct: bool,
    /// TLS 1.2.
    pub(crate) tls12: bool,
}

/// One thing that happens. Clients are indices into the cast.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Climb(usize, Rung, Door),
    StartTls(usize),
    Authenticate(usize, Credentials),
    Available(usize),
    Friends(usize, usize),
    SeeEachOther(usize, usize),
    Send(usize, String),
    Receive {
        who: usize,
        template: String,
        unordered: bool,
    },
    Nothing(usize),
    Ended(usize),
    CutOff(usize),
    Cut(usize),
    Sync(usize, String),
    /// Into a room, whose address has the nick; `makes`: and sets it up at once.
    Enter {
        who: usize,
        occupant: String,
        makes: bool,
    },
    Caps(usize, String),
    Pass(u64),
    Shutdown,
    Restart,
    Store {
        fails: bool,
    },
    Empty(String),
}

/// What a client proves itself with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) mechanism: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) authzid: Option<String>,
    /// A channel binding type; `unsupported` for `y`, "I could, you cannot".
    pub(crate) binding: Option<String>,
}

/// Reads the conversations of one file.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Script>, String> {
    let mut scripts: Vec<Script> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let fault = |what: &str| format!("{file}:{number}: {what}: {line}");
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("=== ") {
            scripts.push(Script {
                place: format!("{file}:{number}"),
                title: title.to_owned(),
                clause: String::new(),
                config: String::new(),
                only_shards: None,
                cast: Vec::new(),
                accounts: Vec::new(),
                steps: Vec::new(),
            });
            continue;
        }
        let script = scripts.last_mut().ok_or_else(|| fault("stands before the first `=== title`"))?;
        if line.starts_with(' ') {
            return Err(fault("an indented line that belongs to nothing"));
        }
        if script.take_head(line) {
            continue;
        }
        let mut block = String::new();
        if line.ends_with(':') {
            while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with(' ') || next.is_empty()) {
                let _ = writeln!(block, "{}", next.trim_end());
            }
            block = block.trim().to_owned();
        }
        let step = script.step(line.trim_end_matches(':'), block).ok_or_else(|| fault("no such step"))?;
        script.steps.push(Line { number, step });
    }
    for script in &scripts {
        if script.clause.is_empty() || script.steps.is_empty() {
            return Err(format!("{}: has no clause or no steps", script.place));
        }
    }
    Ok(scripts)
}

impl Script {
    /// A line of the head.
    fn take_head(&mut self, line: &str) -> bool {
        if let Some(clause) = line.strip_prefix("clause: ") {
            self.clause = clause.to_owned();
        } else if let Some(config) = line.strip_prefix("config: ") {
            let _ = writeln!(self.config, "{config}");
        } else if let Some(reason) = line.strip_prefix("only on shards: ") {
            self.only_shards = Some(reason.to_owned());
        } else if let Some(account) = line.strip_prefix("account: ") {
            self.accounts.push(account.to_owned());
        } else if let Some((name, full)) = line.split_once(" is ")
            && let Some((account, resource)) = full.split_once('/')
        {
            self.cast.push(Role { name: name.to_owned(), account: account.to_owned(), resource: resource.to_owned() });
        } else {
            return false;
        }
        true
    }

    fn step(&mut self, line: &str, block: String) -> Option<Step> {
        match line {
            "the server shuts down" => return Some(Step::Shutdown),
            "the server starts again" => return Some(Step::Restart),
            "the store fails" => return Some(Step::Store { fails: true }),
            "the store recovers" => return Some(Step::Store { fails: false }),
            _ => {}
        }
        if let Some(jid) = line.strip_prefix("the archive of ").and_then(|rest| rest.strip_suffix(" is emptied")) {
            return Some(Step::Empty(jid.to_owned()));
        }
        if let Some(time) = line.strip_suffix(" pass") {
            let (number, unit) = time.split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            let unit_ms = match unit {
                "ms" => 1,
                "seconds" => 1_000,
                "minutes" => 60_000,
                "hours" => 3_600_000,
                _ => return None,
            };
            return Some(Step::Pass(number * unit_ms));
        }
        if let Some(pair) = line.strip_suffix(" are friends") {
            let (one, other) = pair.split_once(" and ")?;
            return Some(Step::Friends(self.who(one)?, self.who(other)?));
        }
        if let Some(pair) = line.strip_suffix(" see each other") {
            let (one, other) = pair.split_once(" and ")?;
            return Some(Step::SeeEachOther(self.who(one)?, self.who(other)?));
        }
        let (name, verb) = line.split_once(' ')?;
        let who = self.who(name)?;
        let (verb, door) = door(verb);
        Some(match verb {
            "opens a connection" => Step::Climb(who, Rung::Connection, door),
            "reaches the login" => Step::Climb(who, Rung::Login, door),
            "logs in" => Step::Climb(who, Rung::Bind, door),
            "connects" => Step::Climb(who, Rung::Bound, door),
            "starts TLS" => Step::StartTls(who),
            "is available" => Step::Available(who),
            "sends" => Step::Send(who, block),
            "ends the stream" => Step::Send(who, "</stream:stream>".to_owned()),
            "receives" => Step::Receive { who, template: block, unordered: false },
            "receives in any order" => Step::Receive { who, template: block, unordered: true },
            "receives nothing" => Step::Nothing(who),
            "is closed" => Step::Ended(who),
            "is cut off" => Step::CutOff(who),
            "cuts the connection" => Step::Cut(who),
            _ => {
                if let Some(jid) = verb.strip_prefix("waits for ") {
                    Step::Sync(who, jid.to_owned())
                } else if let Some(occupant) = verb.strip_prefix("enters ") {
                    Step::Enter { who, occupant: occupant.to_owned(), makes: false }
                } else if let Some(occupant) = verb.strip_prefix("makes ") {
                    Step::Enter { who, occupant: occupant.to_owned(), makes: true }
                } else if let Some(ver) = verb.strip_prefix("computes the caps ") {
                    Step::Caps(who, ver.to_owned())
                } else {
                    Step::Authenticate(who, credentials(verb.strip_prefix("authenticates with ")?)?)
                }
            }
        })
    }

    fn who(&self, name: &str) -> Option<usize> {
        self.cast.iter().position(|role| role.name == name)
    }
}

/// `connects over direct TLS with TLS 1.2`.
fn door(mut verb: &str) -> (&str, Door) {
    let mut door = Door::default();
    if let Some(rest) = verb.strip_suffix(" with TLS 1.2") {
        (verb, door.tls12) = (rest, true);
    }
    if let Some(rest) = verb.strip_suffix(" over direct TLS") {
        (verb, door.direct) = (rest, true);
    }
    (verb, door)
}

/// `SCRAM-SHA-1-PLUS, binding tls-exporter, password wrong`.
fn credentials(text: &str) -> Option<Credentials> {
    let mut parts = text.split(", ");
    let mut credentials = Credentials { mechanism: parts.next()?.to_owned(), ..Credentials::default() };
    for part in parts {
        let (key, value) = part.split_once(' ')?;
        let field = match key {
            "user" => &mut credentials.user,
            "password" => &mut credentials.password,
            "authzid" => &mut credentials.authzid,
            "binding" => &mut credentials.binding,
            _ => return None,
        };
        *field = Some(value.to_owned());
    }
    Some(credentials)
}

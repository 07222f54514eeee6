//! The asking side: a meter of a host far away.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::lines::Lines;
use super::{
    ANSWER_BYTES_MAX, Answer, Greeting, Hello, Host, PROTOCOL, Question, VERSION, Welcome, boot, proof, sensible,
};
use crate::meter::Reading;
use crate::power::{Description, Found};
use crate::usage::Memory;

/// Longest wait for an answer; the agent itself may wait for a meter of power.
const PATIENCE: Duration = Duration::from_secs(30);
const SAME_VERSION: &str = "run the same version of wattle-bench on both hosts";

/// A conversation with an agent.
pub(crate) struct Client {
    address: String,
    host: Host,
    /// `None` after a failure: an answer that came late would be taken for that to the next question.
    lines: Mutex<Option<Lines>>,
}

impl Client {
    /// Begins it. `address` is HOST:PORT.
    pub(crate) fn connect(address: &str, token: &str) -> Result<Self, String> {
        let told = |why: String| format!("--agent {address}: {why}");
        sensible(token)?;
        let resolved = address.to_socket_addrs().map_err(|e| told(format!("{e}: write HOST:PORT")))?;
        let mut failure = "has no address".to_owned();
        let stream = resolved
            .into_iter()
            .find_map(|one| TcpStream::connect_timeout(&one, PATIENCE).map_err(|e| failure = e.to_string()).ok());
        let mut lines = Lines::new(stream.ok_or_else(|| told(failure))?).map_err(told)?;
        let host = greet(&mut lines, token).map_err(told)?;
        Ok(Self { address: address.to_owned(), host, lines: Mutex::new(Some(lines)) })
    }

    /// Whether the agent is on this very machine.
    pub(crate) fn same_host(&self) -> bool {
        self.host.boot == boot()
    }

    pub(crate) fn machine(&self) -> Value {
        self.host.machine.clone()
    }

    pub(crate) fn power(&self) -> Found<&Description> {
        self.host.power.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn reading(&self) -> Result<Reading, String> {
        match self.ask(&Question::Reading)? {
            Answer::Reading(reading) => Ok(*reading),
            other => Err(self.strange(other)),
        }
    }

    pub(crate) fn memory(&self) -> Result<Memory, String> {
        match self.ask(&Question::Memory)? {
            Answer::Memory(memory) => Ok(memory),
            other => Err(self.strange(other)),
        }
    }

    fn ask(&self, question: &Question) -> Result<Answer, String> {
        let mut kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut lines) = kept.take() else { return Err(format!("the agent at {} is lost", self.address)) };
        let deadline = Some(Instant::now() + PATIENCE);
        let answer = lines.say(question).and_then(|()| lines.hear(ANSWER_BYTES_MAX, deadline));
        if answer.is_ok() {
            *kept = Some(lines);
        }
        answer.map_err(|why| format!("the agent at {} is lost: {why}", self.address))
    }

    fn strange(&self, answer: Answer) -> String {
        match answer {
            Answer::Failed(why) => format!("the agent at {}: {why}", self.address),
            _ => format!("the agent at {} answers what was not asked: {SAME_VERSION}", self.address),
        }
    }
}

fn greet(lines: &mut Lines, token: &str) -> Result<Host, String> {
    let deadline = Some(Instant::now() + PATIENCE);
    let greeting: Greeting =
        lines.hear(ANSWER_BYTES_MAX, deadline).map_err(|why| format!("no agent of wattle-bench there: {why}"))?;
    if greeting.protocol != PROTOCOL {
        let theirs = greeting.protocol;
        return Err(format!("it speaks protocol {theirs} and this is {PROTOCOL}: {SAME_VERSION}"));
    }
    let proof = proof(token, &greeting.nonce);
    lines.say(&Hello { protocol: PROTOCOL, version: VERSION.to_owned(), proof })?;
    match lines.hear(ANSWER_BYTES_MAX, deadline).map_err(|why| format!("{why}: {SAME_VERSION}"))? {
        Welcome::Ready(host) => Ok(*host),
        Welcome::Refused(why) => Err(format!("refused: {why}")),
    }
}

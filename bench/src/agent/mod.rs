//! Measures a server on another host: the agent runs there and tells, this side asks and drives the clients.
//!
//! TCP with a line of JSON for each thing said. The agent greets with a nonce; whoever answers with the nonce's HMAC
//! under the token may ask, one at a time. So the token is not sent, and a stranger learns nothing but the protocol's
//! number. What is told then is neither secret nor guarded against somebody on the way: it is for a network of one's
//! own. All times are differences of the agent's own clock.

pub(crate) mod client;
mod lines;
pub(crate) mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meter::Reading;
use crate::power::{Description, Found};
use crate::usage::Memory;

/// Grows with each change of what is said.
const PROTOCOL: u32 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A shorter token could be guessed from one conversation that was overheard.
const TOKEN_BYTES_MIN: usize = 16;
/// Longest line that the agent takes.
const QUESTION_BYTES_MAX: usize = 1 << 10;
/// Longest line that the other side takes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The agent's first line.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    protocol: u32,
    nonce: String,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    version: String,
    proof: String,
}

/// What comes of the hello.
#[derive(Debug, Serialize, Deserialize)]
enum Welcome {
    Ready(Box<Host>),
    Refused(String),
}

/// The host that is measured.
#[derive(Debug, Serialize, Deserialize)]
struct Host {
    machine: Value,
    power: Found<Description>,
    /// The kernel's number of this boot: who has the same is on the same machine.
    boot: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum Question {
    Reading,
    Memory,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Reading(Box<Reading>),
    Memory(Memory),
    Failed(String),
}

fn key(token: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes())
}

fn proof(token: &str, nonce: &str) -> String {
    STANDARD.encode(hmac::sign(&key(token), nonce.as_bytes()))
}

/// Compares in constant time.
fn proves(proof: &str, token: &str, nonce: &str) -> bool {
    STANDARD.decode(proof).is_ok_and(|proof| hmac::verify(&key(token), nonce.as_bytes(), &proof).is_ok())
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn sensible(token: &str) -> Result<(), String> {
    if token.len() < TOKEN_BYTES_MIN {
        return Err(format!(
            "--token: write {TOKEN_BYTES_MIN} characters or more, or leave it to the agent to make one"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{client::Client, proof, proves, server};
    use crate::meter::Meter;
    use std::net::TcpListener;
    use std::thread;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn only_the_token_proves() {
        let right = proof(TOKEN, "nonce");
        assert!(proves(&right, TOKEN, "nonce"));
        assert!(!proves(&right, TOKEN, "another nonce"));
        assert!(!proves(&right, "0123456789abcdeF", "nonce"));
        assert!(!proves("", TOKEN, "nonce") && !proves("*", TOKEN, "nonce") && !proves(&right[..20], TOKEN, "nonce"));
    }

    #[test]
    fn the_agent_tells_what_the_meter_here_shows() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let agent = server::Agent::new(TOKEN.to_owned(), || Ok(Meter::here(vec![std::process::id()]))).unwrap();
        thread::spawn(move || agent.serve(&listener));
        let there = Client::connect(&address, TOKEN).unwrap();
        assert!(there.same_host());
        let here = Meter::here(vec![std::process::id()]);
        // Counters only grow, so what was told in between lies in between.
        let (before, told, after) = (here.reading().unwrap(), there.reading().unwrap(), here.reading().unwrap());
        let between = |of: fn(&crate::meter::Reading) -> u64| (of(&before)..=of(&after)).contains(&of(&told));
        assert!(between(|r| r.usage.user_ns + r.usage.system_ns));
        assert!(between(|r| r.usage.file_calls) && between(|r| r.cores.busy_ns));
        assert!(there.memory().unwrap().pss_kib > 0);
        assert_eq!(told.cores.each_busy_ns.len(), before.cores.each_busy_ns.len());
        assert_eq!(there.machine()["kernel"], here.machine()["kernel"]);
        // The durations are the agent's own.
        assert!(there.reading().unwrap().at > told.at);
    }
}

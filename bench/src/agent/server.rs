//! The telling side, on the server's host: opens its meters for whoever has the token, one at a time.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::Args;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::lines::Lines;
use super::{
    Answer, Greeting, Hello, Host, PROTOCOL, QUESTION_BYTES_MAX, Question, VERSION, Welcome, boot, proves, sensible,
};
use crate::meter::Meter;
use crate::report::say;
use crate::watched::Watched;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where the agent listens, on this host alone if not said
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5290")]
    listen: SocketAddr,
    #[command(flatten)]
    watched: Watched,
    /// What the asking side has to know; made and printed at the start, if not said
    #[arg(long, env = "WATTLE_BENCH_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Connections at once; whoever comes beyond them is closed unheard.
const CONNECTIONS_MAX: usize = 16;
/// Time for whoever comes to show that he has the token.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// Tells until it is killed.
pub(crate) fn serve(options: &Options) -> Result<u8, String> {
    if options.watched.is_empty() {
        return Err("an agent measures a server: write its --pid or --process-name".to_owned());
    }
    // What cannot be measured is said now, and not to the first who asks.
    drop(options.watched.open()?);
    let made = options.token.is_none().then(|| random(URL_SAFE_NO_PAD)).transpose()?;
    let token = options.token.clone().or(made.clone()).unwrap_or_default();
    let listener = TcpListener::bind(options.listen).map_err(|e| format!("--listen {}: {e}", options.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let shown = made.unwrap_or_else(|| "as told".to_owned());
    let watched = options.watched.clone();
    let agent = Agent::new(token, move || watched.open())?;
    say(&format!("agent: {address}, token {shown}"));
    agent.serve(&listener)
}

fn random(engine: impl base64::Engine) -> Result<String, String> {
    let mut bytes = [0; 18];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no random bytes".to_owned())?;
    Ok(engine.encode(bytes))
}

/// Opens the meters for one conversation.
type Open = Box<dyn Fn() -> Result<Meter, String> + Send + Sync>;

/// What all conversations share.
pub(crate) struct Agent {
    token: String,
    open: Open,
    connections: AtomicUsize,
    /// Held by the one that measures.
    measuring: Mutex<()>,
}

impl Agent {
    pub(crate) fn new(
        token: String,
        open: impl Fn() -> Result<Meter, String> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, String> {
        sensible(&token)?;
        Ok(Arc::new(Self { token, open: Box::new(open), connections: AtomicUsize::new(0), measuring: Mutex::new(()) }))
    }

    /// Takes connections for ever.
    pub(crate) fn serve(self: &Arc<Self>, listener: &TcpListener) -> Result<u8, String> {
        loop {
            let (stream, from) = match listener.accept() {
                Ok(come) => come,
                // Who came has gone already.
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                Err(e) => return Err(format!("--listen: {e}")),
            };
            if self.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let agent = self.clone();
            let run = move || {
                // What a stranger does wrong is his affair; the log is not his to fill.
                let _ = agent.attend(stream, from);
                agent.connections.fetch_sub(1, Ordering::Relaxed);
            };
            thread::Builder::new().name("agent".to_owned()).spawn(run).map_err(|e| format!("no thread: {e}"))?;
        }
    }

    fn attend(&self, stream: TcpStream, from: SocketAddr) -> Result<(), String> {
        let mut lines = Lines::new(stream)?;
        let refuse = |lines: &mut Lines, why: &str| lines.say(&Welcome::Refused(why.to_owned()));
        let nonce = random(STANDARD)?;
        lines.say(&Greeting { protocol: PROTOCOL, nonce: nonce.clone() })?;
        let Ok(hello) = lines.hear::<Hello>(QUESTION_BYTES_MAX, Some(Instant::now() + HELLO_PATIENCE)) else {
            return refuse(&mut lines, "that is no hello of wattle-bench");
        };
        if !proves(&hello.proof, &self.token, &nonce) {
            return refuse(&mut lines, "wrong token: write --token, or WATTLE_BENCH_TOKEN, as the agent has it");
        }
        if hello.protocol != PROTOCOL {
            let (theirs, version) = (hello.protocol, hello.version);
            return refuse(
                &mut lines,
                &format!("wattle-bench {version} speaks protocol {theirs}, this {VERSION} speaks {PROTOCOL}"),
            );
        }
        let Ok(_measuring) = self.measuring.try_lock() else {
            return refuse(&mut lines, "another bench is measuring here");
        };
        let meter = match (self.open)() {
            Ok(meter) => meter,
            Err(why) => return refuse(&mut lines, &why),
        };
        let power = meter.power().cloned();
        lines.say(&Welcome::Ready(Box::new(Host { machine: meter.machine(), power, boot: boot() })))?;
        say(&format!("agent: measures for {from}"));
        let gone = converse(&mut lines, &meter);
        say(&format!("agent: {from} is gone"));
        gone
    }
}

/// Answers until the other side goes away or says what cannot be understood.
fn converse(lines: &mut Lines, meter: &Meter) -> Result<(), String> {
    loop {
        let answer = match lines.hear(QUESTION_BYTES_MAX, None)? {
            Question::Reading => meter.reading().map(|reading| Answer::Reading(Box::new(reading))),
            Question::Memory => meter.memory().map(Answer::Memory),
        };
        lines.say(&answer.unwrap_or_else(Answer::Failed))?;
    }
}

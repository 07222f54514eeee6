//! A server that is started afresh for a run, by its script in `bench/peers/`, and ended after it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt::Interrupt;

/// A server with its tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// The script, and the options that make this variant of it.
    pub(crate) words: Vec<String>,
}

/// A server that is up, until it is dropped.
pub(crate) struct Serving {
    script: Child,
    pub(crate) port: u16,
    pub(crate) pids: Vec<u32>,
}

/// Longest time a script has to make its accounts and to be up.
const START: Duration = Duration::from_secs(600);
/// Longest time it has to end: a script gives its server a minute.
const END: Duration = Duration::from_secs(130);
const TICK: Duration = Duration::from_millis(20);

impl Peer {
    /// Reads `NAME`, which `variants` has a line for, or `NAME=SCRIPT OPTIONS`.
    pub(crate) fn parse(text: &str, variants: &[Self]) -> Result<Self, String> {
        match text.split_once('=').filter(|(name, _)| !name.contains([' ', '/'])) {
            Some((name, line)) => Self::new(name, line),
            None => variants.iter().find(|variant| variant.name == text).cloned().ok_or_else(|| {
                let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
                format!("--peer {text}: write one of {}; or NAME=SCRIPT OPTIONS", names.join(", "))
            }),
        }
    }

    /// The variants that a file names: `NAME SCRIPT OPTIONS` on each line, # before a comment.
    pub(crate) fn variants(file: &Path) -> Result<Vec<Self>, String> {
        let text = fs::read_to_string(file)
            .map_err(|e| format!("{}: {e}: write --scripts with the path of bench/peers", file.display()))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let peers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            Self::new(name, rest).map_err(|why| format!("{}: {why}", file.display()))
        });
        peers.collect()
    }

    fn new(name: &str, line: &str) -> Result<Self, String> {
        let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        // It names files.
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) || words.is_empty() {
            return Err(format!("{name}={line}: write NAME=SCRIPT OPTIONS, a name of letters, digits and dashes"));
        }
        Ok(Self { name: name.to_owned(), words })
    }

    /// Starts it with a store in `data`, and waits until it is up. `log` gets what the script says.
    pub(crate) fn start(
        &self,
        scripts: &Path,
        (accounts, data, log): (usize, &Path, &Path),
        ports: &mut Ports,
        interrupt: &Interrupt,
    ) -> Result<Serving, String> {
        let script = scripts.join(&self.words[0]);
        let port = ports.next()?;
        let pid_file = data.with_extension("pid");
        let _ = fs::remove_file(&pid_file);
        let out = File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        // In a group of its own, so that a Ctrl-C leaves the ending to this process; and ended with it, if it is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(&script)
            .args(&self.words[1..])
            .args(["--port", &port.to_string(), "--accounts", &accounts.to_string()])
            .arg("--data")
            .arg(data)
            .arg("--pid-file")
            .arg(&pid_file)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|e| format!("setpriv {}: {e}", script.display()))?;
        let mut serving = Serving { script: child, port, pids: Vec::new() };
        let started = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&pid_file) {
                serving.pids = text.lines().filter_map(|line| line.parse().ok()).collect();
                return Ok(serving);
            }
            interrupt.check()?;
            if let Some(status) = serving.script.try_wait().map_err(|e| e.to_string())? {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{} did not start ({status}): {}", self.name, said.trim()));
            }
            if started.elapsed() > START {
                return Err(format!("{} was not up after {} s, see {}", self.name, START.as_secs(), log.display()));
            }
            thread::sleep(TICK);
        }
    }
}

impl Serving {
    /// Asks the script to end, and waits for it.
    fn end(&mut self) {
        let pid = i32::try_from(self.script.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(pid)) = (self.script.try_wait(), pid) {
            // One that has ended in between needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while let Ok(None) = self.script.try_wait() {
            if asked.elapsed() > END {
                let _ = self.script.kill();
                let _ = self.script.wait();
                return;
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// Free ports on loopback, a few in a row for each server.
pub(crate) struct Ports {
    first: u16,
    used: u16,
}

/// A server's own, direct TLS, and its database.
const PORTS_EACH: u16 = 3;
/// Servers until the first ports come again: until then connections that linger there are gone.
const SERVERS: u16 = 100;

impl Ports {
    pub(crate) fn new(first: u16) -> Result<Self, String> {
        let last = first.checked_add(PORTS_EACH * SERVERS);
        if first < 1024 || last.is_none() {
            return Err(format!("--port {first}: write a port from 1024 to {}", u16::MAX - PORTS_EACH * SERVERS));
        }
        Ok(Self { first, used: 0 })
    }

    fn next(&mut self) -> Result<u16, String> {
        for _ in 0..SERVERS {
            let port = self.first + PORTS_EACH * (self.used % SERVERS);
            self.used += 1;
            if (port..port + PORTS_EACH).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
                return Ok(port);
            }
        }
        Err(format!("no {PORTS_EACH} free ports in a row from {}: write another --port", self.first))
    }
}

/// Makes `to` a copy of the folder `from`, owners and all.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    remove(to)?;
    let copied = Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(from).arg(to).output();
    let copied = copied.map_err(|e| format!("cp: {e}"))?;
    if copied.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&copied.stderr).trim().to_owned()) }
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {e}", folder.display())),
        _ => Ok(()),
    }
}

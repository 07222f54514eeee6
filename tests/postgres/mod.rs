//! A real PostgreSQL for tests: a cluster of this process's own, with a fresh database for whoever asks.
#![allow(dead_code, reason = "each test target uses its own part of the cluster")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// A running cluster; it ends with this value, or with the process however that ends.
pub(crate) struct Cluster {
    keeper: Mutex<Keeper>,
    port: u16,
    folder: PathBuf,
    made: AtomicU32,
}

/// The script `cluster`, which runs it and takes orders.
struct Keeper {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Cluster {
    /// The one that tests share which do it no harm; started by whoever asks first.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One to be harmed.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that takes connections with TLS only.
    pub(crate) fn start_with_tls() -> Self {
        Self::with(&["ssl"])
    }

    fn with(words: &[&str]) -> Self {
        let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/postgres/cluster"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // what a terminal sends to the tests is not for it: it outlives them to clean up
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = answers.next().expect("PostgreSQL starts; if not, its words are above").unwrap();
        let (port, folder) = ready.strip_prefix("ready ").unwrap().split_once(' ').unwrap();
        Self {
            port: port.parse().unwrap(),
            folder: PathBuf::from(folder),
            keeper: Mutex::new(Keeper { child, orders, answers }),
            made: AtomicU32::new(0),
        }
    }

    /// Makes an empty database, which no other test has; its address.
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.order(&format!("make {name}"));
        format!("postgres://wattle@127.0.0.1:{}/{name}", self.port)
    }

    /// SIGKILL for all of it, as in a power cut. Returns when nothing of it runs.
    pub(crate) fn kill(&self) {
        self.order("kill");
    }

    /// Immediate shutdown: clients are dropped, nothing is written back. Returns when nothing of it runs.
    pub(crate) fn quit(&self) {
        self.order("quit");
    }

    /// After `kill` or `quit`: on the same port with the same data. Returns when it takes connections.
    pub(crate) fn start_again(&self) {
        self.order("start");
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its data, its log and its local socket are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The self-signed certificate of one with TLS, for localhost and 127.0.0.1.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("data/server.crt")
    }

    fn order(&self, order: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.orders.as_mut().unwrap(), "{order}").unwrap();
        let answer = keeper.answers.next().expect("an answer; if none came, why is above").unwrap();
        assert_eq!(answer, "done", "{order}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        keeper.orders = None;
        let _ = keeper.child.wait();
    }
}

/// What PostgreSQL's own client says to one command: a line for each row, or the fault.
pub(crate) fn psql(database: &str, command: &str) -> Result<String, String> {
    let words = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command, "-d", database];
    let done = Command::new("psql").args(words).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if done.status.success() { Ok(text(done.stdout)) } else { Err(text(done.stderr)) }
}

//! A folder in which the real program is used, and a server that runs there.
#![allow(dead_code, reason = "each test target uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// After this a test gives up hope; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to work in, which goes when the test ends.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wattle-operator-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn config(&self, text: &str) {
        let path = self.0.join("wattle.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Exit code, standard output and standard error of `wattle` with these words, and `input` on standard input.
    #[track_caller]
    pub(crate) fn wattle(&self, words: &str, input: &str) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wattle"))
            .args(words.split_whitespace())
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that needs no input may have ended by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn said(code: i32, out: &str, err: &str) -> (i32, String, String) {
    (code, out.to_owned(), err.to_owned())
}

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) greeting: String,
    log: Receiver<String>,
}

impl Running {
    /// Starts it in a place and waits until it has said where it is.
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_with(place, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(place: &Place, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wattle"))
            .arg("run")
            .current_dir(&place.0)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let mut greeting = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains("new account") {
            let read = lines.read_line(&mut greeting).unwrap();
            assert!(read > 0, "{greeting}{:?}", log.try_iter().collect::<Vec<_>>());
        }
        Self { child, greeting, log }
    }

    /// The lines of the log up to one that holds `what`.
    #[track_caller]
    pub(crate) fn logged(&self, what: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| line.contains(what)) {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(error) => panic!("no line with {what:?} ({error}) after {lines:#?}"),
            }
        }
        lines
    }

    /// The lines of the log that are there and were not read yet.
    pub(crate) fn unread(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: kill(2) takes any numbers; the child is not yet waited for, so its number is its own.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }

    pub(crate) fn end(&mut self) -> Option<i32> {
        self.signal(libc::SIGTERM);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// On ports that the system chooses, with two shards on any machine.
pub(crate) const ANYWHERE: &str =
    "[listen]\nclient = [\"127.0.0.1:0\"]\nclient_tls = [\"127.0.0.1:0\"]\n[server]\nshards = 2\n";

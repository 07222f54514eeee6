//! What the tests play against: the floor, the server of this house, and a relay that lies.
#![allow(dead_code, reason = "not every test needs all of it")]

pub(crate) mod liar;
pub(crate) mod wattle;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

/// A floor on a free port, which ends with the test.
pub(crate) struct Floor {
    pub(crate) process: Child,
    pub(crate) port: String,
}

impl Floor {
    pub(crate) fn start() -> Self {
        let mut process = bench().args(["floor", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split("port ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        Self { process, port }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

pub(crate) fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wattle-bench"))
}

/// Plays a scene against what listens on the port.
pub(crate) fn play(port: &str, words: &str) -> Output {
    bench().args(words.split(' ')).args(["--insecure", "--port", port]).output().unwrap()
}

/// All that a command said.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

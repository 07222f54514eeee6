//! A bench measures a server through an agent, strangers get nothing from it, and its loss is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;

use serde_json::Value;

const TOKEN: &str = "a token of the test";

/// A process of the bench that serves, and ends with the test.
struct Server {
    process: Child,
    lines: BufReader<ChildStdout>,
    /// What it said first.
    first: String,
}

impl Server {
    fn start(words: &[&str]) -> Self {
        let mut process = bench().args(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut server = Self { lines: BufReader::new(process.stdout.take().unwrap()), process, first: String::new() };
        server.first = server.line();
        server
    }

    fn floor() -> (Self, String) {
        let floor = Self::start(&["floor", "--port", "0"]);
        let port = floor.first.split("port ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        (floor, port)
    }

    fn agent(pid: u32) -> (Self, String) {
        let agent = Self::start(&["agent", "--listen", "127.0.0.1:0", "--token", TOKEN, "--pid", &pid.to_string()]);
        let address = agent.first.split(' ').nth(1).unwrap().trim_end_matches(',').to_owned();
        (agent, address)
    }

    /// The next line it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn bench() -> Command {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_wattle-bench"));
    bench.env_remove("WATTLE_BENCH_TOKEN");
    bench
}

fn chat(port: &str, agent: &str, seconds: &str) -> Command {
    let mut chat = bench();
    chat.args(["chat", "--insecure", "--pairs", "2", "--warm", "0", "--window", "2", "--seconds", seconds]);
    chat.args(["--port", port, "--agent", agent]).env("WATTLE_BENCH_TOKEN", TOKEN);
    chat
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// CPU of a process so far by the kernel's ticks.
fn ticks_ns(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second())
}

#[test]
fn a_scene_is_measured_through_the_agent() {
    let (floor, port) = Server::floor();
    let pid = floor.process.id();
    let (_agent, address) = Server::agent(pid);
    let file = std::env::temp_dir().join(format!("wattle-bench-agent-{}.json", std::process::id()));
    let before = ticks_ns(pid);
    let output = chat(&port, &address, "1").args(["--token", TOKEN]).arg("--json").arg(&file).output().unwrap();
    let used = ticks_ns(pid) - before;
    assert!(output.status.success(), "{}", text(&output));
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(!written.contains(TOKEN));
    let json: Value = serde_json::from_str(&written).unwrap();
    let of = |usage: &str, figure: &str| json[usage][figure].as_u64().unwrap();
    let told = of("server_usage", "cpu_ns") + of("server_muster_usage", "cpu_ns");
    // A tick at each end may be missing in what the kernel says.
    assert!(told > 0 && told <= used + 40_000_000, "{told} of {used}");
    assert!(of("server_usage", "voluntary_switches") > 0);
    assert!(of("server_memory_after", "pss_kib") > 0);
    assert_eq!(json["machine"]["processes"][0]["pid"], pid);
    assert!(json["series"]["each_core_busy_ns"][0][0].is_u64());
}

#[test]
fn a_stranger_gets_nothing() {
    let (floor, port) = Server::floor();
    let (_agent, address) = Server::agent(floor.process.id());
    // Whoever says nothing occupies nothing.
    let silent = TcpStream::connect(&address).unwrap();
    let everything = [&b"GET / HTTP/1.1\r\n\r\n"[..], b"{}\n", &[b'x'; 5_000], &[0xff, b'\n']];
    for said in everything {
        let mut stranger = TcpStream::connect(&address).unwrap();
        stranger.write_all(said).unwrap();
        let mut heard = Vec::new();
        // Closed or reset, with what was told before.
        let _ = stranger.read_to_end(&mut heard);
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.lines().count() <= 2 && !heard.contains("machine"), "{heard}");
    }
    let output = chat(&port, &address, "1").args(["--token", "another token of 20"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("refused: wrong token"), "{}", text(&output));
    let output = chat(&port, &address, "0.5").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    drop(silent);
}

#[test]
fn one_bench_at_a_time() {
    let (floor, port) = Server::floor();
    let (mut agent, address) = Server::agent(floor.process.id());
    let mut first = chat(&port, &address, "60").stdout(Stdio::null()).spawn().unwrap();
    assert!(agent.line().contains("measures for"));
    let output = chat(&port, &address, "1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("another bench is measuring here"), "{}", text(&output));
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(agent.line().contains("is gone"));
    assert!(chat(&port, &address, "0.5").output().unwrap().status.success());
}

#[test]
fn an_agent_that_dies_makes_the_scene_invalid() {
    let (floor, port) = Server::floor();
    let (agent, address) = Server::agent(floor.process.id());
    let between = TcpListener::bind("127.0.0.1:0").unwrap();
    let relayed = between.local_addr().unwrap().to_string();
    // Hello, memory, the reading before the first client and that when all are online pass; with the next one, which
    // begins the measured time, the agent is gone.
    let cut = thread::spawn(move || {
        let near = between.accept().unwrap().0;
        let far = TcpStream::connect(address).unwrap();
        let (mut back, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        let answers = thread::spawn(move || std::io::copy(&mut back, &mut to));
        let mut far = far;
        for line in BufReader::new(near.try_clone().unwrap()).lines().take(4) {
            writeln!(far, "{}", line.unwrap()).unwrap();
        }
        let mut fifth = [0];
        let mut near = near;
        near.read_exact(&mut fifth).unwrap();
        drop(agent);
        answers.join().unwrap().unwrap();
        near.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let output = chat(&port, &relayed, "60").output().unwrap();
    cut.join().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told = format!("NOT VALID     the agent at {relayed} is lost");
    assert!(text(&output).contains(&told), "{}", text(&output));
    // What was never measured is no zero.
    assert!(!text(&output).contains("server CPU"), "{}", text(&output));
}

#[test]
fn another_version_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let agent = thread::spawn(move || {
        for line in [r#"{"protocol":99,"nonce":"x"}"#, r#"{"protocol":1}"#, "SSH-2.0-OpenSSH"] {
            let mut asking = listener.accept().unwrap().0;
            writeln!(asking, "{line}").unwrap();
        }
    });
    for told in ["protocol 99 and this is 1: run the same version", "missing field `nonce`", "no agent of wattle-bench"]
    {
        let output = chat("1", &address, "1").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(told), "{}", text(&output));
    }
    agent.join().unwrap();
}

#[test]
fn nonsense_options_get_a_cure() {
    let me = std::process::id().to_string();
    for (words, cure) in [
        (&["agent"][..], "write its --pid or --process-name"),
        (&["agent", "--pid", "4294967295"], "/proc/4294967295"),
        (&["agent", "--pid", &me, "--token", "short"], "16 characters or more"),
        (&["idle", "--insecure", "--agent", "127.0.0.1:1"], "WATTLE_BENCH_TOKEN="),
        (&["idle", "--insecure", "--agent", "here", "--token", TOKEN], "write HOST:PORT"),
        (&["idle", "--insecure", "--agent", "127.0.0.1:1", "--token", TOKEN], "refused"),
        (&["idle", "--insecure", "--agent", "a:1", "--pid", "1"], "cannot be used with"),
        (&["idle", "--insecure", "--agent", "a:1", "--power", "none"], "cannot be used with"),
    ] {
        let output = bench().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output).contains(cure), "{words:?}: {}", text(&output));
    }
}

//! `versus` plays the floor against the floor and leaves nothing behind, and `compare` reads what that has written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wattle-bench-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const SCENE: &str = "chat --pairs 2 --accounts 4 --warm 0 --threads 1";

fn bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wattle-bench"))
}

/// Two floors, the second of which has all on the disk first.
fn versus(out: &Path, port: u16) -> Command {
    let floor = concat!("floor --binary ", env!("CARGO_BIN_EXE_wattle-bench"));
    let mut versus = bench();
    versus.arg("versus").args(["--scripts", concat!(env!("CARGO_MANIFEST_DIR"), "/peers")]);
    versus.arg("--out").arg(out).args(["--port", &port.to_string()]);
    versus.args(["--peer", &format!("bare={floor}"), "--peer", &format!("synced={floor} --sync on")]);
    versus
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn is_alive(pid: u64) -> bool {
    test_kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap()).is_ok()
}

#[test]
fn two_floors_play_in_turn_and_are_gone_afterwards() {
    let folder = Folder::new("turn");
    let out = folder.0.join("out");
    let output = versus(&out, 21_000)
        .args(["--rounds", "2", "--base", "synced", "--scene", &format!("{SCENE} --seconds 0.3")])
        .args(["--scene", "idle --accounts 3 --settle 0 --seconds 0.1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut started = Vec::new();
    for name in ["1-chat/bare-1", "1-chat/synced-1", "1-chat/bare-2", "1-chat/synced-2", "2-idle/synced-2"] {
        let file = out.join(format!("{name}.json"));
        let json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(json["valid"], true, "{name}");
        assert!(name.contains("idle") || json["server_usage"]["cpu_ns"].as_u64().unwrap() > 0, "{name}");
        started.push(json["started_unix_s"].as_u64().unwrap());
        assert!(!is_alive(json["machine"]["processes"][0]["pid"].as_u64().unwrap()), "{name}");
        assert!(fs::read_to_string(out.join(format!("{name}.txt"))).unwrap().contains("server CPU"), "{name}");
    }
    assert!(started.is_sorted(), "each round has all of them: {started:?}");
    let summary = fs::read_to_string(out.join("summary.txt")).unwrap();
    assert!(summary.lines().all(|line| text(&output).contains(line)), "{summary}");
    let rows: Vec<String> = summary.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let cpu = rows.iter().position(|row| row == "server CPU, µs per delivered").unwrap();
    assert!(rows[cpu + 2].starts_with("bare ") && rows[cpu + 2].matches('×').count() == 3, "{summary}");
    assert!(rows[cpu + 3].starts_with("synced ") && !rows[cpu + 3].contains('×'), "{summary}");
    assert!(rows.contains(&"memory for each session (PSS), KiB".to_owned()), "{summary}");
    assert!(!out.join("stores").exists());

    let two = [out.join("1-chat/bare-1.json"), out.join("1-chat/synced-1.json")];
    let compared = bench().arg("compare").args(&two).output().unwrap();
    assert!(compared.status.success(), "{}", text(&compared));
    assert!(text(&compared).contains("1  bare") && text(&compared).contains('×'), "{}", text(&compared));
    let mixed = bench().arg("compare").arg(&two[0]).arg(out.join("2-idle/bare-1.json")).output().unwrap();
    assert!(text(&mixed).contains("DIFFERENT SCENES") && !text(&mixed).contains('×'), "{}", text(&mixed));
}

#[test]
fn a_scene_that_is_not_valid_is_shown_as_such() {
    let folder = Folder::new("invalid");
    let output = versus(&folder.0.join("out"), 21_400)
        // The floor offers PLAIN alone.
        .args(["--rounds", "1", "--scene", &format!("{SCENE} --seconds 0.2 --mechanism scram-sha-1")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("bare, round 1 IS NOT VALID, and is left out: "), "{}", text(&output));
    assert!(!text(&output).contains("server CPU"), "{}", text(&output));
}

#[test]
fn an_interrupted_run_ends_what_it_started() {
    let folder = Folder::new("interrupted");
    let out = folder.0.join("out");
    let mut run: Child = versus(&out, 21_800)
        .args(["--scene", &format!("{SCENE} --seconds 600")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The scene has begun when its table's file is there.
    while !out.join("1-chat/bare-1.txt").exists() {
        assert!(run.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    let server: u64 = fs::read_to_string(out.join("stores/run.pid")).unwrap().trim().parse().unwrap();
    assert!(is_alive(server));
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("interrupted"), "{}", text(&output));
    assert!(!is_alive(server) && !out.join("stores").exists());
}

#[test]
fn nonsense_gets_a_cure() {
    let folder = Folder::new("nonsense");
    let out = folder.0.join("out");
    for (words, cure) in [
        (["--peer", "nosuch"], "write one of floor, wattle-live"),
        (["--peer", "bare=floor"], "bare-2='…'"),
        (["--peer", "a/b=floor"], "write one of"),
        (["--base", "wattle"], "write one of bare, synced"),
        (["--scene", "dance"], "unrecognized subcommand 'dance'"),
        (["--scene", "floor"], "unexpected argument '--insecure'"),
        (["--scene", "chat --port 5222"], "cannot be used multiple times"),
        (["--scene", "chat --seconds 0"], "write 10"),
        (["--rounds", "0"], "1..=1000"),
        (["--stores", "/"], "write a new folder"),
    ] {
        let output = versus(&out, 22_200).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output));
        assert!(text(&output).contains(cure), "{words:?}: {}", text(&output));
        let _ = fs::remove_dir(&out);
    }
    let output = versus(&out, 80).output().unwrap();
    assert!(text(&output).contains("write a port from 1024"), "{}", text(&output));
    let output = versus(&folder.0, 22_200).output().unwrap();
    assert!(text(&output).contains("write a new folder"), "{}", text(&output));
    let output = bench().args(["versus", "--scripts", "/nosuch", "--out", "x"]).output().unwrap();
    assert!(text(&output).contains("write --scripts with the path of bench/peers"), "{}", text(&output));

    let (json, no_json) = (folder.0.join("other.json"), folder.0.join("none.json"));
    fs::write(&json, "{\"scene\": 3}").unwrap();
    fs::write(&no_json, "chat\n  server CPU").unwrap();
    for (file, why) in [(json, "is no result"), (no_json, "is no JSON"), (folder.0.join("absent"), "No such file")] {
        let output = bench().arg("compare").arg(&file).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(why) && text(&output).contains("--json FILE"), "{}", text(&output));
    }
    let output = bench().args(["compare", "one.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

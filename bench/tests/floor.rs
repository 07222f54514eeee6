//! The scenes play against the floor, and say so when what they play against fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod servers;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use servers::{Floor, bench, play, text};

#[test]
fn all_scenes_are_valid_on_the_floor() {
    let floor = Floor::start();
    let pid = floor.process.id();
    for scene in [
        "chat --pairs 3 --seconds 1 --warm 0 --threads 2 --window 4",
        "chat --pairs 3 --seconds 1 --warm 0 --rate 3 --direct-tls",
        "idle --accounts 5 --seconds 0.1 --settle 0",
        "login --accounts 6 --concurrency 3 --seconds 1 --warm 0 --presence",
        "chat --pairs 4 --seconds 1 --warm 0 --window 2 --processes 3 --source 127.0.0.2-127.0.0.3 --source 127.0.0.5",
        "idle --accounts 5 --seconds 0.1 --settle 0 --processes 2 --threads 4",
        "login --accounts 6 --concurrency 3 --seconds 1 --warm 0 --rate 20",
    ] {
        let file = std::env::temp_dir().join(format!("wattle-bench-{}-{}.json", std::process::id(), scene.len()));
        let output = play(&floor.port, &format!("{scene} --pid {pid} --password secret --json {}", file.display()));
        assert!(output.status.success(), "{scene}: {}", text(&output));
        let written = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(!written.contains("secret"));
        let json: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(json["scene"], scene.split(' ').next().unwrap());
        assert_eq!(json["valid"], true);
        assert!(json["server_usage"]["cpu_ns"].as_u64().is_some());
        assert!(json["generator_usage"]["cpu_ns"].as_u64().is_some_and(|ns| ns > 0));
        if let Some(latency) = json["latency"].as_object().filter(|_| scene.starts_with("chat")) {
            // Every delivery of the measured time is in the histogram, whichever process saw it.
            assert!(latency["count"].as_u64().unwrap() > 0);
        }
        assert!(json["machine"]["kernel"].as_str().is_some());
    }
}

#[test]
fn energy_is_measured_or_modelled_and_never_both() {
    let floor = Floor::start();
    let (port, pid) = (floor.port.clone(), floor.process.id().to_string());
    for (meter, ours, other) in [
        ("command:printf 4.5 secret", "power_measured", "power_modelled"),
        ("model:idle=2,full=6", "power_modelled", "power_measured"),
    ] {
        let file = std::env::temp_dir().join(format!("wattle-bench-{}-{ours}.json", std::process::id()));
        let output = bench()
            .args(["chat", "--insecure", "--pairs", "2", "--seconds", "1", "--warm", "0", "--window", "1"])
            .args(["--idle-seconds", "0.2", "--port", &port, "--pid", &pid, "--power", meter, "--json"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let written = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(!written.contains("secret") && !text(&output).contains("secret"));
        let json: Value = serde_json::from_str(&written).unwrap();
        assert!(json[other].is_null());
        let power = &json[ours];
        let (watts, joules, seconds) = (&power["watts"], &power["joules"], &power["seconds"]);
        let [watts, joules, seconds] = [watts, joules, seconds].map(|figure| figure.as_f64().unwrap());
        assert!((joules / seconds - watts).abs() < 1e-6);
        let idle = power["idle_watts"].as_f64().unwrap();
        assert!((2.0 - 1e-6..=6.5).contains(&watts) && idle >= 2.0 - 1e-6, "{watts} {idle}");
        if ours == "power_measured" {
            assert!((watts - 4.5).abs() < 1e-6 && power["watts_above_idle"].as_f64().unwrap().abs() < 1e-6);
        }
        let rate = json["operations"].as_f64().unwrap() / json["measured_s"].as_f64().unwrap();
        assert!((power["operations_per_joule"].as_f64().unwrap() - rate / watts).abs() < 1e-6);
        // The series begins at nothing and ends with all of it.
        let last = |column: &str| json["series"][column].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last("operations"), json["operations"]);
        assert!((last("joules").as_f64().unwrap() - joules).abs() < 1e-6);
    }
}

#[test]
fn a_server_that_goes_away_makes_the_scene_invalid() {
    let mut floor = Floor::start();
    let mut playing = bench()
        .args(["chat", "--insecure", "--pairs", "2", "--seconds", "60", "--warm", "0", "--port", &floor.port])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Gone before or while they chat, both are the end of the scene.
    floor.process.kill().unwrap();
    floor.process.wait().unwrap();
    let mut said = String::new();
    playing.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(playing.wait().unwrap().code(), Some(1));
    assert!(said.contains("NOT VALID") && said.contains("lost its connection"), "{said}");
}

#[test]
fn a_process_of_the_generator_that_dies_makes_the_scene_invalid() {
    let floor = Floor::start();
    let mut playing = bench()
        .args(["chat", "--insecure", "--pairs", "2", "--seconds", "60", "--warm", "0", "--port", &floor.port])
        .args(["--processes", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let parent = playing.id();
    let children = loop {
        let of_main_thread = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        let children: Vec<i32> = of_main_thread.split_ascii_whitespace().map(|pid| pid.parse().unwrap()).collect();
        if children.len() == 2 {
            break children;
        }
        thread::yield_now();
    };
    kill(children[0]);
    let mut said = String::new();
    playing.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(playing.wait().unwrap().code(), Some(1));
    assert!(said.contains(&format!("NOT VALID     process {} of the generator is lost", children[0])), "{said}");
    assert!(!std::path::Path::new(&format!("/proc/{}", children[1])).exists());
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_server_that_talks_nonsense_is_quoted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"220 mail.example.org ESMTP\r\n").unwrap();
        socket.read_to_end(&mut Vec::new())
    });
    let output = play(&port, "idle --accounts 1 --seconds 0.1");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("220 mail.example.org ESMTP"), "{}", text(&output));
    // Reset or closed: whatever the socket says of its end.
    let _ = server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = play(&port, "idle --accounts 2 --seconds 0.1 --patience 0");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("2 for PlainFeatures"), "{}", text(&output));
}

#[test]
fn nonsense_options_get_a_cure() {
    let output = bench().args(["chat", "--accounts", "100"]).output().unwrap();
    assert!(text(&output).contains("write --ca FILE, or --insecure"), "{}", text(&output));
    for (words, cure) in [
        ("chat --pairs 0", "--pairs 50"),
        ("chat --pairs 60 --accounts 100", "--pairs 50, or --accounts 120"),
        ("chat --mode open", "--rate 100"),
        ("chat --mode closed --rate 7", "--mode open --rate 7"),
        ("chat --rate 0", "--rate 100"),
        ("chat --body-bytes 3", "write 48"),
        ("chat --pid 4294967295", "/proc/4294967295"),
        ("idle --sessions 200", "--accounts 200"),
        ("idle --threads 0", "--threads 1"),
        ("idle --power solar", "write auto, none, hwmon"),
        ("idle --power command:/nonexistent", "No such file"),
        ("idle --power model:idle=5,full=2", "model:idle=2.7,full=6.4"),
        ("idle --process-name no-such-server", "write its --pid"),
        ("idle --accounts 150000", "--source"),
        ("idle --accounts 2 --source ::1", "addresses of the same kind"),
        ("idle --source 127.0.0.9-127.0.0.2", "begins with its lowest address"),
        ("login --concurrency 200", "--concurrency 100"),
        ("login --rate 0", "--rate 100"),
    ] {
        let output = play("1", words);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(text(&output).contains(cure), "{words}: {}", text(&output));
    }
}

//! What systemd hears of the real program (sd_notify(3)): ready when it serves, alive while every shard is, ending.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod place;

use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use place::{ANYWHERE, Place, Running};

/// After this a test gives up hope; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the unit's `WatchdogSec` becomes for the process, in microseconds: as short as a test should be. Where a busy machine lets
/// a shard answer too late, a word is left out and another comes.
const WATCHDOG_USEC: &str = "400000";
/// How many looks at a busy machine may find the shards at something else.
const LOOKS: usize = 20;

/// The supervisor's end.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn of(place: &Place) -> Self {
        let socket = UnixDatagram::bind(place.0.join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// Waits for the next word.
    #[track_caller]
    fn hears(&self) -> String {
        let mut word = [0; 256];
        let bytes = self.0.recv(&mut word).expect("nothing is said any more");
        String::from_utf8(word[..bytes].to_vec()).unwrap()
    }

    /// What was said and not heard yet.
    fn waiting(&self) -> Vec<String> {
        let mut waiting = Vec::new();
        let mut word = [0; 256];
        self.0.set_nonblocking(true).unwrap();
        loop {
            match self.0.recv(&mut word) {
                Ok(bytes) => waiting.push(String::from_utf8(word[..bytes].to_vec()).unwrap()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    self.0.set_nonblocking(false).unwrap();
                    return waiting;
                }
            }
        }
    }
}

/// The number of a server's thread whose name begins so: of a shard's two the older, which starts its helper.
fn thread(server: &Running, name: &str) -> Option<i32> {
    let threads = fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
    let named = threads.map(|thread| thread.unwrap()).filter_map(|thread| {
        let found = fs::read_to_string(thread.path().join("comm")).ok()?;
        found.starts_with(name).then(|| thread.file_name().to_str().unwrap().parse().unwrap())
    });
    named.min()
}

/// How often a thread went to sleep.
fn sleeps(server: &Running, thread: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/task/{thread}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn ready_then_alive_then_ending() {
    let place = Place::new("supervised");
    place.config(ANYWHERE);
    let supervisor = Supervisor::of(&place);
    let environment = [("NOTIFY_SOCKET", "notify"), ("WATCHDOG_USEC", WATCHDOG_USEC)];
    let mut server = Running::start_with(&place, &environment);
    assert_eq!(supervisor.hears(), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(supervisor.hears(), "WATCHDOG=1\n");
    }
    assert_eq!(server.end(), Some(0));
    let said = supervisor.waiting();
    assert_eq!(said.last().unwrap(), "STOPPING=1\n");
    assert!(said.iter().rev().skip(1).all(|word| word == "WATCHDOG=1\n"), "{said:?}");
}

#[test]
fn a_word_wakes_an_idle_shard_once() {
    let place = Place::new("idle");
    place.config(ANYWHERE);
    let supervisor = Supervisor::of(&place);
    let server = Running::start_with(&place, &[("NOTIFY_SOCKET", "notify"), ("WATCHDOG_USEC", WATCHDOG_USEC)]);
    assert_eq!(supervisor.hears(), "READY=1\n");
    let shards = ["shard-0", "shard-1"].map(|name| thread(&server, name).unwrap());
    let mut seen = Vec::new();
    let idle = (0..LOOKS).any(|_| {
        assert_eq!(supervisor.hears(), "WATCHDOG=1\n");
        let before = shards.map(|shard| sleeps(&server, shard));
        for _ in 0..5 {
            assert_eq!(supervisor.hears(), "WATCHDOG=1\n");
        }
        let woken = [0, 1].map(|n| sleeps(&server, shards[n]) - before[n]);
        seen.push(woken);
        // One for each word, and another where both shards answer at once and one waits for the lock there.
        woken.iter().all(|woken| (4..=11).contains(woken))
    });
    assert!(idle, "5 words cost the idle shards so many sleeps, each time: {seen:?}");
}

/// One shard is stopped in its tracks, as an endless loop would do it, while the others go on.
#[test]
fn nothing_is_said_while_one_shard_does_not_answer() {
    let place = Place::new("hung");
    place.config(ANYWHERE);
    let supervisor = Supervisor::of(&place);
    let server = Running::start_with(&place, &[("NOTIFY_SOCKET", "notify"), ("WATCHDOG_USEC", WATCHDOG_USEC)]);
    assert_eq!(supervisor.hears(), "READY=1\n");
    let clients = server.greeting.lines().find_map(|line| line.trim().strip_prefix("clients")).unwrap();
    for address in clients.split(", ") {
        TcpStream::connect(address.trim().split(' ').next().unwrap()).unwrap();
    }
    assert_eq!(supervisor.hears(), "WATCHDOG=1\n");
    let shard = thread(&server, "shard-1").unwrap();
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: ptrace(2) and waitpid(2) of a thread of our own child, with no memory of ours.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, shard, none, none), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, shard, none, none), 0);
        assert_eq!(libc::waitpid(shard, std::ptr::null_mut(), libc::__WALL), shard);
    }
    // What a busy machine left unanswered before says nothing of this.
    server.unread();
    server.logged("a shard does not answer");
    // Answered before it was stopped, if any.
    supervisor.waiting();
    server.logged("a shard does not answer");
    assert_eq!(supervisor.waiting(), Vec::<String>::new());
    // SAFETY: as above.
    unsafe { assert_eq!(libc::ptrace(libc::PTRACE_DETACH, shard, none, none), 0) };
    assert_eq!(supervisor.hears(), "WATCHDOG=1\n");
}

#[test]
fn who_is_not_supervised_has_no_watchdog() {
    let place = Place::new("alone");
    place.config(ANYWHERE);
    let server = Running::start(&place);
    assert!(thread(&server, "shard-1").is_some());
    assert_eq!(thread(&server, "watchdog"), None);
}

//! A command that prints watts: a smart plug, a USB meter, whatever else can be asked.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{Description, Shown, Source};

const INTERVAL: Duration = Duration::from_secs(1);
/// A command that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// More is no reading of a meter.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

struct Asked {
    words: Vec<String>,
}

/// A meter that is asked by this command, which is tried.
pub(super) fn open(words: Vec<String>) -> Result<Box<dyn Source>, String> {
    let mut source = Asked { words };
    source.show()?;
    Ok(Box::new(source))
}

impl Source for Asked {
    fn describe(&self) -> Description {
        Description::sampled(shown(&self.words), "what the command measures", INTERVAL)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn show(&mut self) -> Result<Shown, String> {
        let text = run(&self.words)?;
        let number = text.trim().trim_end_matches(['W', 'w']).trim_end();
        let watts = number.parse::<f64>().ok().filter(|watts| watts.is_finite() && *watts >= 0.0);
        watts.map(Shown::Watts).ok_or_else(|| {
            let shown: String = text.trim().chars().take(200).collect();
            format!(
                "--power command: it printed {shown:?}: write a command that prints watts and nothing else, as 3.42"
            )
        })
    }
}

/// How results call it: without its arguments, for one may be a password or a token of the meter.
pub(crate) fn shown(words: &[String]) -> String {
    let more = if words.len() > 1 { " …" } else { "" };
    format!("command:{}{more}", words.first().map_or("", String::as_str))
}

/// Runs a command and gives what it printed. No shell is between. `Err` may get into a result, and so names the program alone.
pub(super) fn run(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let faulty = |e: &dyn std::fmt::Display| format!("{program}: {e}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| faulty(&e))?;
    let said = listen(&mut child);
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| faulty(&e))?;
    let [out, err] = said.map_err(|e| faulty(&e))?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if status.success() { Ok(out) } else { Err(faulty(&format!("{status}: {}", (err + &out).trim()))) }
}

/// Reads both pipes until the child has ended, or too much time or output came. A child of its own that keeps a pipe is
/// not waited for.
fn listen(child: &mut Child) -> Result<[Vec<u8>; 2], String> {
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else { return Err("no pipes".to_owned()) };
    let mut pipes = [File::from(OwnedFd::from(out)), File::from(OwnedFd::from(err))];
    let mut said = [Vec::new(), Vec::new()];
    let mut open = [true, true];
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).map_err(|e| e.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let watch = |open| if open { PollFlags::IN } else { PollFlags::empty() };
        let mut watched = [
            PollFd::new(&pipes[0], watch(open[0])),
            PollFd::new(&pipes[1], watch(open[1])),
            PollFd::new(&end, PollFlags::IN),
        ];
        match poll(&mut watched, Some(&left)) {
            Ok(0) => return Err(format!("still running after {} s", PATIENCE.as_secs())),
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.to_string()),
            Ok(_) => {}
        }
        let [ready_out, ready_err, ended] = [0, 1, 2].map(|n| !watched[n].revents().is_empty());
        let ready = [ready_out && open[0], ready_err && open[1]];
        for n in (0..2).filter(|n| ready[*n]) {
            let mut piece = [0; 4096];
            let got = pipes[n].read(&mut piece).map_err(|e| e.to_string())?;
            said[n].extend_from_slice(&piece[..got]);
            open[n] = got > 0;
            if said[n].len() > OUTPUT_BYTES_MAX {
                return Err(format!("printed more than {OUTPUT_BYTES_MAX} bytes"));
            }
        }
        if ended && ready == [false, false] {
            return Ok(said);
        }
    }
}

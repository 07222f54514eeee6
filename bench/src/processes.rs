//! One scene in several processes, where one may not have descriptors enough.
//!
//! The parent plays nothing. It starts itself again with the same command line and `--share K/N`; child K builds the
//! whole scene's parts as one process would, and plays each Nth of them. Lines of JSON go between: the parent's orders
//! to a child's standard input, one answer to each question back, and at the end what the parts found. A child whose
//! input ends goes home, so none outlives its parent.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::{Control, Phase};
use crate::troupe::{Standing, Troupe};

/// Most processes of a run.
pub(crate) const PROCESSES_MAX: u16 = 64;

/// Which of the parts a child plays: those whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    index: u16,
    of: u16,
}

/// What the parent says.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Enter(Phase),
    /// Asks for an [`Answer`].
    Stand,
}

/// Where a child stands.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    standing: Standing,
    fault: Option<String>,
}

/// A child's last line.
#[derive(Debug, Serialize, Deserialize)]
struct Farewell<O> {
    outcomes: Vec<O>,
    fault: Option<String>,
}

struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The children of a run.
pub(crate) struct Processes {
    children: Vec<Process>,
    fault: Option<String>,
    last: Standing,
}

impl Share {
    /// A child's parts, of all those of the scene.
    pub(crate) fn of<P>(self, parts: Vec<P>) -> Vec<P> {
        let all = parts.into_iter().enumerate();
        all.filter(|(n, _)| n % usize::from(self.of) == usize::from(self.index)).map(|(_, part)| part).collect()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let share = numbers.map(|(index, of)| Self { index, of }).filter(|share| share.index < share.of);
        share.ok_or_else(|| "only --processes says it".to_owned())
    }
}

/// The child's part of the conversation: does as it is told until it is told to stop.
pub(crate) fn obey(control: &Control) -> Result<(), String> {
    let mut troupe = control;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        match serde_json::from_str(&line).map_err(|e| format!("an order that is none: {e}"))? {
            Order::Enter(Phase::Stop) => break,
            Order::Enter(phase) => control.enter(phase),
            Order::Stand => say(&Answer { standing: troupe.standing(), fault: troupe.fault() })?,
        }
    }
    Ok(())
}

/// The child's last words.
pub(crate) fn part<O: Serialize>(outcomes: Vec<O>, control: &Control) -> Result<(), String> {
    say(&Farewell { outcomes, fault: control.fault() })
}

fn say(words: &impl Serialize) -> Result<(), String> {
    let line = serde_json::to_string(words).map_err(|e| e.to_string())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| format!("the parent is gone: {e}"))
}

impl Processes {
    /// Starts them. They log in at once.
    pub(crate) fn start(count: u16) -> Result<Self, String> {
        let children = (0..count).map(|index| Process::start(Share { index, of: count })).collect::<Result<_, _>>()?;
        Ok(Self { children, fault: None, last: Standing::NONE })
    }

    /// Sends everybody home and takes what their parts found. What a child failed of stands in [`Troupe::fault`].
    pub(crate) fn finish<O: DeserializeOwned>(&mut self) -> Vec<O> {
        self.enter(Phase::Stop);
        let mut outcomes = Vec::new();
        for n in 0..self.children.len() {
            match self.children[n].hear::<Farewell<O>>() {
                Ok(farewell) => {
                    outcomes.extend(farewell.outcomes);
                    // At the end a child can add who waited for what.
                    let told = farewell
                        .fault
                        .as_ref()
                        .is_some_and(|fault| self.fault.as_ref().is_none_or(|first| fault.starts_with(first.as_str())));
                    if told {
                        self.fault = farewell.fault;
                    }
                }
                Err(why) => self.fail(why),
            }
        }
        outcomes
    }

    fn order(&mut self, order: &Order) {
        for n in 0..self.children.len() {
            if let Err(why) = self.children[n].order(order) {
                self.fail(why);
            }
        }
    }
}

impl Troupe for Processes {
    fn enter(&mut self, phase: Phase) {
        self.order(&Order::Enter(phase));
    }

    fn standing(&mut self) -> Standing {
        // All are asked before the first answer is awaited, so that their figures are of one moment.
        self.order(&Order::Stand);
        // And each answer is taken, or it would pass for that to the next question.
        let (mut sum, mut whole) = (Standing::NONE, true);
        for n in 0..self.children.len() {
            match self.children[n].hear::<Answer>() {
                Ok(Answer { standing, fault }) => {
                    sum = sum.and(standing);
                    if let Some(fault) = fault {
                        self.fail(fault);
                    }
                }
                Err(why) => {
                    self.fail(why);
                    whole = false;
                }
            }
        }
        // Counters must not fall because one is lost.
        if whole {
            self.last = sum;
        }
        self.last
    }

    fn fail(&mut self, why: String) {
        self.fault.get_or_insert(why);
    }

    fn fault(&self) -> Option<String> {
        self.fault.clone()
    }
}

impl Process {
    fn start(share: Share) -> Result<Self, String> {
        let faulty = |e: io::Error| format!("process {share}: {e}");
        // The file may have been replaced since this process began; this is what it is running.
        let mut child = Command::new("/proc/self/exe")
            .arg0("wattle-bench")
            .args(std::env::args_os().skip(1))
            .arg(format!("--share={share}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(faulty)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("process {share} has no pipes"));
        };
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    fn order(&mut self, order: &Order) -> Result<(), String> {
        let line = serde_json::to_string(order).map_err(|e| e.to_string())?;
        writeln!(self.orders, "{line}").map_err(|e| self.gone(&e.to_string()))
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(self.gone("it said nothing more")),
            Ok(_) => serde_json::from_str(&line).map_err(|e| self.gone(&format!("{e}: {}", line.trim()))),
            Err(e) => Err(self.gone(&e.to_string())),
        }
    }

    fn gone(&self, why: &str) -> String {
        format!("process {} of the generator is lost: {why}", self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it says last has been read, or nobody wants it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::BufReader;
    use std::process::{Command, Stdio};

    use super::{Answer, Farewell, Process, Processes, Share};
    use crate::troupe::{Standing, Troupe as _};

    #[test]
    fn shares_are_all_of_it_and_nothing_twice() {
        let parts: Vec<u32> = (0..10).collect();
        let mut all: Vec<u32> =
            (0..4).flat_map(|k| format!("{k}/4").parse::<Share>().unwrap().of(parts.clone())).collect();
        all.sort_unstable();
        assert_eq!(all, parts);
        assert!("4/4".parse::<Share>().is_err() && "1".parse::<Share>().is_err());
    }

    fn process(script: &str) -> Process {
        let shell = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = shell.unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Process { child, orders, answers }
    }

    #[test]
    fn what_is_lost_with_one_is_not_lost_with_the_others() {
        let standing = Standing { counted: 1, progress: 1, ready: true, drained: true };
        let answer = serde_json::to_string(&Answer { standing, fault: None }).unwrap();
        let farewell = serde_json::to_string(&Farewell { outcomes: vec![7], fault: None }).unwrap();
        let faithful = format!("read x; echo '{answer}'; read x; echo '{farewell}'; read x");
        let children = vec![process("exit"), process(&faithful)];
        let mut troupe = Processes { children, fault: None, last: Standing::NONE };
        assert_eq!(troupe.standing(), Standing::NONE);
        assert_eq!(troupe.finish::<u32>(), [7]);
        assert!(troupe.fault().unwrap().contains("is lost"));
    }
}

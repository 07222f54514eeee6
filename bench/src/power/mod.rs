//! Energy of the server's host, from the best meter that it has; one file for each kind.
//!
//! A meter is measured or modelled and says which. Watts are shown at moments and have to be summed up in between
//! (`sampler.rs`); counters of energy need only be read before they wrap.

mod command;
mod hwmon;
mod model;
mod pmic;
mod powercap;
mod sampler;
mod told;

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub(crate) use command::shown;
pub(crate) use sampler::Sampler;

/// Which meter is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// The best that is there.
    Best,
    None,
    Hwmon(Option<String>),
    Pmic,
    Powercap,
    /// Prints watts.
    Command(Vec<String>),
    Model(model::Board),
}

/// What a meter is, for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The kind, and which of them.
    pub(crate) name: String,
    /// What its figures contain, and what not.
    pub(crate) covers: String,
    /// Whether anything was measured.
    pub(crate) measured: bool,
    /// Time between two samples that are summed up; `None` where the meter itself counts energy.
    pub(crate) sampled_every_ms: Option<u64>,
    /// Better meters of this host, and why they were passed over.
    pub(crate) passed_over: Vec<String>,
}

/// Energy used until some moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Energy {
    /// That moment, since the meter was opened.
    pub(crate) at: Duration,
    pub(crate) joules: f64,
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    /// At this moment.
    Watts(f64),
    /// Since it was opened.
    Joules(f64),
    /// The same, as a clock says it: of this moment exactly.
    Modelled { joules: f64, at: Instant },
}

/// One meter of the host.
trait Source: Send {
    /// `passed_over` is not its business.
    fn describe(&self) -> Description;
    /// How often it has to be asked so that nothing is missed.
    fn interval(&self) -> Duration;
    fn show(&mut self) -> Result<Shown, String>;
}

/// The meter of a host, or why the meters that it has were passed over.
pub(crate) type Found<M> = Result<M, Vec<String>>;

/// Opens the meter that is wanted. `root` is the file system's. `Err` says why it cannot be used, and what to do.
pub(crate) fn open(choice: &Choice, root: &Path) -> Result<Found<Sampler>, String> {
    let mut passed_over = Vec::new();
    let source = match choice {
        Choice::None => None,
        Choice::Best => best(root, &mut passed_over),
        Choice::Hwmon(which) => Some(wanted(hwmon::open(root, which.as_deref())?, "--power hwmon")?),
        Choice::Pmic => Some(wanted(pmic::open(root)?, "--power pmic")?),
        Choice::Powercap => Some(wanted(powercap::open(root)?, "--power powercap")?),
        Choice::Command(words) => Some(command::open(words.clone())?),
        Choice::Model(board) => Some(model::open(root, *board)?),
    };
    match source {
        Some(source) => Sampler::start(source, passed_over).map(Ok),
        None => Ok(Err(passed_over)),
    }
}

/// What sees most of the board comes first; what sees only the processor comes last. A model is nobody's best.
fn best(root: &Path, passed_over: &mut Vec<String>) -> Option<Box<dyn Source>> {
    let kinds = [|root: &Path| hwmon::open(root, None), pmic::open, powercap::open];
    for opened in kinds.into_iter().map(|open| open(root)) {
        match opened {
            Ok(Some(source)) => return Some(source),
            Ok(None) => {}
            Err(why) => passed_over.push(why),
        }
    }
    None
}

fn wanted(source: Option<Box<dyn Source>>, option: &str) -> Result<Box<dyn Source>, String> {
    source.ok_or_else(|| {
        format!(
            "{option}: this host has no such meter: write --power 'command:…' with a command that prints watts, \
             --power model:idle=WATTS,full=WATTS, or --power none"
        )
    })
}

impl Description {
    /// Of a meter that shows watts, of which this often a sample is taken.
    fn sampled(name: String, covers: &str, every: Duration) -> Self {
        Self {
            name,
            covers: covers.to_owned(),
            measured: true,
            sampled_every_ms: Some(every.as_millis() as u64),
            passed_over: Vec::new(),
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, which) = text.split_once(':').map_or((text, None), |(kind, which)| (kind, Some(which.trim())));
        match (kind, which.filter(|which| !which.is_empty())) {
            ("auto", None) => Ok(Self::Best),
            ("none", None) => Ok(Self::None),
            ("pmic", None) => Ok(Self::Pmic),
            ("powercap" | "rapl", None) => Ok(Self::Powercap),
            ("hwmon", which) => Ok(Self::Hwmon(which.map(str::to_owned))),
            ("command", Some(line)) => Ok(Self::Command(line.split_ascii_whitespace().map(str::to_owned).collect())),
            ("model", Some(board)) => Ok(Self::Model(board.parse()?)),
            _ => Err("write auto, none, hwmon, hwmon:NAME/CHANNEL, pmic, powercap, 'command:PROGRAM ARGUMENTS' or \
                      model:idle=WATTS,full=WATTS"
                .to_owned()),
        }
    }
}

impl Energy {
    /// Used since an earlier moment; `at` is the time between.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { at: self.at.saturating_sub(before.at), joules: self.joules - before.joules }
    }

    /// Mean watts of a time, if it was any.
    pub(crate) fn watts(self) -> Option<f64> {
        (!self.at.is_zero()).then(|| self.joules / self.at.as_secs_f64())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

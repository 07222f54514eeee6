//! Power sensors of the kernel's hardware monitoring: INA2xx on the supply of a board, and what else shows watts.
//!
//! Units of the kernel's sysfs interface: microwatts, milliamperes, millivolts. A sensor without a `power` file (INA3221)
//! has current and voltage of the same number.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Description, Shown, Source};

/// The sensors average over a part of this themselves.
const INTERVAL: Duration = Duration::from_millis(200);
/// No chip has more.
const CHANNELS_MAX: u32 = 16;
/// Chips whose figure is that of a supply. Others (a graphics card's) are taken when they are named.
const OF_A_SUPPLY: [&str; 3] = ["ina2", "ina3221", "power_meter"];

struct Hwmon {
    channel: Channel,
}

/// One figure of one chip.
#[derive(Clone, Debug)]
struct Channel {
    /// hwmon3.
    folder: String,
    chip: String,
    number: u32,
    label: Option<String>,
    reads: Reads,
}

#[derive(Clone, Debug)]
enum Reads {
    Power(PathBuf),
    CurrentAndVoltage(PathBuf, PathBuf),
}

/// The channel that is named, or the one of a supply if there is exactly one. `Ok(None)` where there is none.
pub(super) fn open(root: &Path, which: Option<&str>) -> Result<Option<Box<dyn Source>>, String> {
    let all = channels(&root.join("sys/class/hwmon"));
    let known = |channel: &Channel| OF_A_SUPPLY.iter().any(|chip| channel.chip.starts_with(chip));
    let fitting: Vec<&Channel> = all.iter().filter(|c| which.map_or_else(|| known(c), |which| c.is(which))).collect();
    let list = |channels: &[&Channel]| channels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (fitting.as_slice(), which) {
        ([], None) => Ok(None),
        ([], Some(which)) if all.is_empty() => {
            Err(format!("--power hwmon:{which}: this host has no sensor of power: write --power none"))
        }
        ([], Some(which)) => Err(format!(
            "--power hwmon:{which}: there are {}: write one of them",
            list(&all.iter().collect::<Vec<_>>())
        )),
        ([channel], _) => {
            let mut source = Hwmon { channel: (*channel).clone() };
            source.show()?;
            Ok(Some(Box::new(source)))
        }
        (several, _) => Err(format!(
            "several sensors of power, which may contain each other: {}: write --power with the one of the board's supply",
            list(several)
        )),
    }
}

fn channels(folder: &Path) -> Vec<Channel> {
    let chips = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut channels: Vec<Channel> = chips
        .flat_map(|chip| {
            let path = chip.path();
            (1..=CHANNELS_MAX).filter_map(move |number| Channel::find(&path, number)).collect::<Vec<_>>()
        })
        .collect();
    channels.sort_by(|a, b| (&a.folder, a.number).cmp(&(&b.folder, b.number)));
    channels
}

impl Channel {
    fn find(path: &Path, number: u32) -> Option<Self> {
        let file = |name: String| Some(path.join(name)).filter(|file| file.exists());
        let power = file(format!("power{number}_input")).or_else(|| file(format!("power{number}_average")));
        let reads = match power {
            Some(power) => Reads::Power(power),
            None => Reads::CurrentAndVoltage(file(format!("curr{number}_input"))?, file(format!("in{number}_input"))?),
        };
        let text = |name: &str| fs::read_to_string(path.join(name)).ok().map(|text| text.trim().to_owned());
        let labels = ["power", "in", "curr"].map(|kind| format!("{kind}{number}_label"));
        Some(Self {
            folder: path.file_name()?.to_string_lossy().into_owned(),
            chip: text("name").unwrap_or_default(),
            number,
            label: labels.iter().find_map(|label| text(label)),
            reads,
        })
    }

    /// What it is called in a result: the folder's number changes from boot to boot.
    fn name(&self) -> String {
        format!("hwmon {}/{}{}", self.chip, self.number, self.labelled())
    }

    fn labelled(&self) -> String {
        self.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default()
    }

    /// Whether this is `ina226`, `ina226/1`, `hwmon3` or `hwmon3/1`.
    fn is(&self, which: &str) -> bool {
        let (chip, number) = which.split_once('/').map_or((which, None), |(chip, number)| (chip, Some(number)));
        (chip == self.chip || chip == self.folder) && number.is_none_or(|number| number == self.number.to_string())
    }
}

/// As `--power` takes it.
impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hwmon:{}/{} ({}{})", self.folder, self.number, self.chip, self.labelled())
    }
}

impl Source for Hwmon {
    fn describe(&self) -> Description {
        Description::sampled(self.channel.name(), "what flows through the sensor", INTERVAL)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn show(&mut self) -> Result<Shown, String> {
        Ok(Shown::Watts(match &self.channel.reads {
            Reads::Power(power) => read(power)? / 1e6,
            Reads::CurrentAndVoltage(current, voltage) => read(current)? / 1e3 * (read(voltage)? / 1e3),
        }))
    }
}

fn read(file: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    text.trim().parse().map_err(|_| format!("{}: not a number: {}", file.display(), text.trim()))
}

//! The power management chip of a Raspberry Pi 5, which shows current and voltage of each rail (`vcgencmd pmic_read_adc`).
//!
//! It sees what it delivers: not its own losses, and not what leaves the board on 5 V (USB, fan, HAT).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Description, Shown, Source, command};

/// Each sample is a process: more of them would be a load of their own.
const INTERVAL: Duration = Duration::from_millis(500);

struct Pmic {
    program: PathBuf,
}

/// `Ok(None)` where there is no such program, or no such chip.
pub(super) fn open(root: &Path) -> Result<Option<Box<dyn Source>>, String> {
    let program = root.join("usr/bin/vcgencmd");
    if !program.exists() {
        return Ok(None);
    }
    let mut source = Pmic { program };
    match source.show() {
        // An older board has the program and answers that it knows no such command.
        Err(why) if why.contains("error=") => Ok(None),
        Err(why) => Err(format!("{why}: may this user open /dev/vcio (group video)?")),
        Ok(_) => Ok(Some(Box::new(source))),
    }
}

/// The sum of current times voltage, of the rails that show both.
fn watts(text: &str) -> Result<f64, String> {
    let (mut amperes, mut volts) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        // VDD_CORE_A current(7)=1.50000000A, and VDD_CORE_V volt(15)=0.80000000V.
        let Some((rail, value)) = line.trim().split_once(' ') else { continue };
        let Some((_, value)) = value.split_once('=') else { continue };
        if let (Some(rail), Some(Ok(value))) = (rail.strip_suffix("_A"), value.strip_suffix('A').map(str::parse::<f64>))
        {
            amperes.insert(rail, value);
        }
        if let (Some(rail), Some(Ok(value))) = (rail.strip_suffix("_V"), value.strip_suffix('V').map(str::parse::<f64>))
        {
            volts.insert(rail, value);
        }
    }
    let rails: Vec<f64> = amperes.iter().filter_map(|(rail, ampere)| Some(ampere * volts.get(rail)?)).collect();
    if rails.is_empty() {
        return Err(format!("no rail in what it printed: {}", text.trim()));
    }
    Ok(rails.iter().sum())
}

impl Source for Pmic {
    fn describe(&self) -> Description {
        Description::sampled(
            "pmic (vcgencmd pmic_read_adc)".to_owned(),
            "the rails of the board, without conversion losses and what leaves it on 5 V",
            INTERVAL,
        )
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn show(&mut self) -> Result<Shown, String> {
        let words = [self.program.display().to_string(), "pmic_read_adc".to_owned()];
        let text = command::run(&words)?;
        watts(&text).map(Shown::Watts).map_err(|why| format!("{}: {why}", words.join(" ")))
    }
}

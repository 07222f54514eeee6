//! Linux's powercap: counters of energy that the processor keeps (RAPL of Intel and AMD).
//!
//! Packages are summed up, with their memory where it is counted apart. The cores and the graphics are parts of their
//! package, `psys` contains it, and `intel-rapl-mmio` is the same package by another road: none of them is added.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Description, Shown, Source};

/// The fastest known counter, of 65,536 J, wraps after some minutes.
const INTERVAL: Duration = Duration::from_secs(10);

struct Powercap {
    zones: Vec<Zone>,
}

/// One counter.
struct Zone {
    name: String,
    counter: PathBuf,
    /// The highest value, after which it begins again.
    range_uj: u64,
    last_uj: u64,
    /// Since it was opened.
    used_uj: u64,
}

/// `Ok(None)` where there is none.
pub(super) fn open(root: &Path) -> Result<Option<Box<dyn Source>>, String> {
    let zones = zones(&root.join("sys/class/powercap"))?;
    Ok(if zones.is_empty() { None } else { Some(Box::new(Powercap { zones })) })
}

fn zones(folder: &Path) -> Result<Vec<Zone>, String> {
    // Where there is no such folder there is no counter.
    let mut names: Vec<String> =
        fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    // intel-rapl:0 is a package, intel-rapl:0:2 a part of it.
    let parts = |zone: &str| zone.matches(':').count();
    let called = |zone: &str| fs::read_to_string(folder.join(zone).join("name")).unwrap_or_default().trim().to_owned();
    let packages = |control: &str| -> Vec<String> {
        let of_control = names.iter().filter(|zone| parts(zone) == 1 && zone.split(':').next() == Some(control));
        of_control.filter(|zone| called(zone).starts_with("package")).cloned().collect()
    };
    let mut chosen = packages("intel-rapl");
    if chosen.is_empty() {
        chosen = packages("intel-rapl-mmio");
    }
    let memory: Vec<String> = names
        .iter()
        .filter(|zone| parts(zone) == 2 && called(zone) == "dram")
        .filter(|zone| zone.rsplit_once(':').is_some_and(|(package, _)| chosen.iter().any(|c| c == package)))
        .cloned()
        .collect();
    chosen.extend(memory);
    chosen.into_iter().map(|zone| Zone::open(&folder.join(&zone), called(&zone))).collect()
}

impl Zone {
    fn open(folder: &Path, name: String) -> Result<Self, String> {
        let counter = folder.join("energy_uj");
        let (range_uj, last_uj) = (read(&folder.join("max_energy_range_uj"))?, read(&counter)?);
        Ok(Self { name, counter, range_uj, last_uj, used_uj: 0 })
    }

    fn advance(&mut self) -> Result<(), String> {
        let now = read(&self.counter)?;
        self.used_uj += match now.checked_sub(self.last_uj) {
            Some(used) => used,
            None => self.range_uj.saturating_sub(self.last_uj) + now,
        };
        self.last_uj = now;
        Ok(())
    }
}

impl Source for Powercap {
    fn describe(&self) -> Description {
        let names: Vec<&str> = self.zones.iter().map(|zone| zone.name.as_str()).collect();
        Description {
            name: format!("powercap {}", names.join(" + ")),
            covers: "processor, not the rest of the board".to_owned(),
            measured: true,
            sampled_every_ms: None,
            passed_over: Vec::new(),
        }
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn show(&mut self) -> Result<Shown, String> {
        self.zones.iter_mut().try_for_each(Zone::advance)?;
        Ok(Shown::Joules(self.zones.iter().map(|zone| zone.used_uj as f64 / 1e6).sum()))
    }
}

fn read(file: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(file).map_err(|e| refused(file, &e))?;
    text.trim().parse().map_err(|_| format!("{}: not a number: {}", file.display(), text.trim()))
}

/// Since Linux 5.10 only root may read the counters, for they tell much about what others do.
fn refused(file: &Path, why: &std::io::Error) -> String {
    let file = file.display();
    if why.kind() == ErrorKind::PermissionDenied {
        return format!("{file}: {why}: run as root, or let everybody read it (chmod a+r {file})");
    }
    format!("{file}: {why}")
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    #[test]
    fn a_missing_permission_has_a_cure() {
        let told = super::refused(Path::new("/x/energy_uj"), &Error::from(ErrorKind::PermissionDenied));
        assert!(told.contains("run as root, or let everybody read it (chmod a+r /x/energy_uj)"), "{told}");
    }
}

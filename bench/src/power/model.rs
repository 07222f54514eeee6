//! No meter, but a statement: what the board takes when it idles and when all cores work, and a straight line between.
//!
//! Frequencies, memory, disk and network are not in it. A modelled figure never stands in a measured one's place.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::{Description, Shown, Source};
use crate::usage::Cores;

/// The cores' own counters miss nothing in between.
const INTERVAL: Duration = Duration::from_secs(60);

/// Watts of a board.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Board {
    idle_watts: f64,
    full_watts: f64,
}

struct Model {
    board: Board,
    stat: PathBuf,
    began: Instant,
    before: Cores,
}

/// A model of this host's board.
pub(super) fn open(root: &Path, board: Board) -> Result<Box<dyn Source>, String> {
    let stat = root.join("proc/stat");
    let before = Cores::read(&stat)?;
    Ok(Box::new(Model { board, stat, began: Instant::now(), before }))
}

impl Board {
    /// Energy of a time in which so many cores worked for so long, all together: never more than all of them could, though the
    /// kernel counts in ticks and may be one ahead of the clock.
    fn joules(self, time: Duration, busy: Duration, cores: usize) -> f64 {
        let (time, busy) = (time.as_secs_f64(), busy.as_secs_f64() / cores.max(1) as f64);
        self.idle_watts * time + (self.full_watts - self.idle_watts) * busy.min(time)
    }
}

impl FromStr for Board {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let told = |key: &str| {
            let value = text.split(',').find_map(|pair| pair.trim().strip_prefix(key)?.strip_prefix('='))?;
            value.parse::<f64>().ok().filter(|watts| (0.0..=100_000.0).contains(watts))
        };
        let (Some(idle_watts), Some(full_watts)) = (told("idle"), told("full")) else {
            return Err("write the watts of the board, as model:idle=2.7,full=6.4".to_owned());
        };
        if full_watts <= idle_watts || text.split(',').count() != 2 {
            return Err(
                "write less watts for idle than for full, and nothing else, as model:idle=2.7,full=6.4".to_owned()
            );
        }
        Ok(Self { idle_watts, full_watts })
    }
}

impl Source for Model {
    fn describe(&self) -> Description {
        let Board { idle_watts, full_watts } = self.board;
        Description {
            name: format!("model of a board with {idle_watts} W idle and {full_watts} W with all cores at work"),
            covers: "what the share of the cores says".to_owned(),
            measured: false,
            sampled_every_ms: None,
            passed_over: Vec::new(),
        }
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn show(&mut self) -> Result<Shown, String> {
        let spent = Cores::read(&self.stat)?.since(&self.before);
        let busy = Duration::from_nanos(spent.busy_ns);
        let at = Instant::now();
        Ok(Shown::Modelled { joules: self.board.joules(at - self.began, busy, spent.each_busy_ns.len()), at })
    }
}

#[cfg(test)]
mod tests {
    use super::Board;
    use std::time::Duration;

    #[test]
    fn a_straight_line_between_idle_and_full() {
        let board = Board { idle_watts: 2.0, full_watts: 6.0 };
        let ten = Duration::from_secs(10);
        assert!((board.joules(ten, Duration::ZERO, 4) - 20.0).abs() < 1e-9);
        assert!((board.joules(ten, 4 * ten, 4) - 60.0).abs() < 1e-9);
        assert!((board.joules(ten, ten, 4) - 30.0).abs() < 1e-9);
        assert!((board.joules(ten, 5 * ten, 4) - 60.0).abs() < 1e-9);
    }
}

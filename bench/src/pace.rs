//! How fast a scene plays: as fast as the server answers (closed loop), or at a rate whatever it does (open loop).

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::table::number;

/// The options of it.
#[derive(Args, Debug)]
pub(crate) struct Paced {
    /// Full speed with a window (closed) or a rate (open); open, if --rate is given
    #[arg(long)]
    mode: Option<Mode>,
    /// Closed loop: how much of one sender's is on its way at once
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    window: Option<usize>,
    /// Open loop: how many a second, of all senders together
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Closed,
    Open,
}

/// One or the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    Closed {
        window: usize,
    },
    /// So many a second, of all threads together.
    Open {
        rate: f64,
    },
}

/// Operations that may be missing because they were on their way when the time was over.
const ON_THE_WAY: f64 = 2.0;

/// The moments of one thread's share of an open loop.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval: Duration,
    next: Option<Instant>,
}

impl Paced {
    /// `window` is what a closed loop takes if nobody says.
    pub(crate) fn pace(&self, window: usize) -> Result<Pace, String> {
        let window = self.window.unwrap_or(window);
        match (self.mode, self.rate) {
            (Some(Mode::Closed), Some(rate)) => {
                Err(format!("--rate belongs to the open loop: write --mode open --rate {rate}, or leave --rate out"))
            }
            (Some(Mode::Open), None) => Err("the open loop needs a rate: write --mode open --rate 100".to_owned()),
            (_, Some(rate)) => Ok(Pace::Open { rate: sensible(rate)? }),
            (_, None) if (1..=100_000).contains(&window) => Ok(Pace::Closed { window }),
            (_, None) => Err(format!("--window {window}: write 1 to 100000")),
        }
    }
}

/// A rate that can be kept; else what to write.
pub(crate) fn sensible(rate: f64) -> Result<f64, String> {
    if (0.01..=10_000_000.0).contains(&rate) {
        return Ok(rate);
    }
    Err(format!("--rate {rate}: write how many a second, as --rate 100"))
}

impl Pace {
    pub(crate) fn window(self) -> Option<usize> {
        if let Self::Closed { window } = self { Some(window) } else { None }
    }

    pub(crate) fn rate(self) -> Option<f64> {
        if let Self::Open { rate } = self { Some(rate) } else { None }
    }

    /// The share of one of so many threads, if the loop is open.
    pub(crate) fn schedule(self, threads: usize) -> Option<Schedule> {
        self.rate().map(|rate| Schedule::new(rate, threads))
    }

    /// For the table.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Closed { window } => format!("closed loop, window {window}"),
            Self::Open { rate } => format!("open loop, {rate} /s"),
        }
    }

    /// What is wrong if so many came of it in a time.
    pub(crate) fn missed(self, came: f64, time: Duration, what: &str) -> Option<String> {
        let seconds = time.as_secs_f64();
        let asked = self.rate().filter(|asked| came < asked * seconds * 0.98 - ON_THE_WAY)?;
        Some(format!("{} /s {what} and {asked} /s were to be: write a lower --rate", number(came / seconds)))
    }
}

impl Schedule {
    /// The share of one of so many threads in a rate.
    pub(crate) fn new(rate: f64, threads: usize) -> Self {
        Self { interval: Duration::from_secs_f64(threads as f64 / rate), next: None }
    }

    /// The next moment that has come; the first one is the first time that this is asked.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Instant> {
        let due = *self.next.get_or_insert(now);
        if due > now {
            return None;
        }
        self.next = Some(due + self.interval);
        Some(due)
    }

    /// The moment that comes next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Pace, Schedule};
    use std::time::{Duration, Instant};

    #[test]
    fn what_was_missed_is_made_up_for_at_its_own_moments() {
        let mut schedule = Schedule::new(20.0, 2);
        let start = Instant::now();
        assert_eq!(schedule.due(start), Some(start));
        assert_eq!(schedule.due(start), None);
        let late = start + Duration::from_millis(250);
        assert_eq!(schedule.due(late), Some(start + Duration::from_millis(100)));
        assert_eq!(schedule.due(late), Some(start + Duration::from_millis(200)));
        assert_eq!(schedule.due(late), None);
        assert_eq!(schedule.next(), Some(start + Duration::from_millis(300)));
    }

    #[test]
    fn too_slow_is_said() {
        let missed = |rate, came| Pace::Open { rate }.missed(came, Duration::from_secs(10), "came");
        assert!(missed(100.0, 900.0).unwrap().contains("90.0 /s came and 100 /s"));
        assert_eq!(missed(100.0, 980.0), None);
        // At low rates, too: a message or two may be on the way, and not half of all.
        assert!(missed(1.0, 6.0).unwrap().contains("0.600 /s came and 1 /s"));
        assert_eq!(missed(1.0, 8.0), None);
        assert_eq!(Pace::Closed { window: 1 }.missed(1.0, Duration::from_secs(10), "came"), None);
    }
}

//! Asks a meter from a thread of its own, sums watts up to joules, and answers what was used until now.
//!
//! Between two samples power is taken to run straight from the one to the other (the trapezoid rule). Whoever asks for
//! the energy causes a sample, so that it is of the moment of asking.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::{Description, Energy, Shown, Source};

/// So many samples in a row may fail: a bus is busy now and then. What is missing is bridged.
const FAILURES_MAX: u32 = 3;
const LOST: &str = "the power meter failed several times in a row";
/// A meter that does not answer for so long is lost.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = Result<Energy, String>;

/// A meter at work. It ends when this is dropped.
pub(crate) struct Sampler {
    description: Description,
    questions: Sender<Sender<Answer>>,
}

/// The sum so far.
#[derive(Debug, Default)]
struct Sum {
    joules: f64,
    /// The last sample, if it was one of watts.
    watts: Option<(Duration, f64)>,
}

impl Sampler {
    /// Begins with a first sample, which shows whether the meter can be read.
    pub(super) fn start(mut source: Box<dyn Source>, passed_over: Vec<String>) -> Result<Self, String> {
        let description = Description { passed_over, ..source.describe() };
        let began = Instant::now();
        let mut sum = Sum::default();
        let shown = source.show()?;
        sum.add(moment(began, &shown), shown);
        let (questions, asked) = mpsc::channel::<Sender<Answer>>();
        let run = move || {
            let (mut due, mut failures) = (began, 0);
            loop {
                due = (due + source.interval()).max(Instant::now());
                let question = match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(question) => Some(question),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                let shown = if failures > FAILURES_MAX { Err(LOST.to_owned()) } else { source.show() };
                failures = if shown.is_ok() { 0 } else { failures + 1 };
                let answer = shown.map(|shown| sum.add(moment(began, &shown), shown));
                let answer = answer.or_else(|why| sum.bridge(failures, why));
                // Who asked may have gone.
                let _ = question.map(|question| question.send(answer));
            }
        };
        thread::Builder::new().name("power".to_owned()).spawn(run).map_err(|e| format!("no thread: {e}"))?;
        Ok(Self { description, questions })
    }

    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// What was used until now.
    pub(crate) fn energy(&self) -> Answer {
        let lost = || format!("the power meter does not answer any more ({})", self.description.name);
        let (question, answer) = mpsc::channel();
        self.questions.send(question).map_err(|_| lost())?;
        answer.recv_timeout(PATIENCE).map_err(|_| lost())?
    }
}

/// A meter's figure is of the moment it came, for a meter may be slow; unless it says another.
fn moment(began: Instant, shown: &Shown) -> Duration {
    match shown {
        Shown::Modelled { at, .. } => at.saturating_duration_since(began),
        Shown::Watts(_) | Shown::Joules(_) => began.elapsed(),
    }
}

impl Sum {
    fn add(&mut self, at: Duration, shown: Shown) -> Energy {
        match shown {
            Shown::Joules(joules) | Shown::Modelled { joules, .. } => self.joules = joules,
            Shown::Watts(watts) => {
                if let Some((before, was)) = self.watts {
                    self.joules += (watts + was) / 2.0 * at.saturating_sub(before).as_secs_f64();
                }
                self.watts = Some((at, watts));
            }
        }
        Energy { at, joules: self.joules }
    }

    /// What stands in for a sample that failed: the last one, if it was of watts and not too many failed since.
    fn bridge(&self, failures: u32, why: String) -> Result<Energy, String> {
        let last = self.watts.filter(|_| failures <= FAILURES_MAX);
        last.map(|(at, _)| Energy { at, joules: self.joules }).ok_or(why)
    }
}

#[cfg(test)]
mod tests {
    use super::{FAILURES_MAX, Sum};
    use crate::power::Shown;
    use std::time::Duration;

    #[test]
    fn watts_are_summed_up_as_trapezoids() {
        let mut sum = Sum::default();
        let at = Duration::from_millis;
        assert!(sum.add(at(1_000), Shown::Watts(2.0)).joules.abs() < 1e-9);
        assert!((sum.add(at(2_000), Shown::Watts(4.0)).joules - 3.0).abs() < 1e-9);
        // Of unequal length, and one sample missing between.
        assert!((sum.bridge(1, String::new()).map_or(0.0, |e| e.joules) - 3.0).abs() < 1e-9);
        let last = sum.add(at(6_000), Shown::Watts(4.0));
        assert!((last.joules - 19.0).abs() < 1e-9 && last.at == at(6_000));
        assert!(sum.bridge(FAILURES_MAX + 1, "lost".to_owned()).is_err());
    }

    #[test]
    fn a_counter_is_not_bridged() {
        let mut sum = Sum::default();
        assert!((sum.add(Duration::from_secs(5), Shown::Joules(7.5)).joules - 7.5).abs() < 1e-9);
        assert!(sum.bridge(1, "lost".to_owned()).is_err());
    }
}

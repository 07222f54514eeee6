//! Plays a scene: musters, warms up, measures from outside while the parts play, drains, and reads the meters.

use std::io::{IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::control::{Control, Phase};
use crate::engine::{Engine, Part, Target};
use crate::instructions::Instructions;
use crate::meter::{Cores, Memory, Meter, Reading, Usage};
use crate::options::Common;
use crate::processes::{self, Processes, Share};
use crate::troupe::Troupe;

/// Where a scene is played, how long it takes, and what is measured.
pub(crate) struct Stage {
    target: Target,
    meter: Meter,
    warm: Duration,
    measure: Duration,
    /// Without any progress for so long, the muster is given up.
    patience: Duration,
    /// Count instructions by perf; its presence inflates the CPU time.
    instructions: bool,
    /// Further processes play, if more than one.
    processes: u16,
    /// This is one of them.
    share: Option<Share>,
}

/// What came of it.
pub(crate) struct Played<O> {
    pub(crate) outcomes: Vec<O>,
    /// The server before the first client came.
    pub(crate) memory_before: Memory,
    pub(crate) measured: Measured,
    /// Why the scene is not valid, if it could not be played to its end.
    pub(crate) fault: Option<String>,
}

/// What the meters showed.
pub(crate) struct Measured {
    /// The server at the end of the measured time, clients still there.
    pub(crate) memory_after: Memory,
    /// From the first connection until everybody was ready.
    pub(crate) muster: Duration,
    /// The server's use in that time.
    pub(crate) muster_usage: Usage,
    /// Whether there was a measured time: a fault may have come before.
    pub(crate) begun: bool,
    /// Its length.
    pub(crate) time: Duration,
    /// The server's use in the measured time.
    pub(crate) usage: Usage,
    /// The generator's own use in the measured time.
    pub(crate) own_usage: Usage,
    /// What all cores of the server's host did in the measured time.
    pub(crate) cores: Cores,
    /// Operations in the measured time.
    pub(crate) counted: u64,
    pub(crate) instructions: Option<Result<u64, String>>,
}

/// Longest wait for what is on its way when the sending ends.
const DRAIN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(20);

impl Stage {
    /// A stage whose meters can be read. `target` is what the clients ask of the server.
    pub(crate) fn new(common: &Common, target: Target, warm: Duration, measure: Duration) -> Result<Self, String> {
        // One process measures, those that it started play.
        let pids = if common.share.is_some() { Vec::new() } else { common.pids.clone() };
        Ok(Self {
            target,
            meter: Meter::new(pids)?,
            warm,
            measure,
            patience: common.patience(),
            instructions: common.instructions,
            processes: common.processes,
            share: common.share,
        })
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Plays the parts, one thread each. `None` where this process played for another one, which has the outcome.
    /// `Err` when nothing can be measured or a thread cannot begin.
    pub(crate) fn play<P: Part>(&self, parts: Vec<P>) -> Result<Option<Played<P::Outcome>>, String> {
        if let Some(share) = self.share {
            let parts = share.of(parts);
            let control = Control::new(parts.len())?;
            let (obeyed, outcomes) = self.perform(&control, parts, || processes::obey(&control))?;
            obeyed?;
            processes::part(outcomes, &control)?;
            return Ok(None);
        }
        let memory_before = self.meter.memory()?;
        let (measured, outcomes, fault) = if self.processes > 1 {
            drop(parts);
            let mut children = Processes::start(self.processes)?;
            let measured = self.conduct(&mut children)?;
            let outcomes = children.finish();
            (measured, outcomes, children.fault())
        } else {
            let control = Control::new(parts.len())?;
            let (measured, outcomes) = self.perform(&control, parts, || self.conduct(&mut &control))?;
            (measured?, outcomes, control.fault())
        };
        Ok(Some(Played { outcomes, memory_before, measured, fault }))
    }

    /// Lets the parts play in threads of this process until `lead` is done.
    fn perform<P: Part, T>(
        &self,
        control: &Control,
        mut parts: Vec<P>,
        lead: impl FnOnce() -> T,
    ) -> Result<(T, Vec<P::Outcome>), String> {
        let led = thread::scope(|scope| {
            for (n, part) in parts.iter_mut().enumerate() {
                let target = self.target.clone();
                thread::Builder::new()
                    .name(format!("bench-{n}"))
                    .spawn_scoped(scope, move || {
                        let done = Engine::new(control, n, target).and_then(|mut engine| engine.run(part));
                        if let Err(why) = done {
                            control.fail(why);
                        }
                    })
                    .map_err(|e| format!("no thread: {e}"))
                    .inspect_err(|_| control.enter(Phase::Stop))?;
            }
            let led = lead();
            control.enter(Phase::Stop);
            Ok::<T, String>(led)
        })?;
        Ok((led, parts.into_iter().map(Part::outcome).collect()))
    }

    fn conduct(&self, troupe: &mut impl Troupe) -> Result<Measured, String> {
        let own = Meter::new(vec![std::process::id()])?;
        let (start, at_start) = (Instant::now(), self.meter.reading()?);
        self.muster(troupe);
        let muster = start.elapsed();
        let at_muster = self.read(troupe, &at_start);
        troupe.enter(Phase::Warm);
        pass(troupe, self.warm, "warming up");

        let perf = self.instructions.then(|| Instructions::start(self.meter.pids(), self.measure));
        let begun = troupe.fault().is_none();
        troupe.enter(Phase::Measure);
        let own_before = own.reading()?;
        let (before, counted_before) = (self.read(troupe, &at_muster), troupe.standing().counted);
        pass(troupe, self.measure, "measuring");
        let (after, counted_after) = (self.read(troupe, &before), troupe.standing().counted);
        let own_after = own.reading()?;
        let memory_after = self.meter.memory().unwrap_or_else(|why| {
            troupe.fail(why);
            Memory::default()
        });
        troupe.enter(Phase::Drain);
        let draining = Instant::now();
        while !troupe.standing().drained && troupe.fault().is_none() && draining.elapsed() < DRAIN {
            thread::sleep(TICK);
        }
        let (spent, own_spent) = (after.since(&before), own_after.since(&own_before));
        Ok(Measured {
            memory_after,
            muster,
            muster_usage: at_muster.since(&at_start).usage,
            begun,
            // Without a second reading there is this clock.
            time: if spent.at.is_zero() { own_spent.at } else { spent.at },
            usage: spent.usage,
            own_usage: own_spent.usage,
            cores: spent.cores,
            counted: counted_after - counted_before,
            instructions: perf.map(|started| started.and_then(Instructions::finish)),
        })
    }

    /// A server or a meter that goes away in the middle ends the scene and leaves what was read before.
    fn read(&self, troupe: &mut impl Troupe, last: &Reading) -> Reading {
        self.meter.reading().unwrap_or_else(|why| {
            troupe.fail(why);
            last.clone()
        })
    }

    /// Waits until everybody is ready, or nothing moves any more.
    fn muster(&self, troupe: &mut impl Troupe) {
        let (mut progress, mut moved) = (0, Instant::now());
        loop {
            let standing = troupe.standing();
            if standing.ready || troupe.fault().is_some() {
                return;
            }
            if standing.progress != progress {
                (progress, moved) = (standing.progress, Instant::now());
                note(&format!("online: {progress}"));
            }
            if moved.elapsed() > self.patience {
                let seconds = self.patience.as_secs();
                troupe.fail(format!("{progress} clients are online and for {seconds} s no more came (--patience)"));
            }
            thread::sleep(TICK);
        }
    }
}

/// Lets time pass, unless a fault makes it pointless.
fn pass(troupe: &mut impl Troupe, time: Duration, what: &str) {
    let begun = Instant::now();
    let mut said = u64::MAX;
    while troupe.fault().is_none() {
        let left = time.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        if left.as_secs() != said {
            said = left.as_secs();
            note(&format!("{what}: {} s left", said + 1));
        }
        thread::sleep(left.min(Duration::from_millis(250)));
        troupe.standing();
    }
    note("");
}

/// A line that the next one overwrites, for people only.
fn note(line: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}");
        let _ = err.flush();
    }
}

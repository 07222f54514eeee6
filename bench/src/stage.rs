//! Plays a scene: musters, warms up, measures from outside while the parts play, drains, and reads the meters.

use std::thread;
use std::time::{Duration, Instant};

use crate::control::{Control, Phase};
use crate::engine::{Engine, Part, Target};
use crate::instructions::Instructions;
use crate::meter::{Meter, Reading};
use crate::options::Common;
use crate::power::{Description, Energy, Found};
use crate::processes::{self, Processes, Share};
use crate::progress::Progress;
use crate::series::{Growth, Series};
use crate::troupe::Troupe;
use crate::usage::{Cores, Memory, Usage};

/// Where a scene is played, how long it takes, and what is measured.
pub(crate) struct Stage {
    target: Target,
    meter: Meter,
    /// How long the power of the host is measured before the first client comes.
    idle: Duration,
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
    /// Whether the server's processes were measured.
    pub(crate) server_seen: bool,
    /// Whether the generator ran on the host that was measured.
    pub(crate) same_host: bool,
    /// The server before the first client came.
    pub(crate) memory_before: Memory,
    /// The power meter and what it showed, or why there is none.
    pub(crate) power: Found<Power>,
    pub(crate) measured: Measured,
    /// Why the scene is not valid, if it could not be played to its end.
    pub(crate) fault: Option<String>,
}

/// What a power meter showed.
pub(crate) struct Power {
    pub(crate) meter: Description,
    /// Before the first client came, if that was measured.
    pub(crate) idle: Option<Energy>,
    /// In the measured time; `None` if the meter was lost.
    pub(crate) spent: Option<Energy>,
}

/// What the meters showed.
pub(crate) struct Measured {
    /// The server at the end of the measured time, clients still there.
    pub(crate) memory_after: Memory,
    /// From the first connection until everybody was ready.
    pub(crate) muster: Duration,
    /// The server's use in that time.
    pub(crate) muster_usage: Usage,
    /// Whether there was a measured time: a fault may have come before, or taken the meter away.
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
    /// Energy in the measured time.
    energy: Option<Energy>,
    /// How the clients came.
    pub(crate) growth: Growth,
    /// The measured time in moments.
    pub(crate) series: Series,
}

/// Longest wait for what is on its way when the sending ends.
const DRAIN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(20);
/// How often it is looked how the scene is going.
const LOOK: Duration = Duration::from_millis(250);

impl Stage {
    /// A stage whose meters can be read. `target` is what the clients ask of the server.
    pub(crate) fn new(common: &Common, target: Target, warm: Duration, measure: Duration) -> Result<Self, String> {
        // One process measures, those that it started play.
        let meter = if common.share.is_some() { Meter::here(Vec::new()) } else { common.meter()? };
        Ok(Self {
            target,
            meter,
            idle: common.idle_seconds,
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
            let (obeyed, outcomes) = perform(&self.target, &control, parts, || processes::obey(&control))?;
            obeyed?;
            processes::part(outcomes, &control)?;
            return Ok(None);
        }
        let memory_before = self.meter.memory()?;
        let idle = self.rest()?;
        let (measured, outcomes, fault) = if self.processes > 1 {
            drop(parts);
            let mut children = Processes::start(self.processes)?;
            let measured = self.conduct(&mut children)?;
            let outcomes = children.finish();
            (measured, outcomes, children.fault())
        } else {
            let control = Control::new(parts.len())?;
            let (measured, outcomes) = perform(&self.target, &control, parts, || self.conduct(&mut &control))?;
            (measured?, outcomes, control.fault())
        };
        let power = self.meter.power().map(|meter| Power { meter: meter.clone(), idle, spent: measured.energy });
        let server_seen = !self.meter.is_blind();
        let same_host = self.meter.same_host();
        Ok(Some(Played { outcomes, server_seen, same_host, memory_before, power, measured, fault }))
    }

    /// Energy of the server's host while nobody is there.
    fn rest(&self) -> Result<Option<Energy>, String> {
        if self.meter.power().is_err() || self.idle.is_zero() {
            return Ok(None);
        }
        let before = self.meter.reading()?.energy;
        let (progress, begun) = (Progress::new(), Instant::now());
        while begun.elapsed() < self.idle {
            progress.pass("power without clients", begun.elapsed(), self.idle, None);
            thread::sleep(self.idle.saturating_sub(begun.elapsed()).min(LOOK));
        }
        let after = self.meter.reading()?.energy;
        Ok(after.zip(before).map(|(after, before)| after.since(before)))
    }

    fn conduct(&self, troupe: &mut impl Troupe) -> Result<Measured, String> {
        let own = Meter::here(vec![std::process::id()]);
        let (start, at_start) = (Instant::now(), self.meter.reading()?);
        let progress = Progress::new();
        let mut growth = Growth::new(at_start.clone());
        muster(troupe, self.patience, (&progress, "online"), |troupe, clients| {
            if growth.is_due(start.elapsed()) {
                growth.note(clients, read(&self.meter, troupe, &at_start));
            }
        });
        let muster = start.elapsed();
        let at_muster = read(&self.meter, troupe, &at_start);
        growth.note(troupe.standing().progress, at_muster.clone());
        troupe.enter(Phase::Warm);
        pass(troupe, self.warm, (&progress, "warming up"), |_| {});

        let perf = self.instructions.then(|| Instructions::start(self.meter.pids(), self.measure));
        let begun = troupe.fault().is_none();
        troupe.enter(Phase::Measure);
        let entered = Instant::now();
        let own_before = read(&own, troupe, &Reading::default());
        let (before, counted_before) = (read(&self.meter, troupe, &at_muster), troupe.standing().counted);
        let mut series = Series::default();
        series.note(before.clone(), counted_before);
        let mut next = Instant::now() + Series::interval(self.measure);
        pass(troupe, self.measure, (&progress, "measuring"), |troupe| {
            if Instant::now() >= next {
                next += Series::interval(self.measure);
                series.note(read(&self.meter, troupe, &before), troupe.standing().counted);
            }
        });
        let (after, counted_after) = (read(&self.meter, troupe, &before), troupe.standing().counted);
        series.note(after.clone(), counted_after);
        let own_after = read(&own, troupe, &own_before);
        let clock = entered.elapsed();
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
            begun: begun && !spent.at.is_zero(),
            // Without a second reading there is this clock.
            time: if spent.at.is_zero() { clock } else { spent.at },
            usage: spent.usage,
            own_usage: own_spent.usage,
            cores: spent.cores,
            counted: counted_after - counted_before,
            instructions: perf.map(|started| started.and_then(Instructions::finish)),
            energy: spent.energy.filter(|energy| !energy.at.is_zero()),
            growth,
            series,
        })
    }
}

/// Lets the parts play in threads of this process until `lead` is done.
pub(crate) fn perform<P: Part, T>(
    target: &Target,
    control: &Control,
    mut parts: Vec<P>,
    lead: impl FnOnce() -> T,
) -> Result<(T, Vec<P::Outcome>), String> {
    let led = thread::scope(|scope| {
        for (n, part) in parts.iter_mut().enumerate() {
            let target = target.clone();
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

/// Waits until everybody is ready, or nothing moves any more. Calls `came` when there are more.
pub(crate) fn muster<T: Troupe>(
    troupe: &mut T,
    patience: Duration,
    (progress, what): (&Progress, &str),
    mut came: impl FnMut(&mut T, usize),
) {
    let (mut there, mut moved) = (0, Instant::now());
    loop {
        let standing = troupe.standing();
        if standing.ready || troupe.fault().is_some() {
            return;
        }
        if standing.progress != there {
            (there, moved) = (standing.progress, Instant::now());
            came(troupe, there);
        }
        progress.muster(what, there);
        if moved.elapsed() > patience {
            let seconds = patience.as_secs();
            troupe.fail(format!("{there} clients are {what} and for {seconds} s no more came (--patience)"));
        }
        thread::sleep(TICK);
    }
}

/// Who goes away in the middle, measured or measuring, ends the scene and leaves what was read before.
fn read(meter: &Meter, troupe: &mut impl Troupe, last: &Reading) -> Reading {
    meter.reading().unwrap_or_else(|why| {
        troupe.fail(why);
        last.clone()
    })
}

/// Lets time pass, unless a fault makes it pointless. Calls `look` now and then.
fn pass<T: Troupe>(troupe: &mut T, time: Duration, (progress, what): (&Progress, &str), mut look: impl FnMut(&mut T)) {
    let (begun, counted_before) = (Instant::now(), troupe.standing().counted);
    while troupe.fault().is_none() {
        let elapsed = begun.elapsed();
        let left = time.saturating_sub(elapsed);
        if left.is_zero() {
            break;
        }
        let counted = troupe.standing().counted - counted_before;
        let rate = (counted > 0).then(|| counted as f64 / elapsed.as_secs_f64());
        progress.pass(what, elapsed, time, rate);
        thread::sleep(left.min(LOOK));
        if left > LOOK {
            look(troupe);
        }
    }
}

//! How long messages are kept, and the sweep that removes them in small steps, one owner of an archive after the other.

use std::time::{Duration, Instant};

use wattle::config::Config;
use wattle::store::AccountKey;

use super::driver::{Driver, Result, Value, first};
use super::reads::small;
use super::{archive, statements};

/// Rows that one step removes, so that no question waits for long.
const STEP_ROWS: u32 = 200;
/// Look-ups of one step.
const STEP_LOOKS: usize = 64;
/// Rows that one look-up counts.
const COUNTED_ROWS: u32 = 4_096;
/// Between the beginnings of two passes.
const PASS: Duration = Duration::from_secs(3_600);
/// Between two steps while questions wait, so that these get most of the time.
const PAUSE: Duration = Duration::from_millis(50);
/// What nobody wants any more goes after so long also if no session said so; longer than any session may be away.
const PASSING_DAYS: u32 = 8;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long messages are kept, as the configuration says.
#[derive(Clone, Debug, Default)]
pub(super) struct Retention {
    server: Bounds,
    /// By the name of the class.
    classes: Vec<(Box<str>, Option<u32>, Option<u32>)>,
}

/// 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds {
    days: u32,
    messages: u32,
}

impl Retention {
    pub(super) fn of(config: &Config) -> Self {
        let classes = config.classes.iter();
        Self {
            server: Bounds { days: config.archive.days, messages: config.archive.messages },
            classes: classes.map(|c| (c.name.clone(), c.archive_days, c.archive_messages)).collect(),
        }
    }

    /// An account's own words count more than its class's, and those more than the server's: the operator says all of them.
    fn bounds(&self, class: Option<&str>, days: Option<u32>, messages: Option<u32>) -> Bounds {
        let class = self.classes.iter().find(|(name, ..)| Some(&**name) == class);
        let (class_days, class_messages) = class.map_or((None, None), |(_, days, messages)| (*days, *messages));
        Bounds {
            days: days.or(class_days).unwrap_or(self.server.days),
            messages: messages.or(class_messages).unwrap_or(self.server.messages),
        }
    }

    /// A room's owner may have its archive kept for a shorter time than the operator does, but not for a longer one.
    fn bounds_of_room(&self, days: Option<u32>) -> Bounds {
        let shorter = days.filter(|days| self.server.days == 0 || (1..self.server.days).contains(days));
        Bounds { days: shorter.unwrap_or(self.server.days), ..self.server }
    }
}

/// The sweep over all archives, where it stands.
pub(super) struct Sweep {
    /// The owner in turn.
    owner: AccountKey,
    /// What is left to do for it, the first last.
    jobs: Vec<Job>,
    running: bool,
    /// When the next pass begins; while one runs, when its next step may be taken although questions wait.
    next: Instant,
}

enum Job {
    /// Removes by this statement up to an id.
    Remove(&'static str, u64),
    /// Looks for the newest message that `left` others before `before` follow, and removes from there on.
    Count { before: u64, left: u32 },
}

/// What one step did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Rows that went.
    pub(super) removed: u64,
    /// It was the last of its pass.
    pub(super) last: bool,
}

impl Sweep {
    /// The first pass begins at once.
    pub(super) fn new() -> Self {
        Self { owner: AccountKey(i64::MIN), jobs: Vec::new(), running: false, next: Instant::now() }
    }

    /// Begins a pass as soon as it can.
    pub(super) fn hurry(&mut self) {
        self.next = Instant::now();
    }

    /// Is there something to do now?
    pub(super) fn is_due(&self, idle: bool) -> bool {
        (self.running && idle) || Instant::now() >= self.next
    }

    /// Until when the writer may sleep.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Gives a pass up; the next comes in its time.
    pub(super) fn give_up(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        (self.owner, self.running) = (AccountKey(i64::MIN), false);
        self.jobs.clear();
        self.next = Instant::now() + PASS;
    }

    /// Does a little, inside a transaction of the caller.
    pub(super) fn step(&mut self, driver: &mut dyn Driver, retention: &Retention, now_ms: u64) -> Result<Step> {
        self.running = true;
        self.next = Instant::now() + PAUSE;
        let mut removed = 0;
        for _ in 0..STEP_LOOKS {
            let Some(job) = self.jobs.pop() else {
                if !self.turn(driver, retention, now_ms)? {
                    self.end();
                    return Ok(Step { removed, last: true });
                }
                continue;
            };
            match job {
                Job::Remove(text, upto) => {
                    let limit = STEP_ROWS - small(removed.cast_signed());
                    let rows = archive::remove(driver, text, self.owner, upto, limit)?;
                    removed += rows;
                    if rows == u64::from(limit) {
                        self.jobs.push(Job::Remove(text, upto));
                        break;
                    }
                }
                Job::Count { before, left } => self.count(driver, before, left)?,
            }
        }
        Ok(Step { removed, last: false })
    }

    /// Goes on to the next owner; false if there is none.
    fn turn(&mut self, driver: &mut dyn Driver, retention: &Retention, now_ms: u64) -> Result<bool> {
        let next = first(driver, statements::NEXT_OWNER, &[self.owner.0.into()], |row| row.int(0))?;
        let Some(next) = next else { return Ok(false) };
        self.owner = AccountKey(next);
        let terms = first(driver, statements::TERMS, &[next.into()], |row| {
            let (days, messages) = (row.maybe_int(1)?.map(small), row.maybe_int(2)?.map(small));
            let bounds = match row.int(4)? {
                0 => retention.bounds(row.maybe_text(0)?, days, messages),
                _ => retention.bounds_of_room(days),
            };
            Ok((bounds, row.maybe_int(3)?.map(i64::cast_unsigned)))
        })?;
        // The first id that is young enough.
        let since = |days: u32| now_ms.saturating_sub(u64::from(days) * DAY_MS) << 20;
        match terms {
            None => self.jobs.push(Job::Remove(statements::REMOVE_OLDEST, u64::MAX)),
            Some((bounds, floor)) => {
                if bounds.messages > 0 {
                    self.jobs.push(Job::Count { before: u64::MAX, left: bounds.messages });
                }
                if let Some(upto) = since(bounds.days).checked_sub(1).filter(|_| bounds.days > 0) {
                    self.jobs.push(Job::Remove(statements::EXPIRE_OLDEST, upto));
                }
                let upto = since(PASSING_DAYS).min(floor.unwrap_or(u64::MAX));
                self.jobs.push(Job::Remove(statements::FORGET_OLDEST, upto));
            }
        }
        Ok(true)
    }

    fn count(&mut self, driver: &mut dyn Driver, before: u64, left: u32) -> Result<()> {
        let skipped = left.min(COUNTED_ROWS);
        let values = [self.owner.0.into(), before.into(), Value::from(skipped)];
        let found = first(driver, statements::NTH_NEWEST, &values, |row| row.int(0))?;
        // One that is found has `skipped` behind it, and counts itself where the counting goes on.
        self.jobs.extend(found.map(|id| match left - skipped {
            0 => Job::Remove(statements::EXPIRE_OLDEST, id.cast_unsigned()),
            left => Job::Count { before: id.cast_unsigned() + 1, left },
        }));
        Ok(())
    }
}

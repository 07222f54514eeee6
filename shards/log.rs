//! The log: lines for people or JSON on standard error, and a bound on how many of them a peer can cause.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};
use wattle::config::{Log, LogFormat, LogLevel};
use wattle::effect::{Level, Note};

/// Lines of one kind that one shard writes in one second.
const LINES: u32 = 10;
/// The same at debug level, which an operator switches on to see everything.
const DEBUG_LINES: u32 = 1_000;
/// The time that [`LINES`] counts in.
const WINDOW: Duration = Duration::from_secs(1);

/// For a new level when the configuration is read again.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts the log of this process. The format holds until its end; the level can be changed.
pub(crate) fn start(log: &Log) {
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let lines = fmt::layer().with_target(false).with_writer(io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = match log.format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true)),
        LogFormat::Human => Box::new(lines.with_ansi(false)),
        LogFormat::Auto => Box::new(lines.with_ansi(io::stderr().is_terminal())),
    };
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Changes the level.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        let _ = handle.reload(filter(level));
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

thread_local! {
    /// A shard is a thread, so each has its own.
    static FLOOD: RefCell<Flood> = RefCell::new(Flood::default());
}

/// Writes a note of a shard, unless it has written too many of that kind in this second. Addresses only at debug level.
pub(crate) fn write(shard: u16, note: &Note) {
    if !enabled(note.level) {
        return;
    }
    let now = Instant::now();
    let passes = FLOOD.with_borrow_mut(|flood| {
        flood.settle(now, |what, dropped| drops(shard, what, dropped));
        flood.passes(now, note)
    });
    if !passes {
        return;
    }
    let detail = note.detail.as_deref().map(printable);
    let detail = detail.as_deref();
    let conn = note.conn.map(|conn| conn.0);
    let what = note.what;
    let who = note.who.as_ref().filter(|_| enabled(Level::Debug)).map(|who| printable(who.as_str()).into_owned());
    let who = who.as_deref();
    match note.level {
        Level::Error => tracing::error!(shard, conn, detail, who, "{what}"),
        Level::Warn => tracing::warn!(shard, conn, detail, who, "{what}"),
        Level::Info => tracing::info!(shard, conn, detail, who, "{what}"),
        Level::Debug => tracing::debug!(shard, conn, detail, who, "{what}"),
    }
}

/// Writes how many lines were dropped, at the end of a shard's life.
pub(crate) fn finish(shard: u16) {
    FLOOD.with_borrow_mut(|flood| flood.settle(Instant::now() + WINDOW, |what, dropped| drops(shard, what, dropped)));
}

fn drops(shard: u16, what: &'static str, dropped: u64) {
    tracing::warn!(shard, dropped, "too many lines: {what}");
}

fn enabled(level: Level) -> bool {
    match level {
        Level::Error => tracing::enabled!(tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(tracing::Level::WARN),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
    }
}

/// A text in which nobody can hide the end of a line.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) { text.escape_debug().to_string().into() } else { text.into() }
}

/// How often each kind of line came lately. It has one place for each constant `what`, so it does not grow.
#[derive(Default)]
struct Flood {
    kinds: Vec<Kind>,
    /// Whether any kind has dropped lines that were not told.
    untold: bool,
}

struct Kind {
    what: &'static str,
    since: Instant,
    lines: u32,
    dropped: u64,
}

impl Flood {
    /// Counts a note; false if it is one too many.
    fn passes(&mut self, now: Instant, note: &Note) -> bool {
        let index = match self.kinds.iter().position(|kind| kind.what == note.what) {
            Some(index) => index,
            None => {
                self.kinds.push(Kind { what: note.what, since: now, lines: 0, dropped: 0 });
                self.kinds.len() - 1
            }
        };
        let kind = &mut self.kinds[index];
        if now.saturating_duration_since(kind.since) >= WINDOW {
            kind.since = now;
            kind.lines = 0;
        }
        let bound = if note.level == Level::Debug { DEBUG_LINES } else { LINES };
        if kind.lines < bound {
            kind.lines += 1;
            return true;
        }
        kind.dropped += 1;
        self.untold = true;
        false
    }

    /// Tells what was dropped in seconds that are over. There is no timer for it: the next line of any kind brings it.
    fn settle(&mut self, now: Instant, mut tell: impl FnMut(&'static str, u64)) {
        if !self.untold {
            return;
        }
        self.untold = false;
        for kind in &mut self.kinds {
            if kind.dropped == 0 {
                continue;
            }
            if now.saturating_duration_since(kind.since) < WINDOW {
                self.untold = true;
                continue;
            }
            tell(kind.what, kind.dropped);
            kind.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests;

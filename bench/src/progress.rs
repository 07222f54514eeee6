//! How far a scene is, for people who look at a terminal. Elsewhere nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One line, which goes when this does.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    /// Clients come to be something; nobody knows how long that takes.
    pub(crate) fn muster(&self, what: &str, clients: usize) {
        self.look("{spinner} {msg}");
        self.0.set_message(format!("{what}: {clients}"));
        self.0.tick();
    }

    /// A phase passes, with so many operations a second, if they are counted.
    pub(crate) fn pass(&self, what: &str, elapsed: Duration, whole: Duration, rate: Option<f64>) {
        self.look("{prefix} {wide_bar} {msg}");
        let left = whole.saturating_sub(elapsed).as_secs_f64().ceil();
        let rate = rate.map_or(String::new(), |rate| format!("{rate:.0} /s, "));
        self.0.set_prefix(what.to_owned());
        self.0.set_message(format!("{rate}{left:.0} s left"));
        self.0.set_length(u64::try_from(whole.as_millis()).unwrap_or(u64::MAX));
        self.0.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    }

    fn look(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

//! Ctrl-C and its like, which end a long run in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody wants the end.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on these signals do not end the process, but for a second Ctrl-C.
    pub(crate) fn catch() -> Result<Self, String> {
        let flag = Arc::new(AtomicBool::new(false));
        // Who asks twice does not want to wait for the order of it.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, flag.clone())
            .map_err(|e| format!("signal {SIGINT}: {e}"))?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, flag.clone()).map_err(|e| format!("signal {signal}: {e}"))?;
        }
        Ok(Self(flag))
    }

    /// `Err` when it is time to go.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.0.load(Ordering::Relaxed) {
            Err("interrupted: what was measured so far is kept".to_owned())
        } else {
            Ok(())
        }
    }
}

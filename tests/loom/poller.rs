//! `shards/poller.rs` over the model: an eventfd is kept by the kernel until the sleeper hears it, and orders what was before it.

use std::io;
use std::sync::OnceLock;

use loom::sync::{Arc, Condvar, Mutex};

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

/// Wakes a [`Poller`].
pub(crate) struct Eventfd(Arc<Bell>);

impl Eventfd {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::default()))
    }

    pub(crate) fn ring(&self) {
        *self.0.rung.lock().unwrap() = true;
        self.0.heard.notify_one();
    }
}

/// What one shard sleeps at.
#[derive(Default)]
pub(crate) struct Poller(OnceLock<Arc<Bell>>);

impl Poller {
    pub(crate) fn hear(&self, eventfd: &Eventfd) -> io::Result<()> {
        assert!(self.0.set(eventfd.0.clone()).is_ok());
        Ok(())
    }

    /// Sleeps until it is rung, for ever if nobody does; the model finds that.
    pub(crate) fn wait(&self) {
        let bell = self.0.get().unwrap();
        let mut rung = bell.rung.lock().unwrap();
        while !*rung {
            rung = bell.heard.wait(rung).unwrap();
        }
        *rung = false;
    }
}

//! Who plays a scene: the threads of this process, or further processes of the same kind.

use serde::{Deserialize, Serialize};

use crate::control::{Control, Phase};

/// How far the players are, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Operations so far, of any phase.
    pub(crate) counted: u64,
    /// Clients mustered so far.
    pub(crate) progress: usize,
    /// Whether the warm-up may begin.
    pub(crate) ready: bool,
    /// Whether nothing is on its way any more.
    pub(crate) drained: bool,
}

/// What a scene's conductor needs of those who play.
pub(crate) trait Troupe {
    /// Moves everybody to the next phase.
    fn enter(&mut self, phase: Phase);
    fn standing(&mut self) -> Standing;
    /// Says why the scene cannot go on; the first reason stands.
    fn fail(&mut self, why: String);
    /// Why the scene is not valid.
    fn fault(&self) -> Option<String>;
}

impl Troupe for &Control {
    fn enter(&mut self, phase: Phase) {
        Control::enter(self, phase);
    }

    fn standing(&mut self) -> Standing {
        Standing {
            counted: self.counted(),
            progress: self.progress(),
            ready: self.all_ready(),
            drained: self.all_drained(),
        }
    }

    fn fail(&mut self, why: String) {
        Control::fail(self, why);
    }

    fn fault(&self) -> Option<String> {
        Control::fault(self)
    }
}

impl Standing {
    /// Nobody's: where the sum of all begins.
    pub(crate) const NONE: Self = Self { counted: 0, progress: 0, ready: true, drained: true };

    /// Of two, together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            counted: self.counted + other.counted,
            progress: self.progress + other.progress,
            ready: self.ready && other.ready,
            drained: self.drained && other.drained,
        }
    }
}

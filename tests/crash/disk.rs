//! Disks that are worse than the one these tests run on: a slow one, and one that loses with its power what was not synced.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What a server stores on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// What is there. A killed process loses nothing that it wrote.
    Plain,
    /// A sync takes as long as on an SD card.
    Slow,
    /// Whoever kills the server pulls the plug: of each file is left what it was when it was last synced.
    Unplugged,
}

/// Beside the data folder.
const COPIES: &str = "synced";
const SLOW_MS: &str = "30";

impl Disk {
    /// Environment of a server that is to have this disk.
    pub(crate) fn environment(self) -> Vec<(&'static str, String)> {
        let setting = match self {
            Self::Plain => return Vec::new(),
            Self::Slow => ("SYNC_MS", SLOW_MS),
            Self::Unplugged => ("SYNC_COPIES", COPIES),
        };
        vec![("LD_PRELOAD", library().display().to_string()), (setting.0, setting.1.to_owned())]
    }

    /// What the power takes with it; the server is dead.
    pub(crate) fn lose(self, folder: &Path) {
        if self != Self::Unplugged {
            return;
        }
        let data = folder.join("data");
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        for copy in fs::read_dir(folder.join(COPIES)).unwrap() {
            let copy = copy.unwrap();
            if copy.file_name() != "half" {
                fs::copy(copy.path(), data.join(copy.file_name())).unwrap();
            }
        }
    }
}

/// `disk/sync.rs`, built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/crash/disk/sync.rs");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (own, built) = (folder.join(format!("sync-{}.so", std::process::id())), folder.join("sync.so"));
        let words = ["--edition", "2024", "--crate-type", "cdylib", "-C", "opt-level=2", "-C", "strip=symbols", "-o"];
        let done = Command::new("rustc").args(words).arg(&own).arg(source).status().unwrap();
        assert!(done.success(), "rustc does not build {source}");
        fs::rename(own, &built).unwrap();
        built
    })
}

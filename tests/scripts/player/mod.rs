//! Plays conversations on a stage: plain shards in virtual time, or the real program over TLS.
#![allow(dead_code, reason = "each test target uses its own part of the player")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod caps;
mod ladder;
mod login;
mod play;
pub(crate) mod reading;
mod script;
mod staging;
mod template;

pub(crate) use login::PASSWORD;
pub(crate) use play::play;
pub(crate) use script::{Door, Script, read};

/// Where a conversation is played. Clients are indices into the cast; each has one connection at a time.
pub(crate) trait Stage {
    /// Connects a client; its earlier connection, if it has one, is left alone.
    fn open(&mut self, client: usize, door: Door);
    /// The client begins TLS.
    fn start_tls(&mut self, client: usize);
    /// Channel binding data of a client's connection.
    fn binding(&mut self, client: usize, kind: &str) -> Option<Vec<u8>>;
    /// The client writes.
    fn write(&mut self, client: usize, bytes: &[u8]);
    /// The client reads.
    fn read(&mut self, client: usize, patience: Patience) -> Read;
    /// The client's network is gone, and the server notices.
    fn cut(&mut self, client: usize);
    /// Time passes.
    fn pass(&mut self, ms: u64);
    /// The server ends in order.
    fn shut_down(&mut self);
    /// The server that has ended starts again, with what was stored.
    fn restart(&mut self);
    /// Whether the store answers nothing but faults from now on.
    fn fail_store(&mut self, fails: bool);
    /// All messages of an account are older than it keeps them.
    fn empty_archive(&mut self, account: &str);
}

/// How long a reader waits where time is real.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Something must come.
    Expecting,
    /// Nothing should come.
    Doubting,
}

/// What a reader got.
pub(crate) enum Read {
    Bytes(Vec<u8>),
    Nothing,
    Closed,
}

/// Every conversation in `tests/scripts`, in the order of their files. The environment variable `SCRIPT` picks those whose
/// place or title contains it.
pub(crate) fn all() -> Vec<Script> {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"));
    // The other package that plays them stands beside `tests`.
    let folder = if folder.is_dir() {
        folder.to_owned()
    } else {
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/scripts")).to_owned()
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "script"));
    files.sort();
    let wanted = std::env::var("SCRIPT").unwrap_or_default();
    let mut scripts = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        scripts.extend(read(&name, &text).unwrap_or_else(|fault| panic!("{fault}")));
    }
    scripts.retain(|script| script.place.contains(&wanted) || script.title.contains(&wanted));
    assert!(!scripts.is_empty(), "no conversation is called {wanted}");
    scripts
}

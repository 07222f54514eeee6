//! Replays the committed corpus of every fuzz target, so that a finding stays found in the normal test run.

mod targets {
    pub(crate) mod frame;
    pub(crate) mod jid;
    pub(crate) mod oracle;
    pub(crate) mod stream;
}

/// Runs the target's body over each file of its corpus.
#[track_caller]
fn replay(target: &str, body: fn(&[u8])) {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(&corpus).map(|files| files.flatten().collect()).unwrap_or_default();
    assert!(!files.is_empty(), "no corpus in {}", corpus.display());
    for file in files {
        match std::fs::read(file.path()) {
            // The name of the file is shown with a failure.
            Ok(bytes) => {
                if let Err(panic) = std::panic::catch_unwind(|| body(&bytes)) {
                    panic!("{}: {:?}", file.path().display(), panic.downcast_ref::<String>());
                }
            }
            Err(error) => panic!("{}: {error}", file.path().display()),
        }
    }
}

#[test]
fn frame() {
    replay("frame", targets::frame::run);
}

#[test]
fn jid() {
    replay("jid", targets::jid::run);
}

#[test]
fn stream() {
    replay("stream", targets::stream::run);
}

//! The server of this house in a folder of its own, on ports that the system chooses.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server; it ends with the test.
pub(crate) struct Wattle {
    pub(crate) process: Child,
    folder: PathBuf,
    /// For STARTTLS.
    pub(crate) port: String,
    /// For TLS at once.
    pub(crate) tls_port: String,
}

impl Wattle {
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wattle-bench-wattle-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let config = "domains = [\"localhost\"]\n\
            [listen]\nclient = [\"127.0.0.1:0\"]\nclient_tls = [\"127.0.0.1:0\"]\n\
            [server]\ndata = \"data\"\nshards = 2\n";
        fs::write(folder.join("wattle.toml"), config).unwrap();
        let mut process = run(&folder);
        let (port, tls_port) = ports(&mut process, &folder);
        Self { process, folder, port, tls_port }
    }

    /// Makes PREFIX0, PREFIX1 and so on.
    pub(crate) fn add_accounts(&self, prefix: &str, accounts: usize) {
        let mut socket = UnixStream::connect(self.folder.join("data/admin.sock")).unwrap();
        let mut answers = BufReader::new(socket.try_clone().unwrap()).lines();
        for n in 0..accounts {
            writeln!(socket, r#"{{"ask":"user_add","jid":"{prefix}{n}@localhost","password":"bench"}}"#).unwrap();
            let answer = answers.next().unwrap().unwrap();
            assert!(answer.contains("done"), "{answer}");
        }
    }
}

/// The program of the same build. Cargo builds it along with these tests only for the whole workspace.
fn run(folder: &Path) -> Child {
    let program = Path::new(env!("CARGO_BIN_EXE_wattle-bench")).with_file_name("wattle");
    assert!(program.exists(), "{} is missing: cargo build --workspace", program.display());
    Command::new(program)
        .args(["run", "--config", "wattle.toml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

/// Where it says that it listens.
fn ports(process: &mut Child, folder: &Path) -> (String, String) {
    let mut greeting = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let clients = greeting.by_ref().find(|line| line.trim_start().starts_with("clients"));
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    let clients = clients.unwrap_or_else(|| panic!("the server does not start: {}", log()));
    // The last line of the greeting: nobody reads on.
    let _ = greeting.find(|line| line.trim_start().starts_with("new account"));
    let port = |kind: &str| {
        let place = clients.split(", ").find(|place| place.ends_with(kind)).unwrap();
        place.split_whitespace().rev().nth(1).unwrap().rsplit(':').next().unwrap().to_owned()
    };
    (port("(STARTTLS)"), port("(TLS)"))
}

impl Drop for Wattle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

//! The real program in a folder of its own, on ports that the system chooses.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A server; it ends with this value.
pub(crate) struct Server {
    running: Mutex<Running>,
    folder: PathBuf,
    environment: Environment,
}

/// Variables of the process that are not those of the tests.
type Environment = Vec<(&'static str, String)>;

/// Its process.
struct Running {
    child: Child,
    at: Addresses,
}

/// Where it listens.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    /// For STARTTLS.
    pub(crate) clear: SocketAddr,
    /// For TLS at once.
    pub(crate) tls: SocketAddr,
}

impl Server {
    /// `config` are lines with dotted keys.
    pub(crate) fn start(shards: u16, domains: &[String], config: &str) -> Self {
        Self::start_with(shards, domains, config, Environment::new())
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(shards: u16, domains: &[String], config: &str, environment: Environment) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wattle-wire-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let text = format!("domains = {domains:?}\n{config}\nserver.shards = {shards}\nserver.data = \"data\"\n");
        let configure = |clear: SocketAddr, tls: SocketAddr| {
            let listen = format!("listen.client = [\"{clear}\"]\nlisten.client_tls = [\"{tls}\"]\n");
            fs::write(folder.join("wattle.toml"), text.clone() + &listen).unwrap();
        };
        // An address of its own: nobody else takes its ports while it starts again, not even as those that a client
        // connects from.
        let [.., high, low] = std::process::id().to_be_bytes();
        let anywhere = SocketAddr::from(([127, 64 + u8::try_from(number % 64).unwrap(), high, low], 0));
        configure(anywhere, anywhere);
        let running = run(&folder, &environment);
        configure(running.at.clear, running.at.tls);
        Self { running: Mutex::new(running), folder, environment }
    }

    /// Where its configuration and its data are.
    #[allow(dead_code, reason = "not all who start one look there")]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, also after it was started again.
    pub(crate) fn at(&self) -> Addresses {
        self.running.lock().unwrap().at
    }

    /// After it was asked to end: waits until it has, and starts it again in its folder.
    pub(crate) fn start_again(&self) {
        self.ended();
        *self.running.lock().unwrap() = run(&self.folder, &self.environment);
    }

    /// SIGKILL; then something happens to its folder, and it is started again there.
    pub(crate) fn kill_and_start_again(&self, meanwhile: impl FnOnce(&Path)) {
        self.kill();
        meanwhile(&self.folder);
        *self.running.lock().unwrap() = run(&self.folder, &self.environment);
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let mut running = self.running.lock().unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// What it has logged since it was first started.
    pub(crate) fn log(&self) -> String {
        log(&self.folder)
    }

    /// Through the admin socket, as `wattle user add` does it.
    pub(crate) fn add_accounts(&self, accounts: &[&str], password: &str) {
        let mut socket = UnixStream::connect(self.folder.join("data/admin.sock")).unwrap();
        let mut answers = BufReader::new(socket.try_clone().unwrap()).lines();
        for account in accounts {
            writeln!(socket, r#"{{"ask":"user_add","jid":"{account}","password":"{password}"}}"#).unwrap();
            let answer = answers.next().unwrap().unwrap();
            assert!(answer.contains("done"), "{account}: {answer}");
        }
    }

    /// SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        let id = self.running.lock().unwrap().child.id();
        let done = Command::new("kill").arg(id.to_string()).status().unwrap();
        assert!(done.success());
    }

    /// Ends it in order, with exit code 0.
    pub(crate) fn stop(self) {
        if self.running.lock().unwrap().child.try_wait().unwrap().is_none() {
            self.ask_to_end();
        }
        self.ended();
    }

    fn ended(&self) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.running.lock().unwrap().child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", log(&self.folder));
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Starts the program, and waits until it has said where it listens.
fn run(folder: &Path, environment: &Environment) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wattle"))
        .args(["run", "--config", "wattle.toml"])
        .current_dir(folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut greeting = BufReader::new(child.stdout.take().unwrap()).lines();
    let clients = greeting.by_ref().map_while(Result::ok).find(|line| line.trim_start().starts_with("clients"));
    let clients = clients.unwrap_or_else(|| panic!("the server does not start: {}", log(folder)));
    // The last line of the greeting: nobody reads on.
    let _ = greeting.find(|line| line.as_ref().is_ok_and(|line| line.trim_start().starts_with("new account")));
    let address = |kind: &str| {
        let place = clients.split(", ").find(|place| place.ends_with(kind)).unwrap();
        place.split_whitespace().rev().nth(1).unwrap().parse().unwrap()
    };
    Running { child, at: Addresses { clear: address("(STARTTLS)"), tls: address("(TLS)") } }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = running.child.kill();
        let _ = running.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

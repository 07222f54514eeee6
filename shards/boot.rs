//! From a configuration to running shards, and back to an ended process.

#[cfg(test)]
mod tests;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wattle::config::Config;
use wattle::effect::AdminReply;
use wattle::home::ShardIndex;
use wattle::input::{AdminQuestion, Listener};
use wattle::limits::CLOSE_MS;
use wattle::shard::{Secrets, Shard};

use crate::certificates::{CertificateFiles, Certificates, SelfSigned, self_signed};
use crate::clock::Clock;
use crate::core::{Core, Surroundings};
use crate::engine;
use crate::fault::Fault;
use crate::hash::Hasher;
use crate::listen::Acceptors;
use crate::mailbox::{Mailbox, Parcel};
use crate::poller::Poller;
use crate::store::{Handle, Store};
use crate::tls::TlsSettings;
use crate::{cores, dice, listen, store, system};

/// How long shutdown waits for connections to end, over what a single one may take.
const SHUTDOWN: Duration = Duration::from_millis(CLOSE_MS + 1_000);
/// How long an executor may take to start.
const START: Duration = Duration::from_secs(10);

/// Everything that would keep a server with this configuration from starting here, without starting or making anything.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = system::faults(config);
    faults.extend(store::fault(config));
    for domain in &config.domains {
        if let (Some(chain), Some(key)) = (&domain.certificate, &domain.key) {
            let files = CertificateFiles { chain: chain.clone(), key: key.clone() };
            faults.extend(Certificates::load(&[(ascii(&domain.name), files)]).err().into_iter().flatten());
        }
    }
    faults
}

/// Takes a shard's answer to the operator.
pub(crate) type Reply = Arc<dyn Fn(ShardIndex, u64, AdminReply) + Send + Sync>;

/// A server that runs.
pub(crate) struct Server {
    mailboxes: Arc<[Mailbox]>,
    /// Of the store, for threads that may wait.
    pub(crate) store: Handle,
    /// Where it listens; with the port that the system chose where port 0 was configured.
    pub(crate) listening: Vec<(SocketAddr, Listener)>,
    /// The certificate that it made for itself, if a domain shows it.
    pub(crate) self_signed: Option<SelfSigned>,
    tls: Arc<TlsSettings>,
    cores: Vec<engine::Running>,
    emptied: Receiver<ShardIndex>,
    hash_thread: JoinHandle<()>,
    owned_store: Store,
}

impl Server {
    /// Starts everything. `reply` is called on the shards' threads and must not block.
    ///
    /// # Errors
    /// Every fault of the machine, the files and the store that can be found.
    pub(crate) fn start(config: Arc<Config>, reply: Reply) -> Result<Self, Vec<Fault>> {
        let faults = system::faults(&config);
        if !faults.is_empty() {
            return Err(faults);
        }
        make_folder(&config.server.data).map_err(one)?;
        let (certificates, self_signed) = certificates(&config)?;
        let tls = TlsSettings::new(certificates, config.tls.min_version, None)
            .map_err(|error| one(Fault::new(format!("TLS cannot be set up: {error}"), "report this")))?;
        let tls = Arc::new(tls);

        let count = cores::shard_count(&config);
        let mailboxes = Mailbox::all(count).map_err(|error| one(stillborn(&error.to_string())))?;
        let clock = Clock::start();
        let store = Store::open(&config, {
            let mailboxes = mailboxes.clone();
            Arc::new(move |shard: ShardIndex, ticket, answer| {
                mailboxes[usize::from(shard.0)].post(Parcel::Stored { ticket, answer: Box::new(answer) });
            })
        })
        .map_err(|error| one(error.into()))?;

        let (mut sockets, listening) = listeners(&config, count)?;
        let broken =
            |error: std::io::Error| one(Fault::new(format!("a thread cannot be started: {error}"), "raise TasksMax"));
        let (hasher, hash_thread) = Hasher::start(mailboxes.clone()).map_err(broken)?;
        let (emptied_sender, emptied) = channel();
        let (ready_sender, ready) = channel();
        let places = cores::of_shards(&config);
        let mut cores = Vec::new();
        for index in 0..count {
            let sockets = sockets.pop().unwrap_or_default();
            let (poller, acceptors) =
                poller(&mailboxes[usize::from(index)], sockets).map_err(|error| one(stillborn(&error.to_string())))?;
            let around = Surroundings {
                clock,
                mailboxes: mailboxes.clone(),
                poller,
                acceptors,
                tls: tls.clone(),
                store: store.handle(),
                hasher: hasher.clone(),
                reply: reply.clone(),
                connections: system::connections_per_shard(count),
                emptied: emptied_sender.clone(),
            };
            let index = ShardIndex(index);
            let config = config.clone();
            let ready = ready_sender.clone();
            let secrets = Secrets { seed: dice::roll(), installation: store.secret() };
            let place = places[usize::from(index.0) % places.len()];
            let running = engine::start(&format!("shard-{}", index.0), place, move || {
                let core = Core::new(index, Shard::new(index, count, config, &secrets), around);
                // Nobody waits any more only if another shard failed to start.
                let _ = ready.send(index);
                drop(ready);
                core.run();
            });
            cores.push(running.map_err(|error| one(stillborn(&error)))?);
        }
        drop((ready_sender, emptied_sender, hasher));
        let mut silent = vec![true; usize::from(count)];
        for _ in 0..count {
            match ready.recv_timeout(START) {
                Ok(index) => silent[usize::from(index.0)] = false,
                Err(error) => {
                    // Once nobody can report any more, the silent ones have ended, and their results say why. Those that
                    // run are ended with the process.
                    let ended = cores.into_iter().zip(silent).filter(|_| error == RecvTimeoutError::Disconnected);
                    let reason = ended.filter(|(_, silent)| *silent).find_map(|(core, _)| core.join().err());
                    return Err(one(stillborn(reason.as_deref().unwrap_or("no reason was given"))));
                }
            }
        }
        Ok(Self {
            mailboxes,
            store: store.handle(),
            listening,
            self_signed,
            tls,
            cores,
            emptied,
            hash_thread,
            owned_store: store,
        })
    }

    /// How many shards run.
    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.mailboxes.len()).unwrap_or(u16::MAX)
    }

    /// What may ask the shards from other threads.
    pub(crate) fn door(&self) -> Door {
        Door { mailboxes: self.mailboxes.clone() }
    }

    /// Shards take a new configuration, and certificates are read again; connections are kept.
    ///
    /// # Errors
    /// Every certificate that cannot be read; then everything stays as it was.
    pub(crate) fn reload(&mut self, config: Arc<Config>) -> Result<(), Vec<Fault>> {
        let (certificates, self_signed) = certificates(&config)?;
        let tls = TlsSettings::new(certificates, config.tls.min_version, Some(&self.tls))
            .map_err(|error| one(Fault::new(format!("TLS cannot be set up: {error}"), "report this")))?;
        self.tls = Arc::new(tls);
        self.self_signed = self_signed;
        self.store.configured(&config);
        for mailbox in &*self.mailboxes {
            mailbox.post(Parcel::Configured(config.clone(), self.tls.clone()));
        }
        Ok(())
    }

    /// Ends every stream, waits a bounded time until that is written, then ends shards, threads and store, in this order:
    /// what the shards asked of the store is carried out.
    pub(crate) fn stop(self) {
        for mailbox in &*self.mailboxes {
            mailbox.post(Parcel::Shutdown);
        }
        let until = Instant::now() + SHUTDOWN;
        for _ in 0..self.cores.len() {
            if self.emptied.recv_timeout(until.saturating_duration_since(Instant::now())).is_err() {
                break;
            }
        }
        for mailbox in &*self.mailboxes {
            mailbox.post(Parcel::Stop);
        }
        for core in self.cores {
            if let Err(error) = core.join() {
                tracing::error!(error, "a shard ended badly");
            }
        }
        // If it panicked it has said so, and there is nothing left to save in it.
        let _ = self.hash_thread.join();
        drop(self.owned_store);
    }
}

/// Where other threads speak to the shards.
#[derive(Clone)]
pub(crate) struct Door {
    mailboxes: Arc<[Mailbox]>,
}

impl Door {
    /// Asks a shard; the answer comes through the server's [`Reply`] with the same number.
    pub(crate) fn ask(&self, shard: ShardIndex, request: u64, question: AdminQuestion) {
        self.mailboxes[usize::from(shard.0)].post(Parcel::Admin { request, question: Box::new(question) });
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.mailboxes.len()).unwrap_or(u16::MAX)
    }

    /// How many parcels wait for each shard.
    pub(crate) fn depths(&self) -> Vec<usize> {
        self.mailboxes.iter().map(Mailbox::depth).collect()
    }
}

/// What wakes a shard: its mailbox and its listening sockets, from the start.
fn poller(mailbox: &Mailbox, sockets: Vec<(TcpListener, Listener)>) -> std::io::Result<(Poller, Acceptors)> {
    let poller = Poller::new()?;
    mailbox.hang_at(&poller)?;
    let acceptors = Acceptors::new(sockets, &poller)?;
    Ok((poller, acceptors))
}

fn one(fault: Fault) -> Vec<Fault> {
    vec![fault]
}

fn stillborn(reason: &str) -> Fault {
    Fault::new(
        format!("a shard cannot be started: {reason}"),
        "raise LimitMEMLOCK to 8M and LimitNOFILE, or configure fewer shards",
    )
}

fn make_folder(data: &Path) -> Result<(), Fault> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        Fault::new(
            format!("the data folder {} cannot be made: {error}", data.display()),
            "give its parent to the user that wattle runs as, or configure another `data` folder",
        )
    })
}

/// The certificates of all domains; those without one of their own show the self-signed one.
fn certificates(config: &Config) -> Result<(Certificates, Option<SelfSigned>), Vec<Fault>> {
    let mut own = None;
    let mut domains = Vec::new();
    let names: Vec<Box<str>> = config.domains.iter().map(|domain| ascii(&domain.name)).collect();
    for (domain, name) in config.domains.iter().zip(&names) {
        let files = match (&domain.certificate, &domain.key) {
            (Some(chain), Some(key)) => CertificateFiles { chain: chain.clone(), key: key.clone() },
            _ => {
                if own.is_none() {
                    own = Some(self_signed(&config.server.data, &names).map_err(one)?);
                }
                match &own {
                    Some(own) => own.files.clone(),
                    None => continue,
                }
            }
        };
        domains.push((name.clone(), files));
    }
    Ok((Certificates::load(&domains)?, own))
}

/// The form in which names stand in certificates and in TLS (RFC 5890 section 2.3.2.1).
fn ascii(name: &str) -> Box<str> {
    idna::domain_to_ascii(name).map_or_else(|_| name.into(), Into::into)
}

/// The sockets of each shard, and where all of them listen.
type Listening = (Vec<Vec<(TcpListener, Listener)>>, Vec<(SocketAddr, Listener)>);

/// Listening sockets, for each shard one on each address.
fn listeners(config: &Config, count: u16) -> Result<Listening, Vec<Fault>> {
    let mut sockets: Vec<_> = (0..count).map(|_| Vec::new()).collect();
    let mut listening = Vec::new();
    let mut faults = Vec::new();
    let client = config.listen.client.iter().map(|address| (*address, Listener::Client));
    let client_tls = config.listen.client_tls.iter().map(|address| (*address, Listener::ClientTls));
    for (address, listener) in client.chain(client_tls) {
        match listen::open(address, count) {
            Ok(opened) => {
                listening.extend(opened.first().and_then(|first| first.local_addr().ok()).map(|at| (at, listener)));
                for (of_shard, socket) in sockets.iter_mut().zip(opened) {
                    of_shard.push((socket, listener));
                }
            }
            Err(error) => faults.push(listen::fault(address, &error)),
        }
    }
    if faults.is_empty() { Ok((sockets, listening)) } else { Err(faults) }
}

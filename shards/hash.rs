//! Passwords are hashed here, on one thread of low priority beside the cores: PBKDF2 takes milliseconds by design.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, unbounded};
use wattle::effect::HashJob;
use wattle::home::ShardIndex;
use wattle::input::{Hashed, Ticket};
use wattle::sasl::{ITERATIONS, check_password, make_verifiers};

use crate::dice;
use crate::mailbox::{Mailbox, Parcel};

/// Steps below the cores, for the scheduler; see nice(2).
const NICENESS: i32 = 10;

struct Job {
    from: ShardIndex,
    ticket: Ticket,
    job: HashJob,
}

/// Takes jobs. The thread ends when the last clone is gone.
///
/// The queue needs no bound of its own: a connection waits for its answer before it can ask again.
#[derive(Clone)]
pub(crate) struct Hasher {
    jobs: Sender<Job>,
}

impl Hasher {
    /// Starts the thread, which answers into `mailboxes`.
    pub(crate) fn start(mailboxes: Arc<[Mailbox]>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = unbounded::<Job>();
        let thread = std::thread::Builder::new().name("hash".into()).spawn(move || {
            // SAFETY: a plain system call; 0 names the calling thread on Linux. If it fails, hashing is merely less polite.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
            for Job { from, ticket, job } in queue {
                mailboxes[usize::from(from.0)].post(Parcel::Hashed { ticket, hashed: hash(job) });
            }
        })?;
        Ok((Self { jobs }, thread))
    }

    /// Asks for a shard; never blocks.
    pub(crate) fn ask(&self, from: ShardIndex, ticket: Ticket, job: HashJob) {
        // It fails only if the thread is gone, which is at the end of the program.
        let _ = self.jobs.send(Job { from, ticket, job });
    }
}

fn hash(job: HashJob) -> Hashed {
    match job {
        HashJob::Check { password, verifiers } => Hashed::Checked(check_password(&password, &verifiers)),
        HashJob::Make { password } => {
            Hashed::Made(Box::new(make_verifiers(&password, &dice::roll(), &dice::roll(), ITERATIONS)))
        }
    }
}

//! What the clients' threads and the one that lets the blows fall know of each other.

use std::panic::AssertUnwindSafe;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::refusals::{self, Findings};
use super::server::Addresses;

/// A guard against hanging: in this time something happens on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The place of the action.
pub(crate) struct Field {
    state: Mutex<State>,
    changed: Condvar,
}

/// Where everybody is.
pub(crate) struct State {
    /// How often connections had to be made anew.
    generation: u32,
    at: Addresses,
    /// What the clients got from the server, in elements.
    beats: u64,
    /// How many messages each client may say.
    allowance: u32,
    pub(crate) ready: usize,
    pub(crate) finished: usize,
    stopping: bool,
    given_up: bool,
    faults: Vec<String>,
    clients: Vec<Known>,
    findings: Vec<Findings>,
}

/// What is known of one client.
#[derive(Clone, Default)]
pub(crate) struct Known {
    /// Messages that it saw acknowledged.
    pub(crate) acknowledged: u32,
    /// Messages of its partner that it heard.
    pub(crate) heard: u32,
    /// The messages that it sent again when it last resumed: the first, and the first of those after them.
    pub(crate) again: (u32, u32),
    resumed: u32,
    resumptions: u32,
    audit: bool,
    /// Messages that it had to hear twice as it forgot to count them.
    forgotten: u32,
}

/// What a client has to know before its next turn.
pub(crate) struct Orders {
    pub(crate) generation: u32,
    pub(crate) allowance: u32,
    pub(crate) stopping: bool,
    pub(crate) audit: bool,
    pub(crate) partner: Known,
}

impl State {
    /// How many have resumed since the connections were lost.
    pub(crate) fn resumed_in(&self, generation: u32) -> usize {
        self.clients.iter().filter(|client| client.resumed >= generation).count()
    }

    /// How many archives are still to be looked into.
    pub(crate) fn audits_wanted(&self) -> usize {
        self.clients.iter().filter(|client| client.audit).count()
    }

    /// How many messages each has heard.
    pub(crate) fn heard(&self) -> Vec<u32> {
        self.clients.iter().map(|client| client.heard).collect()
    }

    fn is_over(&self) -> bool {
        self.given_up || !self.faults.is_empty()
    }
}

impl Field {
    pub(crate) fn new(clients: usize, at: Addresses) -> Self {
        let findings = vec![Findings::default(); clients];
        let clients = vec![Known::default(); clients];
        let state = State {
            generation: 0,
            at,
            beats: 0,
            allowance: 0,
            ready: 0,
            finished: 0,
            stopping: false,
            given_up: false,
            faults: Vec::new(),
            clients,
            findings,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until it is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) -> Result<(), String> {
        let begun = Instant::now();
        let mut state = self.lock();
        while !is_so(&state) && !state.is_over() {
            let before = state.beats;
            let (after, late) = self.changed.wait_timeout(state, PATIENCE).unwrap();
            state = after;
            // Some things can go round in circles.
            let is_stuck = late.timed_out() && state.beats == before || begun.elapsed() > 20 * PATIENCE;
            if is_stuck && !is_so(&state) {
                let State { ready, finished, generation, .. } = *state;
                let resumed = state.resumed_in(generation);
                return Err(format!(
                    "nothing moves, but not {what}: {ready} ready, {resumed} back in generation {generation}, {finished} done"
                ));
            }
        }
        if state.is_over() { Err(format!("given up before {what}")) } else { Ok(()) }
    }

    /// Waits until so many elements more have come from the server.
    pub(crate) fn until_beats(&self, beats: u64) -> Result<(), String> {
        let until = self.lock().beats + beats;
        self.until("enough has happened", |state| state.beats >= until)
    }

    /// All connections are to be made anew.
    pub(crate) fn next_generation(&self, at: Addresses) -> u32 {
        self.change(|state| {
            state.generation += 1;
            state.at = at;
            state.generation
        })
    }

    /// Each client may say so many messages more, as fast as it can.
    pub(crate) fn allow(&self, messages: u32) {
        self.change(|state| state.allowance += messages);
    }

    /// The client is to look into its archive.
    pub(crate) fn want_audit(&self, client: usize) {
        self.change(|state| state.clients[client].audit = true);
    }

    /// Everybody says a last word.
    pub(crate) fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// Everybody goes home.
    pub(crate) fn give_up(&self) {
        self.change(|state| state.given_up = true);
    }

    /// Waits until each client has heard more than now.
    pub(crate) fn until_all_hear(&self) -> Result<(), String> {
        let before = self.lock().heard();
        self.until("all hear more", |state| state.heard().iter().zip(&before).all(|(now, before)| now > before))
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        let state = self.lock();
        let all_told = state.finished == state.clients.len();
        let missing = if all_told { refusals::faults(&state.findings) } else { Vec::new() };
        state.faults.iter().cloned().chain(missing).collect()
    }

    /// What a run came to.
    pub(crate) fn summary(&self) -> String {
        let state = self.lock();
        let sum = |count: fn(&Known) -> u32| state.clients.iter().map(count).sum::<u32>();
        format!(
            "{} messages acknowledged, {} of them refused, {} streams resumed, {} messages heard again that were not counted",
            sum(|client| client.acknowledged),
            state.findings.iter().map(|findings| findings.refused.len()).sum::<usize>(),
            sum(|client| client.resumptions),
            sum(|client| client.forgotten)
        )
    }

    /// Lives a client's life, and tells how it ended.
    pub(crate) fn report(&self, life: impl FnOnce() -> Result<(), String>) {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(life));
        let outcome = outcome.unwrap_or_else(|_| Err("a client panicked".to_owned()));
        self.change(|state| match outcome {
            Ok(()) => state.finished += 1,
            Err(_) if state.given_up => {}
            Err(fault) => state.faults.push(fault),
        });
    }

    /// Waits until this generation's server, or a later one's, can be called.
    pub(crate) fn server(&self, generation: u32) -> Result<(u32, Addresses), String> {
        let mut state = self.lock();
        while state.generation < generation && !state.is_over() {
            let (after, late) = self.changed.wait_timeout(state, PATIENCE).unwrap();
            state = after;
            if late.timed_out() {
                return Err(format!("the connection was lost, and generation {generation} does not come"));
            }
        }
        if state.is_over() { Err("has nothing to come back to".to_owned()) } else { Ok((state.generation, state.at)) }
    }

    /// What a client knows in the end.
    pub(crate) fn has_found(&self, client: usize, findings: Findings) {
        self.change(|state| state.findings[client] = findings);
    }

    pub(crate) fn is_ready(&self) {
        self.change(|state| state.ready += 1);
    }

    /// The client is back. It forgot to count so many messages, and sends these again.
    pub(crate) fn has_resumed(&self, client: usize, generation: u32, forgotten: u32, again: (u32, u32)) {
        self.change(|state| {
            let known = &mut state.clients[client];
            known.resumed = generation;
            known.resumptions += 1;
            known.forgotten += forgotten;
            known.again = again;
        });
    }

    /// The client found in its archive what had to be there.
    pub(crate) fn is_audited(&self, client: usize) {
        self.change(|state| state.clients[client].audit = false);
    }

    /// After a turn of a client: what it got, how many of its messages are acknowledged, and how many it heard.
    pub(crate) fn turn(&self, client: usize, beats: usize, acknowledged: u32, heard: u32) -> Result<Orders, String> {
        let orders = self.change(|state| {
            state.beats += beats as u64;
            state.clients[client].acknowledged = acknowledged;
            state.clients[client].heard = heard;
            if state.is_over() {
                return None;
            }
            Some(Orders {
                generation: state.generation,
                allowance: state.allowance,
                stopping: state.stopping,
                audit: state.clients[client].audit,
                partner: state.clients[client ^ 1].clone(),
            })
        });
        orders.ok_or_else(|| "was told to go home".to_owned())
    }
}

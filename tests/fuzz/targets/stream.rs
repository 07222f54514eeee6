//! Fuzz target `stream`: whatever a client sends on any rung of its stream, the server answers with well-formed XML, sends
//! nothing ill-formed to anybody else, and closes a stream at most once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use wattle::config::Config;
use wattle::effect::{Effect, Effects, HashJob};
use wattle::handoff::Arrival;
use wattle::home::ShardIndex;
use wattle::input::{Conn, Hashed, Input, Listener, Now, TlsFacts};
use wattle::jid::Jid;
use wattle::sasl::{ITERATIONS, make_verifiers};
use wattle::shard::{Secrets, Shard};
use wattle::store::{AccountRecord, Answer, ArchivePage, Archived, Question, RoomRecord, Verifiers};

use super::oracle;

const FUZZED: Conn = Conn(1);
const NEIGHBOUR: Conn = Conn(2);
const HEADER: &str = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams'>";
const BIND: &str =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>";

/// The first byte says how high on the ladder the stream begins, the second how the bytes are cut.
pub(crate) fn run(data: &[u8]) {
    let [rung, cut, bytes @ ..] = data else { return };
    let mut house = House::new();
    house.arrive(NEIGHBOUR, "romeo@localhost");
    house.feed(NEIGHBOUR, format!("{HEADER}{BIND}<presence/>").as_bytes());
    match rung % 4 {
        0 => house.input(Input::Opened { conn: FUZZED, listener: Listener::Client, peer: None }),
        1 => {
            house.input(Input::Opened { conn: FUZZED, listener: Listener::ClientTls, peer: None });
            house.input(Input::Secured { conn: FUZZED, tls: tls() });
        }
        2 => house.arrive(FUZZED, "juliet@localhost"),
        _ => {
            house.arrive(FUZZED, "juliet@localhost");
            house.feed(FUZZED, format!("{HEADER}{BIND}<presence/>").as_bytes());
        }
    }
    for chunk in bytes.chunks(usize::from(*cut).max(1)) {
        house.feed(FUZZED, chunk);
    }
    house.input(Input::Shutdown);
    assert_eq!(house.shard.deadline_ms(), None, "nothing waits after the end");
    for (conn, written) in &house.written {
        for document in documents(written) {
            let reading = oracle::read(document);
            assert!(
                reading.refused.is_none(),
                "{conn:?} got what is not well-formed: {:?} in {}",
                reading.refused,
                String::from_utf8_lossy(document)
            );
        }
    }
}

/// One shard, and a program that answers at once.
struct House {
    shard: Shard,
    effects: Effects,
    written: BTreeMap<Conn, Vec<u8>>,
    closed: Vec<Conn>,
    now: Now,
}

impl House {
    fn new() -> Self {
        let secrets = Secrets { seed: [7; 32], installation: [9; 32] };
        let shard = Shard::new(ShardIndex(0), 1, Arc::new(Config::default()), &secrets);
        let now = Now { mono_ms: 1_000, unix_ms: 1_795_353_723_000 };
        Self { shard, effects: Effects::default(), written: BTreeMap::new(), closed: Vec::new(), now }
    }

    fn arrive(&mut self, conn: Conn, account: &str) {
        let Ok(account) = Jid::parse(account) else { return };
        self.input(Input::Arrived { conn, arrival: Box::new(Arrival { account, leftover: Vec::new() }) });
    }

    fn feed(&mut self, conn: Conn, bytes: &[u8]) {
        if !self.closed.contains(&conn) {
            self.input(Input::Received { conn, bytes });
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.shard.handle(self.now, input, &mut self.effects);
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            if effects.list.is_empty() {
                return;
            }
            let bytes = std::mem::take(&mut effects.bytes);
            for effect in effects.list.drain(..) {
                self.perform(effect, &bytes);
            }
        }
    }

    fn perform(&mut self, effect: Effect, bytes: &[u8]) {
        let (now, effects) = (self.now, &mut self.effects);
        match effect {
            Effect::Send { conn, range } => {
                assert!(!self.closed.contains(&conn), "a word after the last");
                self.written.entry(conn).or_default().extend_from_slice(&bytes[range]);
            }
            Effect::Secure { conn } => self.shard.handle(now, Input::Secured { conn, tls: tls() }, effects),
            Effect::Close { conn } => {
                assert!(!self.closed.contains(&conn), "closed twice");
                self.closed.push(conn);
            }
            Effect::Ask { ticket, question } => {
                let answer = Ok(answer(&question));
                self.shard.handle(now, Input::Stored { ticket, answer }, effects);
            }
            Effect::Hash { ticket, job } => {
                let hashed = match job {
                    HashJob::Check { password, .. } => Hashed::Checked(&*password == "secret"),
                    HashJob::Make { .. } => Hashed::Made(Box::new(verifiers().clone())),
                };
                self.shard.handle(now, Input::Hashed { ticket, hashed }, effects);
            }
            Effect::Move { .. } | Effect::Hand { .. } => panic!("there is one shard"),
            Effect::Pause { .. } | Effect::Resume { .. } | Effect::Reply { .. } | Effect::Note(_) => {}
        }
    }
}

fn answer(question: &Question) -> Answer {
    match question {
        Question::Credentials { account } => {
            Answer::Credentials((account.local() == Some("juliet")).then(|| Box::new(verifiers().clone())))
        }
        Question::Account { account } => {
            let known = matches!(account.local(), Some("juliet" | "romeo"));
            Answer::Account(known.then(|| Box::new(AccountRecord::default())))
        }
        Question::ReadWaiting { .. } | Question::ArchiveEnds { .. } => Answer::Messages(Vec::new()),
        Question::ReadArchive(query) => {
            let stanza =
                "<message id='a&apos;b' from='romeo@localhost/r' to='juliet@localhost'><body>&lt;</body></message>";
            let messages = vec![Archived { id: query.upto, stanza: stanza.as_bytes().into() }];
            Answer::Page(Box::new(ArchivePage { messages, complete: true, count: query.count.then_some(1) }))
        }
        Question::ReadPrivate { .. } | Question::ReadVcard { .. } => Answer::Xml(None),
        Question::ListAccounts { .. } | Question::ListSessions { .. } => Answer::Accounts(Vec::new()),
        Question::Room { .. } => Answer::Room(None),
        Question::CreateRoom { setup, .. } => {
            Answer::Room(Some(Box::new(RoomRecord { setup: (**setup).clone(), ..RoomRecord::default() })))
        }
        Question::PurgeArchive { .. } => Answer::Purged(0),
        Question::ListRooms { .. } | Question::ListAllRooms { .. } => Answer::Rooms(Vec::new()),
        _ => Answer::Done,
    }
}

fn tls() -> Box<TlsFacts> {
    Box::new(TlsFacts { tls13: true, server_name: None, exporter: Some([1; 32]), end_point: None })
}

/// Made once: hashing a password takes longer than everything else here.
fn verifiers() -> &'static Verifiers {
    static MADE: OnceLock<Verifiers> = OnceLock::new();
    MADE.get_or_init(|| make_verifiers("secret", &[1; 16], &[2; 16], ITERATIONS))
}

/// What was written, cut where a stream began anew.
fn documents(written: &[u8]) -> Vec<&[u8]> {
    let declaration = b"<?xml version='1.0'?>";
    let mut starts: Vec<usize> = (0..written.len()).filter(|at| written[*at..].starts_with(declaration)).collect();
    starts.push(written.len());
    starts.windows(2).map(|pair| &written[pair[0]..pair[1]]).collect()
}

//! The server is killed or stopped at every moment of a short story: nothing that it acknowledged is lost or doubled.

use wattle::store::{Question, StoreFault};

use crate::drama::{Drama, Fall, Haste, Letter, Line, Staging};
use crate::ledger::Via;
use crate::phone::Phone;
use crate::world::{Lie, World};

use Line::{Ask, Chat, Lose, Return, Say};

const JULIET: &str = "juliet@example.com";
const ROMEO: &str = "romeo@example.com";
const NURSE: &str = "nurse@example.com";
const CARBONS: &str = "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
const BALCONY: usize = 0;
const CHAMBER: usize = 1;
const ORCHARD: usize = 2;

/// Two phones of Juliet's and one of Romeo's, all of them available and with carbons. The nurse is away.
fn drama(staging: Staging) -> Drama {
    let phone = |full: &str| Phone::new(full, &[CARBONS, "<presence id='here'/>"]);
    let phones = vec![
        phone("juliet@example.com/balcony"),
        phone("juliet@example.com/chamber"),
        phone("romeo@example.com/orchard"),
    ];
    Drama::new(staging, &[JULIET, ROMEO, NURSE], phones, |world| {
        crate::story::befriend(world, JULIET, ROMEO);
        crate::story::befriend(world, ROMEO, JULIET);
    })
}

/// Everything that may be stored: from phone to phone, to a full JID, to oneself, to somebody who is away, to nobody.
const TALK: [Line; 17] = [
    Chat(ORCHARD, JULIET),
    Chat(BALCONY, ROMEO),
    Ask(ORCHARD),
    Chat(ORCHARD, "juliet@example.com/balcony"),
    Say(CHAMBER, "<presence id='again'><show>away</show></presence>"),
    Chat(BALCONY, JULIET),
    Chat(ORCHARD, NURSE),
    Ask(BALCONY),
    Chat(BALCONY, "nobody@example.com"),
    Chat(CHAMBER, "romeo@example.com/orchard"),
    Say(BALCONY, "<iq type='set' id='set'><query xmlns='jabber:iq:private'><x xmlns='p:set'/></query></iq>"),
    Ask(CHAMBER),
    Chat(BALCONY, ROMEO),
    Chat(ORCHARD, JULIET),
    Say(ORCHARD, "<iq type='get' id='get' to='juliet@example.com'><query xmlns='jabber:iq:last'/></iq>"),
    Chat(ORCHARD, NURSE),
    Chat(ORCHARD, JULIET),
];

/// The same with a phone that is away for a while, and misses much.
const ABSENCE: [Line; 14] = [
    Chat(ORCHARD, JULIET),
    Lose(BALCONY),
    Chat(ORCHARD, JULIET),
    Chat(ORCHARD, "juliet@example.com/balcony"),
    Chat(BALCONY, ROMEO),
    Ask(ORCHARD),
    Chat(CHAMBER, ROMEO),
    Return(BALCONY),
    Chat(BALCONY, ROMEO),
    Lose(ORCHARD),
    Chat(CHAMBER, ROMEO),
    Chat(BALCONY, JULIET),
    Return(ORCHARD),
    Chat(ORCHARD, JULIET),
];

/// What may be seen at the end, whatever happened: each wrong in one line.
fn wrongs(drama: &mut Drama) -> Vec<String> {
    let mut wrongs: Vec<String> = drama.phones.iter().flat_map(|phone| phone.sins.clone()).collect();
    for phone in &drama.phones {
        if phone.heard != phone.sent.len() {
            wrongs.push(format!("{} sent {} and heard of {}", phone.full, phone.sent.len(), phone.heard));
        }
        if phone.binds != 1 {
            wrongs.push(format!("{} was bound {} times", phone.full, phone.binds));
        }
        if !phone.left.is_empty() {
            wrongs.push(format!("{} heard that {:?} left", phone.full, phone.left));
        }
        if phone.view.len() < 3 {
            wrongs.push(format!("{} sees only {:?}", phone.full, phone.view));
        }
        for id in phone.sent.iter().filter_map(|xml| asked(xml)) {
            let answers: Vec<_> = phone.answers.iter().filter(|answer| answer.0 == id).collect();
            let is_one = matches!(answers[..], [(_, true)]);
            // Answers are stored nowhere: a crash takes them, and what was not acknowledged is asked again.
            if !(is_one || drama.has_crashed && answers.iter().all(|answer| answer.1)) {
                wrongs.push(format!("{} asked {id}, and heard {answers:?}", phone.full));
            }
        }
    }
    for (id, letter) in drama.letters.iter().enumerate() {
        wrongs.extend(letter_wrongs(drama, id, letter));
    }
    wrongs.extend(order_wrongs(drama));
    wrongs.extend(held(&mut drama.world));
    wrongs
}

fn asked(xml: &str) -> Option<String> {
    let rest = xml.strip_prefix("<iq type='").filter(|rest| rest.starts_with("set") || rest.starts_with("get"))?;
    Some(rest.split_once("id='")?.1.split_once('\'')?.0.to_owned())
}

fn letter_wrongs(drama: &Drama, id: usize, letter: &Letter) -> Vec<String> {
    let mut wrongs = Vec::new();
    let sender = &drama.phones[letter.from];
    let is_handled = sender.is_handled(letter.place);
    let bounced = sender.bounced.iter().filter(|bounced| **bounced == id).count();
    let has_home = !letter.to.starts_with("nobody");
    // So are errors.
    let is_right = match (drama.has_crashed, drama.store_fails) {
        (_, true) => true,
        (true, _) => has_home <= (bounced == 0),
        (false, false) => bounced == usize::from(!has_home),
    };
    if !is_right {
        wrongs.push(format!("m{id} came back {bounced} times"));
    }
    // Refused because the store failed: it reached nobody.
    let mut is_refused = has_home && bounced > 0;
    // Unless its sender did not hear that this was handled, and sent it again after a crash.
    let is_repeated = is_refused && drama.has_crashed;
    is_refused &= !is_repeated;
    let is_handled = is_handled && !is_repeated && (has_home || !drama.store_fails);
    let readers = if is_refused { Vec::new() } else { drama.readers(letter) };
    for (index, phone) in drama.phones.iter().enumerate() {
        for via in [Via::Direct, Via::CarbonSent, Via::CarbonReceived] {
            let copies = phone.copies(id, via);
            let must = usize::from(readers.contains(&(index, via)));
            if copies > must || (is_handled && copies < must) {
                wrongs.push(format!("{} has m{id} {copies} times as {via:?}, and must {must}", phone.full));
            }
        }
    }
    let accounts = [sender.full.split_once('/').unwrap().0, letter.to.split('/').next().unwrap()];
    for account in accounts.into_iter().filter(|_| has_home) {
        let copies = drama.archive(account).iter().filter(|kept| **kept == id).count();
        if copies > usize::from(!is_refused) || (is_handled && copies == 0 && !is_refused) {
            wrongs.push(format!("{account} has m{id} {copies} times in its archive"));
        }
    }
    wrongs
}

/// In every archive, and at every phone, what one phone sent to one account stands in the order of sending.
fn order_wrongs(drama: &Drama) -> Vec<String> {
    let conversation = |id: &usize| {
        let letter = &drama.letters[*id];
        (letter.from, letter.to.split('/').next().unwrap())
    };
    let mut lists: Vec<(String, Vec<usize>)> =
        [JULIET, ROMEO, NURSE].iter().map(|account| ((*account).to_owned(), drama.archive(account))).collect();
    lists.extend(drama.phones.iter().map(|phone| (phone.full.clone(), phone.got.iter().map(|got| got.0).collect())));
    let mut wrongs = Vec::new();
    if drama.store_fails && drama.has_crashed {
        // What was refused and sent again comes behind what was not.
        return wrongs;
    }
    for (who, ids) in &lists {
        for (place, id) in ids.iter().enumerate() {
            let later = ids[..place].iter().find(|before| *before > id && conversation(before) == conversation(id));
            wrongs.extend(later.map(|before| format!("{who} has m{id} behind m{before}")));
        }
    }
    wrongs
}

/// What the server still holds although it has nothing to do.
fn held(world: &mut World) -> Vec<String> {
    let names =
        ["accounts_flushing", "copies_open", "questions_open", "stanzas_held", "stanzas_open", "stanzas_undone"];
    let held: Vec<_> = names.into_iter().map(|name| (name, world.stat(name))).collect();
    held.iter().filter(|held| held.1 > 0).map(|held| format!("{} {} are left", held.1, held.0)).collect()
}

/// Plays a script with the server lost before these things happen. What was wrong at the end, and how many things happened.
fn play(staging: Staging, script: &[Line], falls: &[(usize, Fall)]) -> (Vec<String>, usize) {
    play_with(staging, script, falls, |_| {})
}

/// The same, with something prepared when everybody has logged in.
fn play_with(
    staging: Staging,
    script: &[Line],
    falls: &[(usize, Fall)],
    prepare: impl FnOnce(&mut Drama),
) -> (Vec<String>, usize) {
    let mut drama = drama(staging);
    drama.log_in();
    drama.rest();
    // Whoever logs in first hears that the others are not there.
    drama.phones.iter_mut().for_each(|phone| phone.left.clear());
    drama.happened = 0;
    drama.falls = falls.to_vec();
    prepare(&mut drama);
    drama.play(script);
    let happened = drama.happened;
    (wrongs(&mut drama), happened)
}

const HASTES: [Haste; 4] = [Haste::None, Haste::StoreLast, Haste::AnswersLast, Haste::LanesLast];

fn stagings() -> impl Iterator<Item = Staging> {
    let shards = [2, 4].into_iter();
    let with_haste = shards.flat_map(|shards| HASTES.into_iter().map(move |haste| (shards, haste)));
    with_haste.enumerate().flat_map(|(seed, (shards, haste))| {
        [(100, None), (0, Some(2)), (50, Some(7))].into_iter().map(move |(reads, pace)| Staging {
            shards,
            haste,
            reads,
            pace,
            seed: seed as u64,
        })
    })
}

/// Loses the server once, at every moment of every staging of a script.
fn lose_everywhere(script: &[Line], fall: Fall) {
    let mut found: Vec<String> = Vec::new();
    let mut played = 0;
    for staging in stagings() {
        let (wrongs, moments) = play(staging, script, &[]);
        assert_eq!(wrongs, Vec::<String>::new(), "{staging:?} without a fall");
        for moment in 0..=moments {
            let (wrongs, _) = play(staging, script, &[(moment, fall)]);
            played += 1;
            found.extend(
                wrongs.iter().take(2).map(|wrong| format!("{staging} {fall:?} at {moment}/{moments}: {wrong}")),
            );
        }
    }
    assert!(played > 1000, "{played}");
    let first: Vec<_> = found.iter().take(20).collect();
    assert!(found.is_empty(), "{} wrongs in {played} plays: {first:#?}", found.len());
}

#[test]
fn killed_at_every_moment_of_a_talk() {
    lose_everywhere(&TALK, Fall::Crash);
}

#[test]
fn killed_at_every_moment_of_an_absence() {
    lose_everywhere(&ABSENCE, Fall::Crash);
}

#[test]
fn stopped_at_every_moment_of_a_talk() {
    lose_everywhere(&TALK, Fall::Restart);
}

#[test]
fn stopped_at_every_moment_of_an_absence() {
    lose_everywhere(&ABSENCE, Fall::Restart);
}

/// Killed twice, the second time while everybody comes back.
#[test]
fn killed_again_before_everybody_is_back() {
    let mut found = Vec::new();
    for staging in stagings() {
        for first in (3..70).step_by(13) {
            for later in (first + 1..first + 40).step_by(3) {
                let (wrongs, _) = play(staging, &ABSENCE, &[(first, Fall::Crash), (later, Fall::Crash)]);
                found.extend(wrongs.iter().take(2).map(|wrong| format!("{staging} {first} and {later}: {wrong}")));
            }
        }
    }
    let first: Vec<_> = found.iter().take(20).collect();
    assert!(found.is_empty(), "{} wrongs: {first:#?}", found.len());
}

/// Each message in turn cannot be stored: its sender hears it, and nobody else; also if the server is killed after that.
#[test]
fn what_is_refused_reached_nobody() {
    let mut found = Vec::new();
    for staging in stagings() {
        for (fails, crash) in (0..11).flat_map(|fails| [None, Some(30), Some(60)].map(|crash| (fails, crash))) {
            let falls: Vec<_> = crash.into_iter().map(|moment| (moment, Fall::Crash)).collect();
            let (wrongs, _) = play_with(staging, &TALK, &falls, |drama| {
                drama.store_fails = true;
                let mut kept = 0;
                drama.world.weather = Some(Box::new(move |question| {
                    kept += usize::from(matches!(question, Question::Keep(_)));
                    (matches!(question, Question::Keep(_)) && kept == fails + 1).then_some(StoreFault::Failed)
                }));
            });
            found.extend(wrongs.iter().take(2).map(|wrong| format!("{staging} keep {fails} {crash:?}: {wrong}")));
        }
    }
    let first: Vec<_> = found.iter().take(20).collect();
    assert!(found.is_empty(), "{} wrongs: {first:#?}", found.len());
}

/// A store that lies is found out.
#[test]
fn the_oracle_finds_a_store_that_lies() {
    for lie in [Lie::AnswersEarly, Lie::ForgetsTraces] {
        let staging = Staging { shards: 4, haste: Haste::StoreLast, reads: 50, pace: Some(7), seed: 5 };
        let objects = (0..90).any(|moment| {
            let lies = |drama: &mut Drama| drama.world.lie = Some(lie);
            !play_with(staging, &TALK, &[(moment, Fall::Crash)], lies).0.is_empty()
        });
        assert!(objects, "{lie:?}");
    }
}

/// Killed while everybody logs in and becomes available: whoever heard that it may come back may do so.
#[test]
fn killed_while_everybody_logs_in() {
    let script =
        [Chat(ORCHARD, JULIET), Chat(BALCONY, ROMEO), Chat(ORCHARD, "juliet@example.com/balcony"), Ask(ORCHARD)];
    let mut found = Vec::new();
    for staging in stagings() {
        for moment in 0..110 {
            let mut drama = drama(staging);
            drama.falls = vec![(moment, Fall::Crash)];
            drama.log_in();
            drama.play(&script);
            found.extend(login_wrongs(&mut drama).into_iter().map(|wrong| format!("{staging} {moment}: {wrong}")));
        }
    }
    let first: Vec<_> = found.iter().take(20).collect();
    assert!(found.is_empty(), "{} wrongs: {first:#?}", found.len());
}

/// Without sessions from before the story only this is sure: who was told of a session comes back to it, nothing is doubled,
/// and what was acknowledged is in the archives.
fn login_wrongs(drama: &mut Drama) -> Vec<String> {
    let mut wrongs: Vec<String> = drama.phones.iter().flat_map(|phone| phone.sins.clone()).collect();
    for (id, letter) in drama.letters.iter().enumerate() {
        let sender = &drama.phones[letter.from];
        let accounts = [sender.full.split_once('/').unwrap().0, letter.to.split('/').next().unwrap()];
        let is_handled = sender.sent.get(letter.place).is_some_and(|xml| xml.contains(&format!("id='m{id}'")))
            && sender.is_handled(letter.place);
        for account in accounts {
            let copies = drama.archive(account).iter().filter(|kept| **kept == id).count();
            if copies > 1 || (is_handled && copies == 0) {
                wrongs.push(format!("{account} has m{id} {copies} times in its archive"));
            }
        }
        for phone in &drama.phones {
            let copies: usize =
                [Via::Direct, Via::CarbonSent, Via::CarbonReceived].map(|via| phone.copies(id, via)).iter().sum();
            if copies > 1 {
                wrongs.push(format!("{} has m{id} {copies} times", phone.full));
            }
        }
    }
    wrongs.extend(order_wrongs(drama));
    wrongs.extend(held(&mut drama.world));
    wrongs
}

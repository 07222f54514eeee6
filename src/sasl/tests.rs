//! Proves SASL with the exchanges printed in RFC 5802 and RFC 7677, and with messages that must fail.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{hmac, pbkdf2};

use super::verifier::Hash;
use super::{
    BindingType, Exchange, Failure, FakeSecret, Mechanism, SALT_BYTES, Step, binding_types, check_password,
    decode_payload, encode_payload, make_verifiers, offered, prepare_password,
};
use crate::input::TlsFacts;
use crate::jid::Jid;
use crate::store::Verifiers;

const FEW: NonZeroU32 = NonZeroU32::new(16).unwrap();
const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

fn fake() -> FakeSecret {
    FakeSecret::new(&[7; 32])
}

fn pencil() -> Verifiers {
    make_verifiers("pencil", &[1; SALT_BYTES], &[2; SALT_BYTES], FEW)
}

fn tls13() -> TlsFacts {
    TlsFacts { tls13: true, server_name: None, exporter: Some([9; 32]), end_point: Some([5; 32].into()) }
}

fn tls12() -> TlsFacts {
    TlsFacts { tls13: false, exporter: None, ..tls13() }
}

fn failure(step: &Step) -> Option<Failure> {
    if let Step::Failure(failure) = step { Some(*failure) } else { None }
}

/// Gives the client's first message; what the server makes of it before it asks the store.
fn begin(mechanism: Mechanism, tls: &TlsFacts, first: &[u8]) -> (Exchange, Step) {
    let mut exchange = Exchange::start(mechanism, "example.com", NONCE);
    let step = exchange.step(Some(first), tls);
    (exchange, step)
}

/// The server's first message to a client that began well.
fn challenge(mechanism: Mechanism, tls: &TlsFacts, first: &str, verifiers: Option<&Verifiers>) -> (Exchange, String) {
    let (mut exchange, step) = begin(mechanism, tls, first.as_bytes());
    assert!(matches!(step, Step::NeedCredentials { .. }), "{step:?}");
    let Step::Challenge(challenge) = exchange.credentials(verifiers, &fake()) else { panic!("no challenge") };
    (exchange, String::from_utf8(challenge).unwrap())
}

/// The client's final message without its proof.
fn without_proof(header: &str, data: &[u8], challenge: &str) -> String {
    let nonce = challenge.split(',').next().unwrap();
    format!("c={},{nonce}", STANDARD.encode([header.as_bytes(), data].concat()))
}

/// Adds the proof of section 3 of RFC 5802, from the password.
fn prove(hash: Hash, password: &str, bare: &str, challenge: &str, without_proof: &str) -> String {
    let mut fields = challenge.split(',').skip(1);
    let salt = STANDARD.decode(&fields.next().unwrap()[2..]).unwrap();
    let rounds: NonZeroU32 = fields.next().unwrap()[2..].parse().unwrap();
    let mut salted = vec![0; hash.length()];
    let algorithm = if hash == Hash::Sha1 { pbkdf2::PBKDF2_HMAC_SHA1 } else { pbkdf2::PBKDF2_HMAC_SHA256 };
    pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut salted);
    let client_key = hmac::sign(&hash.key(&salted), b"Client Key");
    let signature = hmac::sign(
        &hash.key(hash.digest(client_key.as_ref()).as_ref()),
        format!("{bare},{challenge},{without_proof}").as_bytes(),
    );
    let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// A whole login by a client that does everything right but perhaps the password.
fn login(mechanism: Mechanism, tls: &TlsFacts, header: &str, data: &[u8], password: &str) -> Step {
    let hash = match mechanism {
        Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Hash::Sha1,
        _ => Hash::Sha256,
    };
    let bare = "n=Juliet,r=fyko";
    let (mut exchange, challenge) = challenge(mechanism, tls, &format!("{header}{bare}"), Some(&pencil()));
    let last = prove(hash, password, bare, &challenge, &without_proof(header, data, &challenge));
    exchange.step(Some(last.as_bytes()), tls)
}

fn assert_vector(mechanism: Mechanism, hash: Hash, server_nonce: &str, salt: &str, messages: [&str; 4]) {
    let verifier = hash.verifier("pencil", &STANDARD.decode(salt).unwrap(), NonZeroU32::new(4096).unwrap());
    let verifiers = Verifiers { sha1: verifier.clone(), sha256: verifier };
    let tls = TlsFacts::default();
    let mut exchange = Exchange::start(mechanism, "example.com", server_nonce);
    assert!(matches!(
        exchange.step(Some(messages[0].as_bytes()), &tls),
        Step::NeedCredentials { account } if account.as_str() == "user@example.com"
    ));
    assert!(matches!(
        exchange.credentials(Some(&verifiers), &fake()),
        Step::Challenge(challenge) if challenge == messages[1].as_bytes()
    ));
    assert!(matches!(
        exchange.step(Some(messages[2].as_bytes()), &tls),
        Step::Success { account, additional: Some(additional) }
            if account.as_str() == "user@example.com" && additional == messages[3].as_bytes()
    ));
}

/// RFC 5802 section 5.
#[test]
fn the_exchange_of_rfc_5802() {
    assert_vector(
        Mechanism::ScramSha1,
        Hash::Sha1,
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    );
}

/// RFC 7677 section 3.
#[test]
fn the_exchange_of_rfc_7677() {
    assert_vector(
        Mechanism::ScramSha256,
        Hash::Sha256,
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    );
}

#[test]
fn offers_what_the_connection_can_bind() {
    let names = |tls: &TlsFacts| offered(tls).iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>();
    let all = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"];
    assert_eq!(names(&tls13()), all);
    assert_eq!(names(&tls12()), all);
    assert_eq!(names(&TlsFacts { exporter: None, ..tls13() }), all[2..]);
    assert_eq!(names(&TlsFacts::default()), all[2..]);
    let types = |tls: &TlsFacts| binding_types(tls).map(BindingType::name).collect::<Vec<_>>();
    assert_eq!(types(&tls13()), ["tls-exporter", "tls-server-end-point"]);
    assert_eq!(types(&tls12()), ["tls-server-end-point"]);
    for name in all {
        assert_eq!(Mechanism::parse(name).unwrap().name(), name);
    }
    assert_eq!(Mechanism::parse("plain"), None);
    assert_eq!(Mechanism::parse("SCRAM-SHA-512"), None);
}

#[test]
fn logs_in_with_each_binding() {
    for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
        for (tls, header, data) in [
            (tls13(), "p=tls-exporter,,", [9; 32]),
            (tls13(), "p=tls-server-end-point,,", [5; 32]),
            (tls12(), "p=tls-server-end-point,,", [5; 32]),
        ] {
            let step = login(mechanism, &tls, header, &data, "pencil");
            assert!(
                matches!(&step, Step::Success { account, .. } if account.as_str() == "juliet@example.com"),
                "{step:?}"
            );
            assert_eq!(failure(&login(mechanism, &tls, header, &data, "pencils")), Some(Failure::NotAuthorized));
            // The channel of somebody else.
            assert_eq!(failure(&login(mechanism, &tls, header, &[8; 32], "pencil")), Some(Failure::NotAuthorized));
            assert_eq!(failure(&login(mechanism, &tls, header, &[], "pencil")), Some(Failure::NotAuthorized));
        }
    }
}

#[test]
fn logs_in_without_binding() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha1] {
        for header in ["n,,", "n,a=juliet@example.com,", "n,a=JULIET@example.com,"] {
            assert!(matches!(login(mechanism, &tls13(), header, &[], "pencil"), Step::Success { .. }));
        }
        assert!(matches!(login(mechanism, &TlsFacts::default(), "y,,", &[], "pencil"), Step::Success { .. }));
        assert_eq!(failure(&login(mechanism, &tls13(), "n,,", &[], "Pencil")), Some(Failure::NotAuthorized));
    }
}

/// RFC 5802 section 6: a client that binds and believes that the server does not, met someone in between.
#[test]
fn a_downgrade_is_noticed() {
    for tls in [tls13(), tls12()] {
        let (_, step) = begin(Mechanism::ScramSha256, &tls, b"y,,n=juliet,r=fyko");
        assert_eq!(failure(&step), Some(Failure::NotAuthorized));
    }
    // The header of the first message is changed on the way, `y` into `n`: the final message tells.
    let (bare, tls) = ("n=juliet,r=fyko", tls13());
    let (mut exchange, challenge) = challenge(Mechanism::ScramSha256, &tls, &format!("n,,{bare}"), Some(&pencil()));
    let last = prove(Hash::Sha256, "pencil", bare, &challenge, &without_proof("y,,", &[], &challenge));
    assert_eq!(failure(&exchange.step(Some(last.as_bytes()), &tls)), Some(Failure::NotAuthorized));
}

#[test]
fn malformed_first_messages() {
    let plain: [&[u8]; 7] =
        [b"", b"juliet\0pencil", b"\0\0pencil", b"\0juliet\0", b"\0juliet\0pencil\0", b"\0juliet\0\xFF", b"\0"];
    for first in plain {
        let (_, step) = begin(Mechanism::Plain, &tls13(), first);
        assert_eq!(failure(&step), Some(Failure::MalformedRequest), "{first:?}");
    }
    let scram = [
        "",
        "n",
        "n,,",
        "n,n=juliet,r=fyko",
        "x,,n=juliet,r=fyko",
        "N,,n=juliet,r=fyko",
        "n,,n=,r=fyko",
        "n,,n=juliet",
        "n,,n=juliet,r=",
        "n,,r=fyko,n=juliet",
        "n,,m=ext,n=juliet,r=fyko",
        "n,,n=juliet,r=fyko,m=ext",
        "n,,n=juliet,r=fyko,",
        "n,,n=juliet,r=fyko,t",
        "n,,n=juliet,r=fyko,t=",
        "n,,n=juliet,r=fyko,r=again",
        "n,,n=juliet,r=fy ko",
        "n,,n=juliet,r=fy\u{E9}ko",
        "n,,n=juliet,r=fyko\0",
        "n,,n=ju=liet,r=fyko",
        "n,,n=ju=2cliet,r=fyko",
        "n,,n=juliet=,r=fyko",
        "n,,n=ju\0liet,r=fyko",
        "n,a=,n=juliet,r=fyko",
        "n,juliet,n=juliet,r=fyko",
        "p=tls-exporter,,n=juliet,r=fyko",
    ];
    for first in scram {
        let (_, step) = begin(Mechanism::ScramSha256, &tls13(), first.as_bytes());
        assert_eq!(failure(&step), Some(Failure::MalformedRequest), "{first:?}");
    }
    let (_, step) = begin(Mechanism::ScramSha256, &tls13(), b"n,,n=\xFF,r=fyko");
    assert_eq!(failure(&step), Some(Failure::MalformedRequest));
    for flag in ["n", "y", "p=", "p=tls-unique", "p=tls-server-end-point ", "p"] {
        let (_, step) = begin(Mechanism::ScramSha256Plus, &tls13(), format!("{flag},,n=juliet,r=fyko").as_bytes());
        assert_eq!(failure(&step), Some(Failure::MalformedRequest), "{flag:?}");
    }
    let (_, step) = begin(Mechanism::ScramSha256Plus, &tls12(), b"p=tls-exporter,,n=juliet,r=fyko");
    assert_eq!(failure(&step), Some(Failure::MalformedRequest));
}

#[test]
fn malformed_final_messages() {
    let (bare, tls) = ("n=juliet,r=fyko", tls13());
    let good = |challenge: &str| prove(Hash::Sha256, "pencil", bare, challenge, &without_proof("n,,", &[], challenge));
    let broken: [fn(String) -> String; 9] = [
        |_| String::new(),
        |last| last.replace(",p=", ",q="),
        |last| last.replacen("c=", "d=", 1),
        |last| last.replacen(",r=", ",s=", 1),
        |last| last.replacen("c=biws", "c=biw", 1),
        |last| format!("{last}A"),
        |last| last.replacen(",p=", ",m=ext,p=", 1),
        |last| format!("{},p=", last.split(",p=").next().unwrap()),
        |last| format!("{},p=AAAA", last.split(",p=").next().unwrap()),
    ];
    for breaks in broken {
        let (mut exchange, challenge) = challenge(Mechanism::ScramSha256, &tls, &format!("n,,{bare}"), Some(&pencil()));
        let last = breaks(good(&challenge));
        assert_eq!(failure(&exchange.step(Some(last.as_bytes()), &tls)), Some(Failure::MalformedRequest), "{last}");
    }
    let (mut exchange, _) = challenge(Mechanism::ScramSha256, &tls, &format!("n,,{bare}"), Some(&pencil()));
    assert_eq!(failure(&exchange.step(None, &tls)), Some(Failure::MalformedRequest));
}

#[test]
fn tampered_and_replayed_messages() {
    let (bare, tls) = ("n=juliet,r=fyko", tls13());
    let start = || challenge(Mechanism::ScramSha256, &tls, &format!("n,,{bare}"), Some(&pencil()));
    let (mut exchange, challenge) = start();
    let last = prove(Hash::Sha256, "pencil", bare, &challenge, &without_proof("n,,", &[], &challenge));

    // Each character of the message, changed into another of its alphabet.
    for (index, c) in last.char_indices() {
        let (mut exchange, _) = start();
        let tampered = format!("{}{}{}", &last[..index], if c == 'A' { 'B' } else { 'A' }, &last[index + 1..]);
        let failure = failure(&exchange.step(Some(tampered.as_bytes()), &tls));
        assert!(matches!(failure, Some(Failure::NotAuthorized | Failure::MalformedRequest)), "{tampered}");
    }
    // An extension that the proof does not cover.
    let (mut other, _) = start();
    let step = other.step(Some(last.replace(",p=", ",x=1,p=").as_bytes()), &tls);
    assert_eq!(failure(&step), Some(Failure::NotAuthorized));
    // One that it covers is passed over.
    let (mut other, challenge) = start();
    let extended =
        prove(Hash::Sha256, "pencil", bare, &challenge, &format!("{},x=1", without_proof("n,,", &[], &challenge)));
    assert!(matches!(other.step(Some(extended.as_bytes()), &tls), Step::Success { .. }));

    assert!(matches!(exchange.step(Some(last.as_bytes()), &tls), Step::Success { .. }));
    assert_eq!(failure(&exchange.step(Some(last.as_bytes()), &tls)), Some(Failure::MalformedRequest));
    // The same words to an exchange with a nonce of its own.
    let mut again = Exchange::start(Mechanism::ScramSha256, "example.com", "anotherNonce");
    assert!(matches!(again.step(Some(format!("n,,{bare}").as_bytes()), &tls), Step::NeedCredentials { .. }));
    assert!(matches!(again.credentials(Some(&pencil()), &fake()), Step::Challenge(_)));
    assert_eq!(failure(&again.step(Some(last.as_bytes()), &tls)), Some(Failure::NotAuthorized));
}

#[test]
fn nobody_acts_as_somebody_else() {
    for authzid in ["romeo@example.com", "juliet@example.net", "juliet@example.com/r", "juliet", "@", "example.com"] {
        let (_, step) = begin(Mechanism::ScramSha256, &tls13(), format!("n,a={authzid},n=juliet,r=fyko").as_bytes());
        assert_eq!(failure(&step), Some(Failure::InvalidAuthzid), "{authzid}");
        let (_, step) = begin(Mechanism::Plain, &tls13(), format!("{authzid}\0juliet\0pencil").as_bytes());
        assert_eq!(failure(&step), Some(Failure::InvalidAuthzid), "{authzid}");
    }
    let (_, step) = begin(Mechanism::Plain, &tls13(), b"juliet@example.com\0juliet\0pencil");
    assert!(matches!(step, Step::NeedCredentials { .. }));
}

#[test]
fn names_are_prepared() {
    let account = |name: &str| match begin(Mechanism::ScramSha256, &tls13(), format!("n,,n={name},r=fyko").as_bytes()).1
    {
        Step::NeedCredentials { account } => account.local().unwrap().to_owned(),
        step => format!("{step:?}"),
    };
    assert_eq!(account("Juliet"), "juliet");
    assert_eq!(account("a=2Cb=3Dc=2C"), "a,b=c,");
    // RFC 4013 section 3: the soft hyphen vanishes, compatibility forms are folded.
    assert_eq!(account("I\u{AD}X"), "ix");
    assert_eq!(account("\u{2168}"), "ix");
    // A letter of Unicode 5.1: unassigned for SASLprep, which lets a user name pass.
    assert_eq!(account("\u{A722}b"), "\u{A723}b");
    for name in ["juliet@example.com", "ju/liet", "ju liet", "\u{7}", "\u{627}1", "\u{1F600}"] {
        assert_eq!(account(name), "Failure(NotAuthorized)", "{name:?}");
    }
}

#[test]
fn who_does_not_exist_looks_like_anyone() {
    let tls = tls13();
    let salt = |name: &str, mechanism, secret: &FakeSecret| {
        let (mut exchange, _) = begin(mechanism, &tls, format!("n,,n={name},r=fyko").as_bytes());
        let Step::Challenge(challenge) = exchange.credentials(None, secret) else { panic!("no challenge") };
        String::from_utf8(challenge).unwrap()
    };
    let nobody = salt("nobody", Mechanism::ScramSha256, &fake());
    assert_eq!(nobody, salt("nobody", Mechanism::ScramSha256, &fake()));
    assert_eq!(nobody, salt("NOBODY", Mechanism::ScramSha256, &fake()));
    assert_ne!(nobody, salt("nobody2", Mechanism::ScramSha256, &fake()));
    assert_ne!(nobody, salt("nobody", Mechanism::ScramSha1, &fake()));
    assert_ne!(nobody, salt("nobody", Mechanism::ScramSha256, &FakeSecret::new(&[8; 32])));
    let real = make_verifiers("pencil", &[1; SALT_BYTES], &[2; SALT_BYTES], super::ITERATIONS);
    let (_, real) = challenge(Mechanism::ScramSha256, &tls, "n,,n=juliet,r=fyko", Some(&real));
    assert_eq!(real.len(), nobody.len());
    assert!(real.ends_with(",i=10000") && nobody.ends_with(",i=10000"));

    // Even a proof that fits the invented verifiers opens nothing; here they fit "pencil".
    let bare = "n=nobody,r=fyko";
    let first = super::scram::First::parse(format!("n,,{bare}").as_bytes(), false, &tls).unwrap().0;
    let (challenge, proof) = first.challenge(NONCE, Hash::Sha256, &pencil().sha256, false).unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let last = prove(Hash::Sha256, "pencil", bare, &challenge, &without_proof("n,,", &[], &challenge));
    assert_eq!(proof.check(last.as_bytes()), Err(Failure::NotAuthorized));
}

#[test]
fn plain_has_its_password_checked_elsewhere() {
    let run = |verifiers: Option<&Verifiers>, password: &str| {
        let mut exchange = Exchange::start(Mechanism::Plain, "example.com", NONCE);
        // Without an initial response there is one empty challenge, and not a second.
        assert!(matches!(exchange.step(None, &tls13()), Step::Challenge(data) if data.is_empty()));
        let first = format!("\0juliet\0{password}");
        assert!(matches!(exchange.step(Some(first.as_bytes()), &tls13()), Step::NeedCredentials { .. }));
        let Step::CheckPassword { password, verifiers } = exchange.credentials(verifiers, &fake()) else {
            panic!("no check")
        };
        exchange.checked(check_password(&password, &verifiers))
    };
    assert!(matches!(run(Some(&pencil()), "pencil"), Step::Success { additional: None, .. }));
    assert!(matches!(run(Some(&pencil()), "pen\u{AD}cil"), Step::Success { .. }));
    assert_eq!(failure(&run(Some(&pencil()), "Pencil")), Some(Failure::NotAuthorized));
    assert_eq!(failure(&run(None, "pencil")), Some(Failure::NotAuthorized));

    let (mut exchange, _) = begin(Mechanism::Plain, &tls13(), b"\0nobody\0pencil");
    assert!(matches!(exchange.credentials(None, &fake()), Step::CheckPassword { .. }));
    assert_eq!(failure(&exchange.checked(true)), Some(Failure::NotAuthorized));
    let (_, step) = begin(Mechanism::Plain, &tls13(), "\0juliet\0\u{7}".as_bytes());
    assert_eq!(failure(&step), Some(Failure::NotAuthorized));
    let mut exchange = Exchange::start(Mechanism::Plain, "example.com", NONCE);
    assert!(matches!(exchange.step(None, &tls13()), Step::Challenge(_)));
    assert_eq!(failure(&exchange.step(None, &tls13())), Some(Failure::MalformedRequest));
}

#[test]
fn answers_out_of_turn_fail() {
    let mut exchange = Exchange::start(Mechanism::ScramSha256, "example.com", NONCE);
    assert_eq!(failure(&exchange.credentials(None, &fake())), Some(Failure::MalformedRequest));
    let (mut exchange, _) = begin(Mechanism::ScramSha256, &tls13(), b"n,,n=juliet,r=fyko");
    assert_eq!(failure(&exchange.step(Some(b"c=biws,r=fyko,p=AAAA"), &tls13())), Some(Failure::MalformedRequest));
    assert_eq!(failure(&exchange.credentials(Some(&pencil()), &fake())), Some(Failure::MalformedRequest));
    let (mut exchange, _) = challenge(Mechanism::ScramSha256, &tls13(), "n,,n=juliet,r=fyko", Some(&pencil()));
    assert_eq!(failure(&exchange.checked(true)), Some(Failure::MalformedRequest));
}

#[test]
fn damaged_verifiers_are_our_fault() {
    for damage in
        [|v: &mut Verifiers| v.sha256.stored_key = [0; 20].into(), |v: &mut Verifiers| v.sha256.iterations = 0]
    {
        let mut verifiers = pencil();
        damage(&mut verifiers);
        let (mut exchange, _) = begin(Mechanism::ScramSha256, &tls13(), b"n,,n=juliet,r=fyko");
        assert_eq!(failure(&exchange.credentials(Some(&verifiers), &fake())), Some(Failure::TemporaryAuthFailure));
        assert!(!check_password("pencil", &verifiers));
    }
}

#[test]
fn passwords_are_prepared() {
    // RFC 4013 section 3.
    assert_eq!(prepare_password("I\u{AD}X").as_deref(), Ok("IX"));
    assert_eq!(prepare_password("user").as_deref(), Ok("user"));
    assert_eq!(prepare_password("USER").as_deref(), Ok("USER"));
    assert_eq!(prepare_password("\u{AA}").as_deref(), Ok("a"));
    assert_eq!(prepare_password("\u{2168}").as_deref(), Ok("IX"));
    for password in ["", "\u{AD}", "\u{7}", "\u{627}1", "\u{1F600}"] {
        assert_eq!(prepare_password(password), Err(Failure::MalformedRequest), "{password:?}");
    }
}

#[test]
fn payloads_are_strict_base64() {
    assert_eq!(decode_payload(""), Ok(None));
    assert_eq!(decode_payload("="), Ok(Some(vec![])));
    assert_eq!(decode_payload("biws"), Ok(Some(b"n,,".to_vec())));
    for text in ["biw", "biws=", "bi ws", "biws\n", "b===", "==", "YR==", "YQ", "bi-_", "\u{E9}"] {
        assert_eq!(decode_payload(text), Err(Failure::IncorrectEncoding), "{text:?}");
    }
    assert_eq!(encode_payload(b"n,,"), "biws");
    assert_eq!(encode_payload(b""), "");
}

#[test]
fn nothing_secret_is_shown() {
    let (mut exchange, step) = begin(Mechanism::Plain, &tls13(), b"\0juliet\0pencil");
    assert_eq!(format!("{step:?}"), "NeedCredentials");
    assert_eq!(format!("{:?}", exchange.credentials(Some(&pencil()), &fake())), "CheckPassword");
    assert_eq!(format!("{exchange:?}"), "Exchange(PLAIN)");
    assert_eq!(format!("{:?}", fake()), "FakeSecret");
    assert_eq!(format!("{:?}", exchange.checked(true)), "Success");
}

#[test]
fn verifiers_of_nobody_fit_no_password() {
    let nobody = fake().verifiers(&Jid::parse("nobody@example.com").unwrap());
    assert_eq!((nobody.sha1.salt.len(), nobody.sha256.salt.len()), (SALT_BYTES, SALT_BYTES));
    assert_eq!((nobody.sha1.stored_key.len(), nobody.sha256.stored_key.len()), (20, 32));
    assert!(!check_password("pencil", &nobody));
}

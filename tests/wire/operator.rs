//! The command line as an operator meets it: the real program, its words, its exit codes, and the files it leaves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod place;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use place::{ANYWHERE, Place, Running, said};

/// What `check` says where all is well and no server ran yet.
const FRESH: &str = "\
configuration: ./wattle.toml
store: wattle-data/wattle.sqlite, not made yet
no faults, no warnings
";

#[test]
fn accounts_while_no_server_runs() {
    let place = Place::new("accounts");
    assert_eq!(place.wattle("user add juliet@localhost --password s1", ""), said(0, "juliet@localhost is made\n", ""));
    assert_eq!(place.wattle("user add romeo@localhost", "s2\n"), said(0, "romeo@localhost is made\n", ""));
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\nromeo@localhost\n", ""));
    assert_eq!(
        place.wattle("user add Juliet@LOCALHOST --password x", ""),
        said(
            1,
            "",
            "wattle: juliet@localhost exists already; to change its password use `wattle user passwd juliet@localhost`\n"
        )
    );
    assert_eq!(
        place.wattle("user passwd romeo@localhost", "s3\n"),
        said(0, "romeo@localhost has its new password\n", "")
    );
    assert_eq!(place.wattle("user remove romeo@localhost", ""), said(0, "romeo@localhost is removed\n", ""));
    assert_eq!(
        place.wattle("user remove romeo@localhost", ""),
        said(1, "", "wattle: there is no account romeo@localhost; see `wattle user list`\n")
    );
    assert_eq!(
        place.wattle("user passwd romeo@localhost", "s3\n"),
        said(1, "", "wattle: there is no account romeo@localhost; see `wattle user list`\n")
    );
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\n", ""));
    let data = place.0.join("wattle-data");
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

/// How long an archive is kept: by class, by account, and back.
#[test]
fn archives_are_kept_as_the_operator_says() {
    let place = Place::new("archive");
    assert_eq!(place.wattle("user add juliet@localhost --password s1", "").0, 0);
    assert_eq!(
        place.wattle("user class juliet@localhost staff", ""),
        said(
            1,
            "",
            "wattle: there is no class \"staff\"; describe it in the configuration: [[class]] with name = \"staff\"\n"
        )
    );
    place.config("[[class]]\nname = \"staff\"\narchive_days = 365\n");
    assert_eq!(
        place.wattle("user class juliet@localhost staff", ""),
        said(0, "juliet@localhost is in the class staff\n", "")
    );
    assert_eq!(
        place.wattle("user class juliet@localhost guests", ""),
        said(1, "", "wattle: there is no class \"guests\"; write one of staff, or describe it in the configuration\n")
    );
    assert_eq!(place.wattle("user class juliet@localhost", ""), said(0, "juliet@localhost is in no class\n", ""));
    let kept = "the archive of juliet@localhost is kept as you say; what is too old or too much goes within an hour\n";
    for words in ["--days 7", "--messages 1000 --days 0", "--default", "--default --days 3"] {
        assert_eq!(place.wattle(&format!("user archive juliet@localhost {words}"), ""), said(0, kept, ""));
    }
    assert_eq!(place.wattle("user archive juliet@localhost", "").0, 2);
    assert_eq!(
        place.wattle("user archive romeo@localhost --days 7", ""),
        said(1, "", "wattle: there is no account romeo@localhost; see `wattle user list`\n")
    );
}

/// Neither the passwords nor anything that holds them is left in the data folder.
#[test]
fn passwords_are_stored_nowhere() {
    let place = Place::new("passwords");
    let (code, _, _) = place.wattle("user add juliet@localhost", "correct-horse-battery\n");
    assert_eq!(code, 0);
    let (code, _, _) = place.wattle("user passwd juliet@localhost", "another-horse-battery\n");
    assert_eq!(code, 0);
    let files: Vec<_> = fs::read_dir(place.0.join("wattle-data")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for path in files.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"horse-battery"), "{}", path.display());
    }
}

#[test]
fn a_list_makes_no_folder() {
    let place = Place::new("list");
    let (code, _, err) = place.wattle("user list", "");
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "wattle: there is no data folder wattle-data; go where it is, or name the configuration with --config FILE\n"
    );
    assert!(!place.0.join("wattle-data").exists());
}

#[test]
fn wrong_names_are_told_before_a_password_is_asked() {
    let place = Place::new("names");
    place.config("domains = [\"example.org\"]\n");
    let (code, out, err) = place.wattle("user add juliet", "");
    assert_eq!((code, &*out), (1, ""));
    assert_eq!(err, "wattle: \"juliet\" has no name before an @; write juliet@example.org\n");
    let (code, _, err) = place.wattle("user add juliet@localhost", "");
    assert_eq!(code, 1);
    assert!(err.contains("the domain localhost is not served here, but example.org"), "{err}");
    let (code, _, err) = place.wattle("user add juliet@example.org", "\n");
    assert_eq!(code, 1);
    assert!(err.starts_with("wattle: the password is empty"), "{err}");
    let (code, _, err) = place.wattle("user add juliet@example.org", "one\ntwo\n");
    assert_eq!(code, 1);
    assert!(err.contains("more than one line"), "{err}");
}

#[test]
fn check_tells_all_faults_with_line_and_cure() {
    let place = Place::new("faults");
    place.config("[limts]\n[log]\nlevel = \"loud\"\n[listen]\nclient = [\"0.0.0.0\"]\n");
    let expected = "\
configuration: ./wattle.toml
fault: ./wattle.toml line 1: limts is unknown; write [limits]
fault: ./wattle.toml line 3: log.level is the text \"loud\"; write \"error\", \"warn\", \"info\" or \"debug\"
fault: ./wattle.toml line 5: listen.client has \"0.0.0.0\", which has no port; write \"0.0.0.0:5222\"
3 faults, no warnings
";
    assert_eq!(place.wattle("check", ""), said(2, expected, ""));
    let (code, _, err) = place.wattle("user list", "");
    assert_eq!(code, 2);
    assert_eq!(err.lines().count(), 3);
}

#[test]
fn check_warns_with_one_and_is_content_with_zero() {
    let place = Place::new("warnings");
    let listen = "[listen]\nclient = [\"127.0.0.1:0\"]\nclient_tls = []\n";
    place.config(listen);
    assert_eq!(place.wattle("check", ""), said(0, FRESH, ""));
    place.config(&format!("domains = [\"example.org\"]\n{listen}"));
    let (code, out, _) = place.wattle("check --config wattle.toml", "");
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "configuration: wattle.toml\n\
         store: wattle-data/wattle.sqlite, not made yet\n\
         warning: example.org has no certificate, so clients are shown a self-signed one and warn; \
         write certificate and key below a [[domain]] with name = \"example.org\"\n\
         no faults, 1 warning\n"
    );
}

#[test]
fn check_looks_at_the_store_and_changes_nothing() {
    let place = Place::new("store");
    let listen = "[listen]\nclient = [\"127.0.0.1:0\"]\nclient_tls = []\n";
    place.config(&format!("{listen}[archive]\ndays = 0\n"));
    let (code, out, _) = place.wattle("check", "");
    assert_eq!(code, 1);
    assert!(out.contains("so the archive grows until the disk is full; write how many days or messages"), "{out}");
    assert!(!place.0.join("wattle-data").exists());
    place.config(listen);
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    let file = place.0.join("wattle-data/wattle.sqlite");
    let good = fs::read(&file).unwrap();
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&1_000_u32.to_be_bytes());
    let mut theirs = good.clone();
    theirs[68..72].fill(0);
    for (bytes, fault) in [
        (newer, "has schema 1000, this wattle "),
        (theirs, "is another program's database; move it away"),
        (b"a text".to_vec(), "is damaged (it does not begin as a file of SQLite does)"),
    ] {
        fs::write(&file, bytes).unwrap();
        let (code, out, _) = place.wattle("check", "");
        assert_eq!(code, 2);
        assert!(out.contains(fault), "{out}");
    }
    fs::write(&file, good).unwrap();
    let (code, out, _) = place.wattle("check", "");
    assert_eq!((code, out.contains("store: wattle-data/wattle.sqlite, schema ")), (0, true), "{out}");
    assert_eq!(fs::read_dir(place.0.join("wattle-data")).unwrap().count(), 2);
    place.config(&format!("{listen}[store]\ndatabase = \"postgres://wattle:secret@127.0.0.1:1/wattle\"\n"));
    let (code, out, _) = place.wattle("check", "");
    assert_eq!(code, 2);
    assert!(out.contains("cannot be reached") && !out.contains("secret"), "{out}");
}

#[test]
fn a_named_file_must_be_there() {
    let place = Place::new("missing");
    let (code, out, _) = place.wattle("check --config nowhere.toml", "");
    assert_eq!(code, 2);
    assert!(out.contains("fault: nowhere.toml cannot be read: No such file or directory"), "{out}");
    fs::write(place.0.join("latin.toml"), b"# one\n# gr\xfc\xdfe\n").unwrap();
    let (code, out, _) = place.wattle("check --config latin.toml", "");
    assert_eq!(code, 2);
    assert!(out.contains("fault: latin.toml line 2: this is not UTF-8; save the file as UTF-8"), "{out}");
}

#[test]
fn stats_without_a_server() {
    let place = Place::new("stats");
    let err = "wattle: no server answers at wattle-data/admin.sock; \
               start it with `wattle run`, or name its configuration with --config FILE\n";
    assert_eq!(place.wattle("stats", ""), said(1, "", err));
}

#[test]
fn a_wrong_command_line_is_two() {
    let place = Place::new("usage");
    assert_eq!(place.wattle("usr list", "").0, 2);
    assert_eq!(place.wattle("", "").0, 2);
    let (code, out, _) = place.wattle("--help", "");
    assert_eq!(code, 0);
    for command in ["user", "check", "stats", "backup", "restore", "store"] {
        assert!(out.contains(command), "{out}");
    }
}

#[test]
fn a_server_is_run_asked_and_ended() {
    let place = Place::new("run");
    place.config(ANYWHERE);
    let mut server = Running::start(&place);
    for line in [
        "serves localhost",
        "(STARTTLS)",
        "(TLS)",
        "self-signed, made now, SHA-256 ",
        "wattle user add NAME@localhost\n",
    ] {
        assert!(server.greeting.contains(line), "{line:?} is not in {}", server.greeting);
    }
    let socket = place.0.join("wattle-data/admin.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);

    assert_eq!(place.wattle("user add juliet@localhost", "s1\n"), said(0, "juliet@localhost is made\n", ""));
    assert_eq!(
        place.wattle("user passwd juliet@localhost -p s2", ""),
        said(0, "juliet@localhost has its new password\n", "")
    );
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\n", ""));
    assert_eq!(place.wattle("user remove juliet@localhost", ""), said(0, "juliet@localhost is removed\n", ""));
    assert_eq!(place.wattle("user list", ""), said(0, "", ""));
    let (code, out, _) = place.wattle("check", "");
    assert_eq!((code, out.ends_with("\nno faults, no warnings\n")), (0, true), "{out}");
    assert!(out.contains("\nstore: wattle-data/wattle.sqlite, ") && !out.contains("not made"), "{out}");

    let (code, out, _) = place.wattle("stats --json", "");
    assert_eq!(code, 0);
    let stats: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(stats["shards"].as_array().unwrap().len(), 2);
    assert!(stats["process"]["resident_bytes"].as_u64().unwrap() > 0);
    assert!(stats["store"]["commits"].as_u64().unwrap() >= 3);
    let (code, out, _) = place.wattle("stats", "");
    assert_eq!(code, 0);
    assert!(out.contains("commits") && !out.contains('\x1b'), "{out}");

    let (code, _, err) = place.wattle("run", "");
    assert_eq!(code, 2);
    assert!(err.contains("in use by"), "{err}");

    assert_eq!(server.end(), Some(0));
    assert!(!socket.exists());
    let (code, _, _) = place.wattle("user list", "");
    assert_eq!(code, 0);
}

/// The admin socket of a killed server is no hurdle for the next, and its accounts are still there.
#[test]
fn a_killed_server_starts_again() {
    let place = Place::new("killed");
    place.config(ANYWHERE);
    let mut server = Running::start(&place);
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(place.0.join("wattle-data/admin.sock").exists());
    let mut server = Running::start(&place);
    assert!(server.greeting.contains("self-signed, made earlier"), "{}", server.greeting);
    assert_eq!(place.wattle("user list", ""), said(0, "juliet@localhost\n", ""));
    server.signal(libc::SIGINT);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// A reload takes new domains; one with faults changes nothing and says so.
#[test]
fn a_configuration_is_read_again() {
    let place = Place::new("reload");
    place.config(&format!("{ANYWHERE}[log]\nformat = \"json\"\n"));
    let mut server = Running::start(&place);
    let (code, _, err) = place.wattle("user add juliet@example.org -p s1", "");
    assert_eq!(code, 1, "{err}");

    place.config(&format!("domans = []\n{ANYWHERE}[log]\nformat = \"json\"\n"));
    server.signal(libc::SIGHUP);
    let log = server.logged("the configuration stays as it was").concat();
    assert!(log.contains("./wattle.toml line 1: domans is unknown; write domains"), "{log}");

    place.config(&format!("domains = [\"localhost\", \"example.org\"]\n{ANYWHERE}data = \"elsewhere\"\n"));
    server.signal(libc::SIGHUP);
    let log = server.logged("configuration and certificates were read again");
    for line in &log {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    for option in ["server", "log.format"] {
        assert!(log.concat().contains(&format!("\"option\":\"{option}\"")), "{log:?}");
    }
    assert!(!place.0.join("elsewhere").exists());

    // The command line is told the old folder, where the server still is.
    place.config(&format!("domains = [\"localhost\", \"example.org\"]\n{ANYWHERE}"));
    assert_eq!(place.wattle("user add juliet@example.org -p s1", ""), said(0, "juliet@example.org is made\n", ""));
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_taken_port_is_told_with_the_others() {
    let place = Place::new("taken");
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let second = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (held, also_held) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    place.config(&format!("[listen]\nclient = [\"{held}\"]\nclient_tls = [\"{also_held}\"]\n"));
    let (code, out, _) = place.wattle("check", "");
    assert_eq!(code, 2, "{out}");
    assert!(out.contains(&held.to_string()) && out.contains(&also_held.to_string()), "{out}");
    let (code, _, err) = place.wattle("run", "");
    assert_eq!((code, err.lines().count()), (2, 2), "{err}");
    assert!(!place.0.join("wattle-data").exists());
}

/// Making, listing and removing rooms needs no server; the rest asks the rooms themselves.
#[test]
fn rooms_while_no_server_runs() {
    let place = Place::new("rooms");
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    assert_eq!(place.wattle("room create hall --owner juliet@localhost", ""), said(0, "hall is made\n", ""));
    assert_eq!(place.wattle("room create crypt@conference.localhost", "").0, 0);
    assert_eq!(
        place.wattle("room list", ""),
        said(0, "crypt@conference.localhost crypt\nhall@conference.localhost hall\n", "")
    );
    for (words, fault) in [
        (
            "room create Hall",
            "hall@conference.localhost exists already; see `wattle room show hall@conference.localhost`",
        ),
        ("room create a@example.org", "example.org has no rooms here; take a room of conference.localhost"),
        ("room create a@conference.localhost/x", "\"a@conference.localhost/x\" is no room; write one such as hall@"),
        ("room create a --owner romeo@localhost", "there is no account romeo@localhost; see `wattle user list`"),
        ("room destroy tomb", "there is no room tomb@conference.localhost; see `wattle room list`"),
        ("room show hall", "no server runs; start it with `wattle run`"),
        ("room purge hall", "no server runs; start it with `wattle run`"),
    ] {
        let (code, out, err) = place.wattle(words, "");
        assert_eq!((code, &*out), (1, ""));
        assert!(err.starts_with(&format!("wattle: {fault}")), "{err}");
    }
    assert_eq!(place.wattle("room destroy hall", ""), said(0, "hall is removed\n", ""));
    assert_eq!(place.wattle("room list", ""), said(0, "crypt@conference.localhost crypt\n", ""));
}

#[test]
fn rooms_in_a_running_server() {
    let place = Place::new("rooms-running");
    place.config(ANYWHERE);
    let mut server = Running::start(&place);
    assert_eq!(place.wattle("user add juliet@localhost -p s1", "").0, 0);
    assert_eq!(place.wattle("room create hall --owner juliet@localhost", ""), said(0, "hall is made\n", ""));
    let (code, out, err) = place.wattle("room show hall", "");
    assert_eq!((code, &*err), (0, ""));
    for part in ["hall@conference.localhost\n", "  membersonly=1  ", "no occupants\n", "affiliations: 1\n  owner "] {
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
    assert!(!out.contains("roomsecret"), "{out}");
    for (words, fault) in [
        ("room config hall", "required arguments were not provided"),
        ("room config hall membersonly", "write NAME=VALUE"),
        ("room config hall member=1", "a room has no \"member\"; write one of roomname, roomdesc, "),
        ("room config hall membersonly=maybe", "hall@conference.localhost refused: a field is 0 or 1"),
        (
            "room affiliation hall juliet@localhost admin",
            "hall@conference.localhost refused: the room would have no owner",
        ),
        ("room affiliation hall @ admin", "hall@conference.localhost refused: jid-malformed"),
        ("room show tomb", "there is no room tomb@conference.localhost; see `wattle room list`"),
        ("room destroy tomb", "there is no room tomb@conference.localhost; see `wattle room list`"),
    ] {
        let (code, out, err) = place.wattle(words, "");
        assert!(code != 0 && out.is_empty() && err.contains(fault), "{words}: {err}");
    }
    assert_eq!(
        place.wattle(
            "room config hall membersonly=0 muc#roomconfig_roomname=Hall presencebroadcast=moderator,visitor",
            ""
        ),
        said(0, "hall is set up as you say\n", "")
    );
    assert_eq!(
        place.wattle("room affiliation hall example.org outcast --reason spam", ""),
        said(0, "example.org is outcast of hall\n", "")
    );
    assert_eq!(place.wattle("room list", ""), said(0, "hall@conference.localhost Hall\n", ""));
    // Stored, not only in memory.
    assert_eq!(server.end(), Some(0));
    let mut server = Running::start(&place);
    let (_, out, _) = place.wattle("room show hall", "");
    for part in ["membersonly=0", "roomname=Hall", "presencebroadcast=moderator,visitor", "  outcast     example.org\n"]
    {
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
    assert_eq!(place.wattle("room purge hall", ""), said(0, "no messages of hall removed\n", ""));
    assert_eq!(place.wattle("room destroy hall --venue crypt", ""), said(0, "hall is removed\n", ""));
    assert_eq!(place.wattle("room list", ""), said(0, "", ""));
    assert_eq!(server.end(), Some(0));
}

//! Which databases of PostgreSQL open, how they are reached, and what an operator reads about those that do not.

use std::path::Path;
use std::sync::Arc;

use wattle::config::{Config, Database, Durability};
use wattle::store::{AccountKey, Answer};

use super::cluster::{Cluster, psql};
use super::{Folder, create, push, rooms, waiting};
use crate::store::migrate::SCHEMA;
use crate::store::postgres::{Settings, try_once};
use crate::store::{OpenError, Store, driver};

fn refused(config: &Config) -> String {
    match Store::open(config, Arc::new(|_, _, _| {})) {
        Ok(_) => panic!("it opened"),
        Err(error) => {
            assert!(matches!(error.error, OpenError::Postgres(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("; "), "no cure: {text}");
            text
        }
    }
}

fn open(config: &Config) -> Store {
    Store::open(config, Arc::new(|_, _, _| {})).unwrap()
}

#[test]
fn what_was_stored_and_the_secret_are_there_again() {
    let folder = Folder::new();
    let config = folder.with_postgres(&Cluster::shared().database());
    let store = open(&config);
    let secret = store.secret();
    assert_eq!(store.handle().call(create("a@example.org")), Ok(Answer::Done));
    assert_eq!(store.handle().call(push("a@example.org", "<message/>")), Ok(Answer::Done));
    drop(store);
    let store = open(&config);
    assert_eq!(store.secret(), secret);
    assert_eq!(waiting(&store.handle(), "a@example.org"), ["<message/>"]);
}

#[test]
fn a_second_server_is_refused_by_name_of_the_first() {
    let database = Cluster::shared().database();
    let (folder, other) = (Folder::new(), Folder::new());
    let store = open(&folder.with_postgres(&database));
    let text = refused(&other.with_postgres(&database));
    assert!(text.contains(&format!("in use by another wattle (wattle {} on ", std::process::id())), "{text}");
    drop(store);
    drop(open(&other.with_postgres(&database)));
}

#[test]
fn a_connection_of_a_process_that_is_no_more_is_ended() {
    let database = Cluster::shared().database();
    let folder = Folder::new();
    let store = open(&folder.with_postgres(&database));
    let text = refused(&Folder::new().with_postgres(&database));
    let (_, ours) = text.split_once(&format!("(wattle {} on ", std::process::id())).unwrap();
    let (host, _) = ours.split_once(", from").unwrap();
    // No process has this number: it is the first beyond those that Linux gives.
    let dead = format!("wattle 4194305 on {host}");
    let take =
        "SELECT pg_advisory_lock(2004120684, (SELECT oid::int4 FROM pg_namespace WHERE nspname = current_schema()))";
    drop(store);
    let mut holder = std::process::Command::new("psql")
        .args(["-X", "-q", "-d", &database, "-c", &format!("SET application_name = '{dead}'"), "-c", take])
        .args(["-c", "SELECT pg_sleep(3600)"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 2004120684 \
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while psql(&database, held) != Ok("1\n".to_owned()) {
        std::thread::yield_now();
    }
    drop(open(&folder.with_postgres(&database)));
    assert!(!holder.wait().unwrap().success());
}

/// A database as a server without rooms left it.
#[test]
fn a_database_of_schema_2_opens() {
    let database = Cluster::shared().database();
    let folder = Folder::new();
    let config = folder.with_postgres(&database);
    let store = open(&config);
    assert_eq!(store.handle().call(create("a@example.org")), Ok(Answer::Done));
    assert_eq!(store.handle().call(push("a@example.org", "<message/>")), Ok(Answer::Done));
    drop(store);
    psql(&database, "DROP TABLE room_occupant, room_member, room; DELETE FROM wattle_schema WHERE number > 2").unwrap();
    let store = open(&config);
    assert_eq!(waiting(&store.handle(), "a@example.org"), ["<message/>"]);
    rooms::fill(&store.handle(), "a@rooms.example.org", AccountKey(2));
}

#[test]
fn a_newer_schema_is_refused() {
    let database = Cluster::shared().database();
    let folder = Folder::new();
    let config = folder.with_postgres(&database);
    drop(open(&config));
    let newer = SCHEMA + 1;
    psql(&database, &format!("INSERT INTO wattle_schema (number, wattle) VALUES ({newer}, '9.8.7')")).unwrap();
    let text = refused(&config);
    assert!(text.contains(&format!("has schema {newer}")) && text.contains("run wattle 9.8.7 or newer"), "{text}");
}

#[test]
fn a_database_that_will_not_do_is_refused_with_what_to_do() {
    let cluster = Cluster::shared();
    let folder = Folder::new();
    let theirs = cluster.database();
    psql(&theirs, "CREATE TABLE account (theirs text)").unwrap();
    assert!(refused(&folder.with_postgres(&theirs)).contains("tables of another program"));
    assert_eq!(psql(&theirs, "SELECT to_regclass('wattle_schema')"), Ok("\n".to_owned()), "something was left behind");

    let superuser = format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port());
    psql(&superuser, "CREATE DATABASE latin OWNER wattle ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'").unwrap();
    let text = refused(&folder.with_postgres(&format!("postgres://wattle@127.0.0.1:{}/latin", cluster.port())));
    assert!(text.contains("encoding LATIN1") && text.contains("ENCODING 'UTF8'"), "{text}");

    psql(&superuser, "CREATE ROLE guest LOGIN").unwrap();
    let text = refused(&folder.with_postgres(&cluster.database().replace("wattle@", "guest@")));
    assert!(text.contains("ALTER DATABASE name OWNER TO user"), "{text}");

    let text = refused(&folder.with_postgres(&format!("postgres://wattle@127.0.0.1:{}/nowhere", cluster.port())));
    assert!(text.contains("database nowhere at") && text.contains("CREATE DATABASE"), "{text}");
    let text = refused(&folder.with_postgres("postgres://wattle@127.0.0.1/db?sslmode=verify"));
    assert!(text.contains("verify-full"), "{text}");
}

#[test]
fn a_password_is_never_told() {
    let cluster = Cluster::shared();
    let folder = Folder::new();
    let superuser = format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port());
    psql(&superuser, "CREATE ROLE careful LOGIN PASSWORD 'hunter2'").unwrap();
    let rules = cluster.folder().join("data/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("host all careful 127.0.0.1/32 scram-sha-256\n{before}")).unwrap();
    let database = cluster.database();
    psql(&superuser, "SELECT pg_reload_conf()").unwrap();
    psql(&superuser, &format!("ALTER DATABASE {} OWNER TO careful", database.rsplit('/').next().unwrap())).unwrap();
    let with = |user: &str| folder.with_postgres(&database.replace("wattle", user));
    // The postmaster takes its time to read the rules again.
    while psql(&database.replace("wattle", "careful:wrong"), "SELECT 1").is_ok() {
        std::thread::yield_now();
    }
    let text = refused(&with("careful:s3cret"));
    assert!(text.contains("refuses the login") && !text.contains("s3cret"), "{text}");
    assert!(refused(&with("careful")).contains("wants a password"));
    for broken in ["postgres://careful:s3cret@[::1/db", "postgres://careful:s3cret@127.0.0.1/db?hunter=s3cret"] {
        let text = refused(&folder.with_postgres(broken));
        assert!(!text.contains("s3cret"), "{text}");
    }
    drop(open(&with("careful:hunter2")));
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    let cluster = Cluster::start();
    let folder = Folder::new();
    let database = cluster.database();
    cluster.quit();
    let settings = Settings::read(&database, Durability::Full, None).unwrap_or_else(|error| panic!("{error}"));
    let Err(error) = try_once(&Arc::new(settings)) else { panic!("it opened") };
    let text = error.to_string();
    assert!(text.contains("cannot be reached") && text.contains("start PostgreSQL"), "{text}");
    let config = folder.with_postgres(&database);
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| open(&config));
        cluster.start_again();
        assert_eq!(opened.join().unwrap().handle().call(create("a@example.org")), Ok(Answer::Done));
    });
}

#[test]
fn tls_is_used_and_the_server_verified_as_the_operator_wants() {
    let cluster = Cluster::start_with_tls();
    let folder = Folder::new();
    let database = cluster.database();
    let with = |mode: &str, authorities: Option<&Path>| {
        let mut config = folder.with_postgres(&format!("{database}?sslmode={mode}"));
        config.tls.ca_file = authorities.map(Path::to_owned);
        config
    };
    assert!(refused(&with("disable", None)).contains("no encryption"));
    let certificate = cluster.certificate();
    for config in [with("prefer", None), with("require", None), with("verify-full", Some(&certificate))] {
        let store = open(&config);
        assert!(store.handle().call(create("a@example.org")).is_ok());
        let encrypted = "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
                         WHERE ssl AND application_name LIKE 'wattle %'";
        assert_eq!(psql(&database, encrypted), Ok("2\n".to_owned()));
    }
    let text = refused(&with("verify-full", Some(Path::new("/nowhere"))));
    assert!(text.contains("/nowhere") && text.contains("ca_file"), "{text}");
    // Signed by nobody whom the operator trusts.
    let another = folder.0.join("another.pem");
    std::fs::write(&another, rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()).unwrap();
    assert!(refused(&with("verify-full", Some(&another))).contains("with TLS"));
    // Another host's.
    let mut elsewhere = with("verify-full", Some(&certificate));
    let named = database.replace("127.0.0.1", "elsewhere.example");
    elsewhere.store.database = Database::Postgres(format!("{named}?sslmode=verify-full&hostaddr=127.0.0.1").into());
    assert!(refused(&elsewhere).contains("with TLS"));
}

/// What a commit promises is the operator's choice here, unless the database's own promises more.
#[test]
fn a_commit_is_as_durable_as_configured() {
    let database = Cluster::shared().database();
    let name = database.rsplit('/').next().unwrap();
    let superuser = database.replace("wattle@", "postgres@");
    let level = |theirs: &str, durability| {
        psql(&superuser, &format!("ALTER DATABASE {name} SET synchronous_commit = {theirs}")).unwrap();
        let settings = Settings::read(&database, durability, None).unwrap_or_else(|error| panic!("{error}"));
        let (mut writer, _) = try_once(&Arc::new(settings)).unwrap_or_else(|error| panic!("{error}"));
        let text = "SELECT current_setting('synchronous_commit')";
        driver::first(&mut writer, text, &[], |row| row.text(0).map(str::to_owned)).unwrap().unwrap()
    };
    assert_eq!(level("off", Durability::Full), "on");
    assert_eq!(level("remote_apply", Durability::Full), "remote_apply");
    assert_eq!(level("on", Durability::Relaxed), "off");
}

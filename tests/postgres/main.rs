//! The cluster that other tests rely on is what they believe it to be, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "mod.rs"]
mod postgres;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postgres::{Cluster, psql};

#[track_caller]
fn is_gone(port: u16, folder: &Path) {
    assert!(!folder.exists(), "{} is left", folder.display());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "somebody listens on {port}");
}

#[test]
fn a_database_is_empty_and_its_owner_no_superuser() {
    let (one, other) = (Cluster::shared().database(), Cluster::shared().database());
    psql(&one, "CREATE TABLE t (n int)").unwrap();
    assert_eq!(psql(&one, "SELECT count(*) FROM t").unwrap(), "0\n");
    assert!(psql(&other, "SELECT count(*) FROM t").unwrap_err().contains("does not exist"));
    assert!(psql(&one, "CREATE ROLE another").unwrap_err().contains("permission denied"));
}

#[test]
fn a_commit_is_on_the_disk_and_only_this_machine_is_served() {
    let database = Cluster::shared().database();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("server_encoding", "UTF8"),
    ] {
        assert_eq!(psql(&database, &format!("SHOW {setting}")).unwrap(), format!("{value}\n"), "{setting}");
    }
}

/// SQLite orders by bytes; a store that relies on it must say so to PostgreSQL.
#[test]
fn a_database_does_not_order_by_bytes() {
    let database = Cluster::shared().database();
    let ordered = psql(&database, "SELECT n FROM (VALUES ('B'), ('a'), ('_')) AS t (n) ORDER BY n").unwrap();
    assert_eq!(ordered, "_\na\nB\n");
}

#[test]
fn what_was_committed_outlives_every_end() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let port = cluster.port();
    psql(&database, "CREATE TABLE t (n int)").unwrap();
    for (round, end) in [Cluster::kill, Cluster::quit].into_iter().enumerate() {
        psql(&database, "INSERT INTO t VALUES (1)").unwrap();
        let mut open = in_a_transaction(&database);
        end(&cluster);
        assert!(psql(&database, "SELECT 1").unwrap_err().contains("refused"));
        assert!(!open.wait().unwrap().success(), "its connection should have ended");
        cluster.start_again();
        assert_eq!(cluster.port(), port);
        assert_eq!(psql(&database, "SELECT count(*) FROM t").unwrap(), format!("{}\n", round + 1));
    }
}

/// A client that has written, has not committed, and waits.
fn in_a_transaction(database: &str) -> Child {
    let commands = "BEGIN; INSERT INTO t VALUES (2); SELECT 'written'; SELECT pg_sleep(1000); COMMIT;";
    let mut client = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let line = BufReader::new(client.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(line, "written");
    client
}

#[test]
fn with_tls_nothing_goes_in_the_clear() {
    let cluster = Cluster::start_with_tls();
    let database = cluster.database();
    assert!(psql(&format!("{database}?sslmode=disable"), "SELECT 1").unwrap_err().contains("no encryption"));
    let checked = format!("{database}?sslmode=verify-full&sslrootcert={}", cluster.certificate().display());
    assert_eq!(psql(&checked, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").unwrap(), "t\n");
}

#[test]
fn it_ends_with_its_value() {
    for stop in [None, Some(Cluster::kill as fn(&Cluster))] {
        let cluster = Cluster::start();
        let (port, folder) = (cluster.port(), cluster.folder().to_owned());
        assert!(folder.join("data").exists() && TcpStream::connect(("127.0.0.1", port)).is_ok());
        if let Some(stop) = stop {
            stop(&cluster);
        }
        drop(cluster);
        is_gone(port, &folder);
    }
}

const CHILD: &str = "WATTLE_TEST_CHILD";

/// In a process of its own: starts a cluster, says where it is, and waits for the end of its standard input.
#[test]
#[ignore = "for it_ends_with_its_process"]
fn a_process_with_a_cluster() {
    if std::env::var_os(CHILD).is_some() {
        let cluster = Cluster::shared();
        let line = format!("at {} {}\n", cluster.port(), cluster.folder().display());
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn it_ends_with_its_process() {
    for killed in [true, false] {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "a_process_with_a_cluster"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = words.find_map(|line| Some(line.split_once("at ")?.1.to_owned())).unwrap();
        let (port, folder) = line.split_once(' ').unwrap();
        let (port, folder) = (port.parse().unwrap(), PathBuf::from(folder));
        assert!(folder.exists() && TcpStream::connect(("127.0.0.1", port)).is_ok());
        if killed {
            process.kill().unwrap();
        } else {
            drop(process.stdin.take());
        }
        // The script has the standard error of who started it, so that ends with the last of both.
        process.stderr.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(process.wait().unwrap().success(), !killed);
        is_gone(port, &folder);
    }
}

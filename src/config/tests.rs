//! Faults as an operator sees them, word by word, and values as the server sees them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::{Config, Cores, LogFormat, Shards, TlsVersion};

/// All faults of a text, one a line.
#[track_caller]
fn faults(text: &str) -> String {
    let faults = Config::parse(text).unwrap_err();
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn nothing_at_all_serves_localhost() {
    let config = Config::parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(&*config.domains[0].name, "localhost");
    assert_eq!(config.domains.len(), 1);
    assert_eq!(config.server.data.to_str(), Some("wattle-data"));
    assert_eq!(config.server.admin_socket().to_str(), Some("wattle-data/admin.sock"));
    assert_eq!(config.listen.client, ["[::]:5222".parse().unwrap()]);
    assert_eq!(config.listen.client_tls, ["[::]:5223".parse().unwrap()]);
    assert_eq!(config.limits.stanza_bytes, 262_144);
    assert_eq!(config.sessions.resume_seconds, 600);
}

#[test]
fn values_arrive() {
    let config = Config::parse(
        r#"
        domains = ["example.org", "EXAMPLE.com"]
        [contact]
        admin = ["xmpp:a@example.org"]
        abuse = ["mailto:b@example.org"]
        [[domain]]
        name = "example.net"
        certificate = "c.pem"
        key = "k.pem"
        contact = { admin = ["xmpp:n@example.net"] }
        [listen]
        client = ["127.0.0.1:0", "[::1]:5222"]
        client_tls = []
        [server]
        shards = 4
        cores = [0, 0x2]
        data = "/var/lib/wattle"
        admin_socket = "/run/wattle.sock"
        [tls]
        min_version = "1.3"
        [dns]
        servers = ["9.9.9.9", "[::1]:5353"]
        [limits]
        stanza_bytes = 0x10_000
        [log]
        format = "json"
        "#,
    )
    .unwrap();
    assert!(config.serves("example.org"));
    assert!(!config.serves("localhost"));
    let own = config.domain("example.net").unwrap();
    assert_eq!(own.certificate.as_deref().and_then(|path| path.to_str()), Some("c.pem"));
    assert_eq!(&*own.contact.admin[0], "xmpp:n@example.net");
    assert_eq!(&*own.contact.abuse[0], "mailto:b@example.org");
    assert_eq!(&*config.domains[0].contact.admin[0], "xmpp:a@example.org");
    assert_eq!(config.listen.client.len(), 2);
    assert!(config.listen.client_tls.is_empty());
    assert_eq!(config.server.shards, Shards::Count(4));
    assert_eq!(config.server.cores, Cores::These(vec![0, 2]));
    assert_eq!(config.server.admin_socket().to_str(), Some("/run/wattle.sock"));
    assert_eq!(config.tls.min_version, TlsVersion::Tls13);
    assert_eq!(config.dns.servers, ["9.9.9.9:53".parse().unwrap(), "[::1]:5353".parse().unwrap()]);
    assert_eq!(config.limits.stanza_bytes, 65_536);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn all_faults_at_once_with_line_and_cure() {
    let text = r#"domains = ["example.org", "exa mple.org", "example.org"]
[listen]
client = ["0.0.0.0", "localhost:5222"]
[server]
shards = 0
data = 5
[tls]
min_version = "1.1"
[limits]
stanza_byte = 5
sessions = "many"
offline_messages = -1
[log]
format = "jsn"
level = "debug"
"#;
    assert_eq!(
        faults(text),
        r#"line 1: domains has "exa mple.org", which is no domain; write a name such as "example.org"
line 3: listen.client has "0.0.0.0", which has no port; write "0.0.0.0:5222"
line 3: listen.client has "localhost:5222", which is no address with a port; write ["[::]:5222"] for every address of the machine, or "127.0.0.1:5222" for one
line 5: server.shards is the number 0; write a number from 1 to 256
line 6: server.data is the number 5; write a path in double quotes
line 8: tls.min_version is the text "1.1"; write "1.2" or "1.3"
line 10: limits.stanza_byte is unknown; write stanza_bytes
line 11: limits.sessions is the text "many"; write a number from 1 to 1000
line 12: limits.offline_messages is the number -1; write a number from 0 to 1000000
line 14: log.format is the text "jsn"; write "auto", "human" or "json"
"#
    );
}

#[test]
fn an_unknown_key_is_led_to_its_place() {
    assert_eq!(faults("[limts]\n"), "line 1: limts is unknown; write [limits]\n");
    assert_eq!(faults("domans = []\n"), "line 1: domans is unknown; write domains\n");
    assert_eq!(
        faults("[log]\nclient_tls = []\n"),
        "line 2: log.client_tls is unknown; write client_tls below [listen]\n"
    );
    assert_eq!(faults("[dns]\nzzz = 1\n"), "line 2: dns.zzz is unknown; remove it, or write one of [dns]: servers\n");
    assert_eq!(
        faults("limits = 5\n"),
        "line 1: limits is the number 5; write [limits] on a line of its own and its options below\n"
    );
}

#[test]
fn classes_are_named_once_and_change_what_they_say() {
    let text = "limits = { offline_messages = 7 }\n[[class]]\nname = \"staff\"\narchive_days = 0\n\
                [[class]]\nname = \"guests\"\noffline_messages = 5\n";
    let config = Config::parse(text).unwrap();
    let staff = config.class(Some("staff")).unwrap();
    assert_eq!((staff.archive_days, staff.archive_messages), (Some(0), None));
    let offline = ["staff", "guests", "gone"].map(|class| config.offline_messages(Some(class)));
    assert_eq!((offline, config.offline_messages(None)), ([7, 5, 7], 7));
    assert_eq!(config.class(None), None);
    assert_eq!(
        faults("[[class]]\nname = \"a\"\n[[class]]\n[[class]]\nname = \"a\"\n[[class]]\nname = \"x y\"\nday = 3\n"),
        "line 3: this [[class]] has no name; write name = \"staff\"\n\
         line 4: the class \"a\" was already described in line 1; make one of the two\n\
         line 7: class.name is \"x y\", which is no name; write a word of letters, digits, dots and dashes, such as \
         \"staff\"\nline 8: class.day is unknown; remove it, or write one of [class]: name, archive_days, \
         archive_messages, offline_messages\n"
    );
}

#[test]
fn domains_are_whole_and_single() {
    assert_eq!(
        faults("domains = [\"a.org\"]\n\n[[domain]]\nname = \"A.org\"\n"),
        "line 3: the domain \"a.org\" was already named in line 1; remove one of the two\n"
    );
    assert_eq!(
        faults("domains = []\n"),
        "line 1: domains is an empty list; write a list of names, such as [\"example.org\"]\n"
    );
    assert_eq!(
        faults("domains = \"a.org\"\n"),
        "line 1: domains is the text \"a.org\"; write a list of names, such as [\"example.org\"]\n"
    );
    assert_eq!(
        faults("[[domain]]\ncertificate = \"c\"\nkey = \"k\"\n"),
        "line 1: this [[domain]] has no name; write name = \"example.org\"\n"
    );
    assert_eq!(
        faults("[[domain]]\nname = \"a.org\"\ncertificate = \"c\"\n"),
        "line 1: a.org has a certificate without a key; write key = \"…\" with the path of its private key\n"
    );
    assert_eq!(
        faults("[domain]\nname = \"a.org\"\n"),
        "line 1: domain is a table; write [[domain]] in double brackets, or domains = [\"example.org\"]\n"
    );
    for name in ["a@b.org", "a.org/x", "", "a b"] {
        let text = faults(&format!("domains = [{name:?}]"));
        assert_eq!(
            text,
            format!("line 1: domains has {name:?}, which is no domain; write a name such as \"example.org\"\n")
        );
    }
}

#[test]
fn contact_addresses_are_uris() {
    assert_eq!(
        faults(
            "[contact]\nadmin = [\"a@b.org\"]\nabuse = [\"hello\"]\n[[domain]]\nname = \"a.org\"\ncontact.suport = []\n"
        ),
        "line 2: contact.admin has \"a@b.org\", which does not say what it is; write \"mailto:a@b.org\" or \"xmpp:a@b.org\"\n\
         line 3: contact.abuse has \"hello\", which is no URI; write a list of URIs, such as [\"mailto:abuse@example.org\"]\n\
         line 6: domain.contact.suport is unknown; write support\n"
    );
}

#[test]
fn options_that_do_not_go_together() {
    assert_eq!(
        faults("[sessions]\nresume_seconds = 700\nresume_max_seconds = 60\n"),
        "line 2: sessions.resume_seconds is 700, above resume_max_seconds; write a number from 0 to 60\n"
    );
    assert_eq!(
        faults("[listen]\nclient = [\"[::]:5223\"]\n"),
        "line 2: listen has \"[::]:5223\" twice; write another port for one of them\n"
    );
    assert_eq!(
        faults("[listen]\nclient = []\nclient_tls = []\n"),
        "line 3: listen has no address at all; write client = [\"[::]:5222\"], or leave both out\n"
    );
    assert!(Config::parse("[listen]\nclient = [\"[::1]:0\", \"[::1]:0\"]\n").is_ok());
}

#[test]
fn broken_toml_is_told_by_line() {
    let faults = Config::parse("domains = [\"a.org\"]\n[limits\nsessions = 5\nsessions = 6\n").unwrap_err();
    assert_eq!(faults[0].line, 2);
    let twice = Config::parse("[limits]\nsessions = 5\nsessions = 6\n").unwrap_err();
    assert_eq!(
        twice.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["line 3: duplicate key; keep one of the two"]
    );
}

#[test]
fn cores_are_told_by_number() {
    let takes = "write \"auto\" or a list of their numbers, such as [4, 5, 6, 7]";
    for (text, what) in [
        ("\"all\"", "is the text \"all\""),
        ("4", "is the number 4"),
        ("[]", "has 0 cores"),
        ("[1, \"2\"]", "has the text \"2\", which is no core"),
        ("[-1]", "has the number -1, which is no core"),
        ("[1024]", "has the number 1024, which is no core"),
    ] {
        assert_eq!(faults(&format!("server.cores = {text}")), format!("line 1: server.cores {what}; {takes}\n"));
    }
    assert_eq!(faults("server.cores = [1, 2, 1]"), "line 1: server.cores has 1 twice; write each core once\n");
}

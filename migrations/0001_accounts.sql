-- Accounts and what belongs to them. Everything refers to its account with ON DELETE CASCADE, so that removing an
-- account leaves no trace.
--
-- Column types are INTEGER (64 bits), TEXT and BLOB only, and table options stand behind the closing parenthesis, so
-- that a driver of another database can replace those few words. JIDs are prepared (RFC 7622) and compare as bytes.

-- Numbers that must survive a restart.
CREATE TABLE counter (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Facts about this installation: the secret, and which wattle wrote last.
CREATE TABLE fact (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The verifiers are SCRAM's (RFC 5802 section 3, RFC 7677); a password is never stored.
CREATE TABLE account (
    id                     INTEGER PRIMARY KEY,
    jid                    TEXT    NOT NULL UNIQUE,
    created_ms             INTEGER NOT NULL,
    roster_version         INTEGER NOT NULL DEFAULT 0,
    roster_removed_version INTEGER NOT NULL DEFAULT 0,
    last_ms                INTEGER,
    last_status            TEXT,
    sha1_salt              BLOB    NOT NULL,
    sha1_iterations        INTEGER NOT NULL,
    sha1_stored_key        BLOB    NOT NULL,
    sha1_server_key        BLOB    NOT NULL,
    sha256_salt            BLOB    NOT NULL,
    sha256_iterations      INTEGER NOT NULL,
    sha256_stored_key      BLOB    NOT NULL,
    sha256_server_key      BLOB    NOT NULL
) STRICT;

-- RFC 6121 section 2. subscription: 0 none, 1 to, 2 from, 3 both. group_list: the groups in the client's order, with
-- U+001F between them, which XML cannot contain; null for none.
CREATE TABLE roster (
    account      INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    contact      TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    ask          INTEGER NOT NULL,
    approved     INTEGER NOT NULL,
    name         TEXT,
    group_list   TEXT,
    PRIMARY KEY (account, contact)
) STRICT, WITHOUT ROWID;

-- Subscription requests without an answer (RFC 6121 section 3.1.3).
CREATE TABLE request (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    contact TEXT    NOT NULL,
    stanza  BLOB    NOT NULL,
    PRIMARY KEY (account, contact)
) STRICT;

-- XEP-0191.
CREATE TABLE blocked (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    contact TEXT    NOT NULL,
    PRIMARY KEY (account, contact)
) STRICT, WITHOUT ROWID;

-- XEP-0160. One sequence for all accounts: messages that wait for different accounts then lie side by side, and a
-- commit of many dirties few pages.
CREATE TABLE offline (
    sequence INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    at_ms    INTEGER NOT NULL,
    stanza   BLOB    NOT NULL
) STRICT;

-- SQLite appends the sequence itself, as it is the row number.
CREATE INDEX offline_account ON offline (account);

-- XEP-0049.
CREATE TABLE private (
    account   INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    namespace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    xml       BLOB    NOT NULL,
    PRIMARY KEY (account, namespace, name)
) STRICT;

-- XEP-0054.
CREATE TABLE vcard (
    account INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    xml     BLOB    NOT NULL
) STRICT;

//! Every statement of the store, one text for each, which SQLite and PostgreSQL both take.
//!
//! Invariant: parameters first appear in ascending order, because SQLite numbers `$1` by first appearance and PostgreSQL
//! by its digits; a test holds it. Writes name the account by its JID, so that none needs the answer of another.

/// The verifiers of an account.
pub(super) const CREDENTIALS: &str = "\
SELECT sha1_salt, sha1_iterations, sha1_stored_key, sha1_server_key,
       sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key
FROM account WHERE jid = $1";

/// What an account's own row says, and how many messages wait for it.
pub(super) const ACCOUNT: &str = "\
SELECT id, roster_version, roster_removed_version, last_ms, last_status,
       (SELECT count(*) FROM offline WHERE offline.account = account.id)
FROM account WHERE jid = $1";

/// The roster of account number `$1`.
pub(super) const ROSTER: &str = "\
SELECT contact, version, subscription, ask, approved, name, group_list
FROM roster WHERE account = $1 ORDER BY contact";

/// The subscription requests of account number `$1`.
pub(super) const REQUESTS: &str = "SELECT contact, stanza FROM request WHERE account = $1 ORDER BY contact";

/// The blocklist of account number `$1`.
pub(super) const BLOCKED: &str = "SELECT contact FROM blocked WHERE account = $1 ORDER BY contact";

/// Is there such an account?
pub(super) const EXISTS: &str = "SELECT id FROM account WHERE jid = $1";

/// Accounts behind `$1`, at most `$2`.
pub(super) const ACCOUNTS: &str = "SELECT jid FROM account WHERE jid > $1 ORDER BY jid LIMIT $2";

/// A new account; changes nothing if there is one.
pub(super) const CREATE_ACCOUNT: &str = "\
INSERT INTO account (jid, created_ms,
    sha1_salt, sha1_iterations, sha1_stored_key, sha1_server_key,
    sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (jid) DO NOTHING";

/// New verifiers.
pub(super) const SET_VERIFIERS: &str = "\
UPDATE account SET
    sha1_salt = $1, sha1_iterations = $2, sha1_stored_key = $3, sha1_server_key = $4,
    sha256_salt = $5, sha256_iterations = $6, sha256_stored_key = $7, sha256_server_key = $8
WHERE jid = $9";

/// Removes an account; the rest goes by cascade.
pub(super) const REMOVE_ACCOUNT: &str = "DELETE FROM account WHERE jid = $1";

/// Sets the roster's version.
pub(super) const ROSTER_VERSION: &str = "UPDATE account SET roster_version = $1 WHERE jid = $2";

/// Sets the roster's version and removed version.
pub(super) const ROSTER_REMOVED_VERSION: &str =
    "UPDATE account SET roster_version = $1, roster_removed_version = $1 WHERE jid = $2";

/// Adds or replaces a roster item.
pub(super) const SAVE_ROSTER_ITEM: &str = "\
INSERT INTO roster (account, contact, version, subscription, ask, approved, name, group_list)
SELECT id, $1, $2, $3, $4, $5, $6, $7 FROM account WHERE jid = $8
ON CONFLICT (account, contact) DO UPDATE SET
    version = excluded.version, subscription = excluded.subscription, ask = excluded.ask,
    approved = excluded.approved, name = excluded.name, group_list = excluded.group_list";

/// Removes a roster item.
pub(super) const REMOVE_ROSTER_ITEM: &str =
    "DELETE FROM roster WHERE account = (SELECT id FROM account WHERE jid = $1) AND contact = $2";

/// Adds or replaces a subscription request.
pub(super) const SAVE_REQUEST: &str = "\
INSERT INTO request (account, contact, stanza)
SELECT id, $1, $2 FROM account WHERE jid = $3
ON CONFLICT (account, contact) DO UPDATE SET stanza = excluded.stanza";

/// Removes a subscription request.
pub(super) const REMOVE_REQUEST: &str =
    "DELETE FROM request WHERE account = (SELECT id FROM account WHERE jid = $1) AND contact = $2";

/// Adds a message; changes nothing if `$5` wait already or there is no such account.
pub(super) const PUSH_OFFLINE: &str = "\
INSERT INTO offline (sequence, account, at_ms, stanza)
SELECT $1, id, $2, $3 FROM account
WHERE jid = $4 AND (SELECT count(*) FROM offline WHERE offline.account = account.id) < $5";

/// Messages behind `$2`, at most `$3`.
pub(super) const READ_OFFLINE: &str = "\
SELECT sequence, at_ms, stanza FROM offline
WHERE account = (SELECT id FROM account WHERE jid = $1) AND sequence > $2
ORDER BY sequence LIMIT $3";

/// Removes the messages up to `$2`.
pub(super) const DROP_OFFLINE: &str =
    "DELETE FROM offline WHERE account = (SELECT id FROM account WHERE jid = $1) AND sequence <= $2";

/// One private element.
pub(super) const READ_PRIVATE: &str = "\
SELECT xml FROM private
WHERE account = (SELECT id FROM account WHERE jid = $1) AND namespace = $2 AND name = $3";

/// Adds or replaces a private element; changes nothing if `$5` others are kept or there is no such account.
pub(super) const SAVE_PRIVATE: &str = "\
INSERT INTO private (account, namespace, name, xml)
SELECT id, $1, $2, $3 FROM account
WHERE jid = $4 AND (SELECT count(*) FROM private
                    WHERE private.account = account.id AND NOT (namespace = $1 AND name = $2)) < $5
ON CONFLICT (account, namespace, name) DO UPDATE SET xml = excluded.xml";

/// A vCard.
pub(super) const READ_VCARD: &str = "SELECT xml FROM vcard WHERE account = (SELECT id FROM account WHERE jid = $1)";

/// Adds or replaces a vCard.
pub(super) const SAVE_VCARD: &str = "\
INSERT INTO vcard (account, xml)
SELECT id, $1 FROM account WHERE jid = $2
ON CONFLICT (account) DO UPDATE SET xml = excluded.xml";

/// Adds to the blocklist.
pub(super) const BLOCK: &str = "\
INSERT INTO blocked (account, contact)
SELECT id, $1 FROM account WHERE jid = $2
ON CONFLICT (account, contact) DO NOTHING";

/// Takes one off the blocklist.
pub(super) const UNBLOCK: &str =
    "DELETE FROM blocked WHERE account = (SELECT id FROM account WHERE jid = $1) AND contact = $2";

/// Empties the blocklist.
pub(super) const UNBLOCK_ALL: &str = "DELETE FROM blocked WHERE account = (SELECT id FROM account WHERE jid = $1)";

/// The last unavailable presence.
pub(super) const SAVE_LAST: &str = "UPDATE account SET last_ms = $1, last_status = $2 WHERE jid = $3";

/// A counter's value.
pub(super) const COUNTER: &str = "SELECT value FROM counter WHERE name = $1";

/// Sets a counter.
pub(super) const SET_COUNTER: &str = "\
INSERT INTO counter (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// The newest waiting message.
pub(super) const LAST_SEQUENCE: &str = "SELECT max(sequence) FROM offline";

/// A fact about the installation.
pub(super) const FACT: &str = "SELECT value FROM fact WHERE name = $1";

/// Sets a fact.
pub(super) const SET_FACT: &str = "\
INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// All of them, for tests that hold every text to the same rules, and for drivers that prepare at start.
#[cfg(test)]
pub(super) const ALL: [&str; 32] = [
    CREDENTIALS,
    ACCOUNT,
    ROSTER,
    REQUESTS,
    BLOCKED,
    EXISTS,
    ACCOUNTS,
    CREATE_ACCOUNT,
    SET_VERIFIERS,
    REMOVE_ACCOUNT,
    ROSTER_VERSION,
    ROSTER_REMOVED_VERSION,
    SAVE_ROSTER_ITEM,
    REMOVE_ROSTER_ITEM,
    SAVE_REQUEST,
    REMOVE_REQUEST,
    PUSH_OFFLINE,
    READ_OFFLINE,
    DROP_OFFLINE,
    READ_PRIVATE,
    SAVE_PRIVATE,
    READ_VCARD,
    SAVE_VCARD,
    BLOCK,
    UNBLOCK,
    UNBLOCK_ALL,
    SAVE_LAST,
    COUNTER,
    SET_COUNTER,
    LAST_SEQUENCE,
    FACT,
    SET_FACT,
];

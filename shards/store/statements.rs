//! Every statement of the store, one text for each, which SQLite and PostgreSQL both take.
//!
//! Invariant: parameters first appear in ascending order, because SQLite numbers `$1` by first appearance and PostgreSQL
//! by its digits; a test holds it. Writes name the account by its JID, or by its number where whoever asks knows it, so that
//! none needs the answer of another. `flags & 2 <> 0` and `flags = 0` stand as in the indexes of `archive`, or those are not
//! used.

mod archive;
mod room;

pub(super) use archive::{
    ARCHIVED, END_WAITING, ENTRY, EXPIRE_OLDEST, FORGET, FORGET_OLDEST, MESSAGE, MESSAGE_OF, NEWEST_MESSAGE,
    NEXT_OWNER, NTH_NEWEST, PAGE, PAGE_BACK, PAGE_COUNT, PEER_PAGE, PEER_PAGE_BACK, PEER_PAGE_COUNT, READ_WAITING,
    RELEASE_MESSAGE, REMOVE_MESSAGE, REMOVE_OLDEST, REPLACE, SINCE, TERMS, WAIT,
};
pub(super) use room::{
    CREATE_ROOM, DROP_OCCUPANT, LEAVE_ROOMS, MEMBERS, OCCUPANTS, OWNED, PUBLIC_ROOMS, REMOVE_MEMBER, REMOVE_ROOM, ROOM,
    ROOM_EXISTS, ROOMS, SAVE_MEMBER, SAVE_OCCUPANT, SAVE_ROOM, SAVE_SUBJECT,
};

/// The verifiers of an account.
pub(super) const CREDENTIALS: &str = "\
SELECT sha1_salt, sha1_iterations, sha1_stored_key, sha1_server_key,
       sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key
FROM account WHERE jid = $1";

/// What an account's own row says, how many messages wait for it, and which is its newest.
pub(super) const ACCOUNT: &str = "\
SELECT id, roster_version, roster_removed_version, last_ms, last_status, archive_default,
       (SELECT count(*) FROM archive WHERE archive.account = account.id AND flags & 2 <> 0),
       (SELECT max(archive.id) FROM archive WHERE archive.account = account.id), class
FROM account WHERE jid = $1";

/// The sessions of account number `$1`.
pub(super) const SESSIONS: &str = "SELECT number, floor, state FROM session WHERE account = $1 ORDER BY number";

/// The lists of the archive preferences of account number `$1`.
pub(super) const RULES: &str =
    "SELECT contact, archived FROM archive_rule WHERE account = $1 ORDER BY archived, contact";

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

/// Takes a number for a new account or room.
pub(super) const NUMBER_ACCOUNT: &str = "UPDATE counter SET value = value + 1 WHERE name = 'account'";

/// A new account under the number that was taken; changes nothing if there is one.
pub(super) const CREATE_ACCOUNT: &str = "\
INSERT INTO account (id, jid, created_ms,
    sha1_salt, sha1_iterations, sha1_stored_key, sha1_server_key,
    sha256_salt, sha256_iterations, sha256_stored_key, sha256_server_key)
SELECT value, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM counter WHERE name = 'account'
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

/// Puts an account into a class.
pub(super) const SET_CLASS: &str = "UPDATE account SET class = $1 WHERE jid = $2";

/// How long an account's messages are kept; null leaves it as it is.
pub(super) const SET_RETENTION: &str = "\
UPDATE account SET archive_days = coalesce($1, archive_days), archive_messages = coalesce($2, archive_messages)
WHERE jid = $3";

/// They are kept as long as its class says.
pub(super) const CLEAR_RETENTION: &str =
    "UPDATE account SET archive_days = NULL, archive_messages = NULL WHERE jid = $1";

/// Adds or replaces a session.
pub(super) const SAVE_SESSION: &str = "\
INSERT INTO session (account, number, floor, state)
SELECT id, $1, $2, $3 FROM account WHERE id = $4
ON CONFLICT (account, number) DO UPDATE SET floor = excluded.floor, state = excluded.state";

/// Removes a session.
pub(super) const DROP_SESSION: &str = "DELETE FROM session WHERE account = $1 AND number = $2";

/// Accounts with sessions behind `$1`, at most `$2`.
pub(super) const WITH_SESSIONS: &str = "\
SELECT jid FROM account
WHERE jid > $1 AND EXISTS (SELECT 1 FROM session WHERE session.account = account.id) ORDER BY jid LIMIT $2";

/// What is archived where no list says more.
pub(super) const SAVE_DEFAULT: &str = "UPDATE account SET archive_default = $1 WHERE jid = $2";

/// Empties the lists of the archive preferences.
pub(super) const REMOVE_RULES: &str =
    "DELETE FROM archive_rule WHERE account = (SELECT id FROM account WHERE jid = $1)";

/// Adds to a list of the archive preferences.
pub(super) const SAVE_RULE: &str = "\
INSERT INTO archive_rule (account, archived, contact)
SELECT id, $1, $2 FROM account WHERE jid = $3
ON CONFLICT (account, archived, contact) DO NOTHING";

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

/// A fact about the installation.
pub(super) const FACT: &str = "SELECT value FROM fact WHERE name = $1";

/// Sets a fact.
pub(super) const SET_FACT: &str = "\
INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// All of them, for tests that hold every text to the same rules.
#[cfg(test)]
pub(super) fn all() -> Vec<&'static str> {
    let fixed = [
        CREDENTIALS,
        ACCOUNT,
        SESSIONS,
        SINCE,
        RULES,
        ROSTER,
        REQUESTS,
        BLOCKED,
        EXISTS,
        ACCOUNTS,
        NUMBER_ACCOUNT,
        CREATE_ACCOUNT,
        SET_VERIFIERS,
        REMOVE_ACCOUNT,
        ROSTER_VERSION,
        ROSTER_REMOVED_VERSION,
        SAVE_ROSTER_ITEM,
        REMOVE_ROSTER_ITEM,
        SAVE_REQUEST,
        REMOVE_REQUEST,
        MESSAGE,
        ENTRY,
        NEWEST_MESSAGE,
        REMOVE_MESSAGE,
        RELEASE_MESSAGE,
        WAIT,
        READ_WAITING,
        END_WAITING,
        PAGE,
        PAGE_BACK,
        PEER_PAGE,
        PEER_PAGE_BACK,
        PAGE_COUNT,
        PEER_PAGE_COUNT,
        ARCHIVED,
        MESSAGE_OF,
        REPLACE,
        FORGET,
        REMOVE_OLDEST,
        EXPIRE_OLDEST,
        FORGET_OLDEST,
        NEXT_OWNER,
        TERMS,
        NTH_NEWEST,
        SET_CLASS,
        SET_RETENTION,
        CLEAR_RETENTION,
        SAVE_SESSION,
        DROP_SESSION,
        WITH_SESSIONS,
        SAVE_DEFAULT,
        REMOVE_RULES,
        SAVE_RULE,
        READ_PRIVATE,
        SAVE_PRIVATE,
        READ_VCARD,
        SAVE_VCARD,
        BLOCK,
        UNBLOCK,
        UNBLOCK_ALL,
        SAVE_LAST,
        ROOM,
        MEMBERS,
        OCCUPANTS,
        ROOM_EXISTS,
        OWNED,
        CREATE_ROOM,
        SAVE_ROOM,
        SAVE_SUBJECT,
        SAVE_MEMBER,
        REMOVE_MEMBER,
        LEAVE_ROOMS,
        SAVE_OCCUPANT,
        DROP_OCCUPANT,
        REMOVE_ROOM,
        PUBLIC_ROOMS,
        ROOMS,
        FACT,
        SET_FACT,
    ];
    fixed.into()
}

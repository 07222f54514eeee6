//! Statements about stored messages.

/// The newest messages of account `$1` behind `$2`, at most `$3`, newest first.
pub(in crate::store) const SINCE: &str = "\
SELECT archive.id, flags, trace, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND archive.id > $2 ORDER BY archive.id DESC LIMIT $3";

/// Adds a stanza.
pub(in crate::store) const MESSAGE: &str = "INSERT INTO message (id, entries, stanza) VALUES ($1, $2, $3)";

/// Adds an entry; one that is there already is left as it is.
pub(in crate::store) const ENTRY: &str = "\
INSERT INTO archive (account, id, peer, flags, trace, message) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, id) DO NOTHING";

/// The newest message.
pub(in crate::store) const NEWEST_MESSAGE: &str = "SELECT max(id) FROM message";

/// Removes a message that one entry names.
pub(in crate::store) const REMOVE_MESSAGE: &str = "DELETE FROM message WHERE id = $1 AND entries = 1";

/// One entry less names a message.
pub(in crate::store) const RELEASE_MESSAGE: &str = "UPDATE message SET entries = entries - 1 WHERE id = $1";

/// Lets a message wait.
pub(in crate::store) const WAIT: &str = "UPDATE archive SET flags = flags | 2 WHERE account = $1 AND id = $2";

/// The messages that wait for account `$1` behind `$2`, at most `$3`.
pub(in crate::store) const READ_WAITING: &str = "\
SELECT archive.id, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND archive.id > $2 AND flags & 2 <> 0 ORDER BY archive.id LIMIT $3";

/// The message of account `$1` under `$2` waits no longer.
pub(in crate::store) const END_WAITING: &str =
    "UPDATE archive SET flags = flags - 2 WHERE account = $1 AND id = $2 AND flags & 2 <> 0";

/// Archived messages of account `$1` from `$2` to `$3`, at most `$4`, oldest first.
pub(in crate::store) const PAGE: &str = "\
SELECT archive.id, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND archive.id >= $2 AND archive.id <= $3 AND flags & 1 <> 0 ORDER BY archive.id LIMIT $4";

/// The same, newest first.
pub(in crate::store) const PAGE_BACK: &str = "\
SELECT archive.id, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND archive.id >= $2 AND archive.id <= $3 AND flags & 1 <> 0 ORDER BY archive.id DESC LIMIT $4";

/// Archived messages of account `$1` with the other side `$2` from `$3` to `$4`, at most `$5`, oldest first.
pub(in crate::store) const PEER_PAGE: &str = "\
SELECT archive.id, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND peer = $2 AND archive.id >= $3 AND archive.id <= $4 AND flags & 1 <> 0 ORDER BY archive.id LIMIT $5";

/// The same, newest first.
pub(in crate::store) const PEER_PAGE_BACK: &str = "\
SELECT archive.id, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND peer = $2 AND archive.id >= $3 AND archive.id <= $4 AND flags & 1 <> 0 ORDER BY archive.id DESC LIMIT $5";

/// How many [`PAGE`] finds.
pub(in crate::store) const PAGE_COUNT: &str = "\
SELECT count(*) FROM (SELECT id FROM archive
                      WHERE account = $1 AND id >= $2 AND id <= $3 AND flags & 1 <> 0 LIMIT $4) AS found";

/// How many [`PEER_PAGE`] finds.
pub(in crate::store) const PEER_PAGE_COUNT: &str = "\
SELECT count(*) FROM (SELECT id FROM archive
                      WHERE account = $1 AND peer = $2 AND id >= $3 AND id <= $4 AND flags & 1 <> 0 LIMIT $5) AS found";

/// One archived message.
pub(in crate::store) const ARCHIVED: &str = "\
SELECT peer, stanza FROM archive JOIN message ON message.id = archive.message
WHERE account = $1 AND archive.id = $2 AND flags & 1 <> 0";

/// The message of an entry.
pub(in crate::store) const MESSAGE_OF: &str = "SELECT message FROM archive WHERE account = $1 AND id = $2";

/// Gives an entry another message.
pub(in crate::store) const REPLACE: &str = "UPDATE archive SET message = $1 WHERE account = $2 AND id = $3";

/// Removes what no session of account `$1` needs any more up to `$2`, and nobody else; says which messages they named.
pub(in crate::store) const FORGET: &str =
    "DELETE FROM archive WHERE account = $1 AND id <= $2 AND flags = 0 RETURNING message";

/// Removes the oldest entries of account `$1` up to `$2`, at most `$3`; says which messages they named.
pub(in crate::store) const REMOVE_OLDEST: &str = "\
DELETE FROM archive
WHERE account = $1 AND id IN (SELECT id FROM archive WHERE account = $1 AND id <= $2 ORDER BY id LIMIT $3)
RETURNING message";

/// The same of those that are only archived: what waits was promised to somebody.
pub(in crate::store) const EXPIRE_OLDEST: &str = "\
DELETE FROM archive
WHERE account = $1
  AND id IN (SELECT id FROM archive WHERE account = $1 AND id <= $2 AND flags = 1 ORDER BY id LIMIT $3)
RETURNING message";

/// The same of those that are neither archived nor wait.
pub(in crate::store) const FORGET_OLDEST: &str = "\
DELETE FROM archive
WHERE account = $1 AND id IN (SELECT id FROM archive WHERE account = $1 AND id <= $2 AND flags = 0 ORDER BY id LIMIT $3)
RETURNING message";

/// The next owner of an archive behind `$1`.
pub(in crate::store) const NEXT_OWNER: &str = "SELECT account FROM archive WHERE account > $1 ORDER BY account LIMIT 1";

/// How long the archive of account or room `$1` is kept, up to where all sessions of the account have everything, and whether
/// it is a room.
pub(in crate::store) const TERMS: &str = "\
SELECT class, archive_days, archive_messages, (SELECT min(floor) FROM session WHERE session.account = account.id), 0
FROM account WHERE id = $1
UNION ALL SELECT NULL, archive_days, NULL, NULL, 1 FROM room WHERE id = $1";

/// The archived message of account `$1` before `$2` that `$3` others follow.
pub(in crate::store) const NTH_NEWEST: &str = "\
SELECT id FROM archive WHERE account = $1 AND id < $2 AND flags & 1 <> 0 ORDER BY id DESC LIMIT 1 OFFSET $3";

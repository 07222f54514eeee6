-- Messages that are kept, for whatever reason. The table `offline` becomes part of it. Sessions that outlive the server,
-- archive preferences, and how long an account keeps what.

-- A stanza, once, however many accounts keep it. Ascending, so that what comes together lies together. entries: how many
-- rows of `archive` name it; it goes with the last of them.
CREATE TABLE message (
    id      INTEGER PRIMARY KEY,
    entries INTEGER NOT NULL,
    stanza  BLOB    NOT NULL
) STRICT;

-- XEP-0313, XEP-0160 and XEP-0198: one row for each account that keeps a message. id: ascending for each account, its upper
-- 44 bits are the time of arrival (unix ms). peer: 47 bits that name the other side's bare JID. flags: 1 belongs to the
-- archive, 2 waits for the account; a row with neither goes when no session needs it any more. It refers to neither table,
-- as a look-up for each row would cost more than the row: whoever removes rows counts them off their messages, and what
-- comes too late for a removed account is swept.
CREATE TABLE archive (
    account INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    peer    INTEGER NOT NULL,
    flags   INTEGER NOT NULL,
    trace   BLOB    NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- Few rows wait, and few are neither: these are small. Queries repeat the term word for word, or it is not used.
CREATE INDEX archive_waiting ON archive (account, id) WHERE flags & 2 <> 0;
CREATE INDEX archive_passing ON archive (account, id) WHERE flags = 0;

-- In the order in which they came, whatever the clock said.
INSERT INTO message (id, entries, stanza) SELECT sequence, 1, stanza FROM offline;
INSERT INTO archive (account, id, peer, flags, trace, message)
SELECT account, (max(at_ms) OVER so_far << 20) + row_number() OVER so_far, 0, 2, CAST('' AS BLOB), sequence
FROM offline WINDOW so_far AS (PARTITION BY account ORDER BY sequence);

DROP TABLE offline;
DELETE FROM counter WHERE name = 'offline_sequence';

-- The newest account's number. A number is never given twice, so that a late row is never taken for another's.
INSERT INTO counter (name, value) SELECT 'account', coalesce(max(id), 0) FROM account;

-- XEP-0198: sessions that may be resumed.
CREATE TABLE session (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    floor   INTEGER NOT NULL,
    state   BLOB    NOT NULL,
    PRIMARY KEY (account, number)
) STRICT;

-- XEP-0441. archived: 1 for the list of those that always are, 0 for the list of those that never are.
CREATE TABLE archive_rule (
    account  INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    archived INTEGER NOT NULL,
    contact  TEXT    NOT NULL,
    PRIMARY KEY (account, archived, contact)
) STRICT, WITHOUT ROWID;

-- 0 always, 1 roster, 2 never; null while the account never said.
ALTER TABLE account ADD COLUMN archive_default INTEGER;
-- How long its messages are kept: null is what its class says, and without one what the server says; 0 is no bound.
ALTER TABLE account ADD COLUMN class TEXT;
ALTER TABLE account ADD COLUMN archive_days INTEGER;
ALTER TABLE account ADD COLUMN archive_messages INTEGER;

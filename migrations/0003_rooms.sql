-- Rooms (XEP-0045) and what belongs to them: how they are set up, who belongs to them, who is in them.

-- id: from the same numbers as those of accounts (counter 'account'), so that the column `account` of `archive` holds it too.
-- service: the domain of its JID. settings: how it is set up, in the words of the shards; what the store is asked for stands
-- beside it. archive_days: null is what the server says, 0 is no
-- bound. subject: the message that set it, empty while nobody did.
CREATE TABLE room (
    id           INTEGER PRIMARY KEY,
    jid          TEXT    NOT NULL UNIQUE,
    service      TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    public       INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    archive_days INTEGER,
    settings     BLOB    NOT NULL,
    subject      BLOB    NOT NULL
) STRICT;

-- What a service shows to everybody. Queries repeat the term word for word, or it is not used.
CREATE INDEX room_public ON room (service, jid) WHERE public = 1;

-- Section 5.2. affiliation: 0 outcast, 1 none, for a reserved nick alone, 2 member, 3 admin, 4 owner.
CREATE TABLE room_member (
    room        INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    jid         TEXT    NOT NULL,
    affiliation INTEGER NOT NULL,
    nick        TEXT,
    reason      TEXT,
    PRIMARY KEY (room, jid)
) STRICT, WITHOUT ROWID;

-- How many rooms somebody owns is bounded, and whoever goes is forgotten in all of them.
CREATE INDEX room_member_jid ON room_member (jid, affiliation);

-- Who is in a room, so that they still are after a restart. place: ascending in the order in which they came. role (section
-- 5.1): 0 none, 1 visitor, 2 participant, 3 moderator.
CREATE TABLE room_occupant (
    place INTEGER PRIMARY KEY,
    room  INTEGER NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    jid   TEXT    NOT NULL,
    nick  TEXT    NOT NULL,
    role  INTEGER NOT NULL,
    UNIQUE (room, jid)
) STRICT;

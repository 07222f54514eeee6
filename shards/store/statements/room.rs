//! Statements about rooms. `public = 1` stands as in the index, or that is not used.

/// What a room's own row says, and which is the newest of its archive.
pub(in crate::store) const ROOM: &str = "\
SELECT id, public, name, archive_days, settings, subject,
       (SELECT max(archive.id) FROM archive WHERE archive.account = room.id)
FROM room WHERE jid = $1";

/// Those who belong to room number `$1`.
pub(in crate::store) const MEMBERS: &str =
    "SELECT jid, affiliation, nick, reason FROM room_member WHERE room = $1 ORDER BY jid";

/// Those who are in room number `$1`; by their places they came in this order.
pub(in crate::store) const OCCUPANTS: &str = "SELECT jid, place, nick, role FROM room_occupant WHERE room = $1";

/// Is there such a room?
pub(in crate::store) const ROOM_EXISTS: &str = "SELECT id FROM room WHERE jid = $1";

/// How many rooms `$1` owns, counted up to `$2`.
pub(in crate::store) const OWNED: &str =
    "SELECT count(*) FROM (SELECT room FROM room_member WHERE jid = $1 AND affiliation = 4 LIMIT $2) AS found";

/// A new room under the number that was taken.
pub(in crate::store) const CREATE_ROOM: &str = "\
INSERT INTO room (id, jid, service, created_ms, public, name, archive_days, settings, subject)
SELECT value, $1, $2, $3, $4, $5, $6, $7, $8 FROM counter WHERE name = 'account'";

/// Sets a room up otherwise.
pub(in crate::store) const SAVE_ROOM: &str =
    "UPDATE room SET public = $1, name = $2, archive_days = $3, settings = $4 WHERE jid = $5";

/// The message that set the subject.
pub(in crate::store) const SAVE_SUBJECT: &str = "UPDATE room SET subject = $1 WHERE jid = $2";

/// Adds or replaces somebody who belongs to a room.
pub(in crate::store) const SAVE_MEMBER: &str = "\
INSERT INTO room_member (room, jid, affiliation, nick, reason)
SELECT id, $1, $2, $3, $4 FROM room WHERE jid = $5
ON CONFLICT (room, jid) DO UPDATE SET
    affiliation = excluded.affiliation, nick = excluded.nick, reason = excluded.reason";

/// Forgets somebody.
pub(in crate::store) const REMOVE_MEMBER: &str =
    "DELETE FROM room_member WHERE room = (SELECT id FROM room WHERE jid = $1) AND jid = $2";

/// Forgets what an account is in all rooms; a ban stays.
pub(in crate::store) const LEAVE_ROOMS: &str = "DELETE FROM room_member WHERE jid = $1 AND affiliation <> 0";

/// Somebody is in a room, behind all others; whoever was there before keeps their place.
pub(in crate::store) const SAVE_OCCUPANT: &str = "\
INSERT INTO room_occupant (room, jid, nick, role)
SELECT id, $1, $2, $3 FROM room WHERE jid = $4
ON CONFLICT (room, jid) DO UPDATE SET nick = excluded.nick, role = excluded.role";

/// Somebody has left a room.
pub(in crate::store) const DROP_OCCUPANT: &str =
    "DELETE FROM room_occupant WHERE room = (SELECT id FROM room WHERE jid = $1) AND jid = $2";

/// Removes a room; the rest goes by cascade.
pub(in crate::store) const REMOVE_ROOM: &str = "DELETE FROM room WHERE jid = $1";

/// Rooms behind `$1`, at most `$2`.
pub(in crate::store) const ROOMS: &str = "SELECT jid, name FROM room WHERE jid > $1 ORDER BY jid LIMIT $2";

/// Public rooms of the service `$1` behind `$2`, at most `$3`.
pub(in crate::store) const PUBLIC_ROOMS: &str =
    "SELECT jid, name FROM room WHERE service = $1 AND jid > $2 AND public = 1 ORDER BY jid LIMIT $3";

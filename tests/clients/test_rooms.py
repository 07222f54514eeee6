"""Rooms (XEP-0045) as slixmpp makes, enters and moderates them, and reads their archive (XEP-0313)."""

import asyncio

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError

from server import DOMAIN
from slix import Client, clients

PLUGINS = ["xep_0030", "xep_0045", "xep_0199", "xep_0249", "xep_0313", "xep_0410"]


def people(server, *names: str) -> list[Client]:
    """Clients of new accounts whose names begin so."""
    return [Client(server, server.account(name), plugins=PLUGINS) for name in names]


def room(server, name: str) -> JID:
    """A room of this test alone."""
    return JID(f"{server.account(name).split('@')[0]}@conference.{DOMAIN}")


async def make(client: Client, where: JID, nick: str, **settings) -> None:
    """Makes a room, set up as said."""
    await client.plugin["xep_0045"].join_muc_wait(where, nick)
    form = await client.plugin["xep_0045"].get_room_config(where)
    values = form.get_values()
    values.update({f"muc#roomconfig_{name}": value for name, value in settings.items()})
    form["values"] = values
    form.reply()
    await client.plugin["xep_0045"].set_room_config(where, form)


async def refusal(client: Client, where: JID, nick: str) -> str:
    """Asks to enter a room and tells why that may not be.

    Not by `join_muc_wait`: it does not see an error that leaves out what was sent, as Prosody's do (RFC 6120 section 8.3.1).
    """
    client.presences.waiting.clear()
    client.plugin["xep_0045"].make_join_stanza(where, nick).send()
    answer = await client.presences.next(lambda stanza: stanza["from"].bare == where)
    assert answer["type"] == "error", answer
    return answer["error"]["condition"]


async def heard(client: Client, body: str):
    return await client.messages.next(lambda stanza: stanza["type"] == "groupchat" and stanza["body"] == body)


async def test_a_room_is_made_and_everybody_hears_the_same(server):
    names = ["juliet", "romeo", "nurse"]
    group = people(server, *names)
    async with clients(*group, presence=True):
        where = room(server, "hall")
        await make(group[0], where, "juliet", membersonly=False)
        for client, name in zip(group[1:], names[1:]):
            own, *_ = await client.plugin["xep_0045"].join_muc_wait(where, name)
            assert own["muc"]["role"] == "participant"
        said = [f"{name} {number}" for number in range(50) for name in names]

        async def speak(client, name):
            for number in range(50):
                client.send_message(where, f"{name} {number}", mtype="groupchat")

        await asyncio.gather(*(speak(client, name) for client, name in zip(group, names)))
        orders = []
        for client in group:
            order = []
            while len(order) < len(said):
                stanza = await client.messages.next(lambda stanza: stanza["type"] == "groupchat" and stanza["body"])
                order.append(stanza["body"])
            orders.append(order)
        assert sorted(orders[0]) == sorted(said)
        assert orders[0] == orders[1] == orders[2], "one order for all"
        archive = [result["mam_result"]["forwarded"]["stanza"]["body"]
                   async for result in group[1].plugin["xep_0313"].iterate(jid=where, rsm={"max": 40})]
        assert archive == orders[0], "what everybody heard is in the archive, in that order"


async def test_a_private_room_is_for_those_who_are_invited(server):
    juliet, romeo = people(server, "juliet", "romeo")
    async with clients(juliet, romeo, presence=True):
        where = room(server, "balcony")
        await make(juliet, where, "juliet", membersonly=True)
        assert await refusal(romeo, where, "romeo") == "registration-required"
        juliet.plugin["xep_0045"].invite(where, romeo.boundjid.bare, reason="come")
        invitation = await romeo.messages.next(lambda stanza: stanza["from"].bare == where)
        assert invitation.xml.find("{http://jabber.org/protocol/muc#user}x/{http://jabber.org/protocol/muc#user}invite") is not None
        own, *_ = await romeo.plugin["xep_0045"].join_muc_wait(where, "romeo")
        assert own["muc"]["affiliation"] == "member"


async def test_a_moderator_takes_voice_and_puts_out(server):
    juliet, romeo = people(server, "juliet", "romeo")
    async with clients(juliet, romeo, presence=True):
        where = room(server, "court")
        await make(juliet, where, "juliet", membersonly=False, moderatedroom=True)
        own, *_ = await romeo.plugin["xep_0045"].join_muc_wait(where, "romeo")
        assert own["muc"]["role"] == "visitor"
        romeo.send_message(where, "may I?", mtype="groupchat")
        refused = await romeo.messages.next(lambda stanza: stanza["type"] == "error")
        assert refused["error"]["condition"] == "forbidden"
        await juliet.plugin["xep_0045"].set_role(where, "romeo", "participant")
        romeo.send_message(where, "I may", mtype="groupchat")
        await heard(juliet, "I may")
        with pytest.raises(IqError) as refused:
            await romeo.plugin["xep_0045"].set_role(where, "juliet", "none")
        # He is no moderator, and she is an owner, whom no moderator may put out: XEP-0045 section 8.2 does not say what comes first.
        assert refused.value.condition == ("not-allowed" if server.name == "prosody" else "forbidden")
        await juliet.plugin["xep_0045"].set_affiliation(where, "outcast", jid=JID(romeo.boundjid.bare), reason="noise")
        gone = await romeo.presences.next(lambda stanza: stanza["type"] == "unavailable" and stanza["from"].bare == where)
        assert 301 in gone["muc"]["status_codes"]
        assert await refusal(romeo, where, "romeo") == "forbidden"


async def test_who_is_cut_off_leaves_and_what_was_said_waits_in_the_room(server):
    juliet, romeo = people(server, "juliet", "romeo")
    async with clients(juliet, romeo, presence=True):
        where = room(server, "tomb")
        await make(juliet, where, "juliet", membersonly=False)
        await romeo.plugin["xep_0045"].join_muc_wait(where, "romeo")
        romeo.cut()
        await juliet.presences.next(lambda stanza: stanza["type"] == "unavailable" and stanza["from"].resource == "romeo")
        juliet.send_message(where, "where art thou", mtype="groupchat")
        await heard(juliet, "where art thou")
        (nurse,) = people(server, "nurse")
        async with clients(nurse, presence=True):
            *_, history = await nurse.plugin["xep_0045"].join_muc_wait(where, "nurse", maxstanzas=20)
            assert [stanza["body"] for stanza in history] == ["where art thou"]

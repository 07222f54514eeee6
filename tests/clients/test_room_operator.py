"""`wattle room` beside a running server, as the people in the room meet it."""

import pytest

from slix import Client, clients
from test_rooms import PLUGINS, heard, make, room

USER = "{http://jabber.org/protocol/muc#user}"


@pytest.mark.needs("wattle room")
async def test_an_operator_governs_a_room_and_is_in_none(server):
    juliet = Client(server, server.account("juliet"), plugins=PLUGINS)
    romeo = Client(server, server.account("romeo"), plugins=PLUGINS)
    async with clients(juliet, romeo, presence=True):
        where = room(server, "guild")
        await make(juliet, where, "juliet", membersonly=False)
        await romeo.plugin["xep_0045"].join_muc_wait(where, "romeo")
        server.run("room", "affiliation", where.bare, romeo.boundjid.bare, "admin", "--reason", "helps")
        for client in (juliet, romeo):
            raised = await client.presences.next(
                lambda stanza: stanza["from"].resource == "romeo" and stanza["muc"]["affiliation"] == "admin")
            assert raised["muc"]["role"] == "moderator"
            assert raised.xml.findtext(f"{USER}x/{USER}item/{USER}reason") == "helps"
        server.run("room", "config", where.bare, "moderatedroom=1", "roomname=Guild")
        for client in (juliet, romeo):
            await client.messages.next(lambda stanza: stanza.xml.find(f"{USER}x/{USER}status[@code='104']") is not None)
        shown = server.run("room", "show", where.bare)
        assert "moderatedroom=1" in shown and "2 occupants" in shown
        assert f"moderator   romeo ({romeo.boundjid.full})" in shown
        assert f"owner       {juliet.boundjid.bare}" in shown and f"admin       {romeo.boundjid.bare}" in shown
        assert f"{where.bare} Guild" in server.run("room", "list").splitlines()
        server.run("room", "affiliation", where.bare, romeo.boundjid.bare, "outcast")
        gone = await juliet.presences.next(lambda stanza: stanza["type"] == "unavailable" and stanza["from"].bare == where)
        assert 301 in gone["muc"]["status_codes"]
        server.run("room", "destroy", where.bare, "--reason", "moved", "--venue", "tavern")
        gone = await juliet.presences.next(lambda stanza: stanza["type"] == "unavailable" and stanza["from"].bare == where)
        destroyed = gone.xml.find(f"{USER}x/{USER}destroy")
        assert destroyed.get("jid").startswith("tavern@") and destroyed.findtext(f"{USER}reason") == "moved"
        assert where.bare not in server.run("room", "list")


@pytest.mark.needs("wattle room")
async def test_what_is_purged_nobody_gets_any_more(server):
    juliet = Client(server, server.account("juliet"), plugins=PLUGINS)
    async with clients(juliet, presence=True):
        where = room(server, "chronicle")
        await make(juliet, where, "juliet", membersonly=False)
        for number in range(3):
            juliet.send_message(where, f"old {number}", mtype="groupchat")
        await heard(juliet, "old 2")
        assert server.run("room", "purge", where.bare, "--days", "1") == f"no messages of {where.bare} removed\n"
        assert server.run("room", "purge", where.bare) == f"3 messages of {where.bare} removed\n"
        juliet.send_message(where, "new", mtype="groupchat")
        await heard(juliet, "new")
        nurse = Client(server, server.account("nurse"), plugins=PLUGINS)
        async with clients(nurse, presence=True):
            *_, history = await nurse.plugin["xep_0045"].join_muc_wait(where, "nurse", maxstanzas=20)
            assert [stanza["body"] for stanza in history] == ["new"]
            archive = [result["mam_result"]["forwarded"]["stanza"]["body"]
                       async for result in nurse.plugin["xep_0313"].iterate(jid=where)]
            assert archive == ["new"]

"""Client state indication (XEP-0352): an inactive client hears what matters and is spared the rest until it is back."""

import pytest

from slix import Client, clients
from test_roster import befriend


@pytest.mark.needs("coalesced presence")
async def test_presence_waits_and_messages_do_not(server):
    juliet, romeo = Client(server, server.account("juliet"), plugins=["xep_0352"]), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
        juliet.presences.waiting.clear()
        juliet.plugin["xep_0352"].send_inactive()
        await juliet.written()
        await juliet.get_roster()  # its answer shows that the server has heard
        for number in range(20):
            romeo.send_presence(pstatus=str(number))
        romeo.send_message(juliet.boundjid.full, "wake up", mtype="chat")
        await juliet.messages.next(lambda message: message["body"] == "wake up")
        seen_while_inactive = len(juliet.presences.waiting)
        assert seen_while_inactive <= 1, "only what went before a message may have been let out, and only the newest of it"
        juliet.plugin["xep_0352"].send_active()
        await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["status"] == "19")
        assert len(juliet.presences.waiting) <= 1

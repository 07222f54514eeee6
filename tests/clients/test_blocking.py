"""Blocking (XEP-0191), both effects: nothing comes in from the blocked one, and nothing can be sent to them."""

import pytest
from slixmpp.exceptions import IqError

from slix import Client, clients
from test_roster import befriend


async def test_nothing_comes_in_and_nothing_goes_out(server):
    juliet, romeo = Client(server, server.account("juliet"), plugins=["xep_0191"]), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await juliet.plugin["xep_0191"].block(romeo.boundjid.bare)

        romeo.send_message(juliet.boundjid.bare, "but soft", mtype="chat")
        bounce = await romeo.messages.next()
        assert (bounce["type"], bounce["error"]["condition"]) == ("error", "service-unavailable")
        with pytest.raises(IqError) as refused:
            await romeo.make_iq_get("jabber:iq:version", juliet.boundjid.full).send()
        assert refused.value.condition == "service-unavailable"

        juliet.send_message(romeo.boundjid.bare, "speak", mtype="chat")
        bounce = await juliet.messages.next()
        assert (bounce["type"], bounce["error"]["condition"]) == ("error", "not-acceptable")
        assert "urn:xmpp:blocking:errors" in str(bounce)

        await juliet.plugin["xep_0191"].unblock(romeo.boundjid.bare)
        romeo.send_message(juliet.boundjid.bare, "what light", mtype="chat")
        assert (await juliet.messages.next())["body"] == "what light"
        juliet.send_message(romeo.boundjid.bare, "ay me", mtype="chat")
        assert (await romeo.messages.next())["body"] == "ay me"


async def test_the_blocked_contact_sees_one_go_and_come(server):
    juliet, romeo = Client(server, server.account("juliet"), plugins=["xep_0191"]), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
        await juliet.plugin["xep_0191"].block(romeo.boundjid.bare)
        await romeo.presences.next(lambda p: p["from"] == juliet.boundjid and p["type"] == "unavailable")
        await juliet.plugin["xep_0191"].unblock(romeo.boundjid.bare)
        await romeo.presences.next(lambda p: p["from"] == juliet.boundjid and p["type"] == "available")


async def test_every_device_learns_of_it_and_the_list_stays(server):
    account, romeo = server.account("juliet"), server.account("romeo")
    desk, phone = (Client(server, account, plugins=["xep_0191"]) for _ in range(2))
    async with clients(desk, phone, presence=True):
        await phone.plugin["xep_0191"].get_blocked()
        await desk.plugin["xep_0191"].block(romeo)
        _, push = await phone.event_named("blocked")
        assert [item["jid"] for item in push["block"]] == [romeo]
    async with clients(juliet := Client(server, account, plugins=["xep_0191"])):
        assert await juliet.plugin["xep_0191"].get_blocked_jids() == {romeo}

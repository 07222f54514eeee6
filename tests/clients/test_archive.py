"""The archive (XEP-0313) as slixmpp reads it, in pages (XEP-0059), and what is kept out of it (XEP-0441)."""

import asyncio
from datetime import timedelta

import pytest
from slixmpp.exceptions import IqError

from slix import Client, clients
from wire import wires

PLUGINS = ["xep_0030", "xep_0313", "xep_0424", "xep_0441"]
NUMBER = 10_000


async def fill(server, author: str, recipient: str, number: int) -> None:
    """Numbered messages from one to the other, who is there and drops them; returns when the last has arrived."""
    async with wires(server, 2) as (sender, receiver):
        await receiver.login(recipient, "drain")
        await receiver.present()
        await sender.login(author, "source")

        async def drain():
            while (await receiver.next()).get("id") != str(number - 1):
                pass

        draining = asyncio.create_task(drain())
        for start in range(0, number, 100):
            sender.send("".join(f"<message to='{recipient}' type='chat' id='{n}'><body>{n}</body></message>"
                                for n in range(start, min(start + 100, number))))
            await sender.writer.drain()
        await draining


def numbers(results) -> list[int]:
    return [int(result["mam_result"]["forwarded"]["stanza"]["body"]) for result in results]


async def archive(client: Client, **query) -> list:
    """What a query finds."""
    return [result async for result in client.plugin["xep_0313"].iterate(**query)]


async def has(client: Client, number: int) -> None:
    """Returns when the archive has so many messages: a sender's own come to rest a moment after others have them."""
    while int((await client.plugin["xep_0313"].retrieve(rsm={"max": 0}))["mam_fin"]["rsm"]["count"]) < number:
        pass


async def pages(client: Client, reverse: bool, **query) -> list[list]:
    """Every page until there is no more, as they come."""
    found = client.plugin["xep_0313"].retrieve(iterator=True, reverse=reverse, **query)
    return [list(page["mam"]["results"]) async for page in found]


@pytest.mark.needs("large pages")
@pytest.mark.seconds(150)
async def test_ten_thousand_messages_are_read_once_and_in_order(server):
    account, author = server.account("juliet"), server.account("romeo")
    await fill(server, author, account, NUMBER)
    async with clients(juliet := Client(server, account, plugins=PLUGINS)):
        for reverse in (False, True):
            read = await pages(juliet, reverse, rsm={"max": 250})
            ids = {result["mam_result"]["id"] for page in read for result in page}
            assert len(ids) == NUMBER, "each has its own id, and comes once"
            if reverse:
                read.reverse()
            assert numbers(result for page in read for result in page) == list(range(NUMBER))
            assert {len(page) for page in read} == {250}
    async with clients(romeo := Client(server, author, plugins=PLUGINS)):
        last = await archive(romeo, reverse=True, rsm={"max": 20}, total=60)
        assert numbers(last) == list(range(NUMBER - 1, NUMBER - 61, -1)), "the author has them too"


async def test_a_query_asks_for_a_conversation_and_a_time(server):
    account, romeo, nurse = server.account("juliet"), server.account("romeo"), server.account("nurse")
    await fill(server, romeo, account, 5)
    await fill(server, nurse, account, 3)
    async with clients(juliet := Client(server, account, plugins=PLUGINS)):
        of_nurse = await archive(juliet, with_jid=nurse)
        assert numbers(of_nurse) == [0, 1, 2]
        first = of_nurse[0]["mam_result"]["forwarded"]["delay"]["stamp"]
        # A server may tell time by the second.
        assert numbers(await archive(juliet, start=first))[-3:] == [0, 1, 2]
        before = numbers(await archive(juliet, end=first - timedelta(milliseconds=1)))
        assert before == [0, 1, 2, 3, 4][:len(before)]
        newest = await archive(juliet, with_jid=romeo, reverse=True, rsm={"max": 2}, total=4)
        assert numbers(newest) == [4, 3, 2, 1]
        with pytest.raises(IqError) as error:
            await juliet.plugin["xep_0313"].retrieve(rsm={"after": "there is no such id"})
        assert error.value.condition == "item-not-found"
        with pytest.raises(IqError):
            await juliet.plugin["xep_0313"].retrieve(jid=romeo)


async def test_an_archive_says_what_it_can_and_where_it_ends(server):
    account = server.account("juliet")
    async with clients(juliet := Client(server, account, plugins=PLUGINS)):
        info = await juliet.plugin["xep_0030"].get_info(jid=account)
        assert {"urn:xmpp:mam:2", "urn:xmpp:mam:2#extended"} <= info["disco_info"]["features"]
        fields = await juliet.plugin["xep_0313"].get_fields()
        assert {"with", "start", "end", "before-id", "after-id", "ids"} <= set(fields.get_fields())
        empty = await juliet.plugin["xep_0313"].get_archive_metadata()
        assert len(empty["mam_metadata"].xml) == 0
        await fill(server, server.account("romeo"), account, 2)
        ends = (await juliet.plugin["xep_0313"].get_archive_metadata())["mam_metadata"]
        assert ends["start"]["id"] != ends["end"]["id"]
        assert ends["start"]["timestamp"] <= ends["end"]["timestamp"]


async def test_what_is_kept_out_stays_out(server):
    account, author = server.account("juliet"), server.account("romeo")
    async with clients(juliet := Client(server, account, plugins=PLUGINS)):
        prefs = juliet.plugin["xep_0441"]
        default, always, never = await prefs.get_preferences()
        assert (default, always, never) == ("always", set(), set())
        await fill(server, author, account, 1)
        await prefs.set_preferences(default="always", always=[], never=[author])
        await fill(server, author, account, 5)
        await prefs.set_preferences(default="never", always=[author], never=[])
        await fill(server, author, account, 2)
        default, always, never = await prefs.get_preferences()
        assert (default, always, never) == ("never", {author}, set())
        assert numbers(await archive(juliet)) == [0, 0, 1]


@pytest.mark.needs("tombstones")
async def test_a_message_that_was_taken_back_is_a_tombstone(server):
    async with clients(romeo := Client(server, server.account("romeo"), plugins=PLUGINS),
                       juliet := Client(server, server.account("juliet"), plugins=PLUGINS), presence=True):
        for body in ("to the wrong one", "to the right one"):
            romeo.send_message(juliet.boundjid.bare, body, mtype="chat")
        wrong, _ = [await juliet.messages.next() for _ in range(2)]
        romeo.plugin["xep_0424"].send_retraction(juliet.boundjid.bare, wrong["id"], mtype="chat")
        await juliet.messages.next(lambda stanza: stanza.xml.find("{urn:xmpp:message-retract:1}retract") is not None)
        for client in (romeo, juliet):
            # What the store is asked for a retraction is asked before this is answered.
            await has(client, 3)
            kept = [result["mam_result"]["forwarded"]["stanza"] for result in await archive(client)]
            assert len(kept) == 3
            assert kept[0]["id"] == wrong["id"] and kept[0]["from"] == romeo.boundjid
            assert kept[0].xml.find("{urn:xmpp:message-retract:1}retracted").get("stamp")
            assert kept[0]["body"] == "" and kept[1]["body"] == "to the right one"

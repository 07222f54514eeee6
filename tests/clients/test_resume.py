"""Stream management (XEP-0198): the connection is cut at any moment, and nothing is lost or doubled."""

import asyncio
import socket

from slix import Client, clients

CUTS = 8
"""Each new connection comes from another port, so with four shards one in four arrives at the home shard: eight cuts all
arriving there would be one chance in 65,536."""


def managed(server, name):
    return Client(server, server.account(name), plugins=["xep_0198"])


async def enabled(client):
    _, answer = await client.event_named("sm_enabled")
    assert answer["resume"], "resumption must be offered"


async def resume(client):
    """Cuts the client's connection and returns when the same session stands on a new one."""
    identifier = client.plugin["xep_0198"].sm_id
    client.cut()
    await client.event_named("disconnected")
    client.dial()
    name, data = await client.event_named("session_resumed", "session_start", "sm_failed")
    assert name == "session_resumed", f"{name} {data}"
    assert client.plugin["xep_0198"].sm_id == identifier


async def test_messages_of_the_time_between_arrive_once_and_in_order(server):
    juliet, romeo = managed(server, "juliet"), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        await enabled(juliet)
        address = juliet.boundjid.full
        for cut in range(CUTS):
            juliet.cut()
            await juliet.event_named("disconnected")
            for number in range(10):
                romeo.send_message(address, f"{cut}.{number}", mtype="chat")
            juliet.dial()
            name, data = await juliet.event_named("session_resumed", "session_start", "sm_failed")
            assert name == "session_resumed", f"{name} {data}"
        await romeo.fence(juliet)
        heard = [stanza["body"] for stanza in juliet.messages.waiting]
        assert heard == [f"{cut}.{number}" for cut in range(CUTS) for number in range(10)]


async def test_messages_in_flight_at_the_cut_arrive_once_and_in_order(server):
    """Romeo talks without a pause, Juliet in bursts, and her connection is cut at the end of each: in the middle of both."""
    juliet, romeo = managed(server, "juliet"), managed(server, "romeo")
    async with clients(juliet, romeo, presence=True):
        await asyncio.gather(enabled(juliet), enabled(romeo))
        said = 0

        async def talk():
            nonlocal said
            while True:
                romeo.send_message(juliet.boundjid.full, str(said), mtype="chat")
                said += 1
                await asyncio.sleep(0.001)

        talking = asyncio.ensure_future(talk())
        for cut in range(CUTS):
            await juliet.messages.holds(len(juliet.messages.waiting) + 20)
            for number in range(20):
                juliet.send_message(romeo.boundjid.full, f"{cut}.{number}", mtype="chat")
            await juliet.written()
            await resume(juliet)
        talking.cancel()
        await romeo.fence(juliet)
        await juliet.fence(romeo)
        heard = [stanza["body"] for stanza in juliet.messages.waiting]
        assert heard == [str(number) for number in range(said)]
        heard = [stanza["body"] for stanza in romeo.messages.waiting]
        assert heard == [f"{cut}.{number}" for cut in range(CUTS) for number in range(20)]


async def test_contacts_do_not_see_a_short_loss(server):
    juliet, romeo = managed(server, "juliet"), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        await enabled(juliet)
        juliet.send_presence(pto=romeo.boundjid.full)
        await romeo.presences.next(lambda p: p["from"] == juliet.boundjid)
        await resume(juliet)
        await juliet.fence(romeo)
        assert [p for p in romeo.presences.waiting if p["from"] == juliet.boundjid] == []


async def test_every_stanza_is_acknowledged(server):
    juliet = managed(server, "juliet")
    async with clients(juliet, Client(server, server.account("romeo")), presence=True):
        await enabled(juliet)
        for number in range(20):
            juliet.send_message(juliet.boundjid.full, str(number), mtype="chat")
        await juliet.written()
        juliet.plugin["xep_0198"].request_ack()
        acknowledged = 0
        while acknowledged < 20:
            _, stanza = await juliet.event_named("stanza_acked")
            acknowledged += stanza.name == "message"


async def test_a_half_open_connection_is_taken_over(server):
    """The old connection still looks alive to the server (a phone that changed networks): resumption takes it over."""
    juliet, romeo = managed(server, "juliet"), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        await enabled(juliet)
        lost = socket.socket(fileno=socket.dup(juliet.transport.get_extra_info("socket").fileno()))
        juliet.transport.abort()  # closes this side's descriptor only: the duplicate keeps the connection open
        await juliet.event_named("disconnected")
        romeo.send_message(juliet.boundjid.full, "in between", mtype="chat")
        juliet.dial()
        name, data = await juliet.event_named("session_resumed", "session_start", "sm_failed")
        assert name == "session_resumed", f"{name} {data}"
        assert (await juliet.messages.next())["body"] == "in between"
        await romeo.fence(juliet)
        assert juliet.messages.waiting == []
        lost.close()

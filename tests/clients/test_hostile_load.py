"""Peers that take more than their share: too slow, too fast, deaf, or too many. Bounded memory, bounded time, calm neighbours."""

import asyncio
import socket
import time

import pytest

from bystanders import undisturbed
from server import DOMAIN
from wire import CLIENT, STANZA_ERRORS, Ended, wires

pytestmark = pytest.mark.needs("wattle's bounds")

TLS_SECONDS, LOGIN_SECONDS = 10, 30
"""`TLS_MS` and `LOGIN_MS` of src/limits.rs."""
MARGIN = 10
"""How much later than its deadline a loaded machine may close a connection."""


def resident_bytes(server) -> int:
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


async def drained(reader) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


async def trickle(writer, data: bytes, seconds: float) -> None:
    try:
        while not writer.is_closing():
            for byte in data:
                writer.write(bytes([byte]))
                await asyncio.sleep(seconds)
    except ConnectionError:
        pass


@pytest.mark.seconds(LOGIN_SECONDS + MARGIN + 30)
async def test_the_slow_are_let_go_in_bounded_time(server):
    """All kinds at once, each as often as to matter if it were not let go."""
    started = time.monotonic()

    async def closed_within(seconds, reader, writer, busy=None):
        slow = asyncio.ensure_future(busy) if busy else None
        async with asyncio.timeout(seconds + MARGIN):
            await drained(reader)
        if slow:
            slow.cancel()
        writer.close()
        return time.monotonic() - started

    async def silent(port, seconds):
        return await closed_within(seconds, *await asyncio.open_connection(server.host, port))

    async def slow_handshake():
        reader, writer = await asyncio.open_connection(server.host, server.tls_port)
        hello = bytes.fromhex("1603010200010001fc0303") + bytes(500)
        return await closed_within(TLS_SECONDS, reader, writer, trickle(writer, hello, 0.3))

    async def slow_handshake_after_starttls():
        async with wires(server, tls="clear") as wire:
            await wire.header()
            wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            await wire.next()
            return await closed_within(LOGIN_SECONDS, wire.reader, wire.writer, trickle(wire.writer, b"\x16\x03\x01\x02\0", 1))

    async def slow_login(tls):
        async with wires(server, tls=tls) as wire:
            await wire.header()
            slow = asyncio.ensure_future(trickle(wire.writer, b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b"A" * 1000, 0.5))
            async with asyncio.timeout(LOGIN_SECONDS + MARGIN):
                await wire.refused("policy-violation")
            slow.cancel()

    async def slow_bind():
        async with wires(server) as wire:
            await wire.authenticate(account)
            async with asyncio.timeout(LOGIN_SECONDS + MARGIN):
                await wire.refused("policy-violation")

    account = server.account("hostile")
    async with undisturbed(server):
        await asyncio.gather(
            *(silent(server.tls_port, TLS_SECONDS) for _ in range(50)),
            *(silent(server.starttls_port, LOGIN_SECONDS) for _ in range(50)),
            *(slow_handshake() for _ in range(20)), slow_handshake_after_starttls(),
            *(slow_login("direct") for _ in range(10)), slow_login("clear"), slow_bind())


async def test_connections_that_come_and_vanish(server):
    """Half of them send a reset, half leave without a word, many in the middle of the handshake."""
    async with undisturbed(server):
        for _ in range(10):
            opened = []
            for number in range(50):
                connection = socket.create_connection((server.host, server.tls_port if number % 3 else server.starttls_port))
                connection.send(b"\x16\x03\x01\x02\x00\x01"[: number % 7])
                if number % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                opened.append(connection)
            await asyncio.sleep(0)
            for connection in opened:
                connection.close()


async def test_a_session_whose_client_never_reads(server):
    """200 MB for one that does not read: the server holds a bounded part of it and lets the deaf one go."""
    async with undisturbed(server), wires(server, 2) as (deaf, speaker):
        await (await deaf.login(server.account("deaf"))).present()
        deaf.writer.transport.pause_reading()
        await (await speaker.login(server.account("speaker"))).present()
        before = resident_bytes(server)
        body = "x" * 100_000
        hearing = asyncio.ensure_future(speaker.ended())
        most = 0
        # What may wait: 4 MiB before a shard, 4 MiB owed to a session, what one turn reads, and what the
        # allocator of each core keeps.
        for number in range(2000):
            speaker.send(f"<message type='headline' to='{deaf.jid}'><body>{body}</body></message>")
            await speaker.writer.drain()
            most = max(most, resident_bytes(server) - before)
        assert not hearing.done(), "who speaks is not at fault"
        hearing.cancel()
        assert most < 32 * 1024 * 1024, f"{most / 2**20:.1f} MiB more"
        deaf.writer.transport.resume_reading()
        async with asyncio.timeout(30):
            await deaf.ended()


async def test_a_client_that_asks_and_never_reads_the_answers(server):
    """Every request makes an answer: the server must stop reading or let go instead of storing answers."""
    async with undisturbed(server), wires(server) as wire:
        await wire.login(server.account("hostile"))
        wire.writer.transport.pause_reading()
        before = resident_bytes(server)
        request = f"<iq type='get' id='{'i' * 500}' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>" * 100
        for _ in range(200):
            wire.send(request)
            try:
                async with asyncio.timeout(2):
                    await wire.writer.drain()
            except (TimeoutError, ConnectionError):
                break
        assert resident_bytes(server) - before < 32 * 1024 * 1024


async def test_a_flood_of_stanzas(server):
    """20,000 messages as fast as they can be written, to one who reads: all arrive in order, memory stays bounded."""
    number = 20_000
    async with undisturbed(server), wires(server, 2) as (listener, speaker):
        await (await listener.login(server.account("listener"))).present()
        await (await speaker.login(server.account("speaker"))).present()
        before = resident_bytes(server)

        async def listen():
            for expected in range(number):
                assert (await listener.next()).findtext(CLIENT + "body") == str(expected)

        hearing = asyncio.ensure_future(listen())
        for count in range(number):
            speaker.send(f"<message type='chat' to='{listener.jid}'><body>{count}</body></message>")
            if count % 500 == 0:
                await speaker.writer.drain()
        await hearing
        assert resident_bytes(server) - before < 48 * 1024 * 1024


async def test_a_flood_of_roster_items_stops_at_the_limit(server):
    limit = 2_000
    async with undisturbed(server), wires(server) as wire:
        await wire.login(server.account("hostile"))
        sent = limit + 100
        for number in range(sent):
            wire.send(f"<iq type='set' id='{number}'><query xmlns='jabber:iq:roster'><item jid='c{number}@{DOMAIN}'/></query></iq>")
        taken, answered = 0, set()
        for _ in range(sent):
            answer = await wire.next()
            answered.add(answer.get("id"))
            if answer.get("type") == "result":
                taken += 1
            else:
                assert answer.find(f".//{STANZA_ERRORS}not-allowed") is not None \
                    or answer.find(f".//{STANZA_ERRORS}resource-constraint") is not None
        assert answered == {str(number) for number in range(sent)}
        assert taken == limit
        roster = await wire.request("<query xmlns='jabber:iq:roster'/>")
        assert len(roster[0]) == limit


async def test_many_sessions_of_one_account_stop_at_the_limit(server):
    account, opened = server.account("hostile"), 0
    async with undisturbed(server), wires(server, 70) as many:
        for number, wire in enumerate(many):
            await wire.authenticate(account)
            wire.send(f"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r{number}</resource></bind></iq>")
            answer = await wire.next()
            if answer.get("type") == "result":
                opened += 1
            else:
                assert answer.find(f".//{STANZA_ERRORS}resource-constraint") is not None
        assert opened == 64


async def test_what_came_before_the_end_of_a_connection_is_delivered(server):
    """A stanza, the end of the stream and the end of the connection in one packet: the stanza still counts."""
    async with wires(server, 2) as (juliet, romeo):
        await (await juliet.login(server.account("juliet"))).present()
        await (await romeo.login(server.account("romeo"))).present()
        romeo.send(f"<message type='chat' to='{juliet.jid}'><body>farewell</body></message></stream:stream>")
        await romeo.writer.drain()
        romeo.writer.close()
        assert (await juliet.next()).findtext(CLIENT + "body") == "farewell"
        try:
            await romeo.ended()
        except Ended:
            pass

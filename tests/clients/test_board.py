"""The emulated board as such (`cross/try`): four cores that all serve, a killed program, lost power, the cipher's choice."""

import subprocess

from server import DOMAIN
from slix import Client, clients

SHARDS = 4
PAIRS = 12
"""People live on the shard that a hash of their address names: of 24 none on one of four would be one chance in 250."""


def managed(server, account):
    return Client(server, account, plugins=["xep_0198"])


async def stored(client, messages):
    """Returns when so many messages are acknowledged, which they are when they are stored."""
    client.plugin["xep_0198"].request_ack()
    while messages:
        _, stanza = await client.event_named("stanza_acked")
        messages -= stanza.name == "message"


async def come_back(client):
    """Resumes the client's session on a new connection after it lost the old one."""
    await client.event_named("disconnected")
    client.dial()
    name, data = await client.event_named("session_resumed", "session_start", "sm_failed")
    assert name == "session_resumed", f"{name} {data}"


async def test_all_four_cores_serve(server):
    before = server.counters()["shards"]
    assert len(before) == SHARDS
    people = [Client(server, server.account(name)) for _ in range(PAIRS) for name in ("juliet", "romeo")]
    async with clients(*people, presence=True):
        for juliet, romeo in zip(people[::2], people[1::2]):
            for number in range(20):
                juliet.send_message(romeo.boundjid.full, str(number), mtype="chat")
            await juliet.fence(romeo)
            assert [stanza["body"] for stanza in romeo.messages.waiting] == [str(number) for number in range(20)]
    after = server.counters()["shards"]
    for name in ("logins", "stanzas_in", "stanzas_out", "messages_stored"):
        served = [now[name] - then[name] for now, then in zip(after, before)]
        assert all(served), f"{name} of each shard: {served}"
    # And each of them on a core of its own.
    cores = server.run("for t in /proc/$(pidof wattle)/task/*; do grep -q '^shard-' $t/comm && "
                       "grep Cpus_allowed_list $t/status; done; true").split()[1::2]
    assert {"0", "1", "2", "3"} <= set(cores), cores


async def test_who_was_served_by_a_killed_server_comes_back(server):
    juliet, romeo = managed(server, server.account("juliet")), managed(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        for number in range(20):
            juliet.send_message(romeo.boundjid.full, str(number), mtype="chat")
        await juliet.written()
        await stored(juliet, 20)
        server.kill()
        server.serve()
        await come_back(romeo)
        await come_back(juliet)
        await juliet.fence(romeo)
        heard = [stanza["body"] for stanza in romeo.messages.waiting]
        assert heard == [str(number) for number in range(20)]


async def test_what_was_acknowledged_outlives_the_power(server):
    account = server.account("romeo")
    async with clients(juliet := managed(server, server.account("juliet")), presence=True):
        for number in range(20):
            juliet.send_message(account, str(number), mtype="chat")
        await juliet.written()
        await stored(juliet, 20)
        server.cut_power()
        server.start()
        await come_back(juliet)
    async with clients(romeo := Client(server, account), presence=True):
        heard = [(await romeo.messages.next())["body"] for _ in range(20)]
        assert heard == [str(number) for number in range(20)]


def cipher(server):
    """What the server chooses of what OpenSSL offers, which has AES first."""
    command = ["openssl", "s_client", "-connect", f"{server.host}:{server.tls_port}", "-servername", DOMAIN, "-alpn", "xmpp-client",
               "-CAfile", server.certificates.authority, "-verify_return_error", "-brief"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    return next(line.split(": ")[1] for line in done.stderr.splitlines() if line.startswith("Ciphersuite"))


def test_aes_is_preferred_where_the_processor_has_it(server):
    """The same program finds it out at its start: the Raspberry Pi 4 has no AES, the emulated processor has."""
    assert cipher(server) == "TLS_AES_128_GCM_SHA256"
    server.kill()
    server.serve("LD_PRELOAD=/without-aes.so")
    assert cipher(server) == "TLS_CHACHA20_POLY1305_SHA256"
    server.kill()
    server.serve()

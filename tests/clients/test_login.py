"""Logging in: STARTTLS and direct TLS, every mechanism with and without channel binding, and the wrong password."""

import ssl

import pytest

import slix
from server import OTHER_DOMAIN
from slix import Client, clients


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "direct tls"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
async def test_login(server, mechanism, tls):
    juliet = Client(server, server.account("juliet"), mechanism=mechanism, tls=tls)
    async with clients(juliet):
        assert juliet.socket.version() == "TLSv1.3"
        assert juliet.boundjid.resource


@pytest.mark.needs("tls-exporter")
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "direct tls"])
async def test_login_bound_to_the_channel(server, mechanism, tls, monkeypatch):
    monkeypatch.setattr(ssl, "CHANNEL_BINDING_TYPES", ssl.CHANNEL_BINDING_TYPES.copy())
    monkeypatch.setattr(ssl.SSLObject, "get_channel_binding", ssl.SSLObject.get_channel_binding)
    slix.lend_tls_exporter()
    juliet = Client(server, server.account("juliet"), mechanism=mechanism, tls=tls)
    async with clients(juliet):
        assert mechanism in juliet.plugin["feature_mechanisms"].mech_list


async def test_login_with_tls_1_2(server):
    """On TLS 1.2 slixmpp would bind to tls-unique; a server that does not take it must leave it a way in."""
    juliet = Client(server, server.account("juliet"), newest_tls=ssl.TLSVersion.TLSv1_2)
    async with clients(juliet):
        assert juliet.socket.version() == "TLSv1.2"


async def test_the_resource_asked_for_is_the_one_bound(server):
    juliet = Client(server, server.account("juliet") + "/balcony")
    async with clients(juliet):
        assert juliet.boundjid.resource == "balcony"


async def test_two_domains_in_one_server(server):
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo", OTHER_DOMAIN))
    async with clients(juliet, romeo, presence=True):
        juliet.send_message(romeo.boundjid.bare, "art thou a Montague?", mtype="chat")
        assert (await romeo.messages.next())["from"] == juliet.boundjid


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
async def test_a_wrong_password_is_refused(server, mechanism):
    await refused(Client(server, server.account("juliet"), "wrong", mechanism=mechanism))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
async def test_nobody_is_refused_the_same_way(server, mechanism):
    await refused(Client(server, f"nobody@{server.account('x').split('@')[1]}", "wrong", mechanism=mechanism))


async def refused(client):
    try:
        client.dial()
        name, failure = await client.event_named("session_start", "failed_auth", "no_auth")
        assert name == "failed_auth"
        assert failure["condition"] == "not-authorized"
    finally:
        client.abort()

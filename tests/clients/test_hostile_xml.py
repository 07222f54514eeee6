"""Bytes that are no stanza, before and after login: each sin has its stream error, and nobody else notices."""

import pytest

from bystanders import undisturbed
from wire import wires

pytestmark = pytest.mark.needs("wattle's bounds")

LIMIT = 256 * 1024
"""The default of `limits.stanza_bytes`."""
BEFORE_LOGIN_LIMIT = 16 * 1024

SINS = {
    "a stanza over the size limit": (b"<message><body>" + b"x" * LIMIT + b"</body></message>", "policy-violation"),
    "a stanza that never ends": (b"<message><body>" + b"x" * (4 * LIMIT), "policy-violation"),
    "a start tag that never ends": (b"<message " + b" " * (2 * LIMIT), "policy-violation"),
    "an attribute that never ends": (b"<message to='" + b"x" * (2 * LIMIT), "policy-violation"),
    "deep nesting": (b"<message>" + b"<a>" * 10_000, "policy-violation"),
    "an attribute flood": (b"<message " + b" ".join(b"a%d=''" % n for n in range(5_000)) + b"/>", "policy-violation"),
    "a namespace flood": (b"<message " + b" ".join(b"xmlns:a%d='u'" % n for n in range(5_000)) + b"/>", "policy-violation"),
    "a long name": (b"<message><" + b"n" * 10_000 + b"/></message>", "policy-violation"),
    "broken UTF-8": (b"<message><body>\xff\xfe</body></message>", "unsupported-encoding"),
    "an overlong slash": (b"<message><body>\xc0\xaf</body></message>", "unsupported-encoding"),
    "a surrogate": (b"<message><body>\xed\xa0\x80</body></message>", "unsupported-encoding"),
    "a NUL": (b"<message><body>\0</body></message>", "not-well-formed"),
    "a reference to a NUL": (b"<message><body>&#0;</body></message>", "not-well-formed"),
    "a control character": (b"<message><body>\x01</body></message>", "not-well-formed"),
    "a foreign entity": (b"<message><body>&nbsp;</body></message>", "restricted-xml"),
    "a billion laughs": (b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><message><body>&lol;</body></message>", "restricted-xml"),
    "a comment": (b"<message><!-- quiet --></message>", "restricted-xml"),
    "a processing instruction": (b"<message><?php exit ?></message>", "restricted-xml"),
    "a wrong end tag": (b"<message><body></message></body>", "not-well-formed"),
    "an end tag too much": (b"</message>", "not-well-formed"),
    "an attribute twice": (b"<message to='a@b' to='c@d'/>", "not-well-formed"),
    "an attribute twice through two prefixes": (b"<message xmlns:a='u' xmlns:b='u' a:x='' b:x=''/>", "not-well-formed"),
    "an unbound prefix": (b"<message><evil:x/></message>", "bad-namespace-prefix"),
    "an unbound prefix of an attribute": (b"<message evil:x=''/>", "bad-namespace-prefix"),
    "xmlns rebound": (b"<message xmlns:xmlns='u'/>", "not-well-formed"),
    "a tag in an attribute": (b"<message to='<a/>'/>", "not-well-formed"),
    "no space between attributes": (b"<message to='a@b'type='chat'/>", "not-well-formed"),
    "the end of a CDATA section in text": (b"<message><body>]]></body></message>", "not-well-formed"),
    "text between stanzas": (b"hello?", "bad-format"),
}


@pytest.mark.parametrize("sin", SINS)
async def test_after_login(server, sin):
    data, condition = SINS[sin]
    async with undisturbed(server), wires(server) as wire:
        await wire.login(server.account("hostile"))
        wire.send(data)
        await wire.refused(condition)


SHORT = {sin: told for sin, told in SINS.items() if told[1] != "policy-violation"}


@pytest.mark.parametrize("tls", ["direct", "starttls", "clear"])
async def test_before_login(server, tls):
    async with undisturbed(server):
        for sin, (data, condition) in SHORT.items():
            async with wires(server, tls=tls) as wire:
                await wire.header()
                wire.send(data)
                try:
                    await wire.refused(condition)
                except BaseException as error:
                    error.add_note(f"sin: {sin}")
                    raise


@pytest.mark.parametrize("tls", ["direct", "starttls", "clear"])
async def test_the_size_limit_before_login(server, tls):
    async with undisturbed(server), wires(server, tls=tls) as wire:
        await wire.header()
        wire.send(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b"A" * (2 * BEFORE_LOGIN_LIMIT))
        await wire.refused("policy-violation")


@pytest.mark.parametrize("tls", ["direct", "clear"])
async def test_something_else_than_xmpp(server, tls):
    async with undisturbed(server):
        for data in (b"GET / HTTP/1.1\r\nHost: wattle.test\r\n\r\n", b"\0\0\0\0", b"EHLO wattle.test\r\n", bytes(range(256)) * 64,
                     "<?xml version='1.0'?>".encode("utf-16")):
            async with wires(server, tls=tls) as wire:
                wire.send(data)
                await wire.error()
                await wire.ended()
        async with wires(server, tls="clear") as wire:
            wire.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600)
            await wire.ended()


async def test_well_formed_but_unusual_is_no_sin(server):
    """What the gatekeeper must let pass: an own prefix for the client namespace, CDATA, white space, references."""
    async with wires(server, 2) as (juliet, romeo):
        await (await juliet.login(server.account("juliet"))).present()
        await (await romeo.login(server.account("romeo"))).present()
        romeo.send(f" \n<c:message xmlns:c='jabber:client' type=\"chat\" to='{juliet.jid}'\n><c:body>&#x41;&amp;<![CDATA[<b>]]>"
                   "</c:body ></c:message >\t")
        heard = await juliet.next()
        assert heard.tag == "{jabber:client}message"
        assert heard.findtext("{jabber:client}body") == "A&<b>"

"""A client that says exactly what a test wants, right or wrong, and reads what comes back element by element."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import os
import ssl
from xml.etree import ElementTree

from server import DOMAIN, PASSWORD, Server

STREAM = "{http://etherx.jabber.org/streams}"
STREAM_ERRORS = "{urn:ietf:params:xml:ns:xmpp-streams}"
STANZA_ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
SM = "{urn:xmpp:sm:3}"
CLIENT = "{jabber:client}"


class Ended(Exception):
    """The server ended the stream or the connection."""


class Wire:
    """One connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.jid = ""
        self._elements: list[ElementTree.Element] = []
        self._ids = itertools.count(1)
        self._begin()

    @classmethod
    async def open(cls, server: Server, tls: str = "direct") -> "Wire":
        """Connects: with `direct` TLS, with `starttls` once its stream asked for it, or in the `clear`."""
        if tls == "direct":
            return cls(server, *await asyncio.open_connection(server.host, server.tls_port, ssl=context(server),
                                                              server_hostname=DOMAIN))
        wire = cls(server, *await asyncio.open_connection(server.host, server.starttls_port))
        if tls == "starttls":
            await wire.header()
            wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert (await wire.next()).tag == "{urn:ietf:params:xml:ns:xmpp-tls}proceed"
            await wire.writer.start_tls(context(server), server_hostname=DOMAIN)
        return wire

    def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def header(self, to: str = DOMAIN, namespace: str = "jabber:client", version: str = "1.0") -> ElementTree.Element:
        """Opens a stream and returns the features."""
        self._begin()
        self.send(f"<?xml version='1.0'?><stream:stream to='{to}' version='{version}' xmlns='{namespace}' "
                  "xmlns:stream='http://etherx.jabber.org/streams'>")
        return await self.next()

    async def next(self) -> ElementTree.Element:
        """The next element of the stream; raises `Ended` when there is none any more."""
        while not self._elements:
            try:
                data = await self.reader.read(65536)
            except (ConnectionError, ssl.SSLError) as error:
                raise Ended(repr(error)) from error
            if not data:
                raise Ended
            self._parser.feed(data)
            for event, element in self._parser.read_events():
                self._depth += 1 if event == "start" else -1
                if event == "start" and self._depth == 1:
                    self._root = element
                elif event == "end" and self._depth == 1:
                    self._elements.append(element)
                    self._root.remove(element)
        return self._elements.pop(0)

    async def login(self, jid: str, resource: str = "wire", password: str = PASSWORD) -> "Wire":
        """From a fresh stream to a bound resource, by PLAIN."""
        await self.authenticate(jid, password)
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource>"
                  "</bind></iq>")
        answer = await self.next()
        self.jid = answer.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid")
        return self

    async def authenticate(self, jid: str, password: str = PASSWORD) -> ElementTree.Element:
        """From a fresh stream to the features after login, which it returns."""
        await self.header()
        assert (await self.plain(jid, password)).tag == SASL + "success"
        return await self.header()

    async def plain(self, jid: str, password: str) -> ElementTree.Element:
        """One attempt by PLAIN; what the server says to it."""
        token = base64.b64encode(f"\0{jid.split('@')[0]}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>{token}</auth>")
        return await self.next()

    async def present(self) -> "Wire":
        """Becomes available."""
        self.send("<presence/>")
        while (answer := await self.next()).tag != CLIENT + "presence" or answer.get("from") != self.jid:
            pass
        return self

    async def request(self, payload: str, kind: str = "get", to: str | None = None) -> ElementTree.Element:
        """Sends an iq and returns its answer; what arrives before it is dropped."""
        identifier = f"wire{next(self._ids)}"
        self.send(f"<iq type='{kind}' id='{identifier}'" + (f" to='{to}'" if to else "") + f">{payload}</iq>")
        while (answer := await self.next()).get("id") != identifier:
            pass
        return answer

    async def refused(self, condition: str) -> ElementTree.Element:
        """The stream must end with this error and the connection after it; returns the error."""
        error = await self.error()
        found = [child.tag.removeprefix(STREAM_ERRORS) for child in error if child.tag.startswith(STREAM_ERRORS)]
        assert condition in found, f"{found} instead of {condition}"
        await self.ended()
        return error

    async def error(self) -> ElementTree.Element:
        """The stream error, past whatever comes before it."""
        while (element := await self.next()).tag != STREAM + "error":
            pass
        return element

    async def ended(self) -> None:
        """Returns when the server has closed the connection."""
        with contextlib.suppress(Ended):
            while True:
                await self.next()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.transport.abort()

    def _begin(self) -> None:
        self._parser, self._depth, self._root = ElementTree.XMLPullParser(["start", "end"]), 0, None


def context(server: Server) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=server.certificates.authority)
    found.set_alpn_protocols(["xmpp-client"])
    return found


@contextlib.asynccontextmanager
async def wires(server: Server, number: int = 1, tls: str = "direct"):
    """So many connections, dropped at the end."""
    opened: list[Wire] = []
    try:
        for _ in range(number):
            opened.append(await Wire.open(server, tls))
        yield opened if number > 1 else opened[0]
    finally:
        for wire in opened:
            wire.close()


class Scram:
    """The client's side of SCRAM-SHA-256 (RFC 7677) without channel binding, one message at a time."""

    def __init__(self, jid: str, password: str = PASSWORD) -> None:
        self.password, self.gs2 = password, "n,,"
        self.bare = f"n={jid.split('@')[0]},r={base64.b64encode(os.urandom(18)).decode()}"

    def first(self) -> str:
        return encoded("auth", self.gs2 + self.bare, " mechanism='SCRAM-SHA-256'")

    def final(self, challenge: ElementTree.Element) -> str:
        server_first = base64.b64decode(challenge.text).decode()
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        without_proof = f"c={base64.b64encode(self.gs2.encode()).decode()},r={fields['r']}"
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{self.bare},{server_first},{without_proof}".encode(), "sha256")
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        return encoded("response", f"{without_proof},p={base64.b64encode(proof).decode()}")


def encoded(name: str, message: str, attributes: str = "") -> str:
    return f"<{name} xmlns='{SASL[1:-1]}'{attributes}>{base64.b64encode(message.encode()).decode()}</{name}>"

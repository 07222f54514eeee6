"""slixmpp as the tests use it: every stanza that arrives is kept in order, and nothing is answered by itself."""

import asyncio
import contextlib
import ctypes
import ssl

import _ssl
from slixmpp import ClientXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from server import PASSWORD, Server


class Feed:
    """What arrived and was not yet looked at, in order."""

    def __init__(self) -> None:
        self.waiting: list = []
        self._arrived = asyncio.Event()

    def put(self, item) -> None:
        self.waiting.append(item)
        self._arrived.set()

    async def next(self, wanted=lambda item: True):
        """Takes the first item that `wanted` accepts; what came before it stays."""
        while True:
            for item in self.waiting:
                if wanted(item):
                    self.waiting.remove(item)
                    return item
            await self._another()

    async def holds(self, number: int) -> None:
        """Returns when so many items wait."""
        while len(self.waiting) < number:
            await self._another()

    async def _another(self) -> None:
        self._arrived.clear()
        await self._arrived.wait()


class Client(ClientXMPP):
    """A slixmpp client of one account of `server`."""

    def __init__(self, server: Server, jid: str, password: str = PASSWORD, *, plugins=(), mechanism=None, tls=False,
                 newest_tls=None):
        context = ssl.create_default_context(cafile=server.certificates.authority)
        if newest_tls:
            context.maximum_version = newest_tls
        super().__init__(jid, password, sasl_mech=mechanism, ssl_context=context)
        self.serves = server
        self.enable_direct_tls, self.enable_starttls = tls, not tls
        self.use_aiodns = False
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.messages, self.presences, self.pushes, self.events = Feed(), Feed(), Feed(), Feed()
        for name, feed in (("message", self.messages), ("presence", self.presences)):
            self.register_handler(Callback(f"every {name}", MatchXPath("{jabber:client}" + name), feed.put))
        for name in ("session_start", "session_resumed", "sm_failed", "sm_enabled", "disconnected", "failed_auth",
                     "failed_all_auth", "no_auth",
                     "stream_error", "stanza_acked", "blocked"):
            self.add_event_handler(name, lambda data, name=name: self.events.put((name, data)))
        self.add_event_handler("roster_update", self.pushes.put)
        for plugin in plugins:
            self.register_plugin(plugin)

    def dial(self) -> None:
        """Starts a connection attempt, on the first call and after a cut."""
        self.connect(self.serves.host, self.serves.tls_port if self.enable_direct_tls else self.serves.starttls_port)

    async def event_named(self, *names: str):
        """The next of the named events, as (name, data)."""
        return await self.events.next(lambda event: event[0] in names)

    async def login(self, *, roster=False, presence=False) -> "Client":
        """Connects until the session stands; with `presence` the client is available when this returns."""
        self.dial()
        name, data = await self.event_named("session_start", "failed_all_auth", "no_auth", "stream_error")
        assert name == "session_start", f"login of {self.boundjid}: {name} {data}"
        if roster:
            await self.get_roster()
        if presence:
            self.send_presence()
            await self.presences.next(lambda stanza: stanza["from"] == self.boundjid)
        return self

    async def written(self) -> None:
        """Returns when everything said so far was given to the connection; slixmpp forgets what still waits at a cut."""
        await self.waiting_queue.join()

    def cut(self) -> None:
        """Drops the connection as a lost network does: no stream end, no goodbye."""
        self.transport.abort()

    async def fence(self, other: "Client") -> None:
        """Returns when everything this client sent to `other` before has arrived there (RFC 6120 section 10.1)."""
        marker = self.new_id()
        self.send_message(other.boundjid.full, marker, mtype="normal")
        await other.messages.next(lambda stanza: stanza["body"] == marker)


@contextlib.asynccontextmanager
async def clients(*group: Client, **options):
    """Logs the clients in one after another and drops their connections at the end."""
    try:
        for client in group:
            await client.login(**options)
        yield group
    finally:
        for client in group:
            client.abort()


def lend_tls_exporter() -> None:
    """Gives Python's ssl the channel binding `tls-exporter` (RFC 9266), for which it has no name (cpython issue 95341).

    slixmpp takes it as soon as `ssl` offers it; its own SCRAM code does the rest. The pointer to OpenSSL's connection
    is the second field of CPython's `_SSLSocket`.
    """
    if "tls-exporter" in ssl.CHANNEL_BINDING_TYPES:
        return
    export = ctypes.CDLL(_ssl.__file__).SSL_export_keying_material
    own = ssl.SSLObject.get_channel_binding

    def get_channel_binding(self, cb_type="tls-unique"):
        if cb_type != "tls-exporter":
            return own(self, cb_type)
        connection = ctypes.c_void_p.from_address(id(self._sslobj) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p))
        key, label = ctypes.create_string_buffer(32), b"EXPORTER-Channel-Binding"
        done = export(connection, key, ctypes.c_size_t(32), label, ctypes.c_size_t(len(label)), b"", ctypes.c_size_t(0),
                      ctypes.c_int(1))
        assert done == 1
        return key.raw

    ssl.CHANNEL_BINDING_TYPES.append("tls-exporter")
    ssl.SSLObject.get_channel_binding = get_channel_binding

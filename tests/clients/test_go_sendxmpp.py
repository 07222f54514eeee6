"""go-sendxmpp, Debian's command-line client: it says something, and it listens (`-l`)."""

import asyncio
import contextlib
import os

import pytest

from server import PASSWORD
from slix import Client, clients


@contextlib.asynccontextmanager
async def sendxmpp(server, jid, *arguments, tls):
    """The program, ended at the end. It looks the authority up in SSL_CERT_FILE."""
    port = server.tls_port if tls else server.starttls_port
    process = await asyncio.create_subprocess_exec(
        "go-sendxmpp", "-u", jid, "-p", PASSWORD, "-j", f"{server.host}:{port}", *(["-t"] if tls else []), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SSL_CERT_FILE": str(server.certificates.authority), "HOME": str(server.folder)})
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "direct tls"])
async def test_it_says_something(server, tls):
    account = server.account("romeo")
    async with clients(juliet := Client(server, server.account("juliet")), presence=True):
        async with sendxmpp(server, account, juliet.boundjid.bare, tls=tls) as romeo:
            output, _ = await romeo.communicate(b"but soft, what light\n")
            assert romeo.returncode == 0, output
        heard = await juliet.messages.next()
        assert (heard["from"].bare, heard["body"].strip()) == (account, "but soft, what light")


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "direct tls"])
async def test_it_listens(server, tls):
    account = server.account("romeo")
    async with clients(juliet := Client(server, server.account("juliet")), presence=True):
        async with sendxmpp(server, account, "-l", tls=tls) as romeo:
            juliet.send_message(account, "wherefore art thou", mtype="chat")
            line = (await romeo.stdout.readline()).decode()
            assert juliet.boundjid.bare in line
            assert "wherefore art thou" in line


async def test_a_wrong_password_is_told(server):
    account = server.account("romeo")
    async with sendxmpp(server, account, "-p", "wrong", "someone@" + account.split("@")[1], tls=False) as romeo:
        output, _ = await romeo.communicate(b"never said\n")
        assert romeo.returncode != 0
        assert b"not-authorized" in output or b"auth" in output.lower(), output

"""One server for each number of shards and each store, and the whole session; every test runs against each of them."""

import asyncio
import inspect
import os
from functools import partial

import pytest

import postgres
import server as servers
from board import Board

TEST_SECONDS = float(os.environ.get("WATTLE_TEST_SECONDS", 30))
"""A test that takes longer hangs; one that must wait for a deadline of the server says its own with `seconds`."""


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): the longest that this test may take")
    config.addinivalue_line("markers", "needs(what): skipped on a peer that lacks it")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A coroutine test gets an event loop of its own and a limit in time."""
    if not inspect.iscoroutinefunction(pyfuncitem.function):
        return None
    names = inspect.signature(pyfuncitem.function).parameters
    marker = pyfuncitem.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else TEST_SECONDS

    async def run():
        async with asyncio.timeout(seconds):
            await pyfuncitem.function(**{name: pyfuncitem.funcargs[name] for name in names})

    asyncio.run(run())
    return True


PEER = os.environ.get("WATTLE_TEST_SERVER")
collect_ignore = [f"test_{name}.py" for kind, name in (("board", "board"), ("container", "package")) if kind != PEER]

if PEER == "prosody":
    SERVERS = {"prosody": servers.Prosody}
elif PEER == "board":
    SERVERS = {"board": Board}
else:
    SERVERS = {"1 shard": partial(servers.Wattle, shards=1),
               "4 shards": partial(servers.Wattle, shards=4),
               "PostgreSQL": partial(servers.Wattle, shards=4, database=postgres.database)}


@pytest.fixture(scope="session", params=SERVERS)
def server(request, tmp_path_factory):
    """The server under test, running."""
    running = SERVERS[request.param](tmp_path_factory.mktemp("server") / request.param.replace(" ", "-"))
    running.start()
    yield running
    assert running.process.poll() is None, f"the server ended during the tests:\n{running.log.read_text()[-4000:]}"
    assert running.stop() == 0
    if running.database:
        assert postgres.query(running.database, "SELECT to_regclass('account')") == "account\n", "it was kept elsewhere"


@pytest.fixture(autouse=True)
def peer_can(request):
    """Skips what a peer cannot show; wattle lacks nothing."""
    for marker in request.node.iter_markers("needs"):
        running = request.getfixturevalue("server")
        if marker.args[0] in running.lacks:
            pytest.skip(f"{running.name} lacks {marker.args[0]}")

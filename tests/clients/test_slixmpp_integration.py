"""slixmpp's own integration tests (`itests/` of its source distribution), unmodified, with real name service.

`integration-passes.txt` lists those that pass. One of them failing fails here; one that passes and is not listed is
reported, so that the list grows with the server.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from conftest import SERVERS
from server import DOMAIN, ROOT

HERE = Path(__file__).parent
SUITE = ROOT / ".venv/src/slixmpp-1.17.0"
"""Where `.ci/test` unpacks the source distribution."""
PASSES = {line for line in (HERE / "integration-passes.txt").read_text().splitlines() if not line.startswith("#")}
UNSHARE = ["unshare", "--net", "--mount"]


@pytest.fixture(scope="module", params=SERVERS)
def results(request, tmp_path_factory):
    """What each test of the suite did, against a server that only this fixture uses."""
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("unshare is not permitted here, and slixmpp's tests need ports 5222 and 5223 of their own")
        pytest.skip("unshare is not permitted here")
    assert SUITE.is_dir(), f"{SUITE} is missing: .ci/test fetches it"
    folder = tmp_path_factory.mktemp("integration")
    folder.joinpath("zone").write_text(f"""
no-resolv
no-hosts
listen-address=127.0.0.1
bind-interfaces
local=/test/
address=/{DOMAIN}/127.0.0.1
srv-host=_xmpp-client._tcp.{DOMAIN},{DOMAIN},5222,0,5
srv-host=_xmpps-client._tcp.{DOMAIN},{DOMAIN},5223,0,5
""")
    modules = sorted({name.split(".")[0] for name in PASSES})
    done = subprocess.run(
        [*UNSHARE, sys.executable, HERE / "namespace.py", folder / "zone", sys.executable, HERE / "integration.py",
         request.param, folder / "server", SUITE, *modules],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_those_listed_pass(results):
    failed = {name: results.get(name, "did not end") for name in PASSES if results.get(name, {}).get("result") != "passed"}
    assert not failed, json.dumps(failed, indent=1).replace("\\n", "\n")


def test_those_that_pass_are_listed(results):
    news = sorted(name for name, told in results.items() if told["result"] == "passed" and name not in PASSES)
    if news:
        warnings.warn("pass and are not in integration-passes.txt: " + ", ".join(news), stacklevel=1)

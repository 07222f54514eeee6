"""Runs slixmpp's own integration tests, unmodified, against a server on the standard ports; prints one JSON object.

Inside the namespace of `namespace.py`. Each module gets a process and a pair of accounts of its own, so that modules can
run side by side; the answer maps each test's name to "passed", "failed" or "skipped", and a test without an entry did not
end in time.

    python3 integration.py SERVER FOLDER SUITE EXPECTED_MODULE...      all modules, those not expected with less time
    python3 integration.py --module NAME                               one module, in the suite's folder
"""

import asyncio
import json
import logging
import os
import sys
import unittest
import warnings
from pathlib import Path

SIDE_BY_SIDE = 4
EXPECTED_SECONDS, OTHER_SECONDS = 120, 15


class Told(unittest.TestResult):
    """Prints each result as it comes, so that a module cut short has still told what it had."""

    def tell(self, test, result, why=""):
        print(json.dumps({"test": test.id().removeprefix("itests."), "result": result, "why": why}), flush=True)

    def addSuccess(self, test):
        self.tell(test, "passed")

    def addSkip(self, test, reason):
        self.tell(test, "skipped", reason)

    def addError(self, test, err):
        self.tell(test, "failed", self._exc_info_to_string(err, test)[-2000:])

    addFailure = addError


def run_module(name: str) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, os.getcwd())
    module = __import__(f"itests.{name}", fromlist=["suite"])
    module.suite.run(Told())


async def run_all(server, suite: Path, expected: set[str]) -> dict[str, dict]:
    from server import DOMAIN, PASSWORD
    places, results = asyncio.Semaphore(SIDE_BY_SIDE), {}

    async def run(name):
        accounts = {f"CI_ACCOUNT{n}": server.account(f"slix{n}-") for n in (1, 2)}
        passwords = {f"CI_ACCOUNT{n}_PASSWORD": PASSWORD for n in (1, 2)}
        async with places:
            process = await asyncio.create_subprocess_exec(
                sys.executable, __file__, "--module", name, cwd=suite, stdout=asyncio.subprocess.PIPE,
                env={**os.environ, **accounts, **passwords, "CI_MUC_SERVER": f"conference.{DOMAIN}",
                     "SSL_CERT_FILE": str(server.certificates.authority)})
            reading = asyncio.ensure_future(read(process.stdout, results))
            await asyncio.wait([reading], timeout=EXPECTED_SECONDS if name in expected else OTHER_SECONDS)
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading

    await asyncio.gather(*(run(path.stem) for path in sorted(suite.glob("itests/test_*.py"))))
    return results


async def read(lines, results) -> None:
    async for line in lines:
        told = json.loads(line)
        results[told.pop("test")] = told


def main(kind: str, folder: str, suite: str, expected: list[str]) -> None:
    import conftest
    server = conftest.SERVERS[kind](Path(folder), ports=(5222, 5223))
    server.start()
    try:
        results = asyncio.run(run_all(server, Path(suite), set(expected)))
    finally:
        server.stop()
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[1] == "--module":
        run_module(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

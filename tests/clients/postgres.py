"""Databases for the servers of this process, in the cluster of `tests/postgres`, which ends with it."""

import functools
import itertools
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "postgres/cluster"


class Cluster:
    """A real PostgreSQL on a loopback port."""

    def __init__(self) -> None:
        # In a process group of its own: what a terminal sends to the tests is not for it, it outlives them to clean up.
        self.script = subprocess.Popen([SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                       process_group=0)
        words = self.script.stdout.readline().split()
        assert words[:1] == ["ready"], "PostgreSQL does not start; why is on standard error"
        self.port = int(words[1])
        self._serial = itertools.count()

    def database(self) -> str:
        """Makes an empty database; its address."""
        name = f"test{next(self._serial)}"
        self.script.stdin.write(f"make {name}\n")
        assert self.script.stdout.readline() == "done\n", f"no database {name}; why is on standard error"
        return f"postgres://wattle@127.0.0.1:{self.port}/{name}"


shared = functools.cache(Cluster)


def database() -> str:
    """An empty database in the cluster of this process."""
    return shared().database()


def query(address: str, statement: str) -> str:
    """What PostgreSQL's own client says to it: a line for each row."""
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, "-d", address],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout

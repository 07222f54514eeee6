"""A clean Debian with systemd in a container, in which the package is installed as on anybody's machine.

`cross/try-package` makes the file system and the package, and sets WATTLE_DEBIAN and WATTLE_PACKAGE. The container has this
machine's network, so that clients here reach the server there on the loopback.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from server import DOMAIN, OTHER_DOMAIN, Server

SECONDS = 120
"""After this the container counts as hung; it starts within 3 s."""


class Container(Server):
    """The machine that the package is for. The server on it is systemd's matter: `start` and `stop` are of the machine."""

    name = "container"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "root"
        self.package = Path(os.environ["WATTLE_PACKAGE"])
        subprocess.run(["cp", "-a", "--reflink=auto", os.environ["WATTLE_DEBIAN"], self.root], check=True)
        shutil.copy(self.package, self.root / "root/wattle.deb")

    def start(self) -> None:
        """Returns when its services run."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--directory", self.root, "--register=no", "--keep-unit", "--console=pipe", "--boot"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the container does not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)

    def stop(self) -> int:
        self.run("systemctl poweroff")
        process, self.process = self.process, None
        return process.wait(SECONDS)

    def run(self, command: str) -> str:
        """Carries out a command as root of the container; what it said on both of its outputs."""
        done = self._enter(command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def code(self, command: str) -> int:
        """The exit code of a command."""
        return self._enter(command).returncode

    def configure(self) -> None:
        """What the operator writes: domains, their certificates, and ports that are free here."""
        own = self.root / "etc/wattle"
        domains = ""
        for name in (DOMAIN, OTHER_DOMAIN):
            domains += f'[[domain]]\nname = "{name}"\ncertificate = "/etc/wattle/chain.pem"\nkey = "/etc/wattle/key.pem"\n'
        for name in ("chain.pem", "key.pem"):
            shutil.copy(self.folder / "certificates" / name, own)
        text = own.joinpath("wattle.toml").read_text()
        for line, wanted in (('domains = ["localhost"]', ""),
                             ('client = ["[::]:5222"]', f'client = ["{self.host}:{self.starttls_port}"]'),
                             ('client_tls = ["[::]:5223"]', f'client_tls = ["{self.host}:{self.tls_port}"]')):
            assert f"\n{line}\n" in text
            text = text.replace(line, wanted)
        # In place: owner and mode are the package's.
        own.joinpath("wattle.toml").write_text(text + domains)

    def add_user(self, jid: str, password: str) -> None:
        quoted = password.replace("'", "'\\''")
        self.run(f"wattle user add {jid} --password '{quoted}'")

    def _answers(self) -> bool:
        return self._leader() is not None and self.run("systemctl is-system-running || true").strip() in ("running", "degraded")

    def _leader(self) -> str | None:
        """The container's first process, by its number here."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[0] if children else None

    def _enter(self, command: str) -> subprocess.CompletedProcess:
        return subprocess.run(["nsenter", "--target", self._leader(), "--all", "/usr/bin/env", "-i",
                               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                               "DEBIAN_FRONTEND=noninteractive", "bash", "-c", command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)

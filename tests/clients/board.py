"""A server on an emulated ARM board: the very program of the arm64 package, under Debian's kernel, on four cores.

`cross/try` makes the kernel and the file system and sets WATTLE_BOARD to their folder. What the server keeps is on a disk of
its own, so the board can lose its power.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path

from server import DOMAIN, OTHER_DOMAIN, Server

SECONDS = 120
"""After this the board counts as hung; a start takes 3 s on a machine that is otherwise idle."""


class Board(Server):
    """QEMU's `virt` board with four cores; its ports are forwarded to this machine."""

    name = "board"
    home = "/var/lib/wattle"

    def __init__(self, folder: Path, cpu: str | None = None) -> None:
        super().__init__(folder)
        self.cpu = cpu or os.environ.get("WATTLE_BOARD_CPU", "cortex-a72")
        self.kit = Path(os.environ["WATTLE_BOARD"])
        self.disk = folder / "disk"
        self.settings = ""
        """Further lines of the configuration, for the disk that is made at the first start."""
        self._lines: queue.Queue[str | None] = queue.Queue()

    # -- the board --

    def switch_on(self) -> None:
        """Returns when its shell listens."""
        if not self.disk.exists():
            self._make_disk()
        forwarded = ",".join(f"hostfwd=tcp:{self.host}:{here}-:{there}"
                             for here, there in ((self.starttls_port, 5222), (self.tls_port, 5223)))
        self.process = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", self.cpu, "-smp", "4", "-m", "512", "-nodefaults", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-kernel", self.kit / "kernel", "-initrd", self.kit / "initramfs",
             "-append", "console=ttyAMA0 panic=-1 quiet", "-netdev", f"user,id=net,restrict=on,{forwarded}",
             "-device", "virtio-net-pci,netdev=net,romfile=", "-drive", f"file={self.disk},if=none,format=raw,id=disk",
             "-device", "virtio-blk-pci,drive=disk"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._lines = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self._lines), daemon=True).start()
        self._until("@board")

    def cut_power(self) -> None:
        """What its kernel has not written to the disk is gone."""
        Server.kill(self)

    def run(self, command: str) -> str:
        """Carries out a line of the board's shell, and returns what it said."""
        assert self.process is not None and "\n" not in command
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        said, code = self._until("@")
        assert code == "@0", f"{command}: {code}\n{said}"
        return said

    def _make_disk(self) -> None:
        content = self.folder / "content"
        shutil.rmtree(content, ignore_errors=True)
        content.mkdir()
        for name in ("chain.pem", "key.pem"):
            shutil.copy(self.folder / "certificates" / name, content)
        domains = "".join(f'[[domain]]\nname = "{name}"\ncertificate = "{self.home}/chain.pem"\nkey = "{self.home}/key.pem"\n'
                          for name in (DOMAIN, OTHER_DOMAIN))
        content.joinpath("wattle.toml").write_text(
            f'[listen]\nclient = ["0.0.0.0:5222"]\nclient_tls = ["0.0.0.0:5223"]\n[server]\ndata = "{self.home}/data"\n'
            f'[contact]\nadmin = ["xmpp:admin@{DOMAIN}"]\n{self.settings}\n{domains}')
        # The user of the initial file system, as in the package.
        subprocess.run(["mkfs.ext4", "-q", "-E", "root_owner=64:64", "-d", content, self.disk, "256M"], check=True)

    def _listen(self, process: subprocess.Popen, lines: queue.Queue) -> None:
        with self.log.open("a") as log:
            for line in process.stdout:
                text = line.decode(errors="replace").rstrip("\r\n")
                log.write(text + "\n")
                log.flush()
                lines.put(text)
        lines.put(None)

    def _until(self, mark: str) -> tuple[str, str]:
        said = []
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                raise RuntimeError(f"the board hangs or ended:\n{self.log.read_text()[-4000:]}")
            if line.startswith(mark):
                return "\n".join(said), line
            said.append(line)

    # -- the server on it --

    def start(self) -> None:
        if self.process is None:
            self.switch_on()
        self.serve()

    def serve(self, environment: str = "") -> None:
        """Returns when the server takes connections: it says so behind opening its doors. Limits are those of the unit."""
        serving = f"start-stop-daemon -S -c wattle:wattle -x /usr/bin/wattle -- --config {self.home}/wattle.toml run"
        self.run(f"ulimit -n 524288; ulimit -l 65536; rm -f /tmp/said; {environment} {serving} >/tmp/said 2>/tmp/log &")
        said = "grep -q 'new account' /tmp/said"
        self.run(f"until {said}; do kill -0 $! 2>/dev/null || break; sleep 0.1; done; {said} || {{ cat /tmp/log; false; }}")

    def kill(self) -> None:
        """Kills the program; the board stays on."""
        self.run("kill -9 $(pidof wattle); while pidof wattle >/dev/null; do sleep 0.1; done; true")

    def stop(self) -> int:
        """Ends the program in order, then switches the board off, and in any case ends the emulator."""
        assert self.process is not None
        try:
            self.run("kill $(pidof wattle); while pidof wattle >/dev/null; do sleep 0.1; done; grep -q ended /tmp/log")
            self.process.stdin.write(b"sync; poweroff -f\n")
            self.process.stdin.flush()
            return self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None

    def add_user(self, jid: str, password: str) -> None:
        quoted = password.replace("'", "'\\''")
        self.run(f"wattle --config {self.home}/wattle.toml user add {jid} --password '{quoted}' >/dev/null")

    def counters(self) -> dict:
        """What `wattle stats` tells."""
        return json.loads(self.run(f"wattle --config {self.home}/wattle.toml stats --json"))

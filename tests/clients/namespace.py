"""Runs a command on a loopback of its own, with all ports free and name service by dnsmasq; nothing of the machine changes.

    unshare --net --mount python3 namespace.py ZONE COMMAND...

ZONE is a dnsmasq configuration that listens on 127.0.0.1. The command's exit code is the program's.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def main(zone: str, command: list[str]) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack_from("16sH", request)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("resolv.conf", "nameserver 127.0.0.1\n"), ("hosts", "127.0.0.1 localhost\n")):
            own = Path(folder, name)
            own.write_text(content)
            subprocess.run(["mount", "--bind", own, f"/etc/{name}"], check=True)
        names = subprocess.Popen(["dnsmasq", "--keep-in-foreground", f"--conf-file={zone}", "--user=root", "--group=root",
                                  "--pid-file"])
        try:
            wait_for_names()
            return subprocess.run(command, check=False).returncode
        finally:
            names.terminate()
            names.wait()


def wait_for_names() -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", 53), 1):
                return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("dnsmasq did not start")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

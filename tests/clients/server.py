"""A server under test: the real program, its own data folder, loopback ports, the test authority's certificate.

`Wattle` is what the suite is for. `Prosody` stands behind the same interface, so that a test that fails can be held
against a server of another hand (`WATTLE_TEST_SERVER=prosody`): what fails on both is the test's own fault.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import certificates

DOMAIN = "wattle.test"
OTHER_DOMAIN = "other.test"
PASSWORD = "pa55 w\u00f6rd,=<&>"
ROOT = Path(__file__).resolve().parents[2]


class Server:
    """One running server. `starttls_port` and `tls_port` are for clients, both on `host`."""

    host = "127.0.0.1"
    name = ""
    lacks: frozenset[str] = frozenset()
    """What a peer cannot show; its tests are skipped there."""
    database = ""
    """The address of what it keeps; empty if that is in its folder."""

    def __init__(self, folder: Path, ports: tuple[int, int] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.starttls_port, self.tls_port = ports or (free_port(), free_port())
        self.certificates = certificates.make(folder / "certificates", [DOMAIN, OTHER_DOMAIN])
        self.log = folder / "server.log"
        self.process: subprocess.Popen | None = None
        self._serial = itertools.count(1)

    def start(self) -> None:
        """Returns when all doors take connections."""
        self.configure()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        deadline = time.monotonic() + 30
        for door in self.doors():
            while not takes_connections(door):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
                time.sleep(0.02)

    def stop(self) -> int:
        """Asks the program to end and returns its exit code; one that does not end within 10 s is killed."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"{self.name} did not end within 10 s of SIGTERM") from None

    def kill(self) -> None:
        """What a power cut does to the process: no goodbye, nothing flushed."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def account(self, localpart: str, domain: str = DOMAIN) -> str:
        """A new account whose name starts with `localpart`, so that no test meets another's; returns its bare JID."""
        jid = f"{localpart}{next(self._serial)}@{domain}"
        self.add_user(jid, PASSWORD)
        return jid

    def doors(self) -> list[tuple[str, int] | str]:
        """Ports and sockets that must be open before the tests begin."""
        return [(self.host, self.starttls_port), (self.host, self.tls_port)]

    def configure(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def add_user(self, jid: str, password: str) -> None:
        raise NotImplementedError


class Wattle(Server):
    """The release binary, or the one that WATTLE_BINARY names."""

    name = "wattle"

    def __init__(self, folder: Path, shards: int, ports: tuple[int, int] | None = None,
                 database: Callable[[], str] | None = None) -> None:
        """`database` makes one and tells its address."""
        super().__init__(folder, ports)
        self.shards = shards
        if database:
            self.database = database()
        self.binary = os.environ.get("WATTLE_BINARY", str(ROOT / "target/release/wattle"))
        self.config = folder / "wattle.toml"

    def doors(self) -> list[tuple[str, int] | str]:
        return [*super().doors(), str(self.folder / "data/admin.sock")]

    def configure(self) -> None:
        store = f'[store]\ndatabase = "{self.database}"' if self.database else ""
        files = f'certificate = "{self.certificates.chain}"\nkey = "{self.certificates.key}"'
        self.config.write_text(f"""
[listen]
client = ["{self.host}:{self.starttls_port}"]
client_tls = ["{self.host}:{self.tls_port}"]

[server]
data = "{self.folder / "data"}"
shards = {self.shards}

{store}

[log]
level = "debug"

[contact]
admin = ["xmpp:admin@{DOMAIN}"]

[[domain]]
name = "{DOMAIN}"
{files}

[[domain]]
name = "{OTHER_DOMAIN}"
{files}
""")

    def command(self) -> list[str]:
        return [self.binary, "run", "--config", str(self.config)]

    def add_user(self, jid: str, password: str) -> None:
        self.run("user", "add", jid, "--password", password)

    def run(self, *arguments: str) -> str:
        """Another call of the program beside the running server; its standard output."""
        done = subprocess.run([self.binary, *arguments, "--config", str(self.config)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, cwd=self.folder)
        assert done.returncode == 0, f"wattle {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout


class Prosody(Server):
    """Debian's prosody with what it ships for the same features."""

    name = "prosody"
    lacks = frozenset({
        "tls-exporter",  # Debian's lua-sec 1.2 has no name for it
        "wattle room",  # its operator's commands
        "large pages",  # at most 50 messages for each query
        "tombstones",  # XEP-0424 section 4
        "unavailable on unsubscribe",  # RFC 6121 section 3.3.3
        "wattle's bounds",  # other limits, other errors
        "coalesced presence",  # its mod_csi_simple holds presence back and then sends all of it
    })

    def configure(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        modules = """roster saslauth tls dialback disco carbons private blocklist vcard4 vcard_legacy pep version uptime
            time ping csi_simple smacks offline lastactivity register presence message iq posix admin_shell
            server_contact_info mam"""
        enabled = ", ".join(f'"{module}"' for module in modules.split())
        self.folder.joinpath("prosody.cfg.lua").write_text(f"""
            data_path = "{data}"
            plugin_paths = {{}}
            pidfile = "{self.folder}/prosody.pid"
            run_as_root = true
            admin_socket = "{self.folder}/prosody.sock"
            interfaces = {{ "{self.host}" }}
            c2s_ports = {{ {self.starttls_port} }}
            c2s_direct_tls_ports = {{ {self.tls_port} }}
            s2s_ports = {{}}
            c2s_require_encryption = true
            allow_registration = false
            authentication = "internal_plain"
            storage = "internal"
            modules_enabled = {{ {enabled} }}
            modules_disabled = {{ "s2s", "http" }}
            contact_info = {{ admin = {{ "xmpp:admin@{DOMAIN}" }} }}
            ssl = {{ certificate = "{self.certificates.chain}", key = "{self.certificates.key}" }}
            c2s_direct_tls_ssl = ssl
            log = {{ debug = "*console" }}
            VirtualHost "{DOMAIN}"
            VirtualHost "{OTHER_DOMAIN}"
            Component "conference.{DOMAIN}" "muc"
                modules_enabled = {{ "muc_mam" }}
        """)

    def command(self) -> list[str]:
        return [shutil.which("prosody") or "prosody", "--config", str(self.folder / "prosody.cfg.lua"), "-F"]

    def add_user(self, jid: str, password: str) -> None:
        localpart, domain = jid.split("@")
        subprocess.run(["prosodyctl", "--config", str(self.folder / "prosody.cfg.lua"), "register", localpart, domain,
                        password], check=True, capture_output=True, timeout=30)


def free_port() -> int:
    """A TCP port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def takes_connections(door: tuple[str, int] | str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX if isinstance(door, str) else socket.AF_INET) as probe:
            probe.settimeout(1)
            probe.connect(door)
            return True
    except OSError:
        return False

"""The Debian package on a clean Debian under systemd (`cross/try-package`): each test goes on where the one before ended."""

import json
import re
import time

import pytest

from container import SECONDS, Container
from slix import Client, clients

UNIT = "/usr/lib/systemd/system/wattle.service"
EXPOSURE = 20
"""systemd's own judgement of a unit, times 10: below it stands what it calls OK, at most 100 is nothing hardened at all."""
PACKAGED = "/usr/bin/wattle /usr/share/man/man1/wattle-user-add.1.gz /usr/share/bash-completion/completions/wattle " \
    f"/etc/wattle/wattle.toml {UNIT}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A clean Debian that runs."""
    container = Container(tmp_path_factory.mktemp("debian"))
    container.start()
    yield container
    container.stop()


@pytest.fixture(scope="module")
def before(machine):
    """The files of the machine without the package."""
    return files(machine)


def files(machine):
    """But for those that remember which packages there were, and whatever the services of the machine write."""
    found = machine.run("find / -xdev -path /var/lib/dpkg -prune -o -path /var/log -prune -o -path /tmp -prune -o -path /run -prune"
                        " -o -path /var/lib/systemd -prune -o -path /var/cache -prune -o -path /var/tmp -prune -o -print")
    return {line for line in found.splitlines() if not re.fullmatch(r"/etc/(passwd|group|g?shadow)-?|/etc/sub[ug]id-?", line)}


def shows(machine, *properties):
    """What systemd knows of the service."""
    shown = dict(line.split("=", 1) for line in machine.run(f"systemctl show -p {','.join(properties)} wattle").splitlines())
    return [shown[name] for name in properties]


def succeeded(machine, process):
    """Returns when systemd has another main process that said it is ready. Of a killed one it may not know yet."""
    deadline = time.monotonic() + SECONDS
    while True:
        now, state = shows(machine, "MainPID", "ActiveState")
        if state == "active" and now not in ("0", process):
            return
        assert time.monotonic() < deadline, f"nobody succeeds {process}: {state}, {now}"
        time.sleep(0.1)


def test_installing_starts_nothing(machine, before):
    machine.run("dpkg -i /root/wattle.deb")
    assert machine.run("systemctl is-active wattle || true") == "inactive\n"
    assert machine.run("systemctl is-enabled wattle || true") == "disabled\n"
    machine.run(f"ls {PACKAGED}")
    assert machine.run("stat -c '%U:%G %a' /var/lib/wattle /etc/wattle/wattle.toml") == "wattle:wattle 700\nroot:wattle 640\n"
    machine.run("bash -n /usr/share/bash-completion/completions/wattle")
    machine.run("dpkg --verify wattle")


def test_those_whose_work_is_in_it_are_named(machine):
    notices = machine.run("zcat /usr/share/doc/wattle/THIRD-PARTY.gz")
    assert {"rustls", "libsqlite3-sys", "SQLite"} <= {line.split()[0] for line in notices.splitlines() if line.strip()}
    assert "May you find forgiveness for yourself" in notices, "SQLite's text"
    # Of those who build and test, and of nobody's machine.
    assert "\nclap_mangen " not in notices and "/registry/" not in notices
    machine.run("zcat /usr/share/doc/wattle/rust-library.html.gz | grep -q 'The Rust Project Developers'")


def test_systemd_accepts_the_unit(machine):
    assert machine.run(f"systemd-analyze verify --man=no {UNIT}") == ""
    machine.run(f"systemd-analyze security --no-pager --offline=yes --threshold={EXPOSURE} wattle.service")


async def test_what_was_configured_is_served(machine):
    machine.configure()
    # Nobody runs it yet, and root must not leave files that it could not open.
    assert machine.code("wattle user list") == 1
    checked = machine.run("setpriv --reuid=wattle --regid=wattle --clear-groups wattle check")
    assert checked.endswith("no faults, no warnings\n"), checked
    # Type=notify: this returns when all shards listen.
    machine.run("systemctl enable --now wattle")
    assert shows(machine, "ActiveState", "SubState", "WatchdogUSec") == ["active", "running", "2min"]
    juliet, romeo = Client(machine, machine.account("juliet")), Client(machine, machine.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        juliet.send_message(romeo.boundjid.full, "in a sandbox", mtype="chat")
        assert (await romeo.messages.next())["body"] == "in a sandbox"
    shards = json.loads(machine.run("wattle stats --json"))["shards"]
    assert len(shards) == int(machine.run("nproc"))


def test_the_watchdog_is_fed(machine):
    machine.run("mkdir -p /run/systemd/system/wattle.service.d")
    machine.run("printf '[Service]\\nWatchdogSec=2\\n' >/run/systemd/system/wattle.service.d/soon.conf")
    machine.run("systemctl daemon-reload && systemctl restart wattle")
    fed = set()
    deadline = time.monotonic() + SECONDS
    while len(fed) < 4:
        assert time.monotonic() < deadline, f"systemd saw the watchdog fed at {fed} only"
        fed.add(shows(machine, "WatchdogTimestampMonotonic")[0])
        assert shows(machine, "ActiveState", "NRestarts") == ["active", "0"]
        time.sleep(0.1)
    machine.run("rm -r /run/systemd/system/wattle.service.d && systemctl daemon-reload && systemctl restart wattle")


@pytest.mark.parametrize("lost", ["upgraded", "killed"])
async def test_a_stream_outlives_the_program(machine, lost):
    juliet = Client(machine, machine.account("juliet"), plugins=["xep_0198"])
    async with clients(juliet, presence=True):
        await juliet.event_named("sm_enabled")
        (process,) = shows(machine, "MainPID")
        machine.run("dpkg -i /root/wattle.deb" if lost == "upgraded" else f"kill -9 {process}")
        await juliet.event_named("disconnected")
        succeeded(machine, process)
        juliet.dial()
        name, data = await juliet.event_named("session_resumed", "session_start", "sm_failed")
        assert name == "session_resumed", f"{name} {data}"


def test_an_upgrade_starts_nothing_that_was_stopped(machine):
    machine.run("systemctl stop wattle")
    machine.run("dpkg -i /root/wattle.deb")
    assert machine.run("systemctl is-active wattle || true") == "inactive\n"
    machine.run("systemctl start wattle")


def test_removing_keeps_configuration_and_data(machine):
    accounts = machine.run("wattle user list")
    assert "juliet" in accounts
    machine.run("dpkg -r wattle")
    assert machine.code("pidof wattle") == 1
    machine.run("test ! -e /usr/bin/wattle && test -e /var/lib/wattle/wattle.sqlite && test -e /etc/wattle/wattle.toml")
    machine.run("dpkg -i /root/wattle.deb")
    # It was enabled, so it is a service of this machine again; as with any package it starts with the machine or by hand.
    machine.run("systemctl start wattle")
    assert machine.run("wattle user list") == accounts


def test_purging_takes_everything(machine, before):
    machine.run("dpkg -P wattle")
    assert machine.code("pidof wattle") == 1
    # What the operator put beside the configuration stays.
    assert files(machine) - before <= {"/etc/wattle", "/etc/wattle/chain.pem", "/etc/wattle/key.pem"}
    assert before <= files(machine)
    # So does the user: backups elsewhere are still its own.
    machine.run("getent passwd wattle")


def test_purging_empties_a_disk_that_is_mounted_for_the_data(machine):
    machine.run("dpkg -i /root/wattle.deb && touch /var/lib/wattle/wattle.sqlite")
    machine.run("mount --bind /var/lib/wattle /var/lib/wattle")
    machine.run("dpkg -P wattle")
    assert machine.run("ls -A /var/lib/wattle") == ""
    machine.run("umount /var/lib/wattle && rmdir /var/lib/wattle")

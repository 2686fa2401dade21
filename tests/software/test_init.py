"""systemd as pid 1, as Podman starts it: a cgroup of its own that it may write to, tmpfs for what it writes, no further privileges."""

import os
import pathlib
import signal
import subprocess

import pytest
from bundle import RUNTIME, edit_config, wait_for
from marks import software

MOUNTS = [("/run", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=755"]), ("/run/lock", "tmpfs", "tmpfs", ["nosuid", "nodev"]),
          ("/tmp", "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=1777"]),
          ("/sys/fs/cgroup", "cgroup", "cgroup", ["rw", "nosuid", "noexec", "nodev"])]
# Servers of the tests' root file system, of no interest here.
MASKED = "caddy haproxy nginx postgresql postgresql@ redis-server unbound ssh".split()
CHECK = r"""
until systemctl is-system-running | grep -Evqx 'initializing|starting|offline'; do sleep 0.2; done
systemctl is-system-running; systemctl --failed --no-legend --plain; systemd-detect-virt; systemd-detect-virt --container
systemctl is-active basic.target multi-user.target dbus.service systemd-journald.service systemd-logind.service
ps -o comm= -p 1; own=$(tr ':' '\n' </proc/self/cgroup | grep -m1 check.service); echo $own
systemd-run --quiet --wait --pipe -p User=tester -p TasksMax=20 sh -c 'id -un; tr ":" "\n" </proc/self/cgroup | grep -m1 -o "/system.slice/run-u"'
systemd-run --quiet --scope --unit=a-scope sh -c 'tr ":" "\n" </proc/self/cgroup | grep -m1 scope'
systemd-run --quiet --wait --unit=fails sh -c 'exit 7'; echo $?; systemctl show -p Result,ExecMainStatus fails
systemd-run --quiet --unit=kin sh -c 'sleep 1001 & sleep 1002 & wait'; until [ "$(pgrep -xc sleep)" = 2 ]; do sleep 0.1; done
systemctl show -p TasksCurrent kin | grep -q '=[34]$' && echo tasks; systemctl stop kin; pgrep -xc sleep; systemctl is-active kin
systemd-run --quiet --unit=dies -p Restart=on-failure -p RestartSec=100ms sh -c 'echo x >>/tmp/starts; exec sleep 1003'
until [ -s /tmp/starts ]; do sleep 0.1; done; systemctl kill -s KILL dies; until [ "$(wc -l </tmp/starts)" = 2 ]; do sleep 0.1; done
systemctl is-active dies; systemd-run --quiet --on-active=100ms --unit=timed touch /tmp/timed; until [ -e /tmp/timed ]; do sleep 0.1; done
printf '[Socket]\nListenStream=/run/up.sock\nAccept=yes\n[Install]\nWantedBy=sockets.target\n' >/etc/systemd/system/up.socket
printf '[Service]\nExecStart=tr a-z A-Z\nStandardInput=socket\n' >/etc/systemd/system/up@.service
systemctl daemon-reload; systemctl start up.socket
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/up.sock"); s.send(b"hello\n"); s.shutdown(1); print(s.recv(9))'
logger -t mine a line; journalctl --sync; journalctl -t mine -o cat; hostnamectl hostname; loginctl list-sessions --no-legend
busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId | cut -c1-3
"""
SERVICE = """[Unit]
After=dbus.service systemd-logind.service
[Service]
ExecStart=/bin/bash -c '. /check >/result.new 2>&1; echo $? >>/result.new; mv /result.new /result'
ExecStop=/bin/sh -c 'echo stopped >>/result'
RemainAfterExit=yes
"""


def prepare(bundle):
    root = bundle / "rootfs"
    units = root / "etc/systemd/system"
    (root / "check").write_text(CHECK)
    (units / "check.service").write_text(SERVICE)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "check.service").symlink_to("../check.service")
    for name in MASKED:
        (units / f"{name}.service").unlink(missing_ok=True)
        (units / f"{name}.service").symlink_to("/dev/null")

    def change(config):
        config["linux"]["namespaces"] += [{"type": "cgroup"}, {"type": "network"}]
        config["linux"]["cgroupsPath"] = f"/callgate-systemd-{os.getpid()}"
    edit_config(bundle, change)


@pytest.fixture
def booted(start):
    """booted(runtime): what CHECK prints in a container whose pid 1 is systemd, and how that ends by SIGRTMIN+3."""
    def go(runtime):
        bundles = []
        container = start("/sbin/init", "systemd.unit=multi-user.target", runtime=runtime, env=["container=podman"], mounts=MOUNTS,
                          prepare=lambda bundle: (bundles.append(bundle), prepare(bundle)))
        result = pathlib.Path(bundles[0], "rootfs/result")
        wait_for(lambda: result.exists() or container.process.poll() is not None, 120, f"{runtime}: {result}")
        subprocess.run(["sync"], check=True)
        container.process.send_signal(signal.SIGRTMIN + 3)
        end = container.wait(60)
        return (result.read_text() if result.exists() else str(end)), end.status
    return go


@software("systemd", layer="init")
def test_systemd(booted):
    """As pid 1: boots to multi-user.target; transient services, scopes, timers, a socket; stops, kills and restarts; journal, bus; ends by SIGRTMIN+3"""
    expected = booted("runc")
    assert expected[0].startswith("running\n"), expected
    assert booted(RUNTIME) == expected

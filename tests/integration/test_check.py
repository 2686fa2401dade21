"""callgate check: what it says of this host, and of one that lacks something."""

import json
import os
import shutil
import subprocess

import pytest
from bundle import BUILD, RUNTIME

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own command line")

NAMES = {"kernel", "fsgsbase", "seccomp", "openat2", "landlock", "namespaces", "mount API", "idmapped mounts",
         "cgroups", "cgroups writable", "security modules", "state folder", "guest kernel",
         "machine pv", "machine kvm", "machine auto", "rootless"}


def check(script="{} check --json", program=BUILD / "callgate", status=0):
    """The findings of a check in a mount namespace of its own, by name."""
    result = subprocess.run(["unshare", "-m", "sh", "-c", script.format(program)], timeout=60,
                            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == status, result
    report = json.loads(result.stdout)
    assert report["fit"] == (status == 0)
    return {finding["name"]: finding for finding in report["findings"]}


def test_this_host_is_fit():
    findings = check()
    assert NAMES <= set(findings)
    assert all(f["status"] in ("ok", "warning", "planned") for f in findings.values())
    assert "a container ran" in findings["machine pv"]["found"]
    assert not [f for f in findings.values() if (f["status"] == "warning") != ("remedy" in f)]


def test_one_line_each():
    result = subprocess.run([BUILD / "callgate", "check"], timeout=60, capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == 0, result
    lines = result.stdout.splitlines()
    assert len(lines) >= len(NAMES)
    for line in lines:
        assert line.split()[0] in ("ok", "warning", "planned")
        assert line.startswith("warning") == ("; remedy: " in line)


def test_nothing_is_left_behind():
    check()
    left = [path for path, _, _ in os.walk("/sys/fs/cgroup") if "/callgate-check-" in path]
    assert not left


def test_state_folder_and_cgroups_read_only():
    findings = check("mount -t tmpfs -o ro none /run && mount -t tmpfs -o ro none /sys/fs/cgroup && "
                     "{} check --json", status=1)
    missing = {name for name, f in findings.items() if f["status"] == "missing"}
    assert {"state folder", "cgroups writable"} <= missing
    assert "cpu" in findings["cgroups"]["found"] and findings["cgroups"]["status"] == "warning"
    assert all(findings[name]["remedy"] for name in missing)


def test_no_guest_kernel(tmp_path):
    shutil.copy2(BUILD / "callgate", tmp_path)
    findings = check(program=tmp_path / "callgate", status=1)
    assert "guest-pv.elf" in findings["guest kernel"]["found"]
    assert "guest-pv.elf" in findings["machine pv"]["found"]


def test_guest_kernel_of_another_version(tmp_path):
    shutil.copy2(BUILD / "callgate", tmp_path)
    image = (BUILD / "guest-pv.elf").read_bytes()
    version = subprocess.run([BUILD / "callgate", "--version"], check=True, capture_output=True,
                             text=True).stdout.split()[2].encode()
    assert b"Callgate " + version in image
    (tmp_path / "guest-pv.elf").write_bytes(
        image.replace(b"Callgate " + version, b"Callgate " + b"x" * len(version)))
    findings = check(program=tmp_path / "callgate", status=1)
    assert findings["guest kernel"]["status"] == "missing"


@pytest.mark.parametrize("engine", ["docker", "podman", "containerd", "crio"])
def test_engines(tmp_path, engine):
    """Registered or not, as the engine's own file says."""
    program = "dockerd" if engine == "docker" else engine
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    script = (f"mount --bind {tmp_path} /usr/local/sbin && mount -t tmpfs none /etc && "
              f"{BUILD}/callgate install --{engine} >/dev/null && {{}} check --json")
    assert check(script)[engine]["status"] == "ok"
    script = script.replace("callgate install", "callgate uninstall")
    finding = check(script)[engine]
    assert finding["status"] == "warning" and f"install --{engine}" in finding["remedy"]


def test_ordinary_user(scratch):
    """A check never needs root; what root alone may use is not asked for."""
    for name in ("callgate", "guest-pv.elf"):
        shutil.copy2(BUILD / name, scratch)
    (scratch / "run").mkdir()
    (scratch / "run").chmod(0o777)
    result = subprocess.run([scratch / "callgate", "check", "--json"], timeout=60, cwd="/", check=False,
                            capture_output=True, text=True, user=65534, group=65534, extra_groups=[],
                            env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(scratch / "run")})
    findings = {f["name"]: f for f in json.loads(result.stdout)["findings"]}
    assert findings["kernel"]["status"] == findings["mount API"]["status"] == "ok"
    assert findings["state folder"]["status"] == "ok" and "idmapped mounts" not in findings
    # nobody has no range of users
    assert findings["rootless"]["status"] == "missing" and result.returncode == 1

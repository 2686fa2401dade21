"""--machine=auto: which machine it takes, and that it says why."""

import json
import os
import subprocess

import pytest
from bundle import BUILD, RUNTIME
from test_lifecycle import Life

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own command line")

# Whatever /dev/kvm there is: here it is one that answers nothing.
WITHOUT = "if test -e /dev/kvm; then mount --bind /dev/null /dev/kvm; fi; "


def without_kvm(*command, **environment):
    return subprocess.run(["unshare", "-m", "sh", "-c", WITHOUT + 'exec "$@"', "sh", BUILD / "callgate", *command],
                          env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)


def test_check_says_what_is_missing():
    result = without_kvm("check", "--json")
    found = {f["name"]: f["found"] for f in json.loads(result.stdout)["findings"]}
    assert found["machine kvm"].startswith("not usable: /dev/kvm")
    assert found["machine auto"].endswith("takes pv")


@pytest.mark.parametrize("asked", [{"CALLGATE_MACHINE": "auto"}, {}], ids=["environment", "option"])
def test_auto_without_kvm_is_pv(asked):
    option = [] if asked else ["--machine=auto"]
    result = without_kvm("--debug", *option, "do", "--", "/bin/echo", "ran", **asked)
    assert (result.returncode, result.stdout) == (0, "ran\n"), result
    assert "machine pv: /dev/kvm" in result.stderr


def test_state_shows_the_machine(bundles, tmp_path, monkeypatch):
    life = Life(RUNTIME, tmp_path / "state", bundles)
    monkeypatch.setenv("CALLGATE_MACHINE", "pv")
    try:
        life.create(change=lambda data: data.update(annotations={"org.example.key": "value"}))
        assert life.state()["annotations"] == {"org.example.key": "value", "org.callgate.machine": "pv",
                                               "org.callgate.machine.reason": "asked for"}
    finally:
        life.close()


def test_no_such_machine():
    result = without_kvm("--machine=xen", "do", "--", "/bin/true")
    assert result.returncode == 1 and "--machine: 'xen' is none of auto, pv, kvm" in result.stderr

"""Software of other people, with a workload each: what it does under runc it does here.

    @software("sqlite3", layer="data")
    def test_sqlite(same):
        \"\"\"A sentence about the workload, for docs/compatibility.md.\"\"\"
        same(SCRIPT)

Packages come in layers (layers/NAME) over the tests' root file system. A test of the layer `core` is part of `make test`;
all others are only run by CALLGATE_SOFTWARE=all, which is `make test-software`. CALLGATE_SOFTWARE_RESULTS names the
JSON file that results are merged into.
"""

import functools
import json
import os
import pathlib
import subprocess
import tempfile

import pytest
from bundle import RUNTIME, TESTS, Bundles

ALL = os.environ.get("CALLGATE_SOFTWARE") == "all"
RESULTS = os.environ.get("CALLGATE_SOFTWARE_RESULTS")
found = {}  # a test's id: its row


def pytest_configure(config):
    config.addinivalue_line("markers", "software(package, layer, differs): what the test runs, and how it differs from runc")


def pytest_collection_modifyitems(config, items):
    out = [item for item in items if (mark := item.get_closest_marker("software"))
           and mark.kwargs["layer"] != "core" and not ALL]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def make_layer(name):
    return subprocess.run([TESTS / "software" / "layer.sh", name], stdin=subprocess.DEVNULL, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def layer(request):
    """The path of the layer that the test's mark names."""
    return make_layer(request.node.get_closest_marker("software").kwargs["layer"])


@pytest.fixture
def bundles(rootfs, layer):
    """Bundles with the layer's packages, in place of those with the project's test programs."""
    made = Bundles(tempfile.mkdtemp(prefix="callgate-software-", dir=os.environ.get("CALLGATE_TEST_TMP", "/var/tmp")),
                   [layer, rootfs])
    yield made
    made.close()


@pytest.fixture
def same(run_both):
    """same(script, **options): a bash script, under runc and here. It has to succeed with the same output."""
    def go(script, timeout=120, **options):
        result = run_both("/bin/bash", "-c", script, timeout=timeout, **options)
        assert result.status == 0, str(result)
        return result
    return go


@pytest.fixture
def same_apart(same):
    """same() in a network namespace of its own, with a loopback interface: any port is free."""
    name = f"software{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield functools.partial(same, network=f"/var/run/netns/{name}")
    subprocess.run(["ip", "netns", "del", name], check=True)


def version(layer_path, rootfs_path, package):
    """As dpkg in the layer knows it."""
    for root in (layer_path, rootfs_path):
        status = pathlib.Path(root, "var/lib/dpkg/status")
        for entry in status.read_text().split("\n\n") if status.exists() else ():
            fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
            if fields.get("Package") == package:
                return fields["Version"]
    raise LookupError(f"{package}: in no layer of this test")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    mark = item.get_closest_marker("software")
    if mark and call.when == "call" and RUNTIME == "callgate":
        package = mark.args[0]
        found[item.nodeid] = {
            "software": package,
            "version": version(item.funcargs["layer"], item.funcargs["rootfs"], package),
            "layer": mark.kwargs["layer"],
            "workload": " ".join((item.function.__doc__ or item.name).split()),
            "case": item.callspec.id if hasattr(item, "callspec") else "",
            "result": "as runc" if report.passed else "fails",
            "differs": mark.kwargs.get("differs", ""),
        }


def pytest_sessionfinish():
    if not RESULTS or not found:
        return
    path = pathlib.Path(RESULTS)
    known = json.loads(path.read_text()) if path.exists() else {}
    known.update(found)
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")

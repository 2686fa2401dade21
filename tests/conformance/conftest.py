"""Every test runs with callgate and with runc, so that it is right about both.

A test of what Debian's runc (1.1, specification 1.0.2) does not have, or does otherwise, is marked
callgate_only with the reason: it is not run with runc then.
"""

import pathlib
import shutil
import sys
import tempfile

import pytest
from bundle import RUNTIME

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from oci import Runtime  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "callgate_only(reason): runc does not, and why")


def pytest_generate_tests(metafunc):
    if "oci" in metafunc.fixturenames:
        metafunc.parametrize("oci", sorted({RUNTIME, "runc"}), indirect=True)


def pytest_collection_modifyitems(config, items):
    out = [item for item in items if item.get_closest_marker("callgate_only")
           and item.callspec.params["oci"] == "runc"]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


@pytest.fixture
def oci(request, bundles):
    root = pathlib.Path(tempfile.mkdtemp(prefix="callgate-oci-", dir="/run"))
    runtime = Runtime(request.param, root, bundles)
    yield runtime
    runtime.close()
    shutil.rmtree(root)
